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

/** The scale of its colours: a bar with its ends; of a scale around 0 the upper half, where no number is below 0. */
export function scaleOf(panel, data, limit, dark) {
  if (panel.color === "origin") return [];
  const scale = colors(panel, limit, dark);
  if (panel.color === "probability") return shortBar(scale, "0", "1");
  if (data.every((value) => !(value < 0)))
    return shortBar({ ...scale, value: (at) => at * limit }, "0", number(limit, 2));
  return shortBar(scale, number(-limit, 2), number(limit, 2));
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

/** Whose the numbers are, if a step does not say otherwise. */
export function ownSource({ model, text, total, tokens }) {
  const characters = [...text];
  const said = `“${characters.slice(0, 80).join("")}${characters.length > 80 ? "…" : ""}”`;
  const cut =
    total > tokens.length
      ? ` The text has ${total} tokens; the first ${tokens.length} are shown, so that you can read single numbers.`
      : "";
  return `The numbers come from the ${model} model, for ${said}.${cut}`;
}
