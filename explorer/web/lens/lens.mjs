// What the logit lens shows, read from the part "stream": rows 0..L (the embedding, then after each layer). Pure: no
// DOM.

import { probability } from "../base/text.mjs";
import { TICKS } from "../color/scale.mjs";

/** What cells are coloured by: a value of 0..limit, by its root or evenly. */
export const MEASURES = {
  probability: {
    array: "lens_probs",
    label: "probability",
    note: "of the cell's token",
    write: (value) => probability(value),
    limit: () => 1,
    ticks: () => TICKS,
    root: true,
  },
  entropy: {
    array: "entropy",
    label: "entropy, nats",
    note: "0: certain of one token; the largest: all tokens equally likely",
    write: (value) => value.toFixed(2),
    limit: (_, payload) => Math.log(payload.model.vocab_size),
    ticks: (limit) => [0, 3, 6, limit].filter((tick, i) => i === 3 || tick < limit - 1),
    root: false,
  },
  kl: {
    array: "kl",
    label: "KL, nats",
    note: "KL(final ‖ this layer): 0 if this layer predicts the same as the last one",
    write: (value) => value.toFixed(2),
    limit: (part) => Math.max(1, Math.ceil(part.arrays.kl.data.reduce((most, value) => Math.max(most, value), 0))),
    ticks: (limit) => [0, limit / 16, limit / 4, limit].map((tick) => Number(tick.toFixed(1))),
    root: true,
  },
};

export const layerName = (row, L) =>
  row === 0 ? "embedding" : `layer ${row - 1}${row === L ? ": the model's own prediction" : ""}`;

/** In a sentence: "after layer 3". */
export const whereName = (row) => (row === 0 ? "at the embedding" : `after layer ${row - 1}`);

export function rowsOf(part) {
  return part.arrays.entropy.shape[0];
}

/** One cell: its likeliest tokens [{id, text, p}], entropy and KL. */
export function lensCell(part, row, place) {
  const { lens_ids: ids, lens_probs: probs, entropy, kl } = part.arrays;
  const [, T, K] = ids.shape;
  const i = row * T + place;
  const best = Array.from({ length: K }, (_, k) => ({
    id: ids.data[i * K + k],
    text: part.pieces[ids.data[i * K + k]],
    p: probs.data[i * K + k],
  }));
  return { best, entropy: entropy.data[i], kl: kl.data[i] };
}

/** The number that a cell is coloured by. */
export function measured(part, name, row, place) {
  const { data, shape } = part.arrays[MEASURES[name].array];
  return data[(row * shape[1] + place) * (shape[2] ?? 1)];
}

/** How the text's next token ("next") or the model's choice ("final") fares along the rows: [{p, rank}]. */
export function along(part, kind, place) {
  const { data: ps, shape } = part.arrays[`${kind}_probs`];
  const ranks = part.arrays[`${kind}_ranks`].data;
  return Array.from({ length: shape[0] }, (_, row) => ({
    p: ps[row * shape[1] + place],
    rank: ranks[row * shape[1] + place],
  }));
}

/** Rows where the model's choice is on top for the first time, and from which on it stays there. */
export function firstOnTop(part, place) {
  const tops = Array.from({ length: rowsOf(part) }, (_, row) => lensCell(part, row, place).best[0].id);
  const choice = tops.at(-1);
  return { first: tops.indexOf(choice), stays: tops.findLastIndex((id) => id !== choice) + 1 };
}

export function firstSentence(part, place) {
  const { first, stays } = firstOnTop(part, place);
  if (first === rowsOf(part) - 1) return "reaches the top only after the last layer.";
  if (first === stays) return `reaches the top ${whereName(first)} and stays there.`;
  return (
    `first reaches the top ${whereName(first)}, and stays there from ` +
    `${stays ? `layer ${stays - 1}` : "the embedding"} on.`
  );
}
