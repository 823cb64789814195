// The viewer: its state, and what changes it. `painter` draws it.

const DIVIDER_KEYS = {
  ArrowLeft: -0.01, ArrowRight: 0.01, ArrowDown: -0.01, ArrowUp: 0.01,
  PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1,
};

class Viewer {
  /** @param {HTMLElement} root @param {(name: string, data: object) => void} trigger */
  constructor(root, trigger) {
    this.root = root;
    this.trigger = trigger;
    this.state = firstState();
    this.stage = root.querySelector(".vw-stage");
    this.live = root.querySelector(".vw-live");
    this.help = root.querySelector(".vw-help");
    this.help.addEventListener("keydown", (event) => {
      if (event.key !== "?") return;
      event.stopPropagation(); // it would open again
      this.help.close();
    });
    this.painter = new Painter(this);
    this.pictures = new Pictures(() => this.schedule());
    this.loupe = new Loupe(root.querySelector(".vw-loupe"));
    this.toolbar = new Toolbar(this, root.querySelector(".vw-bars"));
    this.pointers = new Pointers(this);
    this.measures = root.dataset.regions === "yes"; // there is somebody who measures a region
    document.addEventListener("keydown", (event) => this.keyDown(event));
    document.addEventListener("fullscreenchange", () => this.showFullscreen());
    this.schedule();
  }

  // State

  get panes() {
    return this.painter.panes;
  }

  /** Changes the state and draws in the next frame. */
  set(changes) {
    Object.assign(this.state, changes);
    this.schedule();
  }

  /** Shows another snapshot. One of another picture starts with a view of its own. */
  show(value) {
    if (!value) return;
    const old = this.state.value;
    const sameShape = old.width === value.width && old.height === value.height;
    this.pictures.keep(new Set(value.pictures.flatMap((picture) => (picture.file ? [picture.file.url] : []))));
    const fresh = old.source === value.source ? {} : { box: null, point: null, ...(sameShape ? {} : { fit: true }) };
    this.set({ value, ...fresh });
    if (old.source !== value.source) this.say(""); // of another picture
  }

  setError(changes) {
    this.set({ error: { ...this.state.error, ...changes } });
  }

  setGain(direction) {
    const place = GAINS.indexOf(this.state.error.gain) + direction;
    this.setError({ gain: GAINS[Math.min(Math.max(place, 0), GAINS.length - 1)] });
  }

  /** Another view, held inside the picture. */
  look(view) {
    this.set({ view: clampView(view, this.state.value, this.smallestFrame()), fit: false });
  }

  /** Moves the pictures by device pixels. Where they cannot move, Fit stays on. */
  pan(dx, dy) {
    const { state } = this;
    const view = clampView(panned(state.view, dx, dy), state.value, this.smallestFrame());
    const moved = view.x !== state.view.x || view.y !== state.view.y;
    this.set({ view, fit: state.fit && !moved });
  }

  zoomTo(zoom) {
    this.look(zoomAt(this.state.view, zoom, { x: 0, y: 0 }));
  }

  fit() {
    this.set({ fit: true });
  }

  pointAt(point) {
    if (!this.state.value.run) return;
    this.state.point = point;
    this.painter.scheduleMarks();
  }

  moveDivider(part) {
    if (this.state.mode !== "slider") return false;
    this.set({ split: Math.min(Math.max(this.state.split + part, 0), 1) });
    return true;
  }

  placeDivider(pane, clientX) {
    const box = pane.body.getBoundingClientRect();
    this.set({ split: Math.min(Math.max((clientX - box.left) / box.width, 0), 1) });
  }

  // The region

  showBox(box) {
    this.state.box = box;
    this.painter.scheduleMarks();
    this.toolbar.update(this.state);
  }

  /** Asks the server for the numbers of the box. */
  measureBox() {
    this.trigger("select", { source: this.state.value.source, box: this.state.box, asked: Date.now() });
    this.say(this.state.box ? `Region of ${this.state.box[2]} × ${this.state.box[3]} pixels` : "Region cleared");
  }

  measureVisible() {
    if (!this.measures) return false;
    const pane = [...this.panes.values()][0];
    if (!pane) return;
    this.showBox(visibleBox(this.state.value, this.placeIn(pane, pane.pictures[0]), pane.frame));
    this.measureBox();
  }

  clearBox() {
    if (!this.state.box) return;
    this.showBox(null);
    this.measureBox();
  }

  // Keys

  keyDown(event) {
    const { target } = event;
    const inside = this.root.contains(target);
    const free = target === document.body || target === document.documentElement;
    if (event.defaultPrevented || this.help.open || !(inside || (free && this.root.matches(":hover")))) return;
    if (target.closest("select, input, textarea")) return;
    if (target.closest(".vw-readings") && event.key.startsWith("Arrow") && !event.shiftKey) return; // they scroll it
    if (target.closest("button, a") && (event.key === " " || event.key === "Enter")) return;
    if (target.closest(".vw-divider") && this.dividerKey(event)) return event.preventDefault();
    const before = { ...this.state };
    if (!pressKey(this, event)) return;
    event.preventDefault();
    const said = changeInWords(before, this.state);
    if (said) this.say(said);
  }

  dividerKey(event) {
    const part = DIVIDER_KEYS[event.key];
    return part !== undefined && this.moveDivider(event.shiftKey ? part * 10 : part);
  }

  /** Escape: a step back, from the tool or the region. */
  leave() {
    if (this.root.classList.contains("vw-full")) return this.toggleFullscreen();
    if (this.state.tool === "region") return this.set({ tool: "pan" });
    if (!this.state.box) return false;
    return this.clearBox();
  }

  toggleFullscreen() {
    const { classList } = this.root;
    if (document.fullscreenElement === this.root) document.exitFullscreen();
    else if (classList.contains("vw-full")) classList.remove("vw-full");
    else if (!this.root.requestFullscreen) classList.add("vw-full"); // phones
    else this.root.requestFullscreen().catch(() => (classList.add("vw-full"), this.showFullscreen())); // frames
    this.showFullscreen();
  }

  showFullscreen() {
    const full = document.fullscreenElement === this.root || this.root.classList.contains("vw-full");
    this.root.querySelector("[data-act=fullscreen]").setAttribute("aria-pressed", full);
  }

  showHelp() {
    this.help.showModal();
  }

  say(text) {
    this.live.textContent = text;
  }

  /** Tells the values at the point, for those who do not see them. */
  speak() {
    const { state } = this;
    if (!state.value.run) return;
    state.point ??= pixelAt(state.value, state.view);
    this.say(spoken(state.point, readings(state, this.pictures, this.loupe.scratch, loupePictures(state))));
    this.painter.scheduleMarks();
  }

  // Places

  /** The frame that shows least: what fits there fits everywhere. */
  smallestFrame() {
    const frames = [...this.panes.values()].map((pane) => pane.frame).filter((frame) => frame.width > 0);
    if (!frames.length) return { width: 1, height: 1 };
    return { width: Math.min(...frames.map((f) => f.width)), height: Math.min(...frames.map((f) => f.height)) };
  }

  placeIn(pane, picture) {
    return placeOf(picture, this.state.view, pane.frame, ownSize(this.state, picture));
  }

  /** The pane under a pointer. */
  paneAt(event) {
    const element = elementAt(event)?.closest(".vw-view");
    return element && [...this.panes.values()].find((pane) => pane.body === element);
  }

  /** The HR point under the pointer. */
  pointUnder(pane, event) {
    const { ratio } = pane.frame;
    const box = pane.canvas.getBoundingClientRect();
    // the browser draws the canvas from a whole device pixel on
    const at = {
      x: event.clientX * ratio - Math.round(box.left * ratio),
      y: event.clientY * ratio - Math.round(box.top * ratio),
    };
    const right = pane.pictures.length > 1 && at.x >= Math.round(this.state.split * pane.frame.width);
    return toPicture(this.placeIn(pane, pane.pictures[right ? 1 : 0]), at);
  }

  pixelUnder(pane, event) {
    return pixelAt(this.state.value, this.pointUnder(pane, event));
  }

  /** Device pixels of the shared view per CSS pixel of a pane: more where LR is shown at its own size. */
  ratioOf(pane) {
    const picture = pane.pictures[0];
    return pane.frame.ratio * (ownSize(this.state, picture) ? picture.factor : 1);
  }

  fromMiddle(pane, event) {
    const box = pane.canvas.getBoundingClientRect();
    const ratio = this.ratioOf(pane);
    return {
      x: (event.clientX - box.left - box.width / 2) * ratio,
      y: (event.clientY - box.top - box.height / 2) * ratio,
    };
  }

  // Drawing

  schedule() {
    this.painter.schedule();
  }
}

const viewer = new Viewer(element.querySelector(".vw"), trigger);
watch("value", () => viewer.show(props.value));
viewer.show(props.value);
