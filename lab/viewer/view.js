// The view: which part of the pictures is seen, and how large. Pure functions, without the page.
//
// A view is {x, y, zoom}: the HR point in the middle of a frame, and device pixels per HR pixel. A frame is the size of
// a canvas in device pixels. All pictures share one view, so that zoom and pan are in step.

const STEPS = [1 / 16, 1 / 12, 1 / 8, 1 / 6, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];
const MAX_ZOOM = STEPS[STEPS.length - 1];

/** The zoom at which the whole picture is seen; whole numbers when it is enlarged, so that all pixels are equal. */
function fitZoom(picture, frame) {
  const zoom = Math.min(frame.width / picture.width, frame.height / picture.height);
  return zoom >= 1 ? Math.min(Math.floor(zoom), MAX_ZOOM) : zoom;
}

/** The picture fills the frame, or stands in its middle. */
function clampView(view, picture, frame) {
  const lowest = Math.min(1, fitZoom(picture, frame));
  const zoom = Math.min(Math.max(view.zoom, lowest), MAX_ZOOM);
  const axis = (centre, length, room) =>
    room >= length ? length / 2 : Math.min(Math.max(centre, room / 2), length - room / 2);
  return {
    x: axis(view.x, picture.width, frame.width / zoom),
    y: axis(view.y, picture.height, frame.height / zoom),
    zoom,
  };
}

/** Another zoom, with the HR point under `point` (device pixels from the middle of the frame) left where it is. */
function zoomAt(view, zoom, point) {
  const kept = Math.min(Math.max(zoom, STEPS[0] / 16), MAX_ZOOM);
  const shift = 1 / view.zoom - 1 / kept;
  return { x: view.x + point.x * shift, y: view.y + point.y * shift, zoom: kept };
}

/** The view moved so that the pictures follow a drag by (dx, dy) device pixels. */
function panned(view, dx, dy) {
  return { x: view.x - dx / view.zoom, y: view.y - dy / view.zoom, zoom: view.zoom };
}

/** The next round zoom in a direction, 1 or -1; beyond the last, as far as `clampView` allows. */
function nextStep(zoom, direction) {
  const steps = direction > 0 ? STEPS : [...STEPS].reverse();
  return steps.find((step) => direction * (step - zoom) > 1e-6 * zoom) ?? (direction > 0 ? MAX_ZOOM : 0);
}

/**
 * Where a picture lies in a frame: its top left corner and the size of its pixels, in device pixels.
 *
 * The corner is a whole number, so at whole zooms every pixel is. An LR pixel covers factor x factor HR pixels, unless
 * `own` is set: then it is as large as a HR pixel, and the middle of the view is at the same place of the scene.
 */
function placeOf(picture, view, frame, own) {
  const step = own ? view.zoom : view.zoom * picture.factor;
  return {
    left: Math.round(frame.width / 2 - (view.x / picture.factor) * step),
    top: Math.round(frame.height / 2 - (view.y / picture.factor) * step),
    step,
    factor: picture.factor,
  };
}

/** The HR point at a place of the frame. */
function toPicture(place, point) {
  const size = place.step / place.factor;
  return { x: (point.x - place.left) / size, y: (point.y - place.top) / size };
}

/** Where a HR point is in the frame. */
function toFrame(place, point) {
  const size = place.step / place.factor;
  return { x: place.left + point.x * size, y: place.top + point.y * size };
}

/** The picture's own pixels that are seen: a rectangle of whole pixels, null if there are none. */
function visiblePixels(picture, place, frame) {
  const left = Math.max(0, Math.floor(-place.left / place.step));
  const top = Math.max(0, Math.floor(-place.top / place.step));
  const right = Math.min(picture.width, Math.ceil((frame.width - place.left) / place.step));
  const bottom = Math.min(picture.height, Math.ceil((frame.height - place.top) / place.step));
  return right > left && bottom > top ? { x: left, y: top, width: right - left, height: bottom - top } : null;
}

/** The HR pixel at a point, moved into the picture. */
function pixelAt(picture, point) {
  const inside = (value, length) => Math.min(Math.max(Math.floor(value), 0), length - 1);
  return { x: inside(point.x, picture.width), y: inside(point.y, picture.height) };
}

/** The box between two HR points, whole pixels and inside the picture: [left, top, width, height]. */
function boxBetween(picture, from, to) {
  const a = pixelAt(picture, from);
  const b = pixelAt(picture, to);
  const [left, top] = [Math.min(a.x, b.x), Math.min(a.y, b.y)];
  return [left, top, Math.max(a.x, b.x) - left + 1, Math.max(a.y, b.y) - top + 1];
}

/** How large pictures of this shape are in so many columns and rows, with `bar` pixels above each of them. */
function sizeIn(columns, rows, picture, frame, bar, gap) {
  const width = (frame.width - gap * (columns - 1)) / columns;
  const height = (frame.height - gap * (rows - 1)) / rows - bar;
  return Math.min(width / picture.width, height / picture.height);
}

/** How many columns show `count` pictures largest, and how large that is. */
function bestColumns(count, picture, frame, bar, gap) {
  let best = { columns: 1, size: -Infinity };
  for (let columns = 1; columns <= count; columns += 1) {
    const size = sizeIn(columns, Math.ceil(count / columns), picture, frame, bar, gap);
    if (size > best.size) best = { columns, size };
  }
  return best;
}
