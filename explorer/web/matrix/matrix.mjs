// The matrix of the app: every map of numbers is this one. Channels in, pixels out; the layout is returned, so that
// `cellAt` can find what lies under the pointer.

import { cssColor, prepare } from "../base/dom.mjs";
import { hatchCells } from "../color/hatching.mjs";
import { inWindow, layoutOf } from "./layout.mjs";
import { drawMargins } from "./margins.mjs";
import { drawBorder, drawCrossed, drawEmpty, drawFocus, drawNames, drawNumbers } from "./marks.mjs";

/**
 * What a matrix shows, channel by channel. Rows and columns count from 0, also where only a part is shown; functions
 * take (row, column).
 *
 * @typedef {(row: number, column: number) => boolean} IsCell
 * @typedef {(row: number) => ArrayLike<number>} Row  shorter than the columns if all others are hidden
 *
 * @typedef {object} Side  rows, or columns
 * @property {number} count
 * @property {number} [first]  of a part: `count` of them are shown from here on
 * @property {string[]} [labels]  of all: left of the rows; above the columns, turned
 * @property {string} [name]  of the axis, for where labels have no room
 * @property {(column: number) => string} [head]  above a column, not turned
 *
 * @typedef {object} Matrix
 * @property {number} [width]  px that there are for it, if there is no layout yet
 * @property {Side} rows
 * @property {Side} columns
 * @property {(row: number, column: number) => number} value  NaN has no colour and is hatched
 * @property {import("../color/scale.mjs").Colors} scale  the colour of a value
 * @property {IsCell} [hidden]  hatched: what a mask hides
 * @property {Row} [row]  the values of a row at once, where they lie side by side: much faster for many cells
 * @property {{write: (row: number, column: number) => string, from?: number}} [numbers]  in cells of at least `from` px
 * @property {{row?: number, column?: number, cell?: {row: number, column: number}}} [focus]  what is outlined
 * @property {string} [names]  beside the cells: "tokens", "axes", "heads" or "none"; else what there is room for
 * @property {import("./margins.mjs").Margins} [margins]  bars along the edges
 * @property {number} [border]  a dashed line before this row and column
 * @property {number} [crossed]  so many columns from the left are left out
 * @property {(row: number) => boolean} [empty]  of this row almost nothing is left
 * @property {import("./layout.mjs").Cells} [cells]  how large they are
 * @property {import("./layout.mjs").Layout} [layout]  if it is known already
 * @property {{x: number, y: number, width: number, height: number}} [window]  what is in sight of a large one
 *
 * @typedef {object} Thumbnail
 * @property {number} rows
 * @property {number} columns
 * @property {(row: number, column: number) => number} [value]
 * @property {Pick<import("../color/scale.mjs").Colors, "pixel"|"table">} scale
 * @property {IsCell} [hidden]
 * @property {Row} [row]  instead of `value` and `hidden`
 */

/** @param {HTMLCanvasElement} canvas @param {Matrix} matrix @returns {import("./layout.mjs").Layout} */
export function drawMatrix(canvas, matrix) {
  const layout = matrix.layout ?? layoutOf(matrix);
  const seen = inWindow(layout, matrix.window);
  const context = prepare(canvas, seen.width, seen.height);
  context.save();
  if (matrix.window) clipTo(context, layout, seen);
  drawCells(context, layout, seen, matrix);
  if (matrix.crossed) drawCrossed(context, layout, seen, matrix.crossed);
  if (matrix.empty) drawEmpty(context, layout, seen, matrix.empty, matrix.crossed);
  if (matrix.numbers) drawNumbers(context, layout, seen, matrix);
  if (matrix.border) drawBorder(context, layout, seen, matrix.border);
  if (matrix.window) drawFocus(context, layout, seen, matrix.focus);
  context.restore();
  drawNames(context, layout, seen, matrix);
  if (matrix.margins) drawMargins(context, layout, seen, matrix.margins);
  if (!matrix.window) drawFocus(context, layout, seen, matrix.focus);
  return layout;
}

/**
 * The same at one pixel a cell: the page stretches it.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Thumbnail} thumbnail
 */
export function drawThumbnail(canvas, thumbnail) {
  const { rows, columns } = thumbnail;
  canvas.width = columns;
  canvas.height = rows;
  const all = { row: 0, rowEnd: rows, column: 0, columnEnd: columns };
  canvas.getContext("2d").putImageData(painted(all, thumbnail), 0, 0);
}

function clipTo(context, { left, top }, { width, height }) {
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
}

/** Cells over hatching: what has no colour is hatched, never merely pale. */
function drawCells(context, { cell }, seen, /** @type {Matrix} */ matrix) {
  const { row, rowEnd, column, columnEnd } = seen;
  if (rowEnd <= row || columnEnd <= column) return;
  const image = painted(seen, matrix);
  const [left, top, right, bottom] = [seen.x(column), seen.y(row), seen.x(columnEnd), seen.y(rowEnd)];
  hatchCells(context, { left, top, right, bottom }, cell, bareCells(image), cssColor("--hs-hatch"));
  const small = new OffscreenCanvas(image.width, image.height);
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, left, top, image.width * cell.width, image.height * cell.height);
  context.strokeStyle = cssColor("--hs-line");
  context.lineWidth = 1;
  context.strokeRect(left, top, right - left, bottom - top);
}

/** An image of a pixel for each cell, good until the next one; clear where there is no colour. */
function painted({ row, rowEnd, column, columnEnd }, matrix) {
  const image = clearImage(columnEnd - column, rowEnd - row);
  const pixels = new Uint32Array(image.data.buffer);
  const numbers = matrix.row ?? numbersOf(matrix, column, columnEnd);
  const { pixel, table } = matrix.scale;
  for (let r = row; r < rowEnd; r++) {
    const line = numbers(r);
    const end = Math.min(columnEnd, line.length);
    const start = (r - row) * image.width - column;
    if (table) lookUp(pixels, start, line, column, end, table);
    else for (let c = column; c < end; c++) pixels[start + c] = pixel(line[c]);
  }
  return image;
}

/** Apart, so that it stays fast: it only ever sees whole numbers. */
function lookUp(pixels, start, line, column, end, table) {
  for (let c = column; c < end; c++) pixels[start + c] = table[line[c]];
}

let used = new ImageData(1, 1); // the last image: a grid of heads paints dozens of one size

function clearImage(width, height) {
  if (used.width !== width || used.height !== height) used = new ImageData(width, height);
  used.data.fill(0);
  return used;
}

/** The values of a row at once, for a matrix that has them cell by cell: NaN for what is hidden. */
function numbersOf({ value, hidden }, column, columnEnd) {
  const line = new Float64Array(columnEnd);
  return (row) => {
    for (let c = column; c < columnEnd; c++) line[c] = hidden?.(row, c) ? NaN : value(row, c);
    return line;
  };
}

/** Of each row the first and the last cell without a colour; -1 if there is none. */
function bareCells({ data, width, height }) {
  const pixels = new Uint32Array(data.buffer);
  const lines = Array.from({ length: height }, (_, row) => pixels.subarray(row * width, (row + 1) * width));
  return lines.map((line) => ({ first: line.indexOf(0), last: line.lastIndexOf(0) }));
}
