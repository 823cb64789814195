// Painting on the LR picture: a stroke is drawn on a canvas over it and sent when the pointer is lifted; the picture
// that the server answers with has it in its pixels. `element` stays, what is in it may change with every value.
// One message at a time: the server adds each to what it has of the ones before.
const box = () => element.querySelector(".fg-brush");
let points = null; // of the stroke under the pointer
let sent = 0; // strokes on their way
let strokes = []; // drawn, and not yet in the picture; the first of them are on their way

const position = event => {
  const canvas = box().querySelector("canvas");
  const area = canvas.getBoundingClientRect();
  return [
    ((event.clientX - area.left) / area.width) * canvas.width,
    ((event.clientY - area.top) / area.height) * canvas.height,
  ];
};

const draw = () => {
  const pen = box().querySelector("canvas").getContext("2d");
  pen.reset();
  pen.strokeStyle = "rgba(45, 212, 191, 0.6)";
  pen.lineWidth = 2 * Number(box().dataset.radius);
  pen.lineCap = pen.lineJoin = "round";
  for (const stroke of points ? [...strokes, points] : strokes) {
    pen.beginPath();
    pen.moveTo(...stroke[0]);
    for (const point of stroke) pen.lineTo(...point);
    pen.stroke();
  }
};

const send = () => {
  if (sent || !strokes.length) return;
  sent = strokes.length;
  trigger("select", { strokes });
};

element.addEventListener("pointerdown", event => {
  if (!box()?.contains(event.target) || event.button !== 0) return;
  event.preventDefault();
  element.setPointerCapture(event.pointerId);
  points = [position(event)];
  draw();
});

element.addEventListener("pointermove", event => {
  if (!points) return;
  const [x, y] = position(event);
  const [lastX, lastY] = points[points.length - 1];
  if (Math.hypot(x - lastX, y - lastY) < Math.max(0.5, box().dataset.radius / 4)) return; // nothing new is covered
  points.push([x, y]);
  draw();
});

element.addEventListener("pointerup", () => {
  if (points) strokes.push(points);
  points = null;
  send();
});

element.addEventListener("pointercancel", () => {
  points = null;
  if (box()) draw();
});

// The canvas stays where only the address of the picture has changed.
watch("value", () => {
  strokes = strokes.slice(sent);
  sent = 0;
  if (box()) draw();
  send();
});
