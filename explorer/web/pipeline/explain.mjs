// How one number of a stage follows from the stage before, with its numbers. Pure: no DOM.

import { activationOf } from "./family.mjs";
import { STAGES, stagesOf } from "./stages.mjs";
import { meanText, rowFacts, tensorOf, three } from "./tensor.mjs";

/** One line for the cell at `row` and `column`, or null where the weights of the model would be needed. */
export function explain(stage, payload, part, focus, row, column) {
  const read = (name) => {
    const tensor = tensorOf(name, payload, part, focusOf(stage, payload, focus));
    return { ...tensor, row: tensor.values.subarray(row * tensor.columns, (row + 1) * tensor.columns), part };
  };
  const { model } = payload;
  const { normOf } = stagesOf(model)[stage];
  if (normOf) return normed(stage, normOf, model, part, focus, read, row, column);
  return HOW[stage]?.(read, row, column, { ...model, scale: part.scale[focus.layer] }) ?? null;
}

/** Where what a stage reads is found: behind the blocks, it is the last one's. */
export function focusOf(stage, payload, focus) {
  return STAGES[stage].part === "after" ? { ...focus, layer: payload.model.n_layer - 1 } : focus;
}

function sumOf(read, row, column, names) {
  const parts = names.map(read);
  const numbers = parts.map((part) => part.row[column]);
  const total = numbers.reduce((a, b) => a + b, 0);
  const written = parts.map((part) => part.name(row, column)).join(" + ");
  return `${written} = ${numbers.map(three).join(" + ")} = ${three(total)}`;
}

const ACTIVATE = {
  gelu_tanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  relu: (x) => Math.max(0, x),
  silu: (x) => x / (1 + Math.exp(-x)),
};

/** One number through the activation; null for the exact GELU, whose error function browsers do not have. */
function activated(model, x) {
  const name = activationOf(model);
  return ACTIVATE[name]
    ? `${{ gelu_tanh: "GELU", relu: "ReLU", silu: "SiLU" }[name]}(${three(x)}) = ${three(ACTIVATE[name](x))}`
    : null;
}

const HOW = {
  embedding: (read, row, column, { positions = "learned" }) =>
    positions === "learned" ? sumOf(read, row, column, ["token", "position"]) : null,
  resid_mid: (read, row, column) => sumOf(read, row, column, ["resid_pre", "attn_out"]),
  resid_post: (read, row, column, { parallel }) =>
    sumOf(read, row, column, parallel ? ["resid_pre", "attn_out", "mlp_out"] : ["resid_mid", "mlp_out"]),
  scores(read, _row, key, { positions, scale }) {
    const [q, k] = positions === "rotary" ? [read("rot_q"), read("rot_k")] : [read("q"), read("k")];
    const D = q.columns;
    let sum = 0;
    for (let d = 0; d < D; d++) sum += q.row[d] * k.values[key * D + d];
    const how = Math.abs(scale * Math.sqrt(D) - 1) < 1e-6 ? `divided by √${D}` : `times ${three(scale)}`;
    return `sum of ${D} products q × k = ${three(sum)}; ${how}: ${three(sum * scale)}`;
  },
  pattern(read, row, key) {
    const scores = read("scores").row.subarray(0, row + 1);
    const seen = scores.filter((score) => !Number.isNaN(score));
    const most = Math.max(...seen);
    const sum = seen.reduce((total, score) => total + Math.exp(score - most), 0);
    const own = Math.exp(scores[key] - most);
    return (
      `the row's largest score is ${three(most)}: e^(${three(scores[key])} - ${three(most)}) / sum of all ` +
      `such = ${three(own)} / ${three(sum)} = ${three(own / sum)}`
    );
  },
  z(read, row, dim) {
    const [weights, v] = [read("pattern").row, read("v")];
    const terms = Array.from({ length: row + 1 }, (_, key) => (weights[key] || 0) * v.values[key * v.columns + dim]);
    const key = terms.reduce((best, term, i) => (Math.abs(term) > Math.abs(terms[best]) ? i : best), 0);
    const sum = terms.reduce((a, b) => a + b, 0);
    return (
      `sum of ${row + 1} products weight × value = ${three(sum)}; the largest: ${three(weights[key])} × ` +
      `${three(v.values[key * v.columns + dim])} = ${three(terms[key])}, from position ${key}`
    );
  },
  gate: (read, _row, neuron, model) => activated(model, read("pre").row[neuron]),
  post(read, _row, neuron, model) {
    if (!model.mlp?.endsWith("glu") && !model.mlp?.startsWith("geglu"))
      return activated(model, read("pre").row[neuron]);
    const [gate, up] = [read("gate").row[neuron], read("up").row[neuron]];
    return `gate × up = ${three(gate)} × ${three(up)} = ${three(gate * up)}`;
  },
  softmax(read, row, rank) {
    const { part, row: logits } = read("logits");
    const all = part.arrays.log_sum_exp.data[row];
    return (
      `log of the sum of e^logit over all tokens: ${all.toFixed(3)}; e^(${logits[rank].toFixed(3)} - ` +
      `${all.toFixed(3)}) = ${three(Math.exp(logits[rank] - all))}`
    );
  },
};

function normed(stage, normOf, model, part, { layer }, read, row, column) {
  const before = read(normOf);
  const { mean, deviation } = rowFacts(before, row);
  const [weight, bias] = ["weight", "bias"].map((kind) => learned(part, `${stage}.${kind}`, layer, column));
  const x = before.row[column];
  if (model.norm === "rms") {
    const root = Math.sqrt(mean ** 2 + deviation ** 2 + part.epsilon);
    return `${three(x)} / ${three(root)} × ${three(weight)} = ${three((x / root) * weight)}`;
  }
  const below = Math.sqrt(deviation ** 2 + part.epsilon);
  const value = ((x - mean) / below) * weight + (bias ?? 0);
  return (
    `(${three(x)} - ${meanText(mean, deviation)}) / ${three(below)} × ` +
    `${three(weight)}${bias === null ? "" : ` + ${three(bias)}`} = ${three(value)}`
  );
}

/** A weight or bias of a LayerNorm; null if the model has none. */
function learned(part, name, layer, column) {
  const found = part.arrays[name];
  if (!found) return null;
  const C = found.shape.at(-1);
  return found.data[(found.shape.length === 2 ? layer * C : 0) + column];
}
