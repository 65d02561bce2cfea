// How a logit came about, read from the part "stream" or from the shares of one asked token. Pure: no DOM.

import { trueToken } from "../base/payload.mjs";

/** The shares of the logit of token `k` at `place`, as float64: what each part of the model adds. */
export function sharesAt({ arrays }, place, k) {
  const [T, K] = arrays.share_ids.shape;
  const all = (name) => {
    const { data } = arrays[`share_${name}`];
    return Float64Array.from({ length: data.length / (T * K) }, (_, i) => data[(i * T + place) * K + k]);
  };
  const [L, H] = arrays.share_heads.shape;
  const names = ["token", "position", "segment", "norm_bias", "head_bias", "logit"];
  const single = names.filter((name) => arrays[`share_${name}`]);
  const ones = Object.fromEntries(single.map((name) => [name, all(name)[0]]));
  const crossing = arrays.share_cross_heads && { crossHeads: all("cross_heads"), crossBiases: all("cross_bias") };
  return { L, H, ...ones, heads: all("heads"), biases: all("attention_bias"), ...crossing, mlps: all("mlps") };
}

const BEFORE = { token: "token embedding", position: "position", segment: "segment" };
const AFTER = { norm_bias: "norm bias", head_bias: "bias of the head" };

/**
 * Those of the named parts that the model has.
 * @returns {{name: string, value: number, kind?: string, layer?: number}[]}
 */
function single(shares, names) {
  const has = Object.entries(names).filter(([kind]) => shares[kind] !== undefined);
  return has.map(([kind, name]) => ({ name, kind, value: shares[kind] }));
}

/** The shares of the difference of two logits. */
export function minus(a, b) {
  const less = (x, y) => (typeof x === "number" ? x - y : x.map((value, i) => value - y[i]));
  const difference = Object.entries(a).map(([name, x]) => [name, less(x, b[name])]);
  return { ...Object.fromEntries(difference), L: a.L, H: a.H };
}

/** What a layer's attention adds: its heads and its bias. */
export const attentionOf = ({ H, heads, biases }, layer) =>
  heads.subarray(layer * H, (layer + 1) * H).reduce((sum, x) => sum + x, biases[layer]);

/** The same of its cross-attention. */
export const crossingOf = ({ H, crossHeads, crossBiases }, layer) =>
  attentionOf({ H, heads: crossHeads, biases: crossBiases }, layer);

/** The sum, step by step: [{name, layer, kind, value, from, to}]; the last `to` is the logit. */
export function waterfall(shares) {
  const steps = single(shares, { ...BEFORE, token: "embedding" });
  for (let layer = 0; layer < shares.L; layer++) {
    steps.push({ name: `L${layer} attention`, kind: "attention", layer, value: attentionOf(shares, layer) });
    if (shares.crossHeads)
      steps.push({ name: `L${layer} cross-attention`, kind: "attention", layer, value: crossingOf(shares, layer) });
    steps.push({ name: `L${layer} MLP`, kind: "mlp", layer, value: shares.mlps[layer] });
  }
  steps.push(...single(shares, AFTER));
  let sum = 0;
  return steps.map((step) => {
    const from = sum;
    sum += step.value;
    return { ...step, from, to: sum };
  });
}

/** Every part once: [{name, value}], the heads one by one. */
export function partsOf(shares) {
  const { L, H, heads, biases, crossHeads, crossBiases, mlps } = shares;
  const parts = single(shares, { ...BEFORE, ...AFTER });
  for (let layer = 0; layer < L; layer++) {
    for (let head = 0; head < H; head++)
      parts.push({ name: `layer ${layer} head ${head}`, value: heads[layer * H + head] });
    for (let head = 0; crossHeads && head < H; head++)
      parts.push({ name: `layer ${layer} cross-attention head ${head}`, value: crossHeads[layer * H + head] });
    if (crossBiases) parts.push({ name: `layer ${layer} cross-attention bias`, value: crossBiases[layer] });
    parts.push(
      { name: `layer ${layer} attention bias`, value: biases[layer] },
      { name: `layer ${layer} MLP`, value: mlps[layer] },
    );
  }
  return parts;
}

/** The end of a scale around 0: the largest part by size. */
export const largest = (shares) => partsOf(shares).reduce((most, { value }) => Math.max(most, Math.abs(value)), 0);

/** With its sign, always: +1.234, −0.5. */
export function signed(value, digits = 3) {
  const text = Math.abs(value).toFixed(digits);
  return `${Number(text) === 0 ? "" : value < 0 ? "−" : "+"}${text}`;
}

/** The tokens that can be explained at a place: [{choice, id, text, p}], `choice` as the focus keeps it. */
export function choices(payload, part, place, typed) {
  const [, K] = part.arrays.share_ids.shape;
  const id = (k) => part.arrays.share_ids.data[place * K + k];
  const { data: probs, shape } = payload.arrays.next_probs;
  const options = Array.from({ length: K - 1 }, (_, k) => ({
    choice: String(k + 1),
    source: part,
    k,
    id: id(k),
    text: part.pieces[id(k)],
    p: probs[place * shape[1] + k],
  }));
  if (trueToken(payload, place))
    options.push({
      choice: "next",
      source: part,
      k: K - 1,
      id: id(K - 1),
      text: part.pieces[id(K - 1)],
      p: payload.arrays.actual_probs.data[place],
    });
  if (typed) {
    const typedId = typed.arrays.share_ids.data[0];
    options.push({ choice: "typed", source: typed, k: 0, id: typedId, text: typed.pieces[typedId], p: null });
  }
  return options;
}

/** Lengths of vectors at a place: [{name, added, stream}]; `added` is null where nothing was. */
export function lengths({ arrays }, place) {
  const at = (name, i) => arrays[name].data[i * arrays.norm_token.shape[0] + place];
  /** @type {{name: string, added: number, stream: number | null}[]} */
  const rows = Object.entries({ token: "embedding", position: "position", segment: "segment" })
    .filter(([part]) => arrays[`norm_${part}`])
    .map(([part, name]) => ({ name, added: at(`norm_${part}`, 0), stream: null }));
  rows[rows.length - 1].stream = at("norm_stream", 0);
  const L = arrays.norm_mlp.shape[0];
  const parts = Object.entries({ attention: "attention", cross: "cross-attention", mlp: "MLP" });
  const has = parts.filter(([part]) => arrays[`norm_${part}`]);
  const steps = (arrays.norm_stream.shape[0] - 1) / L; // parallel blocks have no stream between their parts
  for (let layer = 0; layer < L; layer++) {
    for (const [i, [part, name]] of has.entries()) {
      const step = steps === has.length ? i + 1 : i + 1 === has.length ? 1 : null;
      const stream = step === null ? null : at("norm_stream", layer * steps + step);
      rows.push({ name: `L${layer} ${name}`, added: at(`norm_${part}`, layer), stream });
    }
  }
  return rows;
}
