// The numbers of a stage as rows and columns: a row for each token. Pure: no DOM.
//
// {rows, columns, values: Float32Array (rows × columns, NaN where the mask hides), name(row, column)},
// and where a cell is one of the vocabulary: text(row, column)

import { windowOf } from "../base/payload.mjs";
import { fixed, pieceName } from "../base/text.mjs";
import { diverging, sequential } from "../color/scale.mjs";
import { stagesOf } from "./stages.mjs";

const known = new WeakMap(); // by part: what was made of it once

function once(part, key, make) {
  if (!known.has(part)) known.set(part, new Map());
  const found = known.get(part);
  if (!found.has(key)) found.set(key, make());
  return found.get(key);
}

/** A stage at `layer`, and where it has heads at `head`. */
export function tensorOf(stage, payload, part, { layer, head }) {
  const { part: place, letters } = stagesOf(payload.model)[stage];
  const key = [stage, place === "block" ? layer : "", letters.length === 3 ? head : ""].join("/");
  return once(part, key, () => makeTensor(stage, payload, part, layer, head));
}

/** Values beyond which the colours of a signed stage change no more: 99 of 100 numbers lie within, in all heads. */
export function limitOf(stage, payload, part, { layer, head }) {
  const { part: place, letters, tensor } = stagesOf(payload.model)[stage];
  if (letters.length < 3)
    return once(part, `limit/${stage}/${place === "block" ? layer : ""}`, () =>
      within(tensorOf(stage, payload, part, { layer, head }).values),
    );
  return once(part, `limit/${stage}/${layer}`, () => within(layerOf(part, tensor, layer)));
}

/** The colours of a stage: weights from 0 to 1, all else around 0 up to `limitOf`. */
export function scaleOf(stage, payload, part, place, dark) {
  return stagesOf(payload.model)[stage].kind === "weights"
    ? sequential(dark)
    : diverging(limitOf(stage, payload, part, place), dark);
}

/** All heads of an array side by side, (T, H·D), as merge_heads lays them. */
export function sideBySide(tensor, part, layer) {
  return once(part, `${tensor}/${layer}/all`, () => {
    const [, H, T, D] = part.arrays[tensor].shape;
    const values = new Float32Array(T * H * D);
    const all = layerOf(part, tensor, layer);
    for (let h = 0; h < H; h++) {
      for (let t = 0; t < T; t++) values.set(all.subarray((h * T + t) * D, (h * T + t + 1) * D), (t * H + h) * D);
    }
    return { rows: T, columns: H * D, values };
  });
}

function makeTensor(stage, payload, part, layer, head) {
  if (stage === "resid_pre")
    return layer === 0
      ? tensorOf("embedding", payload, part, { layer, head })
      : tensorOf("resid_post", payload, part, { layer: layer - 1, head });
  if (stage === "pattern" || stage === "scores") return triangleOf(stage, payload, part, layer, head);
  if (stage === "logits" || stage === "softmax") return bestOf(stage, part);
  const { tensor, letters, part: place } = stagesOf(payload.model)[stage];
  const { data, shape } = part.arrays[tensor];
  const [rows, columns] = shape.slice(-2);
  const isHead = letters.length === 3;
  // several query heads may share a key head
  const own = isHead ? Math.floor((head * shape[1]) / payload.model.n_head) : 0;
  const at = place === "block" ? rowOf(shape, layer) : 0;
  const start = (isHead ? at * shape[1] + own : at) * rows * columns;
  const written = part.names[tensor].replace("{layer}", layer);
  const batch = stage === "position" ? "" : "0, "; // positions are the same for every text of a batch
  return {
    rows,
    columns,
    values: data.subarray(start, start + rows * columns),
    name: (row, column) => `${written}[${batch}${isHead ? `${own}, ` : ""}${row}, ${column}]`,
  };
}

function triangleOf(stage, payload, part, layer, head) {
  const T = payload.tokens.length;
  const { tensor } = stagesOf(payload.model)[stage];
  const { data, shape } = part.arrays[tensor];
  const [, H, cells] = shape;
  const values = new Float32Array(T * T).fill(NaN);
  const window = windowOf(payload, layer);
  let next = (rowOf(shape, layer) * H + head) * cells;
  for (let q = 0; q < T; q++) {
    for (let k = 0; k <= q; k++, next++) {
      const isHidden = k <= q - window || data[next] === -Infinity;
      if (!isHidden) values[q * T + k] = data[next];
    }
  }
  const written = part.names[tensor].replace("{layer}", layer);
  return { rows: T, columns: T, values, name: (q, k) => `${written}[0, ${head}, ${q}, ${k}]` };
}

function bestOf(stage, part) {
  const {
    data,
    shape: [rows, columns],
  } = part.arrays.logits;
  const ids = part.arrays.logits_ids.data;
  const all = part.arrays.log_sum_exp.data;
  const values = stage === "logits" ? data : data.map((logit, i) => Math.exp(logit - all[Math.floor(i / columns)]));
  const written = stage === "logits" ? "logits" : "logits.softmax(-1)";
  return {
    rows,
    columns,
    values,
    name: (row, column) => `${written}[0, ${row}, ${ids[row * columns + column]}]`,
    text: (row, column) => pieceName(part.pieces[ids[row * columns + column]]),
  };
}

/** All heads of a layer, one after the other. */
function layerOf(part, tensor, layer) {
  const { data, shape } = part.arrays[tensor];
  const size = data.length / shape[0];
  const at = rowOf(shape, layer);
  return data.subarray(at * size, (at + 1) * size);
}

/** Of a large model an array holds one layer at a time. */
const rowOf = (shape, layer) => (shape[0] === 1 ? 0 : layer);

const BINS = 1024;

/** The absolute value that 99 of 100 numbers do not exceed, to a thousandth of the largest. */
export function within(values, share = 0.99) {
  let most = 0;
  for (let i = 0; i < values.length; i++) if (Math.abs(values[i]) > most) most = Math.abs(values[i]);
  const counts = new Uint32Array(BINS + 1);
  const scale = BINS / (most || 1);
  let total = 0;
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(values[i])) continue;
    counts[Math.floor(Math.abs(values[i]) * scale)] += 1;
    total += 1;
  }
  let [bin, seen] = [0, counts[0]];
  while (seen < share * total) seen += counts[++bin];
  return Math.min(most, ((bin + 1) / BINS) * most);
}

/** Mean, standard deviation (as LayerNorm's: divided by the count) and ends of one row. */
export function rowFacts({ columns, values }, row) {
  const numbers = values.subarray(row * columns, (row + 1) * columns);
  let [sum, squares, low, high] = [0, 0, Infinity, -Infinity];
  for (const x of numbers) [sum, low, high] = [sum + x, Math.min(low, x), Math.max(high, x)];
  const mean = sum / columns;
  for (const x of numbers) squares += (x - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / columns), low, high };
}

/** A row's mean, to a thousandth of its deviation: a sum of rounded numbers is right no further. */
export function meanText(mean, deviation) {
  if (Math.abs(mean) >= deviation) return three(mean);
  return fixed(mean, Math.min(8, Math.max(0, 3 - Math.floor(Math.log10(deviation)))));
}

/** How a stage's numbers are written. */
export const writer = (stage) => (stage === "pattern" ? (p) => p.toFixed(4) : three);

/** Three significant digits. */
export function three(value) {
  const rounded = Number(value.toPrecision(3));
  const size = Math.abs(rounded);
  if (size >= 1e6 || (size > 0 && size < 1e-4)) return value.toExponential(2);
  return size >= 1000 ? String(rounded) : value.toPrecision(3);
}
