// The channels of attention: a pattern, a mask, the difference of two patterns. Pure: no DOM.
//
// part = {T, S, mask: T·S numbers 0 or 1, queries, keys: tokens, prefix: how many of both are a prefix, or 0}; a block
// is T·S numbers 0..65535.

import { OFF } from "../base/payload.mjs";
import { certain, labels } from "../base/text.mjs";
import { diverging, named, sequential } from "../color/scale.mjs";

const LETTERS = 12; // of a name

/** Attention of one head; `off`: how far what is written of a weight may be off. */
export function pattern(part, block, dark, off = 0) {
  const value = (query, key) => block[query * part.S + key] / 65535;
  return {
    ...sidesOf(part),
    value,
    scale: sequential(dark),
    hidden: hiddenBy(part),
    numbers: {
      write: (...cell) => certain(value(...cell), off, 2).replace(/^0/, ""),
    },
  };
}

/** Which key a query may see, and nothing else. */
export function mask(part, dark) {
  return { ...sidesOf(part), value: () => 0, scale: named(["seen"], dark), hidden: hiddenBy(part) };
}

/** First block minus second; `limit` is the difference at full colour, hidden is what neither may see. */
export function difference(part, /** @type {Uint16Array[]} */ [first, second], masks, limit, dark) {
  const value = (query, key) => (first[query * part.S + key] - second[query * part.S + key]) / 65535;
  return {
    ...sidesOf(part),
    value,
    scale: diverging(limit, dark),
    hidden: (query, key) => masks.every((one) => one[query * part.S + key] === 0),
    numbers: {
      write: (...cell) => certain(value(...cell), 2 * OFF, 2).replace("0.", "."),
    },
  };
}

/** Names of rows and columns, and where a prefix ends. */
export function sidesOf({ T, S, queries, keys, prefix = 0 }) {
  return {
    rows: { count: T, labels: queries && labels(queries, LETTERS), name: "queries" },
    columns: { count: S, labels: keys && labels(keys, LETTERS), name: "keys" },
    border: prefix,
  };
}

const hiddenBy =
  ({ S, mask: sees }) =>
  (query, key) =>
    sees[query * S + key] === 0;

/** A cell in the words of attention; null stays null. */
export const pairOf = (cell) => cell && { query: cell.row, key: cell.column };
