// The KV cache of one step as a matrix: keys and values of each layer, a column for each token; hatched is what was
// there already, filled is what this step computes. And what the cache saves, as measured.

import { make } from "../base/dom.mjs";
import { rangeOf } from "../charts/axis.mjs";
import { keyPart, lineChart } from "../charts/line_chart.mjs";
import { named } from "../color/scale.mjs";
import { drawMatrix } from "../matrix/matrix.mjs";
import { PAGE, timesSentence } from "./words.mjs";

const ROW = 8; // px, of the keys and of the values of a layer
const LOOKS = { "with cache": { color: "--hs-ink" }, without: { color: "--hs-muted", dash: [5, 3] } };

/** {L, T, computed: columns that this step computes, of the T in the window}. The first step reads the whole text. */
export function cacheStep(look, depth) {
  const [L, , T] = look.arrays.pattern.shape;
  const slid = look.total > look.block_size;
  return { L, T, slid, isFirst: depth === 0, computed: depth === 0 || slid ? T : 1, bytes: T * look.cache_bytes };
}

export function drawCache(canvas, width, { L, T, computed }, dark) {
  const labels = Array.from({ length: 2 * L }, (_, row) => (row % 2 ? "" : `L${row / 2}`));
  return drawMatrix(canvas, {
    width,
    rows: { count: 2 * L, labels },
    columns: { count: T, head: String },
    names: "heads",
    value: (row) => row % 2,
    scale: named(["key", "value"], dark),
    hidden: (_, column) => column < T - computed,
    cells: { size: { width: Math.max(2, Math.min(16, (width - 34) / T)), height: ROW } },
  });
}

/** Milliseconds per token, a line with the cache and one (dashed) without. */
export function timesChart(width, times) {
  const { with_cache, without_cache } = times;
  const series = Object.entries({ "with cache": with_cache, without: without_cache }).map(([name, values]) => ({
    ...LOOKS[name],
    name,
    points: values.map((ms, i) => [i + 1, ms]),
  }));
  const chart = lineChart({
    width,
    height: 170,
    label: timesSentence(times),
    last: with_cache.length,
    range: [0, rangeOf([0, ...with_cache, ...without_cache])[1]],
    xLabel: PAGE.newToken,
    yLabel: "milliseconds",
    series,
  });
  return make("div", {}, chart, make("p", { className: "hs-hint" }, ...series.map((one) => keyPart(one, one.name))));
}
