// The colors and letters of the theme, as plotly takes them.

import { cssColor } from "../base/dom.mjs";

const NAMES = [
  "ink",
  "muted",
  "faint",
  "line",
  "field",
  "ground",
  "panel",
  "chosen",
  "attention",
  "positive",
  "negative",
];

/**
 * @typedef {{[name: string]: string} & {category: (i: number) => string}} Ink  colors of the theme by their names in
 *   tokens.css and palette.mjs; `category` is that of one of several
 */

/** @returns {Ink} */
export function inkOfTheme() {
  const named = Object.fromEntries(NAMES.map((name) => [name, cssColor(`--hs-${name}`)]));
  return /** @type {Ink} */ ({ ...named, category: (i) => cssColor(`--hs-head-${(i % 8) + 1}`) });
}

/** What all charts have in common. @param {Ink} ink */
export function layoutOf(ink, { width, height }) {
  const size = Number.parseFloat(cssColor("--hs-small"));
  const font = { family: getComputedStyle(document.body).fontFamily, size, color: ink.muted };
  const axis = { gridcolor: ink.line, linecolor: ink.field, zerolinecolor: ink.line, tickcolor: ink.field };
  const side = { ...axis, backgroundcolor: ink.ground, showspikes: false };
  return {
    width,
    height,
    font,
    paper_bgcolor: "transparent",
    plot_bgcolor: "transparent",
    margin: { l: 52, r: 12, t: 28, b: 44 },
    hovermode: "closest",
    hoverlabel: { bgcolor: ink.panel, bordercolor: ink.field, font: { ...font, color: ink.ink }, align: "left" },
    legend: {
      itemsizing: "constant",
      orientation: "h",
      x: 0,
      y: 1,
      yanchor: "bottom",
      font: { ...font, color: ink.ink },
    },
    newselection: { line: { color: ink.chosen, width: 1.5, dash: "dot" } },
    uirevision: "kept", // zoom, and what the legend hides, outlive new numbers
    xaxis: { ...axis }, // each its own: plotly writes into them
    yaxis: { ...axis },
    scene: { xaxis: { ...side }, yaxis: { ...side }, zaxis: { ...side } },
  };
}

/** `over` into `base`, object by object. */
export function merged(base, over) {
  const both = { ...base };
  for (const [name, value] of Object.entries(over))
    both[name] = isPlain(value) ? merged(both[name] ?? {}, value) : value;
  return both;
}

const isPlain = (value) =>
  value !== null && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype;

/** Text for plotly, which reads a little markup. */
export const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
