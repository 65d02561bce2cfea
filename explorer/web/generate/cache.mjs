// The KV cache of one step as a picture: a row for each layer, a column for each token; hatched is what was there
// already, filled is what this step computes. And what the cache saves, as measured.

import { cssColor, prepare } from "../base/dom.mjs";

const ROW = 14;
const GAP = 2;
const CHART = { height: 150, left: 46, bottom: 26, top: 8 };

/** {L, T, computed: columns that this step computes, of the T in the window}. The first step reads the whole text. */
export function cacheStep(look, depth) {
  const [L, , T] = look.arrays.pattern.shape;
  const slid = look.total > look.block_size;
  return { L, T, slid, isFirst: depth === 0, computed: depth === 0 || slid ? T : 1, bytes: T * look.cache_bytes };
}

export function drawCache(canvas, width, { L, T, computed }) {
  const left = 26;
  const cell = Math.max(2, Math.min(16, (width - left) / T));
  const height = L * (ROW + GAP) + 4;
  const context = prepare(canvas, width, height);
  const [key, value, ink, hatch] = ["--hs-key", "--hs-value", "--hs-muted", "--hs-faint"].map(cssColor);
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  for (let layer = 0; layer < L; layer++) {
    const y = layer * (ROW + GAP) + 2;
    context.fillStyle = ink;
    context.fillText(`L${layer + 1}`, 0, y + ROW / 2);
    for (let i = 0; i < T; i++) {
      const x = left + i * cell;
      const wide = Math.max(1, cell - (cell > 4 ? 1 : 0));
      if (i < T - computed) reused(context, x, y, wide, hatch);
      else {
        context.fillStyle = key;
        context.fillRect(x, y, wide, ROW / 2);
        context.fillStyle = value;
        context.fillRect(x, y + ROW / 2, wide, ROW / 2);
      }
    }
  }
}

function reused(context, x, y, wide, color) {
  context.strokeStyle = color;
  context.lineWidth = 1;
  if (wide > 4) context.strokeRect(x + 0.5, y + 0.5, wide - 1, ROW - 1);
  context.beginPath();
  context.moveTo(x, y + ROW);
  context.lineTo(x + wide, y);
  context.stroke();
}

/** Milliseconds per token, one line with the cache and one (dashed) without. */
export function drawTimes(canvas, width, { with_cache, without_cache }) {
  const { height, left, bottom, top } = CHART;
  const context = prepare(canvas, width, height);
  const most = Math.max(...with_cache, ...without_cache);
  const x = (i) => left + (i / Math.max(1, with_cache.length - 1)) * (width - left - 90);
  const y = (ms) => top + (1 - ms / most) * (height - top - bottom);
  const ink = cssColor("--hs-muted");
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = context.strokeStyle = ink;
  context.strokeRect(left, top, 0, height - top - bottom);
  context.strokeRect(left, height - bottom, width - left - 90, 0);
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const ms of [0, most]) context.fillText(`${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`, left - 4, y(ms));
  context.textAlign = "left";
  context.fillText("token 1", left, height - 10);
  context.textAlign = "right";
  context.fillText(String(with_cache.length), x(with_cache.length - 1), height - 10);
  context.textAlign = "left";
  for (const [name, values, color, dash] of [
    ["with cache", with_cache, "--hs-value", []],
    ["without", without_cache, "--hs-key", [5, 3]],
  ]) {
    context.strokeStyle = context.fillStyle = cssColor(color);
    context.setLineDash(dash);
    context.lineWidth = 2;
    context.beginPath();
    for (const [i, ms] of values.entries()) context.lineTo(x(i), y(ms));
    context.stroke();
    context.fillText(
      name,
      x(values.length - 1) + 6,
      y(values.slice(-6).reduce((a, b) => a + b, 0) / Math.min(6, values.length)),
    );
  }
}
