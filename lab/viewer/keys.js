// The keyboard. What is here is also in the list of keys in viewer.html.

const PAN = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const ZOOM_KEYS = { "+": 1, "=": 1, "-": -1, _: -1 };
const MODE_KEYS = { g: "grid", s: "slider", f: "flip", e: "error" };

/** Does what a key says; false if it says nothing here. */
function pressKey(viewer, event) {
  const composed = event.getModifierState("AltGraph"); // how many keyboards write [ and ]
  if (!composed && (event.ctrlKey || event.metaKey || event.altKey)) return false;
  const { key, code } = event;
  const { state } = viewer;
  if (PAN[key]) return pressArrow(viewer, key, event.shiftKey);
  // By their place: with Shift they write other signs, on a French keyboard without it.
  const digit = !composed && /^(?:Digit|Numpad)([0-9])$/.exec(code);
  if (digit) return pressDigit(viewer, Number(digit[1]), event.shiftKey);
  if (ZOOM_KEYS[key]) return viewer.zoomTo(nextStep(state.view.zoom, ZOOM_KEYS[key])), true;
  const letter = key.toLowerCase();
  if (MODE_KEYS[letter]) return viewer.set({ mode: MODE_KEYS[letter] }), true;
  const action = KEYS[letter];
  if (!action) return false;
  return action(viewer) !== false;
}

/** What keys and buttons both do, by the `data-act` of the buttons. */
const ACTIONS = {
  own: (viewer) => viewer.set({ own: !viewer.state.own }),
  loupe: (viewer) => viewer.set({ loupe: !viewer.state.loupe }),
  region: (viewer) => viewer.measures && viewer.set({ tool: viewer.state.tool === "region" ? "pan" : "region" }),
  clear: (viewer) => viewer.clearBox(),
  swap: (viewer) => {
    const [left, right] = pairOf(viewer.state);
    if (left) viewer.set({ left: right.key, right: left.key });
  },
  fullscreen: (viewer) => viewer.toggleFullscreen(),
  help: (viewer) => viewer.showHelp(),
};

const KEYS = {
  // On the pictures it scrolls nothing away, whatever the mode.
  " ": (viewer) =>
    viewer.state.mode === "flip" ? viewer.set(flipBack(viewer.state)) : document.activeElement === viewer.stage,
  n: (viewer) => step(viewer, 1),
  p: (viewer) => step(viewer, -1),
  z: (viewer) => viewer.zoomTo(1),
  "[": (viewer) => viewer.moveDivider(-0.02),
  "]": (viewer) => viewer.moveDivider(0.02),
  l: ACTIONS.loupe,
  a: ACTIONS.own,
  r: ACTIONS.region,
  b: (viewer) => viewer.measureVisible(),
  o: (viewer) =>
    hasErrorsOf(viewer.state.value, "lr") && viewer.setError({ of: viewer.state.error.of === "lr" ? "restored" : "lr" }),
  m: (viewer) => viewer.setError({ signed: !viewer.state.error.signed }),
  y: (viewer) => viewer.setError({ plane: viewer.state.error.plane === "y" ? "rgb" : "y" }),
  ",": (viewer) => viewer.setGain(-1),
  ".": (viewer) => viewer.setGain(1),
  v: (viewer) => viewer.speak(),
  x: ACTIONS.fullscreen,
  "?": ACTIONS.help,
  escape: (viewer) => viewer.leave(),
};

function step(viewer, direction) {
  if (!["slider", "flip"].includes(viewer.state.mode)) return false;
  viewer.set(stepTo(viewer.state, direction));
  return true;
}

function pressArrow(viewer, key, shift) {
  const [dx, dy] = PAN[key];
  if (shift) {
    const { point, value } = viewer.state;
    const from = point ?? pixelAt(value, viewer.state.view);
    viewer.pointAt(pixelAt(value, point ? { x: from.x - dx, y: from.y - dy } : from));
    return true;
  }
  const frame = viewer.smallestFrame();
  viewer.pan((dx * frame.width) / 10, (dy * frame.height) / 10);
  return true;
}

/** 0 fits; a number chooses: right (with Shift left) of the slider, else the picture to flip to. */
function pressDigit(viewer, number, shift) {
  if (number === 0) return viewer.fit(), true;
  const { state } = viewer;
  const picture = shownPictures(state)[number - 1];
  if (!picture) return false;
  if (state.mode === "slider") viewer.set(shift ? { left: picture.key } : { right: picture.key });
  else viewer.set({ mode: "flip", ...(state.mode === "flip" ? flipTo(state, picture.key) : { flip: picture.key }) });
  return true;
}
