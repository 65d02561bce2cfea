// What one head computes for one query, from q and k to the weight of every key, step by step. Pure: no DOM.

/** The D numbers of `name` ("q" or "k") of one token (a view, nothing is copied). */
export function vector({ arrays }, name, { layer, head }, token) {
  const {
    data,
    shape: [L, H, T, D],
  } = arrays[name];
  const start = (((L === 1 ? 0 : layer) * H + head) * T + token) * D; // of a large model one layer comes at a time
  return data.subarray(start, start + D);
}

/**
 * For the T keys of `query`: {keys: [{k, products, dot, score, masked, exp, share}], q, D, max, total}. Scores are
 * before
 * the mask; a masked key has exp and share 0. `max` is the largest score that is seen, `total` the sum of
 * exp(score - max): subtracting the maximum changes no share, and keeps the numbers small.
 */
export function rowOf(part, place, query) {
  const [, , T, D] = part.arrays.q.shape;
  const scale = part.scale[place.layer];
  const window = part.windows[place.layer] ?? Infinity;
  const q = vector(part, "q", place, query);
  const keys = Array.from({ length: T }, (_, key) => {
    const k = vector(part, "k", place, key);
    const products = Float64Array.from(q, (x, d) => x * k[d]); // (D,)
    const dot = products.reduce((a, b) => a + b, 0);
    return {
      k,
      products,
      dot,
      score: dot * scale,
      masked: (part.causal && key > query) || query - key >= window,
      exp: 0,
      share: 0,
    };
  });
  const max = Math.max(...keys.filter(({ masked }) => !masked).map(({ score }) => score));
  for (const one of keys) one.exp = one.masked ? 0 : Math.exp(one.score - max);
  const total = keys.reduce((sum, { exp }) => sum + exp, 0);
  for (const one of keys) one.share = one.exp / total;
  return { keys, q, D, scale, max, total };
}

/** The key that gets most. */
export function strongest({ keys }) {
  return keys.reduce((best, { share }, key) => (share > keys[best].share ? key : best), 0);
}

/**
 * The dimensions in the order in which they are shown: as they are, or the largest products first, whatever their
 * sign.
 */
export function orderOf(products, dims) {
  const order = Array.from(products, (_, d) => d);
  return dims === "size" ? order.sort((a, b) => Math.abs(products[b]) - Math.abs(products[a])) : order;
}

/** The end of a scale around 0. */
export function largest(rows) {
  let most = 0;
  for (const row of rows) for (const value of row) most = Math.max(most, Math.abs(value));
  return most;
}
