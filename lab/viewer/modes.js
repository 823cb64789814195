// Modes: which pictures are shown where. Pure functions of the state, without the page.

const EMPTY = { run: null, source: null, width: 1, height: 1, scale: 1, methods: [], pictures: [] };

/** What a visitor can choose, as it is when the page opens. */
function firstState() {
  return {
    value: EMPTY,
    mode: "grid",
    kinds: new Set(["hr", "restored", "lr", "x"]),
    hidden: new Set(), // methods that are switched off; those of later runs are on
    left: "",
    right: "",
    split: 0.5, // the divider, as a part of the width
    flip: "",
    lastFlip: "",
    own: false, // LR and x at their own size
    error: { of: "restored", signed: true, plane: "y", gain: 8 },
    view: { x: 0.5, y: 0.5, zoom: 1 },
    fit: true, // the view follows the size of the frame
    loupe: true,
    point: null, // the HR pixel under the pointer
    tool: "pan",
    box: null,
  };
}

function pictureByKey(value, key) {
  return value.pictures.find((picture) => picture.key === key);
}

/** The pictures that are switched on, in the order of their number keys. */
function shownPictures(state) {
  return state.value.pictures.filter(
    (picture) => state.kinds.has(picture.kind) && !state.hidden.has(picture.method),
  );
}

/** Left and right of the slider: what was chosen if this run has it, else its first and last restored picture. */
function pairOf({ value, left, right }) {
  const restored = value.pictures.filter((picture) => picture.kind === "restored");
  const last = restored.at(-1) ?? value.pictures[0];
  const first = restored.length > 1 ? restored[0] : value.pictures.find((picture) => picture !== last);
  return [pictureByKey(value, left) ?? first ?? last, pictureByKey(value, right) ?? last];
}

/** The picture of the flip mode. */
function flipPicture(state) {
  const shown = shownPictures(state);
  return shown.find((picture) => picture.key === state.flip) ?? shown[0];
}

/** The state after choosing a picture to flip to. */
function flipTo(state, key) {
  const now = flipPicture(state)?.key;
  return now === key ? { flip: key } : { flip: key, lastFlip: now };
}

/** The state after going on to a neighbour of the picture of the flip mode, or of the right one of the slider. */
function stepTo(state, direction) {
  const slides = state.mode === "slider";
  const choice = slides ? state.value.pictures : shownPictures(state);
  const now = choice.indexOf(slides ? pairOf(state)[1] : flipPicture(state));
  if (!choice.length) return {};
  const { key } = choice[(now + direction + choice.length) % choice.length];
  return slides ? { right: key } : flipTo(state, key);
}

/** The state after going back to the picture before; at first, to the next one. */
function flipBack(state) {
  const shown = shownPictures(state);
  const now = flipPicture(state);
  const back = shown.find((picture) => picture.key === state.lastFlip && picture !== now);
  return back ? flipTo(state, back.key) : stepTo(state, 1);
}

const TABLE_SHARE = 0.6; // of the largest size that panes may have: to see which belong together is worth the rest
const TABLE_WIDTH = 150; // CSS pixels of a pane in a table, at least: its title has to be read

/**
 * Where pictures stand in a table, [column, row] from 1 on: with a column for each method, and with a row.
 *
 * The first column is that of HR, and of x where only one method has an x of its own: beside the LR pictures.
 * None where one LR picture is that of all methods.
 */
function tables(shown) {
  if (shown.some(({ kind, method }) => kind === "lr" && !method)) return [];
  const latent = shown.filter((picture) => picture.kind.startsWith("x"));
  const single = new Set(latent.map((picture) => picture.method)).size === 1;
  const leading = shown.filter((picture) => picture.kind === "hr" || (single && latent.includes(picture)));
  const others = shown.filter((picture) => !leading.includes(picture));
  const methods = [...new Set(others.map((picture) => picture.method))];
  const kinds = [...new Set(others.map((picture) => picture.kind))];
  const first = leading.length ? 2 : 1;
  const method = (picture) => methods.indexOf(picture.method);
  const kind = (picture) => kinds.indexOf(picture.kind);
  const below = leading.map((_, i) => i + 1);
  const beside = []; // where each method has a row, x in that of its own
  for (const picture of leading) beside.push(Math.max(method(picture) + 1, (beside.at(-1) ?? 0) + 1));
  const place = (along, across, rows) => (picture) =>
    leading.includes(picture) ? [1, rows[leading.indexOf(picture)]] : [along(picture) + first, across(picture) + 1];
  return [shown.map(place(method, kind, below)), shown.map(place(kind, method, beside))];
}

/**
 * In how many columns panes stand, and their places, [column, row], if they make a table.
 *
 * Where the pictures of a table would be much smaller than they can be, panes follow each other: `places` is empty.
 */
function arrangement(list, picture, frame, bar, gap) {
  let chosen = { columns: 1, places: [], size: -Infinity };
  for (const places of list[0]?.tables ?? []) {
    const [columns, rows] = [0, 1].map((axis) => Math.max(...places.map((place) => place[axis])));
    const size = sizeIn(columns, rows, picture, frame, bar, gap);
    if (size > chosen.size && frame.width >= columns * TABLE_WIDTH) chosen = { columns, places, size };
  }
  const best = bestColumns(list.length, picture, frame, bar, gap);
  return chosen.size >= TABLE_SHARE * best.size ? chosen : { ...best, places: [] };
}

/** The panes of the mode: [{key, pictures, labels, number, error}], the first of a grid with its `tables`. */
function paneList(state) {
  const shown = shownPictures(state);
  const number = (picture) => {
    const place = shown.indexOf(picture) + 1;
    return place > 0 && place < 10 ? place : 0;
  };
  const pane = (...pictures) => ({
    key: pictures[0].key,
    pictures,
    labels: pictures.map((picture) => picture.label),
    number: number(pictures[0]),
  });
  if (!state.value.run) return [];
  if (state.mode === "grid") {
    return shown.map((picture, i) => (i ? pane(picture) : { ...pane(picture), tables: tables(shown) }));
  }
  if (state.mode === "slider") return [{ ...pane(...pairOf(state)), key: "pair", number: 0 }];
  if (state.mode === "flip") return shown.length ? [{ ...pane(flipPicture(state)), key: "flip" }] : [];
  const kinds = ERRORS_OF[errorsOf(state)];
  return state.value.pictures
    .filter(({ kind, method, reference }) => kinds.includes(kind) && reference && !state.hidden.has(method))
    .map((picture) => ({
      ...pane(picture), labels: [errorLabel(state, picture)], number: 0, error: true,
      reference: referenceOf(state.value, picture),
    }));
}

const ERRORS_OF = { restored: ["restored"], lr: ["x", "lr"] };

/** Of what errors are shown: of the restored pictures if there is nothing to compare LR pictures with. */
function errorsOf({ value, error }) {
  return hasErrorsOf(value, "lr") ? error.of : "restored";
}

function hasErrorsOf(value, of) {
  return value.pictures.some(({ kind, reference }) => reference && ERRORS_OF[of].includes(kind));
}

/** The picture that one is compared with; it may not be there, as bicubic's LR is not unless bicubic was run. */
function referenceOf(value, picture) {
  return pictureByKey(value, picture.reference);
}

function referenceName({ reference }) {
  return reference === "hr" ? "HR" : "bicubic";
}

function errorLabel(state, picture) {
  const difference = `${picture.label} − ${referenceName(picture)}`;
  return state.error.signed ? difference : `|${difference}|`;
}

/** What a key has changed, for those who do not see it; "" for what is said elsewhere. */
function changeInWords(before, after) {
  const words = [];
  const turned = after.mode !== before.mode;
  if (turned) words.push(after.mode);
  const labels = (state) => {
    if (state.mode === "flip") return flipPicture(state)?.label ?? "";
    return state.mode === "slider" ? pairOf(state).map((picture) => picture?.label).join(", right of the divider ") : "";
  };
  if (labels(after) && labels(after) !== labels(before)) words.push(labels(after));
  const { of, signed, plane, gain } = after.error;
  if (after.mode === "error" && of !== before.error.of) words.push(of === "lr" ? "LR and x" : "restored");
  if (after.mode === "error" && (turned || after.error !== before.error))
    words.push(signed ? "signed" : "absolute", plane === "y" ? "Y" : "RGB", `gain ${gain}`);
  if (after.tool !== before.tool) words.push(after.tool === "region" ? "draw a region" : "move the pictures");
  if (after.own !== before.own) words.push(after.own ? "LR and x at their own size" : "LR and x as large as HR");
  if (after.loupe !== before.loupe) words.push(after.loupe ? "loupe on" : "loupe off");
  if (after.fit && !before.fit) words.push("fit");
  else if (after.fit !== before.fit || after.view.zoom !== before.view.zoom) words.push(`zoom ${zoomText(after.view.zoom)} %`);
  return words.join(", ");
}

/** What the file of an error map is called. */
function errorFileName(picture, { signed, plane, gain }) {
  return `${picture.name.replace(/\.png$/, "")}_error_${plane}_${signed ? "signed" : "absolute"}_gain${gain}.png`;
}

/**
 * Whether a picture is shown at its own size, and not laid over the HR region.
 *
 * Not on one side of the slider alone: the divider is to run between the same places of the scene.
 */
function ownSize(state, picture) {
  if (!state.own || picture.factor === 1) return false;
  return state.mode !== "slider" || pairOf(state).every((other) => other.factor === picture.factor);
}
