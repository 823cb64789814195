// Painting on the LR picture: a stroke is drawn on a canvas over it and sent when the pointer is lifted; the picture
// that the server answers with has it in its pixels, where a grey level can hardly be seen: so a faint trace stays.
// `element` stays, what is in it may change with every value.
// One message at a time: the server adds each to what it has of the ones before.
const box = () => element.querySelector(".fg-brush");
let pen = null; // the pointer that draws
let points = null; // of the stroke under it
let sent = 0; // strokes on their way
let number = 0; // of the message that they are in
let study = ""; // what is painted on
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
  const context = box().querySelector("canvas").getContext("2d");
  context.reset();
  context.lineCap = context.lineJoin = "round";
  const line = (stroke, radius, colour) => {
    context.strokeStyle = colour;
    context.lineWidth = 2 * radius;
    context.beginPath();
    context.moveTo(...stroke[0]);
    for (const point of stroke) context.lineTo(...point);
    context.stroke();
  };
  for (const painted of props.value.painted) line(painted.points, painted.radius, "rgba(45, 212, 191, 0.3)");
  const radius = Number(box().dataset.radius);
  for (const stroke of points ? [...strokes, points] : strokes) line(stroke, radius, "rgba(45, 212, 191, 0.6)");
};

const send = () => {
  if (sent || !strokes.length) return;
  sent = strokes.length;
  number += 1;
  trigger("select", { strokes, number });
};

element.addEventListener("pointerdown", event => {
  if (pen !== null || !box()?.contains(event.target) || event.button !== 0) return;
  event.preventDefault();
  element.setPointerCapture(event.pointerId);
  pen = event.pointerId;
  points = [position(event)];
  draw();
});

element.addEventListener("pointermove", event => {
  if (event.pointerId !== pen) return;
  const [x, y] = position(event);
  const [lastX, lastY] = points[points.length - 1];
  if (Math.hypot(x - lastX, y - lastY) < Math.max(0.5, box().dataset.radius / 4)) return; // nothing new is covered
  points.push([x, y]);
  draw();
});

const lift = (event, whole) => {
  if (event.pointerId !== pen) return;
  if (whole) strokes.push(points);
  pen = points = null;
  if (box()) draw();
  send();
};

element.addEventListener("pointerup", event => lift(event, true));
element.addEventListener("pointercancel", event => lift(event, false));

// Undo and Clear are about all that is drawn: strokes that are not on their way yet are taken back here.
document.addEventListener("click", event => {
  if (!element.isConnected || !box()) return;
  const undo = event.target.closest("#latent-undo");
  if (!(undo || event.target.closest("#latent-clear")) || strokes.length === sent) return;
  if (undo) event.stopPropagation(); // nothing is left for the server
  strokes = strokes.slice(0, undo ? -1 : sent);
  draw();
}, true);

// Every value says which message was heard last: it may be the answer to something else, to Undo for example.
const hear = () => {
  const { value } = props;
  if (!value) return;
  if (value.study !== study) {
    study = value.study;
    strokes = [];
    sent = 0;
  } else if (sent && value.answered === number) {
    strokes = strokes.slice(sent);
    sent = 0;
  }
  if (box()) draw();
  send();
};

watch("value", hear);
hear();
