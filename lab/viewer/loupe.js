// The loupe: the pixels around a HR point in every picture that is switched on, with their 8-bit values.

const LOUPE_SIDE = 11; // HR pixels, odd: the point is in the middle

/** What is known about a point: for each picture its pixel there and [R, G, B], null where it is not loaded. */
function readings(state, pictures, scratch, list) {
  const { point } = state;
  return list.map((picture) => {
    const bitmap = picture.file && pictures.get(picture.file.url);
    const x = Math.min(Math.floor(point.x / picture.factor), picture.width - 1);
    const y = Math.min(Math.floor(point.y / picture.factor), picture.height - 1);
    return { picture, x, y, values: bitmap ? scratch.pixel(bitmap, x, y) : null };
  });
}

/** The pictures in the loupe: those that are switched on, and what else the mode shows; HR where there are no chips. */
function loupePictures(state) {
  const extra = paneList(state).flatMap((pane) => pane.pictures);
  const hr = pictureByKey(state.value, "hr");
  return [...new Set([...(["slider", "error"].includes(state.mode) && hr ? [hr] : []), ...shownPictures(state), ...extra])];
}

/** The values as a sentence, for the live region. */
function spoken(point, found) {
  const parts = found.map(({ picture, values }) =>
    values ? `${picture.label} ${values.join(" ")}` : `${picture.label} not there`,
  );
  return `Column ${point.x}, row ${point.y}. ${parts.join("; ")}.`;
}

/** The strip below the pictures. */
class Loupe {
  constructor(element) {
    this.element = element;
    this.place = element.querySelector(".vw-place");
    this.list = element.querySelector(".vw-readings");
    this.scratch = new Scratch();
    this.items = new Map();
  }

  /** Shows the surroundings of the state's point. */
  draw(state, pictures) {
    this.element.hidden = !state.loupe;
    if (!state.loupe) return;
    const { point, value } = state;
    const list = value.run ? loupePictures(state) : [];
    this.arrange(list, value.run);
    this.place.textContent = point
      ? `column ${point.x}\nrow ${point.y}\nLR ${Math.floor(point.x / value.scale)}, ${Math.floor(point.y / value.scale)}`
      : `${matchMedia("(pointer: coarse)").matches ? "Tap" : "Point at"}\na pixel`;
    if (!point) return;
    const found = readings(state, pictures, this.scratch, list);
    for (const reading of found) {
      const reference = found.find((one) => one.picture === referenceOf(value, reading.picture) && one !== reading);
      this.show(reading, point, pictures, reference?.values);
    }
  }

  arrange(list, run) {
    const keys = [run, ...list.map((picture) => picture.key)]; // another run is read anew
    if (this.keys?.join() === keys.join()) return;
    this.keys = keys;
    this.items = new Map(list.map((picture) => [picture.key, loupeItem(picture)]));
    this.list.replaceChildren(...[...this.items.values()].map((item) => item.element));
  }

  show({ picture, values }, point, pictures, reference) {
    const item = this.items.get(picture.key);
    item.values.textContent = values ? values.map((value) => `${value}`.padStart(3)).join(" ") : "– – –";
    item.element.dataset.values = values ? values.join(" ") : "";
    item.difference.textContent = values && reference
      ? values.map((value, i) => signedText(value - reference[i]).padStart(3)).join(" ")
      : "";
    const context = item.context;
    clearCanvas(context);
    if (!values) return;
    const zoom = context.canvas.width / LOUPE_SIDE;
    const frame = { width: context.canvas.width, height: context.canvas.height };
    const view = { x: point.x + 0.5, y: point.y + 0.5, zoom };
    drawPicture(context, pictures.get(picture.file.url), placeOf(picture, view, frame, false), frame);
  }
}

function loupeItem(picture) {
  const side = LOUPE_SIDE * Math.max(1, Math.round((5 * (window.devicePixelRatio || 1))));
  const canvas = make("canvas", { width: side, height: side, "aria-hidden": "true" });
  const values = make("span", { class: "vw-values" });
  const difference = make("span", { class: "vw-values vw-difference", title: `minus ${referenceName(picture)}` });
  const text = make("div", {}, make("b", {}, picture.label), values, difference);
  const patch = make("span", { class: "vw-patch" }, canvas);
  const element = make("li", { "data-picture": picture.key }, patch, text);
  return { element, values, difference, context: canvas.getContext("2d") };
}

function signedText(value) {
  return value > 0 ? `+${value}` : value < 0 ? `−${-value}` : "0";
}
