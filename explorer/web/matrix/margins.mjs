// Bars along the edges of a matrix: below each column what it receives, right of each row what it gives.

import { cssColor, turned } from "../base/dom.mjs";
import { hatch } from "../color/hatching.mjs";
import { MARGIN } from "./layout.mjs";

const FONT = "10px system-ui, sans-serif";

/**
 * Bars below, as long as `of` (0..1, NaN: none) says; and right, of parts that together fill the width.
 *
 * @typedef {object} Margins
 * @property {number} [head]  px above the cells at least, for the name of the bars at the right
 * @property {{name: string, size: number, color: string, of: (column: number) => number, crossed?: number}} below
 * @property {{name: string, size: number, colors: string[], of: (row: number) => number[]}} right
 */

export function drawMargins(context, layout, seen, /** @type {Margins} */ { below, right }) {
  const { left, top, cell, rows, columns } = layout;
  const edge = { x: left + columns * cell.width + MARGIN.gap, y: top + rows * cell.height + MARGIN.gap };
  drawTitles(context, layout, edge, below, right);
  context.fillStyle = cssColor("--hs-panel");
  context.fillRect(left, edge.y, columns * cell.width, below.size);
  context.fillRect(edge.x, top, right.size, rows * cell.height);
  drawBelow(context, layout, seen, edge, below);
  drawRight(context, layout, seen, edge, right);
}

function drawTitles(context, { left, top }, edge, below, right) {
  context.font = FONT;
  context.fillStyle = cssColor("--hs-muted");
  context.textBaseline = "middle";
  turned(context, edge.x + right.size / 2, top - 8, -1, right.name);
  const middle = edge.y + below.size / 2;
  if (left < 56) return turned(context, left - 12, middle + 18, -1, below.name);
  context.textAlign = "right";
  context.fillText(below.name, left - 8, middle);
}

function drawBelow(context, { left, cell }, seen, edge, { size, color, of, crossed = 0 }) {
  const boxes = Array.from({ length: seen.columnEnd - seen.column }, (_, i) => [
    seen.x(seen.column + i) + inset(cell.width),
    edge.y,
    cell.width - 2 * inset(cell.width),
    Math.min(1, of(seen.column + i)) * size,
  ]);
  fillAll(
    context,
    color,
    boxes.filter(([, , , length]) => length > 0), // none for NaN
  );
  if (crossed <= seen.column) return;
  const wide = Math.max(seen.x(crossed) - left, 4);
  const box = { left, top: edge.y, right: left + wide, bottom: edge.y + size };
  hatch(context, box, (path) => path.rect(left, edge.y, wide, size), [1, -1], cssColor("--hs-faint"), 5);
}

function drawRight(context, { cell }, seen, edge, { size, colors, of }) {
  const boxes = colors.map(() => []);
  for (let row = seen.row; row < seen.rowEnd; row++) {
    let { x } = edge;
    for (const [part, share] of of(row).entries()) {
      boxes[part].push([x, seen.y(row) + inset(cell.height), share * size, cell.height - 2 * inset(cell.height)]);
      x += share * size;
    }
  }
  for (const [part, color] of colors.entries()) fillAll(context, color, boxes[part]);
}

/** Many boxes as one path: a long text has a thousand. */
function fillAll(context, color, boxes) {
  context.fillStyle = cssColor(color);
  context.beginPath();
  for (const box of boxes) context.rect(...box);
  context.fill();
}

const inset = (side) => (side >= 6 ? 1 : 0);
