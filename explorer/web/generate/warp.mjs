// What temperature, top-k and top-p do to a distribution, as llm_core/generation/warping.py does it, in double
// precision. Pure: no DOM. All arrays are sorted, the likeliest token first; no step changes that order.

/** Logits (V) and {temperature, top_k (null: all), top_p} -> the four distributions, and what each step did. */
export function warp(logits, settings) {
  const { temperature, top_k, top_p } = settings;
  const before = softmax(logits, 1);
  const V = before.length;
  if (temperature === 0) {
    const one = new Float64Array(V);
    one[0] = 1;
    return { stages: [before, one, one, one], left: [V, 1, 1, 1], removed: [0, 1 - before[0], 0, 0], isGreedy: true };
  }
  const tempered = softmax(logits, temperature);
  const k = Math.min(top_k || V, V);
  const afterK = cut(tempered, k);
  const n = nucleus(afterK, k, top_p);
  const afterP = cut(afterK, n);
  return {
    stages: [before, tempered, afterK, afterP],
    left: [V, V, k, n],
    removed: [0, moved(before, tempered), sum(tempered, k, V), sum(afterK, n, V)],
    isGreedy: false,
  };
}

/** Where u in [0, 1) falls among probabilities (sorted): {index, from, to}, the place on the line of their sums. */
export function pick(probabilities, u) {
  const total = sum(probabilities, 0, probabilities.length);
  let to = 0;
  for (let index = 0; index < probabilities.length; index++) {
    const from = to;
    to += probabilities[index];
    if (to > u * total) return { index, from: from / total, to: to / total };
  }
  throw new RangeError(`u=${u}: must be at least 0 and below 1`);
}

export function sum(values, from, to) {
  let total = 0;
  for (let i = from; i < to; i++) total += values[i];
  return total;
}

function softmax(logits, temperature) {
  const weights = Float64Array.from(logits, (logit) => Math.exp((logit - logits[0]) / temperature));
  const total = sum(weights, 0, weights.length);
  return weights.map((weight) => weight / total);
}

/** The first `count` stay and share what the others had. */
function cut(probabilities, count) {
  if (count === probabilities.length) return probabilities;
  const total = sum(probabilities, 0, count);
  return probabilities.map((p, i) => (i < count ? p / total : 0));
}

/** How many tokens stay: the fewest whose sum reaches `top_p`. */
function nucleus(probabilities, k, top_p) {
  if (!top_p || top_p === 1) return k;
  let before = 0;
  let count = 0;
  while (count < k && before < top_p) before += probabilities[count++];
  return count;
}

/** How much probability has changed its token: half of the sum of all differences. */
function moved(a, b) {
  return a.reduce((total, p, i) => total + Math.abs(p - b[i]), 0) / 2;
}
