// The words of the map of all tokens. Pure: no DOM.

import { byHand } from "../../base/hand.mjs";
import { grouped, quoted } from "../../base/text.mjs";

export const MAP = {
  loading: "Computing where the tokens lie …",
  dims: "Dimensions",
  flat: "2-D",
  deep: "3-D",
  drag: "What dragging does",
  zoom: "Zoom",
  pan: "Move",
  lasso: "Select a region",
  find: "Find a token",
  hint: byHand("Hover over a point for its token and neighbors; click it to mark them."),
  tap: "Tap a point to mark its token and neighbors.",
  found: "Tokens found",
  nothing: "No token contains these letters.",
  columns: ["token", "id", "cosine"],
  region: "Tokens in the region",
  first: "Where tokens lie",
};

/** The kinds of tokens, in the order of the legend. */
export const GROUPS = {
  word: "starts a word",
  inside: "continues a word",
  sign: "digits and signs",
  other: "special, or bytes of a character",
};

const percent = (share) => `${(100 * share).toFixed(1)}%`;
export const axisName = (i, share) => `component ${i + 1}: ${percent(share)}`;
export const nearestTitle = (name) => `Tokens nearest to ${quoted(name)}, by the cosine of their rows`;
export const regionTitle = (count) => `${MAP.region}: ${grouped(count)}`;
export const cutText = (shown) => `. The first ${grouped(shown)} are listed.`;
export const hoverText = ({ names, near }, id) =>
  `${names[id]}\ntoken ${grouped(id)}\nnear: ${near(id)
    .slice(0, 5)
    .map((one) => names[one.id])
    .join(" · ")}`;

export function aboutMap({ shares, model, count, vocabulary, width }, dims) {
  const kept = shares.slice(0, dims).reduce((sum, share) => sum + share, 0);
  const which =
    count < vocabulary ? `the first ${grouped(count)} of the ${grouped(vocabulary)}` : `all ${grouped(count)}`;
  return (
    `Rows of ${which} tokens of the ${model} model's table. ` +
    `These ${dims} of ${width} directions hold ${percent(kept)} of their variance.`
  );
}

export const mapLabel = (tokens, dims, name) =>
  `Map of tokens in ${dims} dimensions. ${aboutMap(tokens, dims)} Marked: ${name}.`;
