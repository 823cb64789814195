// The toolbar: buttons that show the state and change it. The fixed ones are in viewer.html.

const KIND_LABELS = { hr: "HR", restored: "Restored", x: "x", lr: "LR", x_recovered: "x recovered" };

class Toolbar {
  constructor(viewer, element) {
    this.viewer = viewer;
    this.element = element;
    this.find = (selector) => element.querySelector(selector);
    this.chips = this.find(".vw-chips");
    this.flips = this.find(".vw-flips");
    this.selects = ["left", "right"].map((side) => this.find(`[data-side=${side}]`));
    element.addEventListener("click", (event) => this.click(event));
    this.selects.forEach((select) =>
      select.addEventListener("change", () => viewer.set({ [select.dataset.side]: select.value })),
    );
    this.gain = this.find("[data-gain]");
    this.gain.replaceChildren(...GAINS.map((gain) => make("option", { value: gain }, `×${gain}`)));
    this.gain.addEventListener("change", () => viewer.setError({ gain: Number(this.gain.value) }));
  }

  click(event) {
    const button = event.target.closest("button");
    if (!button || !this.element.contains(button)) return;
    const { viewer } = this;
    const { state } = viewer;
    const { mode, zoom, step, act, of, signed, plane, kind, method, flip } = button.dataset;
    if (mode) viewer.set({ mode });
    else if (zoom === "fit") viewer.fit();
    else if (zoom) viewer.zoomTo(Number(zoom));
    else if (step) viewer.zoomTo(nextStep(state.view.zoom, Number(step)));
    else if (of) viewer.setError({ of });
    else if (signed) viewer.setError({ signed: signed === "yes" });
    else if (plane) viewer.setError({ plane });
    else if (kind) viewer.set({ kinds: toggled(state.kinds, kind) });
    else if (method) viewer.set({ hidden: toggled(state.hidden, method) });
    else if (flip) viewer.set(flipTo(state, flip));
    else if (act) ACTIONS[act](viewer);
    // After a click the keys belong to the pictures; with the keyboard the focus stays, unless the button is done with.
    if (act !== "help" && (event.detail > 0 || button.disabled)) viewer.stage.focus({ preventScroll: true });
  }

  /** Shows the state. */
  update(state) {
    this.arrange(state);
    const press = (selector, isOn) => {
      for (const button of this.element.querySelectorAll(selector)) {
        button.setAttribute("aria-pressed", isOn(button.dataset));
      }
    };
    const zoom = state.fit ? "fit" : `${state.view.zoom}`;
    press("[data-mode]", (data) => data.mode === state.mode);
    press("[data-zoom]", (data) => data.zoom === zoom);
    press("[data-of]", (data) => data.of === state.error.of);
    press("[data-signed]", (data) => (data.signed === "yes") === state.error.signed);
    press("[data-plane]", (data) => data.plane === state.error.plane);
    press("[data-kind]", (data) => state.kinds.has(data.kind));
    press("[data-method]", (data) => !state.hidden.has(data.method));
    press("[data-flip]", (data) => data.flip === flipPicture(state)?.key);
    press("[data-act=own]", () => state.own);
    press("[data-act=loupe]", () => state.loupe);
    press("[data-act=region]", () => state.tool === "region");
    this.find(".vw-errors-of").hidden = state.value.run && !hasErrorsOf(state.value, "lr");
    this.find("[data-act=clear]").disabled = !state.box;
    this.gain.value = `${state.error.gain}`;
    this.find(".vw-zoom").textContent = state.value.run && this.viewer.panes.size ? `${zoomText(state.view.zoom)} %` : "–";
  }

  /** Makes chips, menus and flip buttons again when there are other pictures. */
  arrange(state) {
    const { value } = state;
    const shown = shownPictures(state);
    const key = JSON.stringify([value.run, value.pictures.map((p) => p.key), shown.map((p) => p.key)]);
    if (key !== this.arranged) {
      this.arranged = key;
      const kinds = Object.keys(KIND_LABELS).filter((kind) => value.pictures.some((p) => p.kind === kind));
      fillChips(this.chips, "kind", kinds.map((kind) => [kind, KIND_LABELS[kind]]), "vw-kinds");
      fillChips(this.chips, "method", value.methods.map(({ name, label }) => [name, label]), "vw-methods");
      this.flips.replaceChildren(
        ...shown.map((picture, index) =>
          make("button", { type: "button", "data-flip": picture.key },
            ...(index < 9 ? [make("kbd", { "aria-hidden": "true" }, `${index + 1}`)] : []), picture.label)),
      );
      for (const select of this.selects) {
        select.replaceChildren(...value.pictures.map((p) => make("option", { value: p.key }, p.label)));
      }
    }
    if (value.pictures.length) pairOf(state).forEach((picture, i) => (this.selects[i].value = picture.key));
  }
}

/** Fills a group of toggles, keeping the buttons that are there so that a focused one stays focused. */
function fillChips(parent, name, entries, group) {
  const box = parent.querySelector(`.${group}`);
  const key = JSON.stringify(entries);
  if (box.dataset.entries === key) return;
  box.dataset.entries = key;
  box.replaceChildren(
    ...entries.map(([value, label]) => make("button", { type: "button", [`data-${name}`]: value }, label)),
  );
}

function toggled(set, member) {
  const copy = new Set(set);
  if (!copy.delete(member)) copy.add(member);
  return copy;
}

function zoomText(zoom) {
  const percent = zoom * 100;
  return percent >= 10 ? `${Math.round(percent)}` : percent.toFixed(1);
}
