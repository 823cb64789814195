// The table of pictures. It is sorted by the column whose head is clicked: worst first, then best first; a run that goes
// on draws its rows anew, and they are sorted again. A click on the name of a picture opens it in Compare.

let sorted = { column: null, down: false };

/** The cell's number; what has none is last either way. */
function valueOf(row, column) {
  const cell = row.cells[column];
  if (column === 0) return cell.textContent;
  const text = cell.textContent.trim();
  const number = text === "∞" ? Infinity : Number.parseFloat(text);
  return Number.isNaN(number) ? null : number;
}

function compare(a, b, down) {
  if (a === null || b === null) return (a === null) - (b === null);
  const order = typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : a === b ? 0 : a < b ? -1 : 1;
  return down ? -order : order;
}

function arrange() {
  const body = element.querySelector("tbody");
  const head = element.querySelector(`[data-column="${sorted.column}"]`)?.closest("th");
  if (!body || !head) return; // another run may have fewer columns
  const column = Number(sorted.column);
  const rows = [...body.rows].sort((a, b) => compare(valueOf(a, column), valueOf(b, column), sorted.down));
  if (rows.some((row, i) => body.rows[i] !== row)) body.append(...rows);
  for (const other of element.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
}

element.addEventListener("click", (event) => {
  const opens = event.target.closest(".fg-opens");
  if (opens) trigger("select", { name: opens.textContent });
  const column = event.target.closest("[data-column]")?.dataset.column;
  if (column === undefined) return;
  sorted = { column, down: sorted.column === column && !sorted.down };
  arrange();
});
new MutationObserver(arrange).observe(element, { childList: true, subtree: true });
