// Tables of numbers beside each other, with the same rows and columns: pointing at a cell of one lights it in all.
// Real tables: one Tab stop each, arrows move, and a screen reader hears the whole number.

import { make } from "../base/dom.mjs";
import { move } from "../state/focus.mjs";
import { paintCell, table as tableOf } from "../ui/table.mjs";

const MANY = 9; // columns: with more, a narrow screen has no room for numbers in the cells

/**
 * `tables`: [{caption, values, scale(dark), write(value), say(value), hidden(r, c), broken(r, c)}],
 * all of rows × columns; null is a value that is not finite, hidden is what the mask hides, broken is what should be
 * finite. `marked(r, c)`: it differs. `tell(r, c)` is called with the cell that is pointed at, or else the one that was
 * chosen last, first of all `start`.
 */
export function linkedCells({ tables, rows, columns, marked, axes = ["row", "column"], start, tell }) {
  const made = tables.map((table) => cellTable(table, { rows, columns, marked, axes }));
  let chosen = start;
  const light = (place) => {
    for (const { cells } of made) {
      for (const cell of cells.flat()) cell.classList.remove("hs-check-lit");
      cells[place[0]][place[1]].classList.add("hs-check-lit");
    }
    tell(...place);
  };
  const choose = (place) => {
    for (const { cells } of made) {
      cells[chosen[0]][chosen[1]].tabIndex = -1;
      cells[place[0]][place[1]].tabIndex = 0;
    }
    chosen = place;
    light(place);
  };
  const placeOf = ({ target }) => {
    const cell = target.closest?.("td");
    return cell ? [Number(cell.dataset.row), Number(cell.dataset.column)] : null;
  };
  for (const { element, cells } of made) {
    const table = element.querySelector("table");
    table.addEventListener("pointerover", (event) => placeOf(event) && light(placeOf(event)));
    table.addEventListener("pointerleave", () => light(chosen));
    table.addEventListener("click", (event) => placeOf(event) && choose(placeOf(event)));
    table.addEventListener("keydown", (event) => {
      const next = move(event.key, ...chosen, cells.length, cells[0].length);
      if (!next) return;
      event.preventDefault();
      event.stopPropagation(); // else a tile or a page would take it too
      choose(next);
      cells[next[0]][next[1]].focus();
    });
  }
  choose(start);
  const repaint = () => {
    for (const table of made) table.paint(document.body.classList.contains("dark"));
  };
  repaint();
  return { elements: made.map(({ element }) => element), repaint };
}

/** @type {(row: number, column: number) => boolean} */
const never = () => false;

function cellTable(given, sides) {
  const { caption, scale, hidden = never } = given;
  const { rows, columns } = sides;
  const corner = { className: "hs-check-corner", "aria-hidden": "true" };
  const heads = columns.map((text) => ({ name: make("span", { text, dir: "auto" }), kind: "text" }));
  const table = tableOf({
    label: caption,
    role: "grid",
    columns: [{ name: corner, kind: "row" }, ...heads],
    rows: rows.map((text, r) => [text, ...columns.map((_, c) => cellOf(given, sides, r, c))]),
  });
  const cells = [...table.tBodies[0].rows].map((line) => [...line.cells].slice(1));
  const element = make(
    "figure",
    { className: "hs-check-cells", "data-many": String(columns.length > MANY) },
    make("figcaption", { text: caption }),
    table,
  );
  element.style.setProperty("--columns", columns.length);
  const paint = (dark) => {
    const colors = scale(dark);
    const isColoured = (one, i) =>
      !hidden(Math.floor(i / columns.length), i % columns.length) && one.dataset.value !== "";
    for (const one of cells.flat().filter(isColoured)) paintCell(one, colors, Number(one.dataset.value));
  };
  return { element, cells, paint };
}

function cellOf({ values, write, say, hidden = never, broken = never }, { rows, columns, marked, axes }, r, c) {
  const value = values[r][c];
  const [isHidden, differs] = [hidden(r, c), marked(r, c)];
  const look = isHidden ? "hidden" : value !== null ? "" : broken(r, c) ? "broken" : "infinite";
  const state = `${isHidden ? ", hidden by the mask" : ""}${differs ? ", differs" : ""}`;
  return {
    content: isHidden ? "" : write(value),
    className: [differs && "hs-check-differs", look && `hs-check-${look}`].filter(Boolean).join(" "),
    role: "gridcell",
    tabindex: "-1",
    "data-row": r,
    "data-column": c,
    "data-value": value ?? "",
    "aria-label": `${axes[0]} ${rows[r]}, ${axes[1]} ${columns[c]}: ${say(value)}${state}`,
  };
}
