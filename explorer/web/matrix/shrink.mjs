// A large tensor as a small picture: made smaller by strength, and the page says so.

import { drawThumbnail } from "./matrix.mjs";

export const MOST = { rows: 64, columns: 128 }; // cells of a small picture

const shrunk = new WeakMap();

/** A small picture of a tensor, one pixel for each cell that is left. */
export function drawSmall(canvas, tensor, scale, most = MOST) {
  const { rows, columns, values } = shrink(tensor, most);
  drawThumbnail(canvas, { rows, columns, row: (row) => values.subarray(row * columns, (row + 1) * columns), scale });
}

/** A tensor of at most so many cells: of those that fall together the strongest, largest away from 0, is kept. */
export function shrink(tensor, most = MOST) {
  if (tensor.rows <= most.rows && tensor.columns <= most.columns) return tensor;
  if (!shrunk.has(tensor)) shrunk.set(tensor, strongest(tensor, most));
  return shrunk.get(tensor);
}

function strongest({ rows, columns, values }, most) {
  const height = Math.min(rows, most.rows);
  const width = Math.min(columns, most.columns);
  const small = new Float32Array(height * width).fill(NaN);
  const places = Uint16Array.from({ length: columns }, (_, c) => Math.floor((c * width) / columns));
  let i = 0;
  for (let r = 0; r < rows; r++) {
    const start = Math.floor((r * height) / rows) * width;
    for (let c = 0; c < columns; c++) {
      const value = values[i++];
      const at = start + places[c];
      if (!Number.isNaN(value) && !(Math.abs(value) <= Math.abs(small[at]))) small[at] = value; // NaN is no larger
    }
  }
  return { rows: height, columns: width, values: small };
}
