// Colours of tensors: signed numbers around 0, weights on the scale from 0 to 1; masked cells stay clear.
// Small pictures are made smaller by strength, and say so. Pure but for the canvas they are given.

import { palette, position } from "../color/color.mjs";
import { divergingColor } from "../color/hues.mjs";

export const MOST = { rows: 64, columns: 128 }; // cells of a small picture

const shades = new Map();

/** For a value its colour, as a little-endian 32-bit number. */
export function colorer(kind, limit, dark) {
  const key = `${kind}/${dark}`;
  if (!shades.has(key)) shades.set(key, kind === "weights" ? palette(dark) : signedPalette(dark));
  const colors = shades.get(key);
  if (kind === "weights") return (p) => (Number.isNaN(p) ? 0 : colors[Math.round(position(p) * 255)]);
  const scale = limit > 0 ? 255 / limit : 0;
  return (x) => (Number.isNaN(x) ? 0 : colors[Math.round(Math.max(-255, Math.min(255, x * scale))) + 255]);
}

function signedPalette(dark) {
  return Uint32Array.from({ length: 511 }, (_, i) => packed(divergingColor((i - 255) / 255, 1, dark)));
}

const packed = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;

export const channels = (color) => [color & 255, (color >> 8) & 255, (color >> 16) & 255];

const shrunk = new WeakMap();

/** A tensor of at most MOST cells: of those that fall together the strongest, largest away from 0, is kept. */
export function shrink(tensor) {
  if (tensor.rows <= MOST.rows && tensor.columns <= MOST.columns) return tensor;
  if (!shrunk.has(tensor)) shrunk.set(tensor, strongest(tensor));
  return shrunk.get(tensor);
}

function strongest({ rows, columns, values }) {
  const height = Math.min(rows, MOST.rows);
  const width = Math.min(columns, MOST.columns);
  const small = new Float32Array(height * width).fill(NaN);
  const places = Uint16Array.from({ length: columns }, (_, c) => Math.floor((c * width) / columns));
  let i = 0;
  for (let r = 0; r < rows; r++) {
    const start = Math.floor((r * height) / rows) * width;
    for (let c = 0; c < columns; c++) {
      const value = values[i++];
      const at = start + places[c];
      if (!Number.isNaN(value) && !(Math.abs(value) <= Math.abs(small[at]))) small[at] = value;
    }
  }
  return { rows: height, columns: width, values: small };
}

/** A small picture of a tensor, one pixel for each cell that is left. */
export function paintSmall(canvas, tensor, color) {
  const { rows, columns, values } = shrink(tensor);
  Object.assign(canvas, { width: columns, height: rows });
  const image = new ImageData(columns, rows);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < pixels.length; i++) pixels[i] = color(values[i]);
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** The colours of a scale from its low end to its high end, as CSS. */
export function scaleGradient(kind, dark) {
  const color = colorer(kind, 1, dark);
  const value = (t) => (kind === "weights" ? t * t : 2 * t - 1);
  const stops = Array.from({ length: 17 }, (_, i) => `rgb(${channels(color(value(i / 16))).join(" ")})`);
  return `linear-gradient(to right, ${stops.join(", ")})`;
}
