// The marks over the pictures: the box that is measured, and the pixel that the loupe shows.

/** Lays an element over the HR rectangle [left, top, width, height] of a pane. */
function layOver(element, rectangle, place, ratio, smallest) {
  const from = toFrame(place, { x: rectangle[0], y: rectangle[1] });
  const to = toFrame(place, { x: rectangle[0] + rectangle[2], y: rectangle[1] + rectangle[3] });
  const width = Math.max((to.x - from.x) / ratio, smallest);
  const height = Math.max((to.y - from.y) / ratio, smallest);
  element.style.width = `${width}px`;
  element.style.height = `${height}px`;
  const left = (from.x + to.x) / 2 / ratio - width / 2;
  const top = (from.y + to.y) / 2 / ratio - height / 2;
  element.style.transform = `translate(${left}px, ${top}px)`;
  element.hidden = false;
}

/** Draws both marks of a pane; `place` is where its (first) picture lies. */
function drawMarks(state, pane, place) {
  pane.box.hidden = !state.box;
  if (state.box) layOver(pane.box, state.box, place, pane.frame.ratio, 2);
  pane.cross.hidden = !(state.loupe && state.point);
  if (!pane.cross.hidden) layOver(pane.cross, [state.point.x, state.point.y, 1, 1], place, pane.frame.ratio, 9);
}

/** The HR pixels that are seen in a pane, as a box. */
function visibleBox(value, place, frame) {
  const from = toPicture(place, { x: 0, y: 0 });
  const edge = 1e-3; // device pixels: below 100 % a whole one covers several of the picture
  const to = toPicture(place, { x: frame.width - edge, y: frame.height - edge });
  return boxBetween(value, from, to);
}
