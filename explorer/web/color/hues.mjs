// Colours of lesson cells. Pure: no DOM.
//   origin      hue = token, lightness = place within the token: what is scrambled looks scrambled
//   diverging   around 0, orange below and blue above; probability as everywhere else on the screen

import { palette, position } from "./color.mjs";

// Okabe and Ito's hues, told apart by colour-blind eyes too; after eight tokens they come again, darker.
const TOKENS = [
  [230, 159, 0],
  [86, 180, 233],
  [0, 158, 115],
  [204, 121, 167],
  [213, 94, 0],
  [0, 114, 178],
  [170, 160, 30],
  [130, 130, 140],
];
const LOW = [179, 88, 6];
const HIGH = [33, 102, 172];
const GROUND = { false: [247, 247, 247], true: [38, 38, 44] };
const LOW_DARK = [253, 158, 73];
const HIGH_DARK = [112, 173, 245];

export function tokenColor(token, share, dark) {
  const second = Math.floor(token / TOKENS.length) % 2 === 1;
  const base = TOKENS[token % TOKENS.length].map((c) => (second ? c * 0.62 : c));
  const towards = dark ? [16, 16, 20] : [255, 255, 255];
  const amount = 0.5 * (1 - share);
  return base.map((c, i) => Math.round(c + (towards[i] - c) * amount));
}

export function divergingColor(value, limit, dark) {
  if (Number.isNaN(value)) return [220, 38, 38];
  const t = limit > 0 ? Math.max(-1, Math.min(1, value / limit)) : 0;
  const end = t < 0 ? (dark ? LOW_DARK : LOW) : dark ? HIGH_DARK : HIGH;
  return GROUND[dark].map((from, i) => Math.round(from + (end[i] - from) * Math.abs(t) ** 0.75));
}

const PROBABILITY = { false: palette(false), true: palette(true) };

export function probabilityColor(p, dark) {
  const packed = PROBABILITY[dark][Math.round(position(Math.max(0, Math.min(1, p))) * 255)];
  return [packed & 255, (packed >> 8) & 255, (packed >> 16) & 255];
}

/** Colour of one cell of a panel: values and origins are typed arrays, `limit` the end of a diverging scale. */
export function colorer(panel, values, origins, limit, dark) {
  if (panel.color === "origin") {
    const { width } = panel;
    return (i) => tokenColor(Math.floor(origins[i] / width), width > 1 ? (origins[i] % width) / (width - 1) : 1, dark);
  }
  if (panel.color === "probability") return (i) => probabilityColor(values[i], dark);
  return (i) => divergingColor(values[i], limit, dark);
}

/** The end of a diverging scale: the largest absolute value that is finite. */
export function limitOf(panel, values) {
  if (panel.limit !== null) return panel.limit;
  let most = 0;
  for (const value of values) if (Number.isFinite(value) && Math.abs(value) > most) most = Math.abs(value);
  return most;
}

/** Black or white, whichever reads better on the colour. */
export function inkOn(/** @type {number[]} */ [r, g, b]) {
  const [x, y, z] = [r, g, b].map((c) => ((c / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * x + 0.7152 * y + 0.0722 * z > 0.179 ? "#000" : "#fff";
}
