// The table of the app: every table is made here, with a heading for each column and a name that can be read aloud.

import { make } from "../base/dom.mjs";
import { wear } from "../color/worn.mjs";

/**
 * @typedef {string|Node} Content  text goes in as text
 * @typedef {Content|Content[]|{content?: Content|Content[], [attribute: string]: any}} Cell  what stands in it
 * @typedef {Cell[]|{cells: Cell[], [attribute: string]: any}} Row
 *
 * @typedef {object} Column
 * @property {Cell} [name]  its heading; a table of columns without names has no headings
 * @property {string} [kind]  "row" for what heads a row, "name" for a token's name, "number", or "text" for all else
 *
 * @typedef {object} Rows
 * @property {string} [caption]  what it is, to be seen
 * @property {(Column|string)[]} columns  a word alone heads a column of numbers
 * @property {Row[]} rows
 * @property {Row[]} [foot]
 *
 * @typedef {Rows & {label?: string, [attribute: string]: any}} Table  `label` says to a screen reader what it is
 */

const KINDS = {
  row: { scope: "row", dir: "auto" },
  name: { dir: "auto" },
  number: { className: "hs-number" },
  text: {},
};

/** @param {Table} table  whatever else is named is an attribute @returns {HTMLTableElement} */
export function table({ label, caption, columns, rows, foot, ...attributes }) {
  return fillTable(make("table", { "aria-label": label, ...attributes }), { caption, columns, rows, foot });
}

/** Put other rows into a table that stands. @param {HTMLTableElement} element @param {Rows} rows */
export function fillTable(element, { caption, columns, rows, foot }) {
  const has = columns.some((column) => nameOf(column) !== undefined);
  const part = (tag, lines) => make(tag, {}, ...lines.map((row) => rowOf(columns, row)));
  element.replaceChildren(
    ...(caption ? [make("caption", { text: caption })] : []),
    ...(has ? [make("thead", {}, make("tr", {}, ...columns.map(heading)))] : []),
    part("tbody", rows),
    ...(foot?.length ? [part("tfoot", foot)] : []),
  );
  return element;
}

/** Other words into the cells of a table, if it has as many: a long one is then there at once. */
export function rewritten(element, { label, columns, rows }) {
  const before = [...element.rows].map((row) => [...row.cells]);
  const after = [columns, ...rows];
  if (before.length !== after.length || before.some((row, i) => row.length !== after[i].length)) return false;
  for (const [i, row] of before.entries()) for (const [j, cell] of row.entries()) cell.textContent = after[i][j];
  element.setAttribute("aria-label", label);
  return true;
}

/** A row for a table of these columns. */
export function rowOf(columns, row) {
  const { cells, ...attributes } = Array.isArray(row) ? { cells: row } : row;
  return make("tr", attributes, ...cells.map((cell, i) => cellOf(cell, columns[i]?.kind ?? "number")));
}

/** A table that opens: `fill(build)` shows what `build` makes, while it is open; `rename(text)` says what it is. */
export function foldedTable(text, onToggle, className = "hs-table") {
  const summary = make("summary", { text });
  const element = make("details", { className, ontoggle: onToggle }, summary);
  element.rename = (said) => (summary.textContent = said);
  element.fill = (build) => {
    while (summary.nextSibling) summary.nextSibling.remove();
    if (element.open) element.append(build());
  };
  return element;
}

const nameOf = (column) => (typeof column === "string" ? column : column.name);

function heading(column) {
  const { content = "", ...attributes } = cellParts(nameOf(column) ?? "");
  if (content === "") return make("td", attributes);
  return make("th", { scope: "col", ...attributes }, ...[content].flat());
}

function cellOf(cell, kind) {
  const { content = "", className = "", ...attributes } = cellParts(cell);
  const classes = [KINDS[kind].className, className].filter(Boolean).join(" ");
  const tag = kind === "row" ? "th" : "td";
  return make(tag, { ...KINDS[kind], ...attributes, className: classes }, ...[content].flat());
}

/** The ground and the ink of an element by a value. */
export const paintCell = (element, scale, value) => wear(element, scale.css(value), scale.ink(value));

function cellParts(cell) {
  const isParts = typeof cell === "object" && !Array.isArray(cell) && !(cell instanceof Node);
  return isParts ? cell : { content: cell };
}
