// Draws a rectangle of cells on a canvas, a row for each query and a column for each key: a mask, a pattern, or the
// difference of two patterns. Pure functions of their arguments. Each returns the layout, for `cellAt`.
//
// picture = {T, S, queries, keys: labels, prefix, isHidden(q, k), rgba(q, k), number(q, k) or null, ink(q, k),
//            focus: {query, key}}

import { ink, palette } from "../color/color.mjs";
import { cssColor, prepare } from "../base/dom.mjs";

const FONT = "12px system-ui, sans-serif";
const NUMBERS_FROM = 30; // px: cells at least this wide carry their number
const LABELS_FROM = 11;
const LARGEST = 40;
const TALLEST = 640; // px for all rows, as long as cells stay large enough for their names
const HATCH = 6; // px between two strokes
const AXIS = 26; // px for the name of an axis
const COOL = [29, 78, 216];
const WARM = [194, 65, 12];

/** `names`: "tokens" beside the cells, "axes" alone, "none", or null to decide by the room there is. */
export function drawCells(canvas, width, picture, { largest = LARGEST, names = null } = {}) {
  const layout = measure(canvas, width, picture, largest, names);
  const context = prepare(canvas, layout.width, layout.height);
  paintCells(context, layout, picture);
  hatch(context, layout, picture);
  if (picture.number && layout.cell >= NUMBERS_FROM) writeNumbers(context, layout, picture);
  if (picture.prefix) drawBorder(context, layout, picture.prefix);
  if (layout.names === "tokens") writeLabels(context, layout, picture);
  if (layout.names === "axes") writeAxes(context, layout);
  drawFocus(context, layout, picture.focus);
  return layout;
}

export function cellAt({ left, top, cell, T, S }, x, y) {
  const key = Math.floor((x - left) / cell);
  const query = Math.floor((y - top) / cell);
  return key >= 0 && key < S && query >= 0 && query < T ? { query, key } : null;
}

/** Attention of one head: `block` and `mask` are T·S numbers, 0..65535 and 0 or 1. */
export function patternPicture({ T, S, block, mask, dark, ...more }) {
  const colors = palette(dark);
  const p = (q, k) => block[q * S + k] / 65535;
  return {
    T,
    S,
    ...more,
    isHidden: (q, k) => mask[q * S + k] === 0,
    rgba: (q, k) => colors[(Math.sqrt(p(q, k)) * 255 + 0.5) | 0],
    number: (q, k) => p(q, k).toFixed(2).replace(/^0/, ""),
    ink: (q, k) => ink(p(q, k), dark),
  };
}

/** Which key a query may see, and nothing else. */
export function maskPicture({ T, S, mask, dark, ...more }) {
  const seen = palette(dark)[dark ? 150 : 120];
  return { T, S, ...more, isHidden: (q, k) => mask[q * S + k] === 0, rgba: () => seen, number: null, ink: () => "" };
}

/** First minus second, both T·S numbers 0..65535; `top` is the difference at full colour. */
export function differencePicture({ T, S, first, second, masks, top, dark, ...more }) {
  const d = (q, k) => (first[q * S + k] - second[q * S + k]) / 65535;
  return {
    T,
    S,
    ...more,
    isHidden: (q, k) => masks.every((mask) => mask[q * S + k] === 0),
    rgba: (q, k) => diverging(d(q, k) / top, dark),
    number: (q, k) => d(q, k).toFixed(2).replace("0.", "."),
    ink: (q, k) => (Math.abs(d(q, k)) / top > 0.55 ? "#fff" : dark ? "#f4f4f5" : "#18181b"),
  };
}

/** -1 (orange) to 0 (the ground) to 1 (blue), as RGBA in one little-endian number. */
export function diverging(t, dark) {
  const ground = dark ? 19 : 255;
  const share = Math.min(1, Math.abs(t));
  const [r, g, b] = (t < 0 ? WARM : COOL).map((c) => Math.round(ground + (c - ground) * share));
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

export function cssOf(rgba) {
  return `rgb(${rgba & 255} ${(rgba >> 8) & 255} ${(rgba >> 16) & 255})`;
}

function measure(canvas, width, { T, S, queries, keys }, largest, wanted) {
  const context = canvas.getContext("2d");
  context.font = FONT;
  const longest = (labels) => Math.ceil(Math.max(...labels.map((text) => context.measureText(text).width), 20));
  const [left, top] = [longest(queries) + 12, longest(keys) + 12];
  const names = wanted ?? ((width - left - 2) / S >= LABELS_FROM ? "tokens" : "axes");
  const [x, y] = { tokens: [left, top], axes: [AXIS, AXIS], none: [1, 1] }[names];
  const cell = Math.min(largest, (width - x - 2) / S, Math.max(TALLEST / T, 14));
  const least = names === "axes" ? 2 * AXIS : 0; // room for the names of the axes
  return {
    T,
    S,
    left: x,
    top: y,
    cell,
    names,
    width: Math.ceil(x + Math.max(cell * S, least) + 2),
    height: Math.ceil(y + Math.max(cell * T, least) + 2),
  };
}

function paintCells(context, { left, top, cell, T, S }, { isHidden, rgba }) {
  const image = new ImageData(S, T);
  const pixels = new Uint32Array(image.data.buffer);
  for (let q = 0; q < T; q++) for (let k = 0; k < S; k++) pixels[q * S + k] = isHidden(q, k) ? 0 : rgba(q, k);
  const small = new OffscreenCanvas(S, T);
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, left, top, cell * S, cell * T);
  context.strokeStyle = cssColor("--hs-line");
  context.lineWidth = 1;
  context.strokeRect(left, top, cell * S, cell * T);
}

/** A hidden cell is never merely pale. */
function hatch(context, { left, top, cell, T, S }, { isHidden }) {
  const [w, h] = [cell * S, cell * T];
  context.save();
  context.beginPath();
  for (let q = 0; q < T; q++) {
    for (let k = 0, end; k < S; k = end + 1) {
      // one rectangle for neighbours: a path of single cells is slow to clip to
      for (end = k; end < S && isHidden(q, end); end++);
      if (end > k) context.rect(left + k * cell, top + q * cell, (end - k) * cell, cell);
    }
  }
  context.clip();
  context.strokeStyle = cssColor("--hs-hatch");
  context.beginPath();
  for (let d = -h; d < w; d += HATCH) {
    context.moveTo(left + d, top + h);
    context.lineTo(left + d + h, top);
  }
  context.stroke();
  context.restore();
}

function writeNumbers(context, { left, top, cell, T, S }, { isHidden, number, ink }) {
  context.font = "11px ui-monospace, Menlo, Consolas, monospace";
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let q = 0; q < T; q++) {
    for (let k = 0; k < S; k++) {
      if (isHidden(q, k)) continue;
      context.fillStyle = ink(q, k);
      context.fillText(number(q, k), left + (k + 0.5) * cell, top + (q + 0.5) * cell);
    }
  }
}

/** The line between a prefix and the decoder's own tokens. */
function drawBorder(context, { left, top, cell, T, S }, prefix) {
  context.strokeStyle = cssColor("--hs-ink");
  context.setLineDash([4, 3]);
  context.beginPath();
  context.moveTo(left + prefix * cell, top);
  context.lineTo(left + prefix * cell, top + T * cell);
  context.moveTo(left, top + prefix * cell);
  context.lineTo(left + S * cell, top + prefix * cell);
  context.stroke();
  context.setLineDash([]);
}

function writeLabels(context, { left, top, cell, T, S }, { queries, keys, focus }) {
  context.font = FONT;
  context.textBaseline = "middle";
  const [muted, blue, red] = ["--hs-muted", "--hs-query", "--hs-key"].map(cssColor);
  context.textAlign = "right";
  for (let q = 0; q < T; q++) {
    context.fillStyle = q === focus?.query ? blue : muted;
    context.fillText(queries[q], left - 8, top + (q + 0.5) * cell);
  }
  context.textAlign = "left";
  for (let k = 0; k < S; k++) {
    context.save();
    context.translate(left + (k + 0.5) * cell, top - 8);
    context.rotate(-Math.PI / 2);
    context.fillStyle = k === focus?.key ? red : muted;
    context.fillText(keys[k], 0, 0);
    context.restore();
  }
}

function writeAxes(context, { left, top }) {
  context.font = FONT;
  context.textBaseline = "middle";
  context.textAlign = "left";
  context.fillStyle = cssColor("--hs-muted");
  context.fillText("keys →", left, top - 12);
  context.save();
  context.translate(left - 12, top);
  context.rotate(Math.PI / 2);
  context.fillText("queries →", 0, 0);
  context.restore();
}

function drawFocus(context, { left, top, cell, T, S }, focus) {
  if (!focus) return;
  context.lineWidth = 2;
  if (focus.query !== null) {
    context.strokeStyle = cssColor("--hs-query");
    context.strokeRect(left, top + focus.query * cell, cell * S, cell);
  }
  if (focus.key !== null) {
    context.strokeStyle = cssColor("--hs-key");
    context.strokeRect(left + focus.key * cell, top, cell, cell * T);
  }
}
