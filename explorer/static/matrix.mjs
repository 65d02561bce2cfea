// Draws one head as a matrix on a canvas: a pure function of payload, focus and size. Returns the layout,
// from which `cellAt` finds what lies under the pointer.

import { css, ink, paint, palette } from "./color.mjs";
import { cssColor, prepare } from "./dom.mjs";
import { headBlock } from "./payload.mjs";
import { label } from "./text.mjs";

const FONT = "12px system-ui, sans-serif";
const NUMBERS_FROM = 34; // px: cells at least this wide carry their number
const LABELS_FROM = 11;

export function drawMatrix(canvas, width, payload, focus, query, dark) {
  const T = payload.tokens.length;
  const labels = payload.tokens.map((token) => label(token));
  const layout = measure(canvas, width, labels, T);
  const context = prepare(canvas, layout.width, layout.height);
  const block = headBlock(payload, focus.layer, focus.head);
  const ground = cssColor("--hs-muted");
  drawCells(context, layout, block, dark);
  drawMask(context, layout, cssColor("--hs-hatch"));
  if (layout.cell >= NUMBERS_FROM) drawNumbers(context, layout, block, dark);
  drawLabels(context, layout, labels, query, focus.key, ground);
  drawFocus(context, layout, query, focus.key);
  return layout;
}

export function cellAt({ left, top, cell, T }, x, y) {
  const key = Math.floor((x - left) / cell);
  const query = Math.floor((y - top) / cell);
  return key >= 0 && key < T && query >= 0 && query < T ? { query, key } : null;
}

function measure(canvas, width, labels, T) {
  const context = canvas.getContext("2d");
  context.font = FONT;
  const longest = Math.ceil(Math.max(...labels.map((text) => context.measureText(text).width), 20));
  const room = (width - longest - 14) / T;
  const labelled = room >= LABELS_FROM;
  const left = labelled ? longest + 12 : 24;
  const top = labelled ? longest + 12 : 24;
  const cell = Math.min(44, (width - left - 2) / T);
  return { T, left, top, cell, labelled, width: Math.ceil(left + cell * T + 2), height: Math.ceil(top + cell * T + 2) };
}

function drawCells(context, { left, top, cell, T }, block, dark) {
  const image = new ImageData(T, T);
  paint(block, T, palette(dark), new Uint32Array(image.data.buffer));
  const small = new OffscreenCanvas(T, T);
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, left, top, cell * T, cell * T);
}

/** Hatch everything above the diagonal: a masked cell is never merely pale. */
function drawMask(context, { left, top, cell, T }, color) {
  const size = cell * T;
  context.save();
  context.beginPath();
  for (let q = 0; q < T; q++) context.rect(left + (q + 1) * cell, top + q * cell, size - (q + 1) * cell, cell);
  context.clip();
  context.strokeStyle = color;
  context.lineWidth = 1;
  context.beginPath();
  for (let d = -size; d < size; d += 6) {
    context.moveTo(left + d, top + size);
    context.lineTo(left + d + size, top);
  }
  context.stroke();
  context.restore();
}

function drawNumbers(context, { left, top, cell, T }, block, dark) {
  context.font = "11px ui-monospace, Menlo, Consolas, monospace";
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let q = 0; q < T; q++) {
    for (let k = 0; k <= q; k++) {
      const p = block[q * T + k] / 65535;
      context.fillStyle = ink(p, dark);
      context.fillText(p.toFixed(2).replace(/^0/, ""), left + (k + 0.5) * cell, top + (q + 0.5) * cell);
    }
  }
}

function drawLabels(context, { left, top, cell, T, labelled }, labels, query, key, color) {
  context.font = FONT;
  context.textBaseline = "middle";
  context.fillStyle = color;
  if (!labelled) {
    context.textAlign = "left";
    context.fillText("keys →", left, top - 12);
    context.save();
    context.translate(left - 12, top);
    context.rotate(Math.PI / 2);
    context.fillText("queries →", 0, 0);
    context.restore();
    return;
  }
  for (let i = 0; i < T; i++) {
    const middle = (i + 0.5) * cell;
    context.fillStyle = i === query ? cssColor("--hs-query") : color;
    context.textAlign = "right";
    context.fillText(labels[i], left - 8, top + middle);
    context.save();
    context.translate(left + middle, top - 8);
    context.rotate(-Math.PI / 2);
    context.fillStyle = i === key ? cssColor("--hs-key") : color;
    context.textAlign = "left";
    context.fillText(labels[i], 0, 0);
    context.restore();
  }
}

function drawFocus(context, { left, top, cell, T }, query, key) {
  context.lineWidth = 2;
  context.strokeStyle = cssColor("--hs-query");
  context.strokeRect(left, top + query * cell, cell * T, cell);
  if (key === null) return;
  context.strokeStyle = cssColor("--hs-key");
  context.strokeRect(left + key * cell, top, cell, cell * T);
}
