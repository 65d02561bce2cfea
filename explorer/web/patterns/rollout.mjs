// Attention rollout (Abnar and Zuidema 2020): how much of each token's input is in a token of the last layer, if
// attention and the way around it carry half each. A(layer) = (mean over heads of its pattern + identity) / 2, each
// row divided by its sum; rollout = A(last) · … · A(2) · A(1). Pure: no DOM.

import { lastSeen, OFF } from "../base/payload.mjs";
import { blockOf } from "./aggregate.mjs";

const known = new WeakMap(); // by payload: A of every layer
const shared = new WeakMap(); // by payload: the shares of every token that was asked for
const uncertain = new WeakMap(); // by payload: how far they may be off

/** A of every layer: L arrays of T×T, row by row. */
export function mixing(payload) {
  if (!known.has(payload)) known.set(payload, mixingOf(payload));
  return known.get(payload);
}

function mixingOf(payload) {
  const [L, , T] = payload.arrays.pattern.shape;
  return Array.from({ length: L }, (_, layer) => {
    const mixed = blockOf(payload, { layer, by: "mean", over: "heads" }).map((units) => units / 65535);
    for (let q = 0; q < T; q++) {
      mixed[q * T + q] += 1;
      let sum = 0;
      const end = q * T + lastSeen(payload, q);
      for (let i = q * T; i <= end; i++) sum += mixed[i];
      for (let i = q * T; i <= end; i++) mixed[i] /= sum;
    }
    return mixed;
  });
}

/**
 * What of `query` in the last layer comes through each token: L+1 rows of T shares, from the input to the last layer.
 */
export function sharesOf(payload, query) {
  return once(shared, payload, query, sharesThrough);
}

/** What `compute(payload, query)` gives, remembered in `cache` as long as the payload is there. */
function once(cache, payload, query, compute) {
  if (!cache.has(payload)) cache.set(payload, new Map());
  const found = cache.get(payload);
  if (!found.has(query)) found.set(query, compute(payload, query));
  return found.get(query);
}

/**
 * How far what `query` draws on each token of the input may be off: each row of A is off by half of what its weights
 * are, and of what their sum misses 1; what a layer adds comes on through all layers below.
 */
export function offsOf(payload, query) {
  return once(uncertain, payload, query, offsThrough);
}

function offsThrough(payload, query) {
  const [layers, shares, T] = [mixing(payload), sharesOf(payload, query), payload.arrays.pattern.shape[2]];
  let offs = new Float64Array(T);
  for (let layer = layers.length - 1; layer >= 0; layer--) {
    const next = new Float64Array(T);
    for (let q = 0; q <= lastSeen(payload, query); q++) {
      const [share, seen] = [shares[layer + 1][q], lastSeen(payload, q)];
      for (let k = 0; k <= seen; k++) {
        const mixed = layers[layer][q * T + k];
        next[k] += offs[q] * mixed + (share * OFF * (1 + mixed * seen)) / 2;
      }
    }
    offs = next;
  }
  return offs;
}

function sharesThrough(payload, query) {
  const layers = mixing(payload);
  const T = payload.arrays.pattern.shape[2];
  const shares = Array.from({ length: layers.length + 1 }, () => new Float64Array(T));
  shares[layers.length][query] = 1;
  for (let layer = layers.length - 1; layer >= 0; layer--) {
    for (let q = 0; q <= lastSeen(payload, query); q++) {
      const [share, seen] = [shares[layer + 1][q], lastSeen(payload, q)];
      for (let k = 0; k <= seen; k++) shares[layer][k] += share * layers[layer][q * T + k];
    }
  }
  return shares;
}
