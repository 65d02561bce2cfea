// Which weights are shown: those of one head, or the mean or the maximum over several. Pure: no DOM.
//
// focus.by: one, mean or max. focus.over: heads (of the layer), layers (of the head with that number), or all.

import { cellName, headBlock, headOf, lastSeen, layerOf, patternName } from "../base/payload.mjs";

const known = new WeakMap(); // by payload: what was computed, by name

/**
 * The [layer, head] of every head that the shown numbers are made of.
 * @param {Payload} payload
 * @param {Heads} heads
 */
export function headsOf(payload, { layer, head, by, over }) {
  const [L, H] = payload.arrays.pattern.shape;
  if (by === "one") return [[layer, head]];
  const layers = over === "heads" ? [layer] : range(L);
  const heads = over === "layers" ? [head] : range(H);
  return layers.flatMap((l) => heads.map((h) => [l, h]));
}

/**
 * T×T numbers, 0..65535 as they travel; fractions of these for a mean.
 * @param {Payload} payload
 * @param {Heads} focus
 */
export function blockOf(payload, focus) {
  if (focus.by === "one") return headBlock(payload, focus.layer, focus.head);
  if (!known.has(payload)) known.set(payload, new Map());
  const blocks = known.get(payload);
  const heads = headsOf(payload, focus);
  const name = `${focus.by} ${heads.join(" ")}`;
  if (!blocks.has(name)) blocks.set(name, combined(payload, focus.by, heads));
  return blocks.get(name);
}

/** In whole numbers, and only what can be seen: a text of 256 tokens has three million cells. */
function combined(payload, by, heads) {
  const T = payload.arrays.pattern.shape[2];
  const found = new (by === "max" ? Uint16Array : Uint32Array)(T * T);
  const add = by === "max" ? keepLarger : addUp;
  for (const [layer, head] of heads) add(found, headBlock(payload, layer, head), T, payload);
  return by === "max" ? found : Float64Array.from(found, (sum) => sum / heads.length);
}

function addUp(found, block, T, payload) {
  for (let q = 0; q < T; q++) {
    const end = q * T + lastSeen(payload, q);
    for (let i = q * T; i <= end; i++) found[i] += block[i];
  }
}

function keepLarger(found, block, T, payload) {
  for (let q = 0; q < T; q++) {
    const end = q * T + lastSeen(payload, q);
    for (let i = q * T; i <= end; i++) if (block[i] > found[i]) found[i] = block[i];
  }
}

const WORDS = { mean: "mean", max: "maximum" };

export function titleOf(payload, /** @type {Heads} */ { layer, head, by, over }) {
  const [L, H] = payload.arrays.pattern.shape;
  const { layers, heads } = payload;
  const [i, j] = [layerOf(payload, layer), headOf(payload, head)];
  if (by === "one") return `Layer ${i}, head ${j}`;
  if (over === "heads") return `Layer ${i}: ${WORDS[by]} over its ${H} ${heads ? "chosen " : ""}heads`;
  if (over === "layers") return `Head ${j}: ${WORDS[by]} over ${L} ${layers ? "chosen " : ""}layers`;
  return `${capital(WORDS[by])} over all ${L * H} ${layers || heads ? "chosen " : ""}heads`;
}

/**
 * A row of the numbers as one would write it in Python; `trace` is what was recorded.
 * @param {Payload} payload
 * @param {Heads} focus
 */
export function rowName(payload, focus, query) {
  if (focus.by === "one") return `${patternName(payload, focus.layer)}[0, ${headOf(payload, focus.head)}, ${query}]`;
  return `${severalName(payload, focus)}[${query}]`;
}

export function numberName(payload, focus, query, key) {
  if (focus.by === "one") return cellName(payload, focus.layer, focus.head, query, key);
  return `${severalName(payload, focus)}[${query}, ${key}]`;
}

function severalName(payload, /** @type {Heads} */ { layer, head, by, over }) {
  const { names, layers, heads, arrays } = payload;
  const function_ = { mean: "mean", max: "amax" }[by];
  const all = heads ? `0, [${heads.join(", ")}]` : "0";
  if (over === "heads") return `${patternName(payload, layer)}[${all}].${function_}(0)`;
  const each = `${eachName(names.pattern)}[${over === "layers" ? `0, ${headOf(payload, head)}` : all}]`;
  const numbers = layers ? `[${layers.join(", ")}]` : `range(${arrays.pattern.shape[0]})`;
  return `torch.stack([${each} for i in ${numbers}]).${function_}(${over === "layers" ? "0" : "(0, 1)"})`;
}

/** A layer's pattern where i counts them: of a trace by its name, of anything else by its index. */
function eachName(pattern) {
  const [, name, index] = pattern.match(/^(.*\.pattern)?(.*)$/);
  return name ? `trace[f"${name.replace("{layer}", "{i}")}"]${index}` : index.replace("{layer}", "i");
}

const range = (count) => Array.from({ length: count }, (_, i) => i);
const capital = (word) => word[0].toUpperCase() + word.slice(1);
