// Painting on the LR picture: a stroke is drawn on a canvas over it and sent when the pointer is lifted; the picture
// that the server answers with has it in its pixels. `element` stays, what is in it may change with every value.
const box = () => element.querySelector(".fg-brush");
let points = null;

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
  pen.strokeStyle = "rgba(45, 212, 191, 0.6)";
  pen.lineWidth = 2 * Number(box().dataset.radius);
  pen.lineCap = pen.lineJoin = "round";
  pen.clearRect(0, 0, pen.canvas.width, pen.canvas.height);
  pen.beginPath();
  pen.moveTo(...points[0]);
  for (const point of points) pen.lineTo(...point);
  pen.stroke();
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
  if (points) trigger("select", { points });
  points = null;
});

const wipe = () => box()?.querySelector("canvas").getContext("2d").reset();

element.addEventListener("pointercancel", () => {
  wipe();
  points = null;
});

watch("value", wipe); // the canvas stays where only the address of the picture has changed
