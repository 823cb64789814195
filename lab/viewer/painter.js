// The painter: brings panes, marks, toolbar and loupe to what the state says, at most once a frame.

const PANE_BAR = 26; // CSS pixels of a caption; the same in viewer.css
const PANE_GAP = 4;

class Painter {
  constructor(viewer) {
    this.viewer = viewer;
    this.grid = viewer.root.querySelector(".vw-panes");
    this.empty = viewer.root.querySelector(".vw-empty");
    this.panes = new Map(); // by key, in the order of the page
    this.errors = new ErrorDrawing();
    this.sizes = new PaneSizes(() => this.paint()); // at once: until the next frame a new canvas would be empty
    new ResizeObserver(() => this.schedule()).observe(this.grid);
    this.grid.addEventListener("click", (event) => {
      const key = event.target.closest("[data-save]")?.dataset.save;
      if (key) this.saveError(pictureByKey(this.viewer.state.value, key));
    });
  }

  /** Everything is drawn in the next frame. */
  schedule() {
    this.stale = true;
    this.scheduleMarks();
  }

  /** Only marks and loupe are drawn in the next frame. */
  scheduleMarks() {
    this.frame ??= requestAnimationFrame(() => this.paint(this.stale));
  }

  paint(everything = true) {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    if (everything) this.draw();
    const { state, loupe, pictures } = this.viewer;
    for (const pane of this.panes.values()) {
      if (pane.frame.width) drawMarks(state, pane, this.viewer.placeIn(pane, pane.pictures[0]));
    }
    loupe.draw(state, pictures);
  }

  draw() {
    this.stale = false;
    const { state, toolbar } = this.viewer;
    this.arrange(paneList(state));
    const frame = this.viewer.smallestFrame();
    if (state.fit) {
      const zoom = fitZoom(state.value, frame);
      state.view = { x: state.value.width / 2, y: state.value.height / 2, zoom };
    }
    state.view = clampView(state.view, state.value, frame);
    for (const pane of this.panes.values()) this.drawPane(pane);
    toolbar.update(state);
    this.describe(frame);
  }

  /** Makes and orders the panes. */
  arrange(list) {
    const keys = new Set(list.map((entry) => entry.key));
    for (const [key, pane] of this.panes) {
      if (keys.has(key)) continue;
      this.sizes.remove(pane);
      this.panes.delete(key);
    }
    const ordered = list.map((entry) => {
      const pane = this.panes.get(entry.key) ?? this.newPane();
      pane.describe(entry);
      return [entry.key, pane];
    });
    this.panes = new Map(ordered);
    const { clientWidth: width, clientHeight: height } = this.grid;
    const { columns, places } = arrangement(list, this.viewer.state.value, { width, height }, PANE_BAR, PANE_GAP);
    this.grid.style.setProperty("--columns", columns);
    ordered.forEach(([, pane], index) => {
      const there = this.grid.children[index] ?? null;
      if (there !== pane.element) this.grid.insertBefore(pane.element, there);
      const [column, row] = places[index] ?? ["auto", "auto"];
      pane.element.style.gridColumnStart = column;
      pane.element.style.gridRowStart = row;
    });
  }

  newPane() {
    const pane = new Pane();
    this.sizes.add(pane);
    return pane;
  }

  drawPane(pane) {
    const { context, frame, entry } = pane;
    if (!frame.width) return;
    clearCanvas(context);
    const split = Math.round(this.viewer.state.split * frame.width);
    pane.divider.hidden = entry.pictures.length < 2;
    pane.divider.style.left = `${split / frame.ratio}px`;
    pane.divider.setAttribute("aria-valuenow", `${Math.round(this.viewer.state.split * 100)}`);
    entry.pictures.forEach((picture, index) => {
      const [from, to] = entry.pictures.length < 2 ? [0, frame.width] : index ? [split, frame.width] : [0, split];
      const drawn = this.drawSide(pane, picture, from, to);
      const note = pane.notes[index];
      note.textContent = drawn ? "" : absence(picture, this.lost(pane, picture)) || unrelated(entry);
      note.hidden = !note.textContent;
      note.style.left = `${from / frame.ratio}px`;
      note.style.right = `${(frame.width - to) / frame.ratio}px`;
      note.dataset.state = picture.state;
    });
    if (entry.pictures.length < 2) pane.notes[1].hidden = true;
  }

  /** Draws a picture or its error map between two columns of the frame; false if it is not there. */
  drawSide(pane, picture, from, to) {
    const bitmap = this.viewer.pictures.get(picture.file?.url);
    const reference = pane.entry.error && this.viewer.pictures.get(pane.entry.reference?.file?.url);
    if (!bitmap || (pane.entry.error && !reference)) return false;
    const { context, frame } = pane;
    const place = this.viewer.placeIn(pane, picture);
    context.save();
    context.beginPath();
    context.rect(from, 0, to - from, frame.height);
    context.clip();
    if (pane.entry.error) this.errors.draw(context, reference, bitmap, place, frame, this.viewer.state.error);
    else drawPicture(context, bitmap, place, frame);
    context.restore();
    return true;
  }

  /** Downloads the error map of a picture as it is set, but whole. */
  async saveError(picture) {
    const { state, pictures } = this.viewer;
    const { error } = state;
    const [reference, bitmap] = [referenceOf(state.value, picture), picture].map((one) => pictures.get(one?.file?.url));
    if (!reference || !bitmap) return;
    const blob = await new ErrorDrawing().png(reference, bitmap, error); // its canvases go with it
    if (!blob) return this.viewer.say("The browser cannot make so large a picture.");
    const href = URL.createObjectURL(blob);
    make("a", { href, download: errorFileName(picture, error) }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000); // the browser has read it by then
  }

  /** Whether what a pane shows of a picture can no longer be fetched. */
  lost(pane, picture) {
    return [picture, pane.entry.reference].some((one) => this.viewer.pictures.failed(one?.file?.url));
  }

  /** What the style sheet, and tests, need to know. */
  describe(frame) {
    const { state, root, pictures } = this.viewer;
    const { dataset } = root;
    dataset.mode = state.mode;
    dataset.tool = state.tool;
    dataset.view = JSON.stringify(state.view);
    dataset.error = JSON.stringify(state.error);
    const wanted = [...this.panes.values()].flatMap(({ entry }) => [...entry.pictures, entry.reference]).filter((picture) => picture?.file);
    dataset.loaded = wanted.every((picture) => pictures.get(picture.file.url)) ? "yes" : "no";
    const [width, height] = [state.value.width * state.view.zoom, state.value.height * state.view.zoom];
    const fits = width < frame.width + 0.5 && height < frame.height + 0.5; // fitted, it may be larger by a rounding
    dataset.fits = fits ? "yes" : "no"; // then a finger scrolls the page
    const alone = state.mode === "error" && !hasErrorsOf(state.value, "restored");
    const none = alone ? "There is nothing to compare with." : "Nothing is switched on.";
    this.empty.textContent = state.value.run ? none : "No pictures yet.";
    this.empty.hidden = this.panes.size > 0;
  }
}

