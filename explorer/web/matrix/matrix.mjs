// Draws attention as a matrix on a canvas: a pure function of payload, focus and size. Returns the layout, from which
// `cellAt` finds what lies under the pointer. Along the edges, bars say what each token receives and gives.

import { ink, paint, palette } from "../color/color.mjs";
import { cssColor, prepare } from "../base/dom.mjs";
import { drawn } from "../patterns/drawn.mjs";
import { hatch } from "../color/hatching.mjs";
import { drawBars } from "./margin_bars.mjs";
import { reading } from "../patterns/reading.mjs";
import { label } from "../base/text.mjs";

const FONT = "12px system-ui, sans-serif";
const NUMBERS_FROM = 34; // px: cells at least this wide carry their number
const LABELS_FROM = 11;
const HATCH = 6; // px between the strokes of the mask, along an edge
const GAP = 5; // px between the matrix and its bars

export function drawMatrix(canvas, width, payload, focus, query, dark) {
  const shown = drawn(payload, focus);
  const layout = measure(canvas, width, payload);
  const context = prepare(canvas, layout.width, layout.height);
  const ground = cssColor("--hs-muted");
  const { column, token } = reading(payload, { draw: "matrix", ...focus, query: focus.query ?? query }, shown);
  const place = column ? { query: focus.query, key: token } : { query: token, key: focus.key };
  drawCells(context, layout, shown, dark);
  if (!shown.open) drawMask(context, layout, cssColor("--hs-hatch"));
  if (shown.hidden) drawHidden(context, layout, shown, cssColor("--hs-faint"));
  if (layout.cell >= NUMBERS_FROM) drawNumbers(context, layout, shown, dark);
  drawLabels(context, layout, payload, place, ground);
  drawBars(context, layout, shown);
  drawFocus(context, layout, place);
  return layout;
}

export function cellAt({ left, top, cell, T }, x, y) {
  const key = Math.floor((x - left) / cell);
  const query = Math.floor((y - top) / cell);
  return key >= 0 && key < T && query >= 0 && query < T ? { query, key } : null;
}

/** Beside the cells: a key's name or bar asks who looks at it, a query's where it looks. */
export function edgeAt({ left, top, cell, T }, x, y) {
  const key = Math.floor((x - left) / cell);
  const query = Math.floor((y - top) / cell);
  const isKey = key >= 0 && key < T;
  const isQuery = query >= 0 && query < T;
  if (isKey === isQuery) return null;
  return isKey ? { key, read: "column" } : { query, read: "row" };
}

const longest = new WeakMap(); // by payload: the widest label, in px

function measure(canvas, width, payload) {
  const T = payload.tokens.length;
  const bars = width < 420 ? 26 : 40;
  const edge = GAP + bars + 2;
  const depth = 40; // of the bars below
  if (!longest.has(payload)) longest.set(payload, widest(canvas, payload));
  const names = longest.get(payload);
  const labelled = (width - names - 12 - edge) / T >= LABELS_FROM;
  const left = labelled ? names + 12 : 24;
  const top = labelled ? Math.max(names + 12, 40) : 40;
  const cell = Math.min(44, (width - left - edge) / T);
  const size = cell * T;
  return {
    T,
    left,
    top,
    cell,
    size,
    bars,
    depth,
    gap: GAP,
    labelled,
    width: Math.ceil(left + size + edge),
    height: Math.ceil(top + size + GAP + depth + 2),
  };
}

function widest(canvas, { tokens }) {
  const context = canvas.getContext("2d");
  context.font = FONT;
  return Math.ceil(Math.max(...tokens.map((token) => context.measureText(label(token)).width), 20));
}

function drawCells(context, { left, top, size, T }, shown, dark) {
  const image = new ImageData(T, T);
  paint(shown.block, T, palette(dark), new Uint32Array(image.data.buffer), shown.last);
  const small = new OffscreenCanvas(T, T);
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, left, top, size, size);
}

/** Strokes from the diagonal to the upper right edges: a masked cell is never merely pale. */
function drawMask(context, { left, top, cell, size }, color) {
  context.strokeStyle = color;
  context.lineWidth = 1;
  context.beginPath();
  for (let sum = HATCH; sum < 2 * size; sum += HATCH) {
    // of x and y, along a rising line
    const i = Math.floor(sum / 2 / cell); // it leaves the diagonal in this cell, to the right or upwards
    const x = (2 * i + 1) * cell <= sum ? (i + 1) * cell : sum - i * cell;
    if (x >= size) continue;
    context.moveTo(left + x, top + sum - x);
    context.lineTo(left + Math.min(sum, size), top + Math.max(sum - size, 0));
  }
  context.stroke();
}

/** The column of the first token, crossed; and a dashed line where almost nothing is left of a row. */
function drawHidden(context, { left, top, cell, size, T }, shown, color) {
  const wide = Math.max(cell, 4); // to be seen in a long text, too
  const box = { left, top, right: left + wide, bottom: top + size };
  hatch(context, box, (path) => path.rect(left, top, wide, size), [1, -1], color, 5);
  context.strokeStyle = color;
  context.lineWidth = 1;
  context.setLineDash([3, 3]);
  context.beginPath();
  for (let q = 1; q < T; q++) {
    if (shown.state(q, q) !== "faint") continue;
    context.moveTo(left + cell, top + (q + 0.5) * cell);
    context.lineTo(left + (q + 1) * cell, top + (q + 0.5) * cell);
  }
  context.stroke();
  context.setLineDash([]);
}

function drawNumbers(context, { left, top, cell, T }, shown, dark) {
  context.font = "11px ui-monospace, Menlo, Consolas, monospace";
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let q = 0; q < T; q++) {
    for (let k = 0; k <= shown.last(q); k++) {
      if (shown.state(q, k) !== "seen") continue;
      const p = shown.at(q, k);
      context.fillStyle = ink(p, dark);
      context.fillText(p.toFixed(2).replace(/^0/, ""), left + (k + 0.5) * cell, top + (q + 0.5) * cell);
    }
  }
}

function drawLabels(context, { left, top, cell, T, labelled }, payload, { query, key }, color) {
  context.font = FONT;
  context.textBaseline = "middle";
  context.fillStyle = color;
  if (!labelled) return drawAxes(context, left, top);
  const [queryColor, keyColor] = [cssColor("--hs-query"), cssColor("--hs-key")];
  for (let i = 0; i < T; i++) {
    const middle = (i + 0.5) * cell;
    const text = label(payload.tokens[i]);
    context.fillStyle = i === query ? queryColor : color;
    context.textAlign = "right";
    context.fillText(text, left - 8, top + middle);
    context.fillStyle = i === key ? keyColor : color;
    context.textAlign = "left";
    turned(context, left + middle, top - 8, -1, () => context.fillText(text, 0, 0));
  }
}

function drawAxes(context, left, top) {
  context.textAlign = "left";
  context.fillText("keys →", left, top - 12);
  turned(context, left - 12, top, 1, () => context.fillText("queries →", 0, 0));
}

function turned(context, x, y, quarters, draw) {
  context.save();
  context.translate(x, y);
  context.rotate((quarters * Math.PI) / 2);
  draw();
  context.restore();
}

/** The chosen row and column; the other one only if there is a choice of it. */
function drawFocus(context, { left, top, cell, size }, { query, key }) {
  context.lineWidth = 2;
  if (query !== null) {
    context.strokeStyle = cssColor("--hs-query");
    context.strokeRect(left, top + query * cell, size, cell);
  }
  if (key !== null) {
    context.strokeStyle = cssColor("--hs-key");
    context.strokeRect(left + key * cell, top, cell, size);
  }
}
