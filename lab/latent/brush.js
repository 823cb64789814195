// Painting on the LR picture: a stroke is drawn on a canvas over it and sent when the pointer is lifted; the picture
// that the server answers with has it in its pixels, where a grey level can hardly be seen: so a faint trace stays.
// `element` stays, what is in it may change with every value.
// Strokes, Undo and Clear go one message at a time, in the order in which they were done: the server applies each
// message to what it has after the one before.
const box = () => element.querySelector(".fg-brush");
let pen = null; // the pointer that draws
let stroke = null; // that it draws
let sent = 0; // actions on their way
let number = 0; // of the message that they are in: no other has it, not even of a brush that was here before
let study = ""; // what is painted on
let actions = []; // done, and not yet in the picture: strokes, "undo", "clear"; the first are on their way

const position = event => {
  const canvas = box().querySelector("canvas");
  const area = canvas.getBoundingClientRect();
  return [
    ((event.clientX - area.left) / area.width) * canvas.width,
    ((event.clientY - area.top) / area.height) * canvas.height,
  ];
};

const setting = name => Number(document.querySelector(`#latent-${name} input[type=range]`).value);

const draw = () => {
  if (!box()) return;
  const context = box().querySelector("canvas").getContext("2d");
  const lines = props.value.painted.map(painted => ({ ...painted, colour: "rgba(45, 212, 191, 0.3)" }));
  for (const action of stroke ? [...actions, stroke] : actions)
    if (action === "undo") lines.pop();
    else if (action === "clear") lines.length = 0;
    else lines.push({ ...action, colour: "rgba(45, 212, 191, 0.6)" });
  context.reset();
  context.lineCap = context.lineJoin = "round";
  for (const line of lines) {
    context.strokeStyle = line.colour;
    context.lineWidth = 2 * line.radius;
    context.beginPath();
    const [[x, y], ...others] = line.points;
    context.moveTo(x, y);
    context.lineTo(x + 0.01, y); // of a line without any length a canvas would show nothing
    for (const point of others) context.lineTo(...point);
    context.stroke();
  }
};

const send = () => {
  if (sent || !actions.length) return;
  sent = actions.length;
  number = Math.random();
  trigger("select", { study, actions: [...actions], number });
};

element.addEventListener("pointerdown", event => {
  if (pen !== null || !box()?.contains(event.target) || event.button !== 0) return;
  event.preventDefault();
  element.setPointerCapture(event.pointerId);
  pen = event.pointerId;
  stroke = { points: [position(event)], radius: setting("radius"), levels: setting("levels") };
  draw();
});

element.addEventListener("pointermove", event => {
  if (event.pointerId !== pen || !box()) return;
  const [x, y] = position(event);
  const [lastX, lastY] = stroke.points.at(-1);
  if (Math.hypot(x - lastX, y - lastY) < Math.max(0.5, stroke.radius / 4)) return; // nothing new is covered
  stroke.points.push([x, y]);
  draw();
});

const lift = (event, whole) => {
  if (event.pointerId !== pen) return;
  if (whole) actions.push(stroke);
  pen = stroke = null;
  draw();
  send();
};

element.addEventListener("pointerup", event => lift(event, true));
element.addEventListener("pointercancel", event => lift(event, false));

const press = event => {
  if (!element.isConnected) return document.removeEventListener("click", press); // another brush is here by now
  if (!props.value) return;
  if (event.target.closest("#latent-clear")) {
    actions.length = sent; // the server need not know of what comes to nothing
    actions.push("clear");
  } else if (event.target.closest("#latent-undo")) {
    if (actions.length > sent && actions.at(-1).points) actions.pop();
    else actions.push("undo");
  } else return;
  draw();
  send();
};

document.addEventListener("click", press);

// Every value says which message was heard last.
const hear = () => {
  const { value } = props;
  if (!value) return;
  if (value.study !== study) {
    study = value.study;
    actions = [];
    sent = 0;
  } else if (sent && value.answered === number) {
    actions = actions.slice(sent);
    sent = 0;
  }
  draw();
  send();
};

watch("value", hear);
hear();
