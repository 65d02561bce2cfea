// What is said of one row of a stage: a sentence with its numbers, and all of them as a table; and all rows, to be
// saved.

import { grouped, label, pieceName, quoted, visible } from "../base/text.mjs";
import { table } from "../ui/table.mjs";
import { focusOf } from "./explain.mjs";
import { stagesOf } from "./stages.mjs";
import { meanText, rowFacts, tensorOf, three, writer } from "./tensor.mjs";

const LOUD = 0.1; // a neuron above this counts as active

export function rowText(stage, payload, part, focus, row) {
  const tensor = tensorOf(stage, payload, part, focus);
  const token = `Row of ${quoted(label(payload.tokens[row], 20))}`;
  const numbers = tensor.values.subarray(row * tensor.columns, (row + 1) * tensor.columns);
  const sum = numbers.reduce((total, x) => total + (Number.isNaN(x) ? 0 : x), 0);
  const { normOf } = stagesOf(payload.model)[stage];
  if (normOf) {
    const before = rowFacts(tensorOf(normOf, payload, part, focusOf(stage, payload, focus)), row);
    const after = rowFacts(tensor, row);
    if (payload.model.norm === "rms")
      return `${token}. Root mean square before: ${rootText(before)}; after: ${rootText(after)}.`;
    return (
      `${token}. Before: mean ${meanText(before.mean, before.deviation)}, standard deviation ` +
      `${three(before.deviation)}. Normalized to mean 0, s.d. 1; after weight and bias: mean ` +
      `${meanText(after.mean, after.deviation)}, standard deviation ${three(after.deviation)}.`
    );
  }
  if (stage === "pattern")
    return `${token}: ${numbers.filter((x) => !Number.isNaN(x)).length} weights, which sum to ${three(sum)}.`;
  if (stage === "scores") {
    const seen = numbers.filter((x) => !Number.isNaN(x)).length;
    const far = row + 1 - seen;
    const others = far ? `${far} are too far back for this layer's window, and` : "the other";
    return `${token}: ${seen} keys can be seen; ${others} ${payload.tokens.length - row - 1} come later.`;
  }
  if (stage === "post")
    return (
      `${token}: ${numbers.filter((x) => x > LOUD).length} of ${grouped(tensor.columns)} neurons are above ` +
      `${LOUD}.`
    );
  if (stage === "softmax")
    return (
      `${token}: the ${tensor.columns} tokens shown have ${three(sum)} of all probability; the other ` +
      `${grouped(payload.model.vocab_size - tensor.columns)} share ${three(Math.max(0, 1 - sum))}.`
    );
  const { mean, deviation, low, high } = rowFacts(tensor, row);
  if (stage === "logits")
    return (
      `${token}: the largest of ${grouped(payload.model.vocab_size)} logits is ${three(high)}, the ` +
      `${tensor.columns}th ${three(low)}.`
    );
  return (
    `${token}: ${grouped(tensor.columns)} numbers from ${three(low)} to ${three(high)}, mean ` +
    `${meanText(mean, deviation)}, standard deviation ${three(deviation)}.`
  );
}

const rootText = ({ mean, deviation }) => three(Math.hypot(mean, deviation));

/** One row of a stage, a line for each of its numbers. */
export function tableOf(stage, payload, part, tensor, row) {
  const { columns } = stagesOf(payload.model)[stage];
  const count = columns === "key" ? row + 1 : tensor.columns;
  const write = writer(stage);
  const value = (column) => tensor.values[row * tensor.columns + column];
  const what = {
    dim: () => [],
    key: (i) => [label(payload.tokens[i], 20)],
    rank: (i) => candidate(part, tensor, row, i),
  }[columns];
  const heads = {
    dim: ["dimension", "value"],
    key: ["position", "key token", stage === "scores" ? "score" : "weight"],
    rank: ["order", "token", "id", stage === "softmax" ? "probability" : "logit"],
  }[columns];
  const [place, ...names] = heads;
  const number = names.pop();
  return table({
    label: `The numbers of ${quoted(label(payload.tokens[row], 20))}`,
    columns: [{ name: place, kind: "text" }, ...names.map((name) => ({ name, kind: "name" })), number],
    rows: Array.from({ length: count }, (_, i) => [
      String(columns === "rank" ? i + 1 : i),
      ...what(i),
      write(value(i)),
    ]),
  });
}

/** Rows of a spreadsheet: all numbers of the open stage, a row for each token; masked cells are empty. */
export function wholeTensor(payload, focus, part) {
  const tokens = payload.tokens.map(({ text, id }, i) => [i, visible(text), id]);
  if (focus.stage === "tokens") return [["position", "token", "id"], ...tokens];
  const { columns, values, text } = tensorOf(focus.stage, payload, part, focus);
  const heads = Array.from({ length: columns }, (_, i) =>
    text ? [`token ${i + 1}`, `value ${i + 1}`] : [String(i)],
  ).flat();
  const cell = (row, i) => {
    const value = values[row * columns + i];
    const number = Number.isNaN(value) ? "" : Number(value.toPrecision(6));
    return text ? [text(row, i), number] : [number];
  };
  return [
    ["position", "token", "id", ...heads],
    ...tokens.map((start, row) => [...start, ...Array.from({ length: columns }, (_, i) => cell(row, i)).flat()]),
  ];
}

function candidate(part, { columns }, row, rank) {
  const id = part.arrays.logits_ids.data[row * columns + rank];
  return [pieceName(part.pieces[id]), String(id)];
}
