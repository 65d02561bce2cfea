// What the search says, and what is said about a panel beside its cells: shape, colour scale, and a sentence for those
// who do not see it.

import { make } from "../base/dom.mjs";
import { shortBar } from "../color/legend.mjs";
import { scaleOf as colors } from "./colors.mjs";
import { number } from "./formula.mjs";

export const FOUND = { none: "Not in the lessons, the glossary, or the app.", glossary: "Open the glossary" };

/** "(B=1, T=3, C=4)", every letter in its colour. */
export function shapeOf(panel, shape) {
  const parts = shape.flatMap((size, d) => [d ? ", " : "", dimension(panel.letters[d], size)]);
  return make("span", { className: "hs-shape" }, "(", ...parts, shape.length === 1 ? ",)" : ")");
}

function dimension(letter, size) {
  const text = letter ? `${letter}=${size}` : String(size);
  return make("span", { className: "hs-dimension", "data-letter": letter, text });
}

export function shapeText(panel, shape) {
  return `(${shape.map((size, d) => (panel.letters[d] ? `${panel.letters[d]}=${size}` : size)).join(", ")})`;
}

/** The scale of its colours: a bar with its ends. */
export function scaleOf(panel, limit, dark) {
  if (panel.color === "origin") return [];
  const [low, high] = panel.color === "probability" ? ["0", "1"] : [number(-limit, 2), number(limit, 2)];
  return shortBar(colors(panel, limit, dark), low, high);
}

export function sentenceOf(panel, shape) {
  const colors = {
    origin: "colored by the token each number came from",
    probability: "the stronger the color, the closer to 1",
    diverging: "teal above zero, brown below",
  };
  return (
    `${panel.name}${panel.title ? `, ${panel.title}` : ""}: shape ${shapeText(panel, shape)}, ` +
    `${colors[panel.color]}. Arrow keys go from cell to cell.`
  );
}
