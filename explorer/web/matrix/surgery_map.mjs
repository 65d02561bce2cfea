// One T×T map on a canvas: coloured cells over hatching, so that a cell without a colour is hatched. Pure function of
// what is given. Returns the layout, from which `cellIn` finds what lies under the pointer.

import { cssColor, prepare } from "../base/dom.mjs";
import { hatch } from "../color/hatching.mjs";
import { label } from "../base/text.mjs";

const FONT = "11px system-ui, sans-serif";
const LABELS_FROM = 11; // px: cells at least this wide have names on their sides
const LARGEST = 34;
const LETTERS = 9;

/** `pixels` (T*T, colours as little-endian 32-bit numbers): 0 is hatched. */
export function drawMap(canvas, width, tokens, pixels, { query, key }) {
  const T = tokens.length;
  const names = tokens.map((token) => label(token, LETTERS));
  const layout = measure(canvas, width, names);
  const { left, top, cell } = layout;
  const size = cell * T;
  const context = prepare(canvas, layout.width, layout.height);
  const box = { left, top, right: left + size, bottom: top + size };
  hatch(context, box, (path) => path.rect(left, top, size, size), [1], cssColor("--hs-hatch"));
  const image = new ImageData(T, T);
  new Uint32Array(image.data.buffer).set(pixels);
  const small = new OffscreenCanvas(T, T);
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, left, top, size, size);
  context.strokeStyle = cssColor("--hs-line");
  context.strokeRect(left + 0.5, top + 0.5, size - 1, size - 1);
  drawNames(context, layout, names, query, key);
  outline(context, cssColor("--hs-query"), left, top + query * cell, size, cell);
  if (key !== null) outline(context, cssColor("--hs-key"), left + key * cell, top, cell, size);
  return layout;
}

export function cellIn({ left, top, cell, T }, x, y) {
  const key = Math.floor((x - left) / cell);
  const query = Math.floor((y - top) / cell);
  return key >= 0 && key < T && query >= 0 && query < T ? { query, key } : null;
}

function measure(canvas, width, names) {
  const T = names.length;
  const context = canvas.getContext("2d");
  context.font = FONT;
  const longest = Math.ceil(Math.max(...names.map((name) => context.measureText(name).width), 18)) + 8;
  const labelled = (width - longest - 2) / T >= LABELS_FROM;
  const side = labelled ? longest : 18;
  const cell = Math.min(LARGEST, (width - side - 2) / T);
  return {
    T,
    left: side,
    top: side,
    cell,
    labelled,
    width: Math.ceil(side + cell * T + 2),
    height: Math.ceil(side + cell * T + 2),
  };
}

function drawNames(context, { left, top, cell, labelled }, names, query, key) {
  context.font = FONT;
  context.textBaseline = "middle";
  context.fillStyle = cssColor("--hs-muted");
  context.textAlign = "left";
  if (!labelled) {
    context.fillText("keys →", left, 8);
    sideways(context, "queries →", 8, top, Math.PI / 2);
    return;
  }
  names.forEach((name, i) => {
    const middle = (i + 0.5) * cell;
    context.fillStyle = cssColor(i === key ? "--hs-key" : "--hs-muted");
    sideways(context, name, left + middle, top - 5, -Math.PI / 2);
    context.textAlign = "right";
    context.fillStyle = cssColor(i === query ? "--hs-query" : "--hs-muted");
    context.fillText(name, left - 5, top + middle);
    context.textAlign = "left";
  });
}

function sideways(context, text, x, y, angle) {
  context.save();
  context.translate(x, y);
  context.rotate(angle);
  context.fillText(text, 0, 0);
  context.restore();
}

function outline(context, color, ...box) {
  context.lineWidth = 2;
  context.strokeStyle = color;
  context.strokeRect(...box);
}
