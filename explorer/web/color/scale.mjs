// From a number to its colour, with the colours of palette.mjs. Pure: no DOM.

import { CATEGORIES, DIVERGING, ROLES, SEQUENTIAL } from "./palette.mjs";

/**
 * How numbers become colours: the colour channel of a matrix or a table; of a legend, too, if they stand along a line.
 *
 * @typedef {object} Colors
 * @property {(value: number) => number} pixel  the colour, as a little-endian RGBA number; 0, clear, for no number
 * @property {Uint32Array} [table]              that of each whole number from 0, if all are
 * @property {(value: number) => string} css    the colour as CSS; that of what is bad for what is no number
 * @property {(value: number) => string} ink    black or white, whichever reads better on that colour
 *
 * @typedef {Colors & {value: (at: number) => number, at: (value: number) => number}} Scale
 *   `value` is what stands at 0..1 along the scale, `at` where a value stands
 */

export const TICKS = [0, 0.05, 0.25, 0.5, 1]; // of a scale of shares
export const UNITS = 65535;
const SHADES = 255; // of a scale from its ground to its end

/** Numbers from 0 to `limit`: by their square root, so that small shares show, or evenly. */
export function sequential(dark, { limit = 1, root = true } = {}) {
  const end = limit > 0 ? limit : 1;
  return { ...between(shares(dark), end, { root }), value: (at) => end * at ** (root ? 2 : 1) };
}

/** Signed numbers around 0; beyond -`limit` and `limit` the colour stays. */
export function diverging(limit, dark) {
  const end = limit > 0 ? limit : Infinity; // without a limit all is as good as 0
  return { ...between(signs(dark), end, { signed: true }), value: (at) => (2 * at - 1) * limit };
}

/** A colour for each whole number from 0: roles of palette.mjs by name. */
export function named(names, dark) {
  const colors = names.map((name) => packed(channels(ROLES[name][dark ? 1 : 0])));
  return of((value) => colors[value] ?? 0);
}

/** Shares as they travel, whole numbers of 1/UNITS: the colours of `sequential`, each found once. */
export const shareUnits = byTheme((theme) => {
  const scale = sequential(theme === "dark", { limit: UNITS });
  return { ...scale, table: Uint32Array.from({ length: UNITS + 1 }, (_, unit) => scale.pixel(unit)) };
});

/** The token `token` by hue, and the place `share` (0..1) within it by lightness: what is scrambled looks scrambled. */
export function tokenColor(token, share, dark) {
  const count = CATEGORIES.light.length;
  const base = channels(CATEGORIES[dark ? "dark" : "light"][token % count]);
  const [away, ground] = dark ? [255, 16] : [0, 255];
  const again = Math.floor(token / count) % 2 === 1 ? mixed(base, [away, away, away], 0.45) : base;
  return packed(mixed(again, [ground, ground, ground], 0.5 * (1 - share)));
}

const shares = byTheme((theme) => shadesOf(SEQUENTIAL[theme]));

const signs = byTheme((theme) => {
  const [low, ground, high] = DIVERGING[theme].map(channels);
  return Uint32Array.from({ length: 2 * SHADES + 1 }, (_, i) => {
    const t = i / SHADES - 1;
    return packed(mixed(ground, t < 0 ? low : high, Math.abs(t) ** 0.75));
  });
});

/** Made once for each theme. */
function byTheme(shades) {
  const known = new Map();
  return (dark) => {
    if (!known.has(dark)) known.set(dark, shades(dark ? "dark" : "light"));
    return known.get(dark);
  };
}

/**
 * A scale that looks up `shades` by where a value stands between 0, or -`end`, and `end`. One function for all of them:
 * a matrix paints tens of thousands of cells, and a call that always leads to the same place is fast.
 */
function between(shades, end, { signed = false, root = false }) {
  const last = shades.length - 1;
  const at = (number) => {
    const share = signed ? (number / end + 1) / 2 : number / end;
    return root ? Math.sqrt(share) : share;
  };
  const pixel = (number) => {
    const place = at(number) * last;
    return Number.isNaN(place) ? 0 : shades[place <= 0 ? 0 : place >= last ? last : (place + 0.5) | 0];
  };
  return { ...of(pixel), at };
}

function of(pixel) {
  return { pixel, css: (value) => cssOf(pixel(value) || BAD), ink: (value) => inkOn(pixel(value) || BAD) };
}

export const BAD = packed(channels(ROLES.bad[0])); // where no number is, and should be

function shadesOf(stops) {
  const colors = stops.map(channels);
  return Uint32Array.from({ length: SHADES + 1 }, (_, i) => {
    const x = (i / SHADES) * (colors.length - 1);
    const from = Math.min(Math.floor(x), colors.length - 2);
    return packed(mixed(colors[from], colors[from + 1], x - from));
  });
}

/** A little-endian RGBA number as CSS. */
export const cssOf = (pixel) => `rgb(${pixel & 255} ${(pixel >> 8) & 255} ${(pixel >> 16) & 255})`;

/** Black or white, whichever reads better on the colour: a contrast of at least 4.5. */
export function inkOn(pixel) {
  const [r, g, b] = [0, 8, 16].map((shift) => ((((pixel >> shift) & 255) / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}

/** The end of a diverging scale: the largest absolute value that is finite. */
export function largest(values) {
  let most = 0;
  for (const value of values) if (Number.isFinite(value) && Math.abs(value) > most) most = Math.abs(value);
  return most;
}

function mixed(from, to, share) {
  return from.map((c, i) => Math.round(c + (to[i] - c) * share));
}

/** @param {number[]} color */
function packed([r, g, b]) {
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

function channels(hex) {
  return [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16));
}
