// The tokens of a map: what kind each is, which a word finds, and what plotly draws of them. Pure: no DOM.

import { plain } from "../../charts/ink.mjs";
import { grouped, pieceName } from "../../base/text.mjs";
import { axisName, GROUPS, hoverText } from "./words.mjs";

const MOST_FOUND = 8;

/** A token's kind, a key of GROUPS. */
export function groupOf(piece, isSpecial) {
  if (isSpecial || /^( ?\\x[0-9A-F]{2})+$/.test(piece)) return "other";
  if (/^ \p{L}/u.test(piece)) return "word";
  return /^\p{L}/u.test(piece) ? "inside" : "sign";
}

/**
 * A payload of `token_map`, as it is drawn: `groups` are lists of ids by their kind, `near(id)` says a token's
 * neighbors as [{id, cosine}], `at(id)` where it lies.
 */
export function tokensOf({ pieces, special, shares, model, vocabulary, width, arrays }) {
  const isSpecial = new Set(special);
  const groups = Object.fromEntries(Object.keys(GROUPS).map((name) => [name, []]));
  for (const [id, piece] of pieces.entries()) groups[groupOf(piece, isSpecial.has(id))].push(id);
  const count = arrays.near.shape[1];
  const near = (id) =>
    Array.from({ length: count }, (_, k) => ({
      id: arrays.near.data[id * count + k],
      cosine: arrays.cosines.data[id * count + k],
    }));
  const at = (id) => Array.from(arrays.at.data.subarray(id * 3, id * 3 + 3));
  const names = pieces.map((piece) => pieceName(piece).replace(/^ /, "␣")); // its space tells it from another token
  return { pieces, names, groups, near, at, shares, model, vocabulary, width, count: pieces.length };
}

/** Ids of tokens that a word finds: first the word itself, with and without its space, then what begins with it. */
export function found({ pieces }, word) {
  const wanted = word.trim().toLowerCase();
  if (!wanted) return [];
  const rank = (piece) => {
    const own = piece.trim().toLowerCase();
    if (own === wanted) return 0;
    return own.startsWith(wanted) ? 1 : own.includes(wanted) ? 2 : 3;
  };
  const ranked = pieces.map((piece, id) => ({ id, rank: rank(piece) })).filter(({ rank }) => rank < 3);
  const byNumber = /^\d+$/.test(wanted) && Number(wanted) < pieces.length ? [Number(wanted)] : [];
  const ids = ranked.sort((a, b) => a.rank - b.rank || a.id - b.id).map(({ id }) => id);
  return [...new Set([...ids.slice(0, MOST_FOUND), ...byNumber])];
}

/** The traces of all tokens in 2 or 3 dimensions, a kind each; without colors. */
export function clouds(tokens, dims) {
  return Object.entries(tokens.groups).map(([name, ids]) => ({
    ...placed(tokens, ids, dims),
    name: GROUPS[name],
    mode: "markers",
    hovertext: ids.map((id) => plain(hoverText(tokens, id)).replaceAll("\n", "<br>")),
    hovertemplate: "%{hovertext}<extra></extra>",
  }));
}

/** The trace of some tokens; in space with their names beside them. */
export function named(tokens, ids, dims) {
  const texts = ids.map((id) => plain(tokens.names[id]));
  return {
    ...placed(tokens, ids, dims),
    mode: dims === 3 ? "markers+text" : "markers",
    text: texts,
    textposition: "top center",
    hoverinfo: "skip",
    showlegend: false,
  };
}

/** Marked tokens as points of the flat map, and where all tokens lie on it. */
export function flat(tokens, ids) {
  const points = ids.map((id) => ({ x: tokens.at(id)[0], y: tokens.at(id)[1], text: plain(tokens.names[id]) }));
  let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let id = 0; id < tokens.count; id++) {
    const [x, y] = tokens.at(id);
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [low, high] = [Math.min(low, y), Math.max(high, y)];
  }
  return { points, extent: { left, right, low, high } };
}

function placed(tokens, ids, dims) {
  const along = (axis) => Float32Array.from(ids, (id) => tokens.at(id)[axis]);
  const deep = dims === 3 ? { z: along(2) } : {};
  return { type: dims === 3 ? "scatter3d" : "scattergl", x: along(0), y: along(1), ...deep, customdata: ids };
}

export const axisNames = ({ shares }) => shares.map((share, i) => axisName(i, share));

/** A row of a table: the token, its id, and a cosine. @param {any} tokens @param {{id: number, cosine?: number}} one */
export const rowOf = ({ names }, { id, cosine }) => [
  names[id],
  grouped(id),
  cosine === undefined ? "" : cosine.toFixed(3),
];
