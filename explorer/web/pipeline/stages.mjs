// The stages of a forward pass in the order in which they are computed, and what is said of each. Pure: no DOM.
//
// tensor   its array in the part "tensors" (the pattern is in the payload)
// letters  its shape in the letters of the legend
// kind     how its numbers are drawn: signed (around 0), weights (0 to 1), or tokens
// columns  what a column is: a dimension, a key, or a place in the order of likely tokens
// part     of the picture: before the blocks, in each block, after them

import { TANH_FORM, variations } from "./family.mjs";

const signed = { kind: "signed", columns: "dim", letters: ["T", "C"] };
const stream = { ...signed, isStream: true };
const heads = { ...signed, letters: ["H", "T", "D"] };

export const STAGES = {
  tokens: {
    part: "before",
    title: "Tokens",
    kind: "tokens",
    letters: ["T"],
    says:
      "The text is cut into tokens, pieces that the model knows. Each has an id, its position in the vocabulary; " +
      "from here on the model sees only ids. The first token, “start”, comes before every text.",
    formula: "ids = [start, *tokenizer.encode(text)]",
  },
  token: {
    ...signed,
    part: "before",
    title: "Token embedding",
    tensor: "embedding.token",
    says: "Each id selects one row of a learned table: what this token is, regardless of position.",
    formula: "token_table[ids]",
  },
  position: {
    ...signed,
    part: "before",
    title: "Position embedding",
    tensor: "embedding.position",
    says: "Each position selects one row of a second learned table: where the token is, regardless of what it is.",
    formula: "position_table[0 … T-1]",
  },
  embedding: {
    ...stream,
    part: "before",
    title: "Sum",
    tensor: "embedding.sum",
    says:
      "The sum of both rows: what it is, plus where it is. This is the start of the residual stream, which " +
      "every block reads and adds to.",
    formula: "token + position",
  },
  resid_pre: {
    ...stream,
    part: "block",
    title: "Stream in",
    tensor: "resid_post",
    says: "The residual stream as it enters this block: everything added so far.",
    formula: "the previous block's output",
  },
  ln_1: {
    ...signed,
    part: "block",
    title: "LayerNorm",
    tensor: "ln_1",
    normOf: "resid_pre",
    says:
      "Each row is normalized to mean 0 and standard deviation 1, then each dimension gets its learned weight " +
      "and bias. The stream itself is unchanged: attention reads this copy.",
    formula: "(x - mean) / √(variance + ε) · weight + bias",
  },
  q: {
    ...heads,
    part: "block",
    title: "Queries",
    tensor: "attn.q",
    says: "What each token looks for: the normed row times a learned matrix, cut into H heads of D numbers.",
    formula: "split_heads(ln_1 · Wq + bq)",
  },
  k: {
    ...heads,
    part: "block",
    title: "Keys",
    tensor: "attn.k",
    says: "What each token can be found by: the same row, times another matrix.",
    formula: "split_heads(ln_1 · Wk + bk)",
  },
  v: {
    ...heads,
    part: "block",
    title: "Values",
    tensor: "attn.v",
    says: "What each token passes on to the tokens that attend to it: the same row, times a third matrix.",
    formula: "split_heads(ln_1 · Wv + bv)",
  },
  rot_q: {
    ...heads,
    part: "block",
    title: "Rotated queries",
    tensor: "attn.rot_q",
    says:
      "Pairs of a query's numbers are rotated by an angle that grows with its position, each pair at its own speed. " +
      "A dot product of two rotated vectors then depends on how far apart their positions are.",
    formula: "(a, b) → (a · cos θ - b · sin θ, a · sin θ + b · cos θ)",
  },
  rot_k: {
    ...heads,
    part: "block",
    title: "Rotated keys",
    tensor: "attn.rot_k",
    says: "Keys are rotated by their own positions in the same way.",
    formula: "(a, b) → (a · cos θ - b · sin θ, a · sin θ + b · cos θ)",
  },
  scores: {
    part: "block",
    title: "Scores",
    tensor: "attn.scores",
    kind: "signed",
    columns: "key",
    letters: ["H", "T", "T"],
    says:
      "How well each query fits each key, in each head: their dot product, divided by √D so that their " +
      "spread does not grow with D. Keys that come later are masked: their score is -∞.",
    formula: "q · k / √D",
  },
  pattern: {
    part: "block",
    title: "Attention",
    tensor: "attn.pattern",
    kind: "weights",
    columns: "key",
    letters: ["H", "T", "T"],
    says:
      "Softmax turns each row of scores into weights between 0 and 1 that sum to 1. They say where this " +
      "token looks.",
    formula: "e^score / sum of e^score over the row",
  },
  z: {
    ...heads,
    part: "block",
    title: "Mixed values",
    tensor: "attn.z",
    says: "Each head's result: the weighted sum of the values of all visible tokens.",
    formula: "pattern · v",
  },
  attn_out: {
    ...signed,
    part: "block",
    title: "Attention out",
    tensor: "attn.out",
    says: "The heads' results, concatenated to (T, C), times one more matrix: what attention writes to the stream.",
    formula: "merge_heads(z) · Wo + bo",
  },
  resid_mid: {
    ...stream,
    part: "block",
    title: "Stream + attention",
    tensor: "resid_mid",
    says: "Attention's output is added to the stream. Nothing is overwritten.",
    formula: "x + attn.out",
  },
  ln_2: {
    ...signed,
    part: "block",
    title: "LayerNorm",
    tensor: "ln_2",
    normOf: "resid_mid",
    says:
      "Again each row is normalized to mean 0 and standard deviation 1, with its own weights and biases: the " +
      "copy that the MLP reads.",
    formula: "(x - mean) / √(variance + ε) · weight + bias",
  },
  pre: {
    ...signed,
    part: "block",
    title: "MLP: widen",
    tensor: "mlp.pre",
    letters: ["T", "4C"],
    says:
      "Each token on its own: its row times a matrix that makes it four times as wide. Each of these numbers " +
      "is called a neuron.",
    formula: "ln_2 · W_up + b_up",
  },
  gate: { ...signed, part: "block", title: "Gate", tensor: "mlp.gate", letters: ["T", "4C"] },
  up: {
    ...signed,
    part: "block",
    title: "MLP: up",
    tensor: "mlp.up",
    letters: ["T", "4C"],
    says: "The same row times a second matrix: what the gate lets through, or not.",
    formula: "ln_2 · W_up",
  },
  post: {
    ...signed,
    part: "block",
    title: "GELU",
    tensor: "mlp.post",
    letters: ["T", "4C"],
    says:
      "GELU keeps clearly positive numbers and sends the rest nearly to 0: most neurons are silent for a given " +
      `token. ${TANH_FORM}`,
    formula: "½ · x · (1 + tanh(√(2/π) · (x + 0.044715 · x³)))",
  },
  mlp_out: {
    ...signed,
    part: "block",
    title: "MLP out",
    tensor: "mlp.out",
    says: "The neurons times a matrix that brings them back to width C: what the MLP writes to the stream.",
    formula: "post · W_down + b_down",
  },
  resid_post: {
    ...stream,
    part: "block",
    title: "Stream + MLP",
    tensor: "resid_post",
    says: "The MLP's output is added, too. The next block reads this; after the last block comes the final norm.",
    formula: "resid_mid + mlp.out",
  },
  ln_f: {
    ...signed,
    part: "after",
    title: "Final norm",
    tensor: "ln_f",
    normOf: "resid_post",
    says:
      "The blocks only add to the stream, and normalize nothing but their own copies of it. One last LayerNorm " +
      "brings every token's row to one scale before the logits are read off.",
    formula: "(x - mean) / √(variance + ε) · weight + bias",
  },
  logits: {
    part: "after",
    title: "Logits",
    tensor: "logits",
    kind: "signed",
    columns: "rank",
    letters: ["T", "V"],
    says:
      "A score for every token of the vocabulary: the normed row times each row of the token table, the same " +
      "table as at the start. The 20 largest for each position are shown, largest first.",
    formula: "ln_f · token_tableᵀ",
  },
  softmax: {
    part: "after",
    title: "Next token",
    tensor: "logits",
    kind: "weights",
    columns: "rank",
    letters: ["T", "V"],
    says:
      "Softmax over the whole vocabulary turns the logits into probabilities: what the model expects next. The " +
      "20 likeliest for each position are shown.",
    formula: "e^logit / sum of e^logit over all V tokens",
  },
};

const families = new Map(); // what was made once

/** The stages of a model, by id, in the order in which they are computed; `model` is what the payload says of it. */
export function stagesOf(model) {
  const { name: _name, num_parameters: _count, ...facts } = model;
  const family = JSON.stringify(facts);
  if (!families.has(family)) {
    const changes = variations(model);
    const has = Object.entries(STAGES).filter(([id]) => changes[id] !== null);
    families.set(family, Object.fromEntries(has.map(([id, stage]) => [id, { ...stage, ...changes[id] }])));
  }
  return families.get(family);
}

/** What a stage's tensor is called in a trace. */
export function nameOf(stage, layer) {
  const { part, tensor } = STAGES[stage];
  if (stage === "tokens") return "ids";
  if (stage === "softmax") return "logits.softmax(-1)";
  if (stage === "resid_pre") return layer === 0 ? "embedding.sum" : `blocks.${layer - 1}.resid_post`;
  return part === "block" ? `blocks.${layer}.${tensor}` : tensor;
}

/** Ids of a model's stages before the blocks, in each block, or after them. */
export function inPart(part, model) {
  const stages = stagesOf(model);
  return Object.keys(stages).filter((id) => stages[id].part === part);
}

/**
 * The stage computed after this one (`step` 1) or before it (-1), {stage, layer}: through all blocks of `model`; null
 * at an end.
 */
export function neighbour({ stage, layer }, step, model) {
  const [before, block, after] = ["before", "block", "after"].map((part) => inPart(part, model));
  const L = model.n_layer;
  const way = [...before, ...Array.from({ length: L }).flatMap(() => block), ...after];
  const offset = { before: 0, block: layer * block.length, after: (L - 1) * block.length }[STAGES[stage].part];
  const place = [...before, ...block, ...after].indexOf(stage) + offset + step;
  if (place < 0 || place >= way.length) return null;
  const layerAt = Math.floor((place - before.length) / block.length);
  return { stage: way[place], layer: STAGES[way[place]].part === "block" ? layerAt : layer };
}
