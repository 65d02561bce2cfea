// Draws attention rollout on a canvas: a column for the input and for each layer, a point for each token; lines lead
// to the chosen token in the last layer, as wide as their share of it. Pure function of payload, focus and size.

import { cssColor, prepare } from "../base/dom.mjs";
import { label, probability } from "../base/text.mjs";
import { mixing, offsOf, sharesOf } from "../patterns/rollout.mjs";

const LEAST = 0.005; // shares below draw nothing; the row's sentence and table have them

export function drawFlow(canvas, { width, height = Infinity }, payload, focus, query, _dark) {
  const { T, L } = { T: payload.tokens.length, L: payload.arrays.pattern.shape[0] };
  const row = Math.min(24, Math.max(12, (Math.min(height, 648) - 48) / T));
  const size = Math.min(width, 620);
  const layout = { T, L, row, top: 40, width: size, column: Math.min(130, size * 0.29) };
  const context = prepare(canvas, size, layout.top + T * row + 8);
  const shares = sharesOf(payload, query);
  drawLayers(context, layout);
  drawLines(context, layout, mixing(payload), shares);
  drawPoints(context, layout, shares);
  drawTokens(context, layout, payload, shares[0], query, focus.key);
  return layout;
}

/** Left, where the input is, lie keys; right, where the last layer is, queries. */
export function flowAt({ T, row, top, width }, x, y) {
  const i = Math.floor((y - top) / row);
  if (i < 0 || i >= T) return null;
  return x < width / 2 ? { key: i } : { query: i };
}

const across = ({ width, column, L }, step) => column + 10 + (step / L) * (width - 2 * column - 20);
const down = ({ top, row }, i) => top + (i + 0.5) * row;

function drawLayers(context, layout) {
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  context.fillStyle = cssColor("--hs-muted");
  context.textAlign = "center";
  for (let layer = 0; layer < layout.L; layer++) context.fillText(String(layer), across(layout, layer + 0.5), 28);
  context.fillText("layer", layout.width / 2, 10);
  context.textAlign = "right";
  context.fillText("comes from", layout.column, 28);
  context.textAlign = "left";
  context.fillText("goes to", layout.width - layout.column, 28);
}

function drawLines(context, layout, layers, shares) {
  context.strokeStyle = cssColor("--hs-attention");
  layers.forEach((mixed, layer) => {
    const [from, to] = [across(layout, layer), across(layout, layer + 1)];
    for (let q = 0; q < layout.T; q++) {
      if (shares[layer + 1][q] < LEAST) continue; // so are all shares of it
      for (let k = 0; k < layout.T; k++) {
        const share = shares[layer + 1][q] * mixed[q * layout.T + k];
        if (share < LEAST) continue;
        context.globalAlpha = 0.2 + 0.8 * share;
        context.lineWidth = 0.5 + 6 * share;
        context.beginPath();
        context.moveTo(from, down(layout, k));
        context.lineTo(to, down(layout, q));
        context.stroke();
      }
    }
  });
  context.globalAlpha = 1;
}

/**
 * A point's area is the share that comes through it. Those of almost nothing are one path: a long text has thousands.
 */
function drawPoints(context, layout, shares) {
  const largest = Math.min(7, layout.row / 2);
  const point = (step, i, radius) => {
    const [x, y] = [across(layout, step), down(layout, i)];
    context.moveTo(x + radius, y);
    context.arc(x, y, radius, 0, 2 * Math.PI);
  };
  for (const isSeen of [false, true]) {
    context.fillStyle = cssColor(isSeen ? "--hs-attention" : "--hs-hatch");
    context.beginPath();
    for (const [step, row] of shares.entries()) {
      row.forEach((share, i) => {
        if (share >= LEAST === isSeen) point(step, i, Math.max(1.2, largest * Math.sqrt(share)));
      });
    }
    context.fill();
  }
}

function drawTokens(context, layout, payload, input, query, key) {
  const offs = offsOf(payload, query);
  const limit = Math.max(6, Math.floor((layout.column - 40) / 7));
  context.font = `${Math.min(13, layout.row - 1)}px system-ui, sans-serif`;
  for (let i = 0; i < layout.T; i++) {
    const text = label(payload.tokens[i], limit);
    context.textAlign = "right";
    context.fillStyle = cssColor(i === key ? "--hs-key" : i > query ? "--hs-faint" : "--hs-ink");
    context.fillText(
      input[i] >= LEAST ? `${text}  ${probability(input[i], offs[i])}` : text,
      layout.column,
      down(layout, i),
    );
    context.textAlign = "left";
    context.fillStyle = cssColor(i === query ? "--hs-query" : "--hs-faint");
    context.fillText(text, layout.width - layout.column, down(layout, i));
  }
}
