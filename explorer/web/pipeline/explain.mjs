// How one number of a stage follows from the stage before, with its numbers. Pure: no DOM.

import { STAGES } from "./stages.mjs";
import { meanText, rowFacts, tensorOf, three } from "./tensor.mjs";

/** One line for the cell at `row` and `column`, or null where the weights of the model would be needed. */
export function explain(stage, payload, part, focus, row, column) {
  const read = (name) => {
    const tensor = tensorOf(name, payload, part, focusOf(stage, payload, focus));
    return { ...tensor, row: tensor.values.subarray(row * tensor.columns, (row + 1) * tensor.columns), part };
  };
  return STAGES[stage].normOf
    ? normed(stage, part, focus, read, row, column)
    : (HOW[stage]?.(read, row, column) ?? null);
}

/** Where what a stage reads is found: behind the blocks, it is the last one's. */
export function focusOf(stage, payload, focus) {
  return STAGES[stage].part === "after" ? { ...focus, layer: payload.model.n_layer - 1 } : focus;
}

const sumOf = (first, second) => (read, row, column) => {
  const [a, b] = [read(first), read(second)];
  const [x, y] = [a.row[column], b.row[column]];
  return `${a.name(row, column)} + ${b.name(row, column)} = ${three(x)} + ${three(y)} = ${three(x + y)}`;
};

const HOW = {
  embedding: sumOf("token", "position"),
  resid_mid: sumOf("resid_pre", "attn_out"),
  resid_post: sumOf("resid_mid", "mlp_out"),
  scores(read, _row, key) {
    const [q, k] = [read("q"), read("k")];
    const D = q.columns;
    let sum = 0;
    for (let d = 0; d < D; d++) sum += q.row[d] * k.values[key * D + d];
    return `sum of ${D} products q × k = ${three(sum)}; divided by √${D}: ${three(sum / Math.sqrt(D))}`;
  },
  pattern(read, row, key) {
    const scores = read("scores").row.subarray(0, row + 1);
    const most = Math.max(...scores);
    const sum = scores.reduce((total, score) => total + Math.exp(score - most), 0);
    const own = Math.exp(scores[key] - most);
    return (
      `the row's largest score is ${three(most)}: e^(${three(scores[key])} - ${three(most)}) / sum of all ` +
      `such = ${three(own)} / ${three(sum)} = ${three(own / sum)}`
    );
  },
  z(read, row, dim) {
    const [weights, v] = [read("pattern").row, read("v")];
    const terms = Array.from({ length: row + 1 }, (_, key) => weights[key] * v.values[key * v.columns + dim]);
    const key = terms.reduce((best, term, i) => (Math.abs(term) > Math.abs(terms[best]) ? i : best), 0);
    const sum = terms.reduce((a, b) => a + b, 0);
    return (
      `sum of ${row + 1} products weight × value = ${three(sum)}; the largest: ${three(weights[key])} × ` +
      `${three(v.values[key * v.columns + dim])} = ${three(terms[key])}, from place ${key}`
    );
  },
  post(read, _row, neuron) {
    const x = read("pre").row[neuron];
    return `GELU(${three(x)}) = ${three(0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))))}`;
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

function normed(stage, part, { layer }, read, row, column) {
  const before = read(STAGES[stage].normOf);
  const { mean, deviation } = rowFacts(before, row);
  const below = Math.sqrt(deviation ** 2 + part.epsilon);
  const [weight, bias] = ["weight", "bias"].map((kind) => learned(part, `${stage}.${kind}`, layer, column));
  const value = ((before.row[column] - mean) / below) * weight + (bias ?? 0);
  return (
    `(${three(before.row[column])} - ${meanText(mean, deviation)}) / ${three(below)} × ` +
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
