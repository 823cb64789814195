// Panes: a caption and a canvas for each picture (or for two, with a divider between them).

/** An element with attributes, classes by `class`, and children; text is never read as HTML. */
function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

const STATES = { waiting: "Waiting", running: "Computing", failed: "Failed", stopped: "Stopped" };

/** The text in place of a picture that is not there, "" while it is being fetched. */
function absence(picture, failed) {
  if (failed) return "This picture is no longer on the server. Run again.";
  if (picture.state === "done") return "";
  return picture.state === "failed" ? picture.reason : STATES[picture.state];
}

/** Why an error map cannot be drawn although its picture is there, "" while its reference is being fetched. */
function unrelated({ error, reference }) {
  if (!error || reference?.state === "done") return "";
  return reference ? absence(reference, false) : "Compared with bicubic's LR: tick Bicubic and press Run.";
}

/** One picture, or two of which the second is seen right of the divider. */
class Pane {
  constructor() {
    this.frame = { width: 0, height: 0, ratio: 1 };
    this.pictures = [];
    this.caption = make("figcaption", { class: "vw-caption" });
    this.canvas = make("canvas", { role: "img" });
    this.context = this.canvas.getContext("2d");
    this.box = make("div", { class: "vw-box", hidden: true });
    this.cross = make("div", { class: "vw-cross", hidden: true });
    this.notes = [make("p", { class: "vw-note", hidden: true }), make("p", { class: "vw-note", hidden: true })];
    this.divider = make("div", {
      class: "vw-divider", role: "slider", tabindex: "0", "aria-label": "Divider between the two pictures",
      "aria-valuemin": "0", "aria-valuemax": "100", "aria-orientation": "horizontal", hidden: true,
    }, make("span", { "aria-hidden": "true" }, "◂▸"));
    this.body = make("div", { class: "vw-view" }, this.canvas, this.box, this.cross, ...this.notes, this.divider);
    this.element = make("figure", { class: "vw-pane" }, this.caption, this.body);
  }

  /** Gives the canvas exactly as many pixels as the device has in its place. */
  measure(entry) {
    const css = entry.contentBoxSize[0];
    const exact = entry.devicePixelContentBoxSize?.[0];
    const ratio = window.devicePixelRatio || 1;
    // Where a small screen is imitated the exact size is that of the real one.
    const count = (told, length) =>
      Math.abs((told ?? 0) - length * ratio) <= 1 ? told : Math.round(length * ratio);
    const width = count(exact?.inlineSize, css.inlineSize);
    const height = count(exact?.blockSize, css.blockSize);
    this.frame = { width, height, ratio };
    if (this.canvas.width !== width) this.canvas.width = width;
    if (this.canvas.height !== height) this.canvas.height = height;
  }

  /** Shows an entry of `paneList` in the caption. */
  describe(entry) {
    this.entry = entry;
    this.pictures = entry.pictures;
    const { width, height } = entry.pictures[0];
    const names = entry.labels.join(", right of the divider ");
    this.canvas.setAttribute("aria-label", `${names}, ${width} × ${height} pixels`);
    const parts = entry.pictures.map((picture, i) => captionOf(picture, entry.labels[i], entry.number, entry.error));
    const key = parts.map((part) => part.outerHTML).join("");
    if (key === this.described) return; // leaves a focused link alone
    this.described = key;
    const focused = this.caption.contains(document.activeElement);
    this.caption.replaceChildren(...parts);
    if (focused) this.caption.querySelector("a, button")?.focus();
  }
}

/** Tells the sizes of panes, in whole device pixels where the browser knows them. */
class PaneSizes {
  /** @param {() => void} resized called after canvases got new sizes, and are empty */
  constructor(resized) {
    this.panes = new Map();
    this.observer = new ResizeObserver((entries) => {
      for (const entry of entries) this.panes.get(entry.target)?.measure(entry);
      resized();
    });
  }

  add(pane) {
    this.panes.set(pane.body, pane);
    try {
      this.observer.observe(pane.body, { box: "device-pixel-content-box" });
    } catch {
      this.observer.observe(pane.body); // Safari
    }
  }

  remove(pane) {
    this.panes.delete(pane.body);
    this.observer.unobserve(pane.body);
    pane.element.remove();
  }
}

function captionOf(picture, label, number, error) {
  const part = make("span", { class: "vw-title" });
  if (number) part.append(make("kbd", { title: `Key ${number}` }, `${number}`));
  part.append(make("b", {}, label), make("small", {}, `${picture.width} × ${picture.height}`));
  if (picture.file && error) { // no file: made when it is asked for
    part.append(make("button", {
      type: "button", "data-save": picture.key, title: "Download this error map",
      "aria-label": `Download ${label} as PNG`,
    }, downloadIcon()));
  } else if (picture.file) {
    part.append(make("a", {
      href: picture.file.url, download: picture.name, title: `Download ${picture.name}`,
      "aria-label": `Download ${picture.label} as PNG`,
    }, downloadIcon()));
  }
  return part;
}

function downloadIcon() {
  const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  icon.setAttribute("viewBox", "0 0 16 16");
  icon.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", "M8 2v8M4.8 7 8 10.2 11.2 7M3 13.5h10");
  icon.append(path);
  return icon;
}
