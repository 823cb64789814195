// Mouse, wheel and touch: drag to pan, wheel and pinch to zoom, Shift or the region tool to draw a box.

const NOTCH = 50; // pixels of wheel for one step of zoom
const PAGE_SCROLL = 250; // ms: a scroll of the page that comes over the pictures stays one

/** What is seen where a pointer is. While it is held the target of its events says nothing: it is the stage. */
function elementAt(event) {
  return document.elementFromPoint(event.clientX, event.clientY);
}

/** Follows the pointers on the stage. */
class Pointers {
  constructor(viewer) {
    this.viewer = viewer;
    this.down = new Map();
    this.box = null; // where a box was begun: {pane, point}
    this.wheel = 0;
    this.scrolled = 0;
    const { stage } = viewer;
    stage.addEventListener("pointerdown", (event) => this.press(event));
    stage.addEventListener("pointermove", (event) => this.move(event));
    stage.addEventListener("pointerup", (event) => this.release(event));
    stage.addEventListener("pointercancel", (event) => this.cancel(event));
    stage.addEventListener("wheel", (event) => this.turn(event), { passive: false });
    stage.addEventListener("dblclick", (event) => this.doubleClick(event));
    window.addEventListener("scroll", () => (this.scrolled = performance.now()), { passive: true });
  }

  press(event) {
    const pane = this.viewer.paneAt(event);
    if (!pane || event.button > 0 || event.target.closest("a")) return;
    this.viewer.stage.focus({ preventScroll: true });
    event.preventDefault(); // no selection, no drag of the page
    this.viewer.stage.setPointerCapture(event.pointerId);
    const divider = Boolean(event.target.closest(".vw-divider"));
    if (this.box?.drawn) this.viewer.clearBox(); // a second finger: it was to be a pinch
    this.down.set(event.pointerId, { pane, divider, x: event.clientX, y: event.clientY, moved: 0 });
    this.viewer.pointAt(this.viewer.pixelUnder(pane, event));
    const asked = this.viewer.measures && (event.shiftKey || this.viewer.state.tool === "region");
    const drawing = asked && !divider && this.down.size === 1;
    this.box = drawing ? { pane, point: this.viewer.pointUnder(pane, event), drawn: false } : null;
  }

  move(event) {
    const held = this.down.get(event.pointerId);
    if (!held) {
      const pane = this.viewer.paneAt(event);
      if (pane && event.pointerType !== "touch") this.viewer.pointAt(this.viewer.pixelUnder(pane, event));
      return;
    }
    const before = { ...held };
    held.moved += Math.abs(event.clientX - held.x) + Math.abs(event.clientY - held.y);
    held.x = event.clientX;
    held.y = event.clientY;
    if (held.divider) return this.viewer.placeDivider(held.pane, event.clientX);
    if (this.down.size === 2) return this.pinch(event.pointerId, before);
    this.viewer.pointAt(this.viewer.pixelUnder(held.pane, event));
    if (this.box) return this.stretch(event);
    const ratio = this.viewer.ratioOf(held.pane);
    this.viewer.pan((held.x - before.x) * ratio, (held.y - before.y) * ratio);
  }

  /** The box from where it was begun to the pointer; a click without a move is none. */
  stretch(event) {
    const held = this.down.get(event.pointerId);
    if (!this.box.drawn && held.moved < 3) return;
    this.box.drawn = true;
    const to = this.viewer.pointUnder(this.box.pane, event);
    this.viewer.showBox(boxBetween(this.viewer.state.value, this.box.point, to));
  }

  release(event) {
    if (!this.down.delete(event.pointerId)) return;
    if (this.box?.drawn) this.viewer.measureBox();
    this.box = null;
  }

  /** The browser has taken the pointer away: what was being drawn was not meant. */
  cancel(event) {
    if (!this.down.delete(event.pointerId)) return;
    if (this.box?.drawn) this.viewer.clearBox();
    this.box = null;
  }

  /** Two fingers: the points under them stay under them. */
  pinch(id, before) {
    this.box = null;
    const [other] = [...this.down].filter(([key]) => key !== id).map(([, one]) => one);
    const now = this.down.get(id);
    const { pane } = now;
    const [old, distance] = [before, now].map((finger) => Math.hypot(finger.x - other.x, finger.y - other.y));
    const { view } = this.viewer.state;
    const half = this.viewer.ratioOf(pane) / 2;
    const moved = panned(view, (now.x - before.x) * half, (now.y - before.y) * half);
    const middle = { clientX: (now.x + other.x) / 2, clientY: (now.y + other.y) / 2 };
    const zoom = old > 0 ? view.zoom * (distance / old) : view.zoom;
    this.viewer.look(zoomAt(moved, zoom, this.viewer.fromMiddle(pane, middle)));
  }

  turn(event) {
    const pane = this.viewer.paneAt(event);
    if (!pane || performance.now() - this.scrolled < PAGE_SCROLL) return;
    const { state } = this.viewer;
    const pixels = event.deltaY * (event.deltaMode === 1 ? 16 : 1);
    const direction = pixels < 0 ? 1 : -1;
    const next = nextStep(state.view.zoom, direction);
    const lowest = Math.min(1, fitZoom(state.value, this.viewer.smallestFrame()));
    const atEnd = direction < 0 ? state.view.zoom <= lowest : state.view.zoom >= MAX_ZOOM;
    if (atEnd && !event.ctrlKey) return; // nothing to zoom: the page scrolls
    event.preventDefault();
    this.wheel = Math.sign(this.wheel) === direction ? pixels : this.wheel + pixels;
    if (Math.abs(this.wheel) < NOTCH) return;
    this.wheel = 0;
    this.viewer.look(zoomAt(state.view, Math.max(next, lowest), this.viewer.fromMiddle(pane, event)));
    this.viewer.pointAt(this.viewer.pixelUnder(pane, event));
  }

  doubleClick(event) {
    const pane = this.viewer.paneAt(event);
    if (!pane || event.shiftKey || elementAt(event).closest("a, .vw-divider")) return;
    const { view, fit } = this.viewer.state;
    if (!fit || view.zoom >= 4) return this.viewer.fit();
    this.viewer.look(zoomAt(view, view.zoom < 1 ? 1 : 4, this.viewer.fromMiddle(pane, event)));
  }
}
