// One tensor, large: a row for each token, a column for each dimension, key or candidate. It may be far larger than
// the window onto it: only what is seen is drawn. Pure function of tensor, marks and window.

import { cssColor, prepare } from "../base/dom.mjs";
import { inkOn } from "../color/hues.mjs";
import { channels, colorer } from "./pipeline_paint.mjs";

const NUMBERS = { width: 60, height: 22 };
const NAMED = { width: 124, height: 22 }; // with the text of a token before the number
const TOP = 22;
const FONT = "12px system-ui, sans-serif";
const MONO = "11px ui-monospace, Menlo, Consolas, monospace";

/** Sizes of a map in CSS pixels: of a cell, of the labels, and of the whole. */
export function measureMap(tensor, labels, width, height, withNumbers, isSquare) {
  const { rows, columns } = tensor;
  const context = new OffscreenCanvas(1, 1).getContext("2d");
  context.font = FONT;
  const left = Math.ceil(Math.max(...labels.map((text) => context.measureText(text).width))) + 12;
  const room = { width: (width - left - 2) / columns, height: (height - TOP - 2) / rows };
  const cell = withNumbers ? (tensor.text ? NAMED : NUMBERS) : cellIn(room, isSquare);
  return {
    left,
    top: TOP,
    cell,
    rows,
    columns,
    width: left + cell.width * columns + 2,
    height: TOP + cell.height * rows + 2,
    withNumbers,
  };
}

function cellIn({ width, height }, isSquare) {
  const side = Math.min(40, Math.max(12, Math.min(width, height)));
  return isSquare
    ? { width: side, height: side }
    : { width: Math.min(32, Math.max(3, width)), height: Math.min(32, Math.max(12, height)) };
}

/** The cell under a point of the canvas when the map is scrolled to `x`, `y`; null beside the cells. */
export function mapCellAt({ left, top, cell, rows, columns }, scroll, x, y) {
  if (x < left || y < top) return null;
  const column = Math.floor((x - left + scroll.x) / cell.width);
  const row = Math.floor((y - top + scroll.y) / cell.height);
  return row < rows && column < columns ? { row, column } : null;
}

/** The scroll that brings a cell into the window, changed as little as can be. */
export function scrollTo({ left, top, cell }, window, { row, column }) {
  const inside = (now, from, to, room) => Math.max(Math.min(now, from), to - room);
  return {
    x: inside(window.x, column * cell.width, (column + 1) * cell.width, window.width - left - 2),
    y: inside(window.y, row * cell.height, (row + 1) * cell.height, window.height - top - 2),
  };
}

/**
 * Draw what `window` = {x, y, width, height} shows of the map. `marks` = {row, column}; `labels` of the rows and
 * `heads` of the columns are text, `write` writes a number.
 */
export function drawMap(canvas, layout, window, tensor, { kind, limit, marks, labels, heads, write, dark }) {
  const context = prepare(canvas, Math.min(window.width, layout.width), Math.min(window.height, layout.height));
  const seen = inWindow(layout, window);
  const at = {
    x: (column) => layout.left + column * layout.cell.width - window.x,
    y: (row) => layout.top + row * layout.cell.height - window.y,
  };
  context.save();
  context.beginPath();
  context.rect(layout.left, layout.top, window.width, window.height);
  context.clip();
  drawCells(context, layout, seen, at, tensor, colorer(kind, limit, dark));
  drawMasked(context, layout, seen, at, tensor);
  if (layout.withNumbers) drawNumbers(context, layout, seen, at, tensor, colorer(kind, limit, dark), write);
  drawMarks(context, layout, at, marks);
  context.restore();
  drawLabels(context, layout, window, seen, at, labels, heads, marks);
}

function inWindow({ left, top, cell, rows, columns }, { x, y, width, height }) {
  return {
    row: Math.floor(y / cell.height),
    rowEnd: Math.min(rows, Math.ceil((y + height - top) / cell.height)),
    column: Math.floor(x / cell.width),
    columnEnd: Math.min(columns, Math.ceil((x + width - left) / cell.width)),
  };
}

function* cellsOf({ row, rowEnd, column, columnEnd }) {
  for (let r = row; r < rowEnd; r++) for (let c = column; c < columnEnd; c++) yield [r, c];
}

function drawCells(context, { cell }, seen, at, { columns, values }, color) {
  const [width, height] = [seen.columnEnd - seen.column, seen.rowEnd - seen.row];
  if (width < 1 || height < 1) return;
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  let i = 0;
  for (const [r, c] of cellsOf(seen)) pixels[i++] = color(values[r * columns + c]);
  const small = new OffscreenCanvas(width, height);
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, at.x(seen.column), at.y(seen.row), width * cell.width, height * cell.height);
}

/** Hatched, never merely pale. */
function drawMasked(context, { cell }, seen, at, { columns, values }) {
  context.save();
  context.beginPath();
  for (const [r, c] of cellsOf(seen))
    if (Number.isNaN(values[r * columns + c])) context.rect(at.x(c), at.y(r), cell.width, cell.height);
  context.clip();
  context.strokeStyle = cssColor("--hs-hatch");
  context.beginPath();
  const { width, height } = context.canvas;
  for (let d = -height; d < width; d += 6) {
    context.moveTo(d, height);
    context.lineTo(d + height, 0);
  }
  context.stroke();
  context.restore();
}

function drawNumbers(context, { cell }, seen, at, { columns, values, text }, color, write) {
  context.font = MONO;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (const [r, c] of cellsOf(seen)) {
    const value = values[r * columns + c];
    if (Number.isNaN(value)) continue;
    context.fillStyle = inkOn(channels(color(value)));
    context.fillText(
      text ? `${text(r, c)}  ${write(value)}` : write(value),
      at.x(c + 0.5),
      at.y(r + 0.5),
      cell.width - 4,
    );
  }
}

function drawMarks(context, { cell, columns }, at, { row, column }) {
  context.lineWidth = 2;
  context.strokeStyle = cssColor("--hs-query");
  context.strokeRect(at.x(0) + 1, at.y(row), columns * cell.width - 2, cell.height);
  if (column === null) return;
  context.strokeStyle = cssColor("--hs-ink");
  context.strokeRect(at.x(column) - 1, at.y(row) - 1, cell.width + 2, cell.height + 2);
}

function drawLabels(context, { left, top, cell, withNumbers }, window, seen, at, labels, heads, marks) {
  context.textBaseline = "middle";
  context.font = FONT;
  context.textAlign = "right";
  const [plain, marked] = [cssColor("--hs-muted"), cssColor("--hs-query")];
  for (let r = seen.row; r < seen.rowEnd; r++) {
    if (at.y(r + 0.5) < top) continue;
    context.fillStyle = r === marks.row ? marked : plain;
    context.fillText(labels[r], left - 8, at.y(r + 0.5));
  }
  context.font = MONO;
  context.textAlign = "center";
  context.fillStyle = plain;
  const every = withNumbers ? 1 : ([1, 2, 4, 8, 16, 32, 64].find((step) => step * cell.width >= 28) ?? 128);
  for (let c = Math.ceil(seen.column / every) * every; c < seen.columnEnd; c += every) {
    const x = at.x(c + 0.5);
    if (x > left + 6 && x < window.width - 6) context.fillText(heads(c), x, top - 10);
  }
}
