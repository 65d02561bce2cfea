// Thin bars along the edges of a matrix: below each key what it receives, right of each query what it gives.

import { position } from "../color/color.mjs";
import { cssColor } from "../base/dom.mjs";
import { hatch } from "../color/hatching.mjs";
import { given, received } from "../patterns/marginals.mjs";

const FONT = "10px system-ui, sans-serif";

/** The parts of what a token gives, from left to right, and the colours that the legend shows. */
export const PARTS = { first: "--hs-sink", others: "--hs-attention", itself: "--hs-query" };

export function drawBars(context, layout, shown) {
  drawNames(context, layout);
  drawReceived(context, layout, shown);
  drawGiven(context, layout, shown);
}

function drawNames(context, { left, top, size, gap, bars, depth }) {
  context.font = FONT;
  context.fillStyle = cssColor("--hs-muted");
  context.textBaseline = "middle";
  context.textAlign = "left";
  turned(context, left + size + gap + bars / 2, top - 8, "gives");
  const middle = top + size + gap + depth / 2;
  if (left < 56) return turned(context, left - 12, middle + 18, "receives");
  context.textAlign = "right";
  context.fillText("receives", left - 8, middle);
}

function turned(context, x, y, text) {
  context.save();
  context.translate(x, y);
  context.rotate(-Math.PI / 2);
  context.fillText(text, 0, 0);
  context.restore();
}

/** On the scale of the cells' colours, the square root, or all but the first token would have no bar. */
function drawReceived(context, { left, top, cell, size, gap, depth, T }, shown) {
  const [color, ground] = [cssColor("--hs-key"), cssColor("--hs-panel")];
  const start = top + size + gap;
  context.fillStyle = ground;
  context.fillRect(left, start, size, depth);
  const columns = Array.from(received(shown), (p, key) => [
    left + key * cell + inset(cell),
    start,
    cell - 2 * inset(cell),
    Math.min(1, position(p)) * depth,
  ]);
  fillAll(
    context,
    color,
    columns.filter(([, , , length]) => length > 0),
  ); // none for NaN
  if (shown.hidden && T > 0) {
    const wide = Math.max(cell, 4);
    hatch(
      context,
      { left, top: start, right: left + wide, bottom: start + depth },
      (path) => path.rect(left, start, wide, depth),
      [1, -1],
      cssColor("--hs-faint"),
      5,
    );
  }
}

/** Each row's parts sum to its whole width. */
function drawGiven(context, { left, top, cell, size, gap, bars, T }, shown) {
  const start = left + size + gap;
  const thick = cell - 2 * inset(cell);
  const boxes = Object.fromEntries(Object.keys(PARTS).map((part) => [part, []]));
  for (let query = 0; query < T; query++) {
    const parts = given(shown, query);
    let x = start;
    for (const part in parts) {
      boxes[part].push([x, top + query * cell + inset(cell), parts[part] * bars, thick]);
      x += parts[part] * bars;
    }
  }
  context.fillStyle = cssColor("--hs-panel");
  context.fillRect(start, top, bars, size);
  for (const part in PARTS) fillAll(context, cssColor(PARTS[part]), boxes[part]);
}

/** Many boxes as one path: a long text has a thousand. */
function fillAll(context, color, boxes) {
  context.fillStyle = color;
  context.beginPath();
  for (const box of boxes) context.rect(...box);
  context.fill();
}

const inset = (cell) => (cell >= 6 ? 1 : 0);
