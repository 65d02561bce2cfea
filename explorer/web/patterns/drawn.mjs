// What the views draw: rows of shares, and how to call them. Pure: no DOM.
//
// {title, verb, row(query): shares of the keys 0..last(query), open: whether there is no mask, name(query, key): the
// number as one would write it in Python}
// and what stands behind the rows:
// {at(query, key): one share, state(query, key): "seen", "later" or "far" (masked), "out" (the hidden first token) or
//  "faint" (almost nothing is left of its row), off(query, key): how far what is written of it may be off, hidden:
//  whether the first token is, first(query): its share of the row all the same, left(query): what is left without it,
//  total(query): the row's sum, offShare(query, share): how far a share of that may be off, block: T×T numbers 0..65535
//  (none for the rollout)}
// A number that is not "seen" is 0 in rows and blocks.

import { lastSeen, OFF, windowOf } from "../base/payload.mjs";
import { blockOf, numberName, rowName, titleOf } from "./aggregate.mjs";
import { offsOf, sharesOf } from "./rollout.mjs";
import { LEAST_LEFT, leftOf, withoutFirst } from "./sink.mjs";

const last = new WeakMap(); // by payload: {key, value}; several views ask for the same in one frame

export function drawn(payload, focus) {
  const { draw, layer, head } = focus;
  const { by = "one", over, sink } = draw === "neuron" ? {} : focus; // a neuron view is of one head as it is
  const key = [draw === "flow", layer, head, by, over, sink].join();
  if (last.get(payload)?.key !== key) {
    last.set(payload, {
      key,
      value: draw === "flow" ? rollout(payload) : weights(payload, { layer, head, by, over, sink }),
    });
  }
  return last.get(payload).value;
}

function weights(payload, focus) {
  const { T, last, open } = sightOf(payload);
  const units = blockOf(payload, focus);
  const window = focus.by === "one" || focus.over === "heads" ? windowOf(payload, focus.layer) : Infinity;
  const sumsToOne = focus.by !== "max";
  const plain = {
    T,
    last,
    open,
    title: titleOf(payload, focus),
    verb: "looks",
    hidden: false,
    sumsToOne,
    block: units,
    at: (query, key) => units[query * T + key] / 65535,
    state: (query, key) => (key > last(query) ? "later" : query - key >= window ? "far" : "seen"),
    off: () => (focus.by === "mean" ? OFF : 0),
    total: (query) => (sumsToOne ? 1 : sum(units, query * T, last(query)) / 65535),
    name: (query, key) => numberName(payload, focus, query, key),
  };
  plain.first = (query) => plain.at(query, 0) / plain.total(query);
  plain.offShare = (query, share) =>
    sumsToOne ? plain.off() : offQuotient(share, plain.total(query), OFF * (last(query) + 1));
  return withRows(focus.sink === "hidden" ? hiding(payload, focus, plain) : plain);
}

/** The same without the first token. */
function hiding(payload, focus, plain) {
  const { T, last, block: units, sumsToOne } = plain;
  const left = Float64Array.from({ length: T }, (_, query) => leftOf(units, T, query, sumsToOne, last(query)));
  const state = (query, key) => {
    const seen = plain.state(query, key);
    if (seen !== "seen") return seen;
    if (key === 0) return "out";
    return left[query] < LEAST_LEFT ? "faint" : "seen";
  };
  let block = null;
  return {
    ...plain,
    title: `${plain.title}, without the first token`,
    hidden: true,
    state,
    at: (query, key) => (state(query, key) === "seen" ? plain.at(query, key) / left[query] : 0),
    off: (query, key) =>
      offQuotient(plain.at(query, key) / left[query], left[query], sumsToOne ? OFF : OFF * last(query)),
    total: () => 1,
    left: (query) => left[query],
    get block() {
      block ??= withoutFirst(units, T, left, last);
      return block;
    },
    name: (query, key) => `(row := ${rowName(payload, focus, query)})[${key}] / row[1:].sum()`,
  };
}

function rollout(payload) {
  const { T, last, open } = sightOf(payload);
  return withRows({
    T,
    last,
    open,
    title: "All layers: rollout",
    verb: "draws",
    hidden: false,
    sumsToOne: true,
    at: (query, key) => sharesOf(payload, query)[0][key],
    state: (query, key) => (key > last(query) ? "later" : "seen"),
    off: (query, key) => offsOf(payload, query)[key],
    total: () => 1,
    name: (query, key) => `rollout[${query}, ${key}]`,
  });
}

/** How many tokens there are, and what each can see. */
function sightOf(payload) {
  const T = payload.arrays.pattern.shape[2];
  return { T, open: payload.mask === "none", last: (query) => lastSeen(payload, query) };
}

/** How far a weight over `whole` may be off, which may itself be off by `offWhole`. */
const offQuotient = (share, whole, offWhole) => (OFF + share * offWhole) / (whole - offWhole);

function withRows(shown) {
  const row = (query) => Float64Array.from({ length: shown.last(query) + 1 }, (_, key) => shown.at(query, key));
  return Object.defineProperty(shown, "row", { value: row, enumerable: true });
}

function sum(units, start, last) {
  let found = 0;
  for (let k = 0; k <= last; k++) found += units[start + k];
  return found;
}
