// Tables of numbers beside each other, with the same rows and columns: pointing at a cell of one lights it in all.
// Real tables: one Tab stop each, arrows move, and a screen reader hears the whole number.

import { inkOn } from "../color/hues.mjs";
import { make } from "../base/dom.mjs";

const MANY = 9; // columns: with more, a narrow screen has no room for numbers in the cells

/**
 * `tables`: [{caption, values, color(value, dark) -> [r, g, b], write(value), say(value), hidden(r, c), broken(r, c)}],
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
      const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[
        event.key
      ] ?? [0, 0];
      if (!down && !right) return;
      event.preventDefault();
      event.stopPropagation(); // else a tile or a page would take it too
      const next = cells[chosen[0] + down]?.[chosen[1] + right];
      if (next) choose([chosen[0] + down, chosen[1] + right]);
      next?.focus();
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

function cellTable(
  { caption, values, color, write, say, hidden = never, broken = never },
  { rows, columns, marked, axes },
) {
  const cells = rows.map((row, r) =>
    columns.map((column, c) => {
      const state = `${hidden(r, c) ? ", hidden by the mask" : ""}${marked(r, c) ? ", differs" : ""}`;
      const cell = make("td", {
        role: "gridcell",
        tabindex: "-1",
        "data-row": r,
        "data-column": c,
        "data-value": values[r][c] ?? "",
        text: hidden(r, c) ? "" : write(values[r][c]),
        "aria-label": `${axes[0]} ${row}, ${axes[1]} ${column}: ${say(values[r][c])}${state}`,
      });
      if (marked(r, c)) cell.classList.add("hs-check-differs");
      if (hidden(r, c)) cell.classList.add("hs-check-hidden");
      else if (values[r][c] === null) cell.classList.add(broken(r, c) ? "hs-check-broken" : "hs-check-infinite");
      return cell;
    }),
  );
  const head = make(
    "tr",
    {},
    make("td", { className: "hs-check-corner", "aria-hidden": "true" }),
    ...columns.map((text) => make("th", { scope: "col" }, make("span", { text, dir: "auto" }))),
  );
  const body = rows.map((text, r) => make("tr", {}, make("th", { scope: "row", dir: "auto", text }), ...cells[r]));
  const table = make(
    "table",
    { role: "grid", "aria-label": caption },
    make("thead", {}, head),
    make("tbody", {}, ...body),
  );
  const element = make(
    "figure",
    { className: "hs-check-cells", "data-many": String(columns.length > MANY) },
    make("figcaption", { text: caption }),
    table,
  );
  element.style.setProperty("--columns", columns.length);
  const paint = (dark) => {
    for (const [r, line] of cells.entries()) {
      for (const [c, cell] of line.entries()) {
        if (hidden(r, c) || values[r][c] === null) continue;
        const rgb = color(values[r][c], dark);
        cell.style.background = `rgb(${rgb.join(" ")})`;
        cell.style.color = inkOn(rgb);
      }
    }
  };
  return { element, cells, paint };
}
