// Draws one head as lines on a canvas: queries left, keys right, a line's width and strength its weight.
// The chosen query's lines stand out, the others stay in the ground. Pure function of payload, focus and size.

import { cssColor, prepare } from "./dom.mjs";
import { headBlock } from "./payload.mjs";
import { label, probability } from "./text.mjs";

const LEAST = 0.02; // weights below draw nothing; the row's sentence and table have them

export function drawLines(canvas, width, payload, focus, query, _dark) {
  const T = payload.tokens.length;
  const row = Math.min(24, Math.max(12, 600 / T)); // all rows in sight, as long as they stay readable
  const layout = { T, row, top: 24, width: Math.min(width, 620), column: Math.min(130, width * 0.3) };
  const context = prepare(canvas, layout.width, layout.top + T * row + 8);
  const block = headBlock(payload, focus.layer, focus.head);
  drawHeads(context, layout);
  if (focus.query === null) for (let q = 0; q < T; q++) drawRow(context, layout, block, q, 0.35);
  drawRow(context, layout, block, query, 1);
  drawTokens(context, layout, payload, block, query, focus.key);
  return layout;
}

export function lineAt({ T, row, top, width }, x, y) {
  const i = Math.floor((y - top) / row);
  if (i < 0 || i >= T) return null;
  return x < width / 2 ? { query: i } : { key: i };
}

function drawHeads(context, { width, column }) {
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  context.fillStyle = cssColor("--hs-muted");
  context.textAlign = "right";
  context.fillText("query (looks)", column, 10);
  context.textAlign = "left";
  context.fillText("key (is looked at)", width - column, 10);
}

function drawRow(context, { T, row, top, width, column }, block, query, strength) {
  context.strokeStyle = cssColor("--hs-attention");
  const y = (i) => top + (i + 0.5) * row;
  for (let k = 0; k <= query; k++) {
    const p = block[query * T + k] / 65535;
    if (p < LEAST) continue;
    context.globalAlpha = strength * (0.15 + 0.85 * p);
    context.lineWidth = 0.5 + 5 * p;
    context.beginPath();
    context.moveTo(column + 6, y(query));
    context.bezierCurveTo(width / 2, y(query), width / 2, y(k), width - column - 6, y(k));
    context.stroke();
  }
  context.globalAlpha = 1;
}

function drawTokens(context, { T, row, top, width, column }, payload, block, query, key) {
  const limit = Math.max(6, Math.floor(column / 8));
  context.font = `${Math.min(13, row - 1)}px system-ui, sans-serif`;
  for (let i = 0; i < T; i++) {
    const y = top + (i + 0.5) * row;
    const text = label(payload.tokens[i], limit);
    context.textAlign = "right";
    context.fillStyle = cssColor(i === query ? "--hs-query" : "--hs-ink");
    context.fillText(text, column, y);
    context.textAlign = "left";
    context.fillStyle = cssColor(i === key ? "--hs-key" : i > query ? "--hs-faint" : "--hs-ink");
    const p = block[query * T + i] / 65535;
    context.fillText(i <= query && p >= LEAST ? `${text}  ${probability(p)}` : text, width - column, y);
  }
}
