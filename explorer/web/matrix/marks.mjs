// What is written on and around the cells of a matrix: numbers, names, borders and the focus.

import { cssColor, turned } from "../base/dom.mjs";
import { hatch } from "../color/hatching.mjs";
import { FONT } from "./layout.mjs";

export const MONO = "ui-monospace, Menlo, Consolas, monospace";
const NUMBERS_FROM = 30; // px: cells at least this wide carry their number
const APART = 28; // px from one number above the columns to the next

export function drawNumbers(context, { cell }, seen, /** @type {import("./matrix.mjs").Matrix} */ matrix) {
  const { value, scale, hidden, numbers } = matrix;
  const { write, from = NUMBERS_FROM } = numbers;
  if (cell.width < from) return;
  context.font = `${Math.min(11, cell.height - 2)}px ${MONO}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let row = seen.row; row < seen.rowEnd; row++) {
    for (let column = seen.column; column < seen.columnEnd; column++) {
      if (hidden?.(row, column) || Number.isNaN(value(row, column))) continue;
      context.fillStyle = scale.ink(value(row, column));
      context.fillText(write(row, column), seen.x(column + 0.5), seen.y(row + 0.5), cell.width - 2);
    }
  }
}

/** Columns from the left that are left out. */
export function drawCrossed(context, { left, top, cell, rows }, seen, columns) {
  if (columns <= seen.column) return;
  const wide = Math.max(seen.x(columns) - left, 4); // to be seen in a long text, too
  const box = { left, top, right: left + wide, bottom: top + rows * cell.height };
  hatch(context, box, (path) => path.rect(left, top, wide, rows * cell.height), [1, -1], cssColor("--hs-faint"), 5);
}

/** A dashed line along a row of which almost nothing is left, from the first column that counts to the diagonal. */
export function drawEmpty(context, { left, cell, columns }, seen, empty, crossed = 0) {
  const right = left + columns * cell.width;
  context.strokeStyle = cssColor("--hs-faint");
  context.lineWidth = 1;
  context.setLineDash([3, 3]);
  context.beginPath();
  for (let row = Math.max(1, seen.row); row < seen.rowEnd; row++) {
    const [from, to] = [Math.max(left, seen.x(crossed)), Math.min(right, seen.x(row + 1))];
    if (!empty(row) || from >= to) continue;
    context.moveTo(from, seen.y(row + 0.5));
    context.lineTo(to, seen.y(row + 0.5));
  }
  context.stroke();
  context.setLineDash([]);
}

/** The line between a prefix and the decoder's own tokens. */
export function drawBorder(context, { left, top, cell, rows, columns }, seen, at) {
  context.strokeStyle = cssColor("--hs-ink");
  context.lineWidth = 1;
  context.setLineDash([4, 3]);
  context.beginPath();
  if (at >= seen.column && at <= seen.columnEnd) {
    context.moveTo(seen.x(at), top);
    context.lineTo(seen.x(at), top + rows * cell.height);
  }
  if (at >= seen.row && at <= seen.rowEnd) {
    context.moveTo(left, seen.y(at));
    context.lineTo(left + columns * cell.width, seen.y(at));
  }
  context.stroke();
  context.setLineDash([]);
}

/** The chosen row in the colour of queries, the column in that of keys, a cell in ink. */
export function drawFocus(context, { cell, rows, columns, first }, { x, y }, focus) {
  const { row = null, column = null, cell: one = null } = focus ?? {};
  const isShown = (at, from, count) => at !== null && at >= from && at < from + count;
  context.lineWidth = 2;
  if (isShown(row, first.row, rows)) {
    context.strokeStyle = cssColor("--hs-query");
    context.strokeRect(x(first.column), y(row), columns * cell.width, cell.height);
  }
  if (isShown(column, first.column, columns)) {
    context.strokeStyle = cssColor("--hs-key");
    context.strokeRect(x(column), y(first.row), cell.width, rows * cell.height);
  }
  if (one === null) return;
  context.strokeStyle = cssColor("--hs-chosen");
  context.strokeRect(x(one.column) - 1, y(one.row) - 1, cell.width + 2, cell.height + 2);
}

export function drawNames(context, layout, seen, matrix) {
  if (layout.names === "none") return;
  context.font = FONT;
  context.textBaseline = "middle";
  context.fillStyle = cssColor("--hs-muted");
  if (layout.names === "axes") return drawAxes(context, layout, matrix);
  drawRowNames(context, layout, seen, matrix);
  if (layout.names === "heads") drawHeads(context, layout, seen, matrix);
  else drawColumnNames(context, layout, seen, matrix);
}

function drawAxes(context, { left, top }, { rows, columns }) {
  context.textAlign = "left";
  context.fillText(`${columns.name ?? "keys"} →`, left, top - 12);
  turned(context, left - 12, top, 1, `${rows.name ?? "queries"} →`);
}

function drawRowNames(context, { left, top }, seen, { rows, focus }) {
  const [plain, marked] = [cssColor("--hs-muted"), cssColor("--hs-query")];
  context.textAlign = "right";
  for (let row = seen.row; row < seen.rowEnd; row++) {
    if (seen.y(row + 0.5) < top) continue;
    context.fillStyle = row === focus?.row ? marked : plain;
    context.fillText(rows.labels[row], left - 8, seen.y(row + 0.5));
  }
}

function drawColumnNames(context, { top }, seen, { columns, focus }) {
  const [plain, marked] = [cssColor("--hs-muted"), cssColor("--hs-key")];
  context.textAlign = "left";
  for (let column = seen.column; column < seen.columnEnd; column++) {
    context.fillStyle = column === focus?.column ? marked : plain;
    turned(context, seen.x(column + 0.5), top - 8, -1, columns.labels[column]);
  }
}

/** Every so many columns, as there is room: `columns.labels` may be a function of the column. */
function drawHeads(context, { left, top, cell }, seen, { columns, focus }) {
  context.font = `11px ${MONO}`;
  context.textAlign = "center";
  const every = [1, 2, 4, 8, 16, 32, 64].find((step) => step * cell.width >= APART) ?? 128;
  const [plain, marked] = [cssColor("--hs-muted"), cssColor("--hs-chosen")];
  for (let column = Math.ceil(seen.column / every) * every; column < seen.columnEnd; column += every) {
    const x = seen.x(column + 0.5);
    context.fillStyle = column === focus?.cell?.column ? marked : plain;
    if (x > left + 6 && x < seen.width - 6) context.fillText(columns.head(column), x, top - 10);
  }
}
