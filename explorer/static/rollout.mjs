// Attention rollout (Abnar and Zuidema 2020): how much of each token's input is in a token of the last layer, if
// attention and the way around it carry half each. A(layer) = (mean over heads of its pattern + identity) / 2, each
// row divided by its sum; rollout = A(last) · … · A(2) · A(1). Pure: no DOM.

const known = new WeakMap();

/** A of every layer: L arrays of T×T, row by row. */
export function mixing(payload) {
  if (!known.has(payload)) known.set(payload, mixingOf(payload.arrays.pattern));
  return known.get(payload);
}

function mixingOf({ data, shape: [L, H, T] }) {
  return Array.from({ length: L }, (_, layer) => {
    const mixed = new Float64Array(T * T);
    for (let head = 0; head < H; head++) {
      const start = (layer * H + head) * T * T;
      for (let i = 0; i < T * T; i++) mixed[i] += data[start + i] / 65535 / H;
    }
    for (let q = 0; q < T; q++) {
      const row = mixed.subarray(q * T, q * T + q + 1);
      row[q] += 1;
      const sum = row.reduce((a, b) => a + b, 0);
      for (let k = 0; k <= q; k++) row[k] /= sum;
    }
    return mixed;
  });
}

/** What of `query` in the last layer comes through each token: L+1 rows of T shares, from the input to the last layer. */
export function sharesOf(payload, query) {
  const layers = mixing(payload);
  const T = payload.arrays.pattern.shape[2];
  const shares = Array.from({ length: layers.length + 1 }, () => new Float64Array(T));
  shares[layers.length][query] = 1;
  for (let layer = layers.length - 1; layer >= 0; layer--) {
    for (let q = 0; q <= query; q++) {
      const share = shares[layer + 1][q];
      for (let k = 0; k <= q; k++) shares[layer][k] += share * layers[layer][q * T + k];
    }
  }
  return shares;
}
