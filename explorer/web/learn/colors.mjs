// Colours of lesson cells. Pure: no DOM. By the token that a number came from, as a share, or by its sign and size.

import { BAD, diverging, largest, sequential, tokenColor } from "../color/scale.mjs";

/** (cell) -> its colour: `origins` are flat numbers of where cells came from, `limit` the end of a scale around 0. */
export function colorsOf(panel, values, origins, limit, dark) {
  if (panel.color === "origin") {
    const { width } = panel;
    return (i) => tokenColor(Math.floor(origins[i] / width), width > 1 ? (origins[i] % width) / (width - 1) : 1, dark);
  }
  const { pixel } = scaleOf(panel, limit, dark);
  return (i) => pixel(values[i]) || BAD;
}

export function scaleOf(panel, limit, dark) {
  return panel.color === "probability" ? sequential(dark) : diverging(limit, dark);
}

/** The end of a scale around 0. */
export const limitOf = (panel, values) => panel.limit ?? largest(values);
