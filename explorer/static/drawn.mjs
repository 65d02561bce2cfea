// What the views draw: rows of shares, and how to call them. Pure: no DOM.
//
// {title, verb, row(query): shares of the keys 0..query, name(query, key): the number as one would write it in Python}

import { cellName, headBlock } from "./payload.mjs";
import { sharesOf } from "./rollout.mjs";

export function drawn(payload, focus) {
  return focus.draw === "flow" ? rollout(payload) : oneHead(payload, focus);
}

function oneHead(payload, { layer, head }) {
  const T = payload.arrays.pattern.shape[2];
  const block = headBlock(payload, layer, head);
  return {
    title: `Layer ${layer + 1}, head ${head + 1}`,
    verb: "looks",
    row: (query) => Float64Array.from(block.subarray(query * T, query * T + query + 1), (unit) => unit / 65535),
    name: (query, key) => cellName(payload, layer, head, query, key),
  };
}

function rollout(payload) {
  return {
    title: "All layers: rollout",
    verb: "draws",
    row: (query) => sharesOf(payload, query)[0].subarray(0, query + 1),
    name: (query, key) => `rollout[${query}, ${key}]`,
  };
}
