// The sink: many heads put most of a row on the first token. Without it, what is left of a row is divided by its sum.
// Pure: no DOM. Weights travel as 16-bit fractions, so little that is left says little: see LEAST_LEFT.

export const LEAST_LEFT = 0.005; // of a row: below, rounding would be a visible part of what is shown
const UNITS = 65535;

/** What is left of a row beside its first number: 1 minus that, where rows sum to 1; else the sum of the others. */
export function leftOf(units, T, query, sumsToOne, last = query) {
  if (last === 0) return 0;
  const start = query * T;
  if (sumsToOne) return 1 - units[start] / UNITS;
  let sum = 0;
  for (let k = 1; k <= last; k++) sum += units[start + k];
  return sum / UNITS;
}

/** The whole block without its first column, rows divided by what is left; where that is almost nothing, zeros. */
export function withoutFirst(units, T, left, last = (query) => query) {
  const found = new Float32Array(T * T);
  for (let q = 0; q < T; q++) {
    if (left[q] < LEAST_LEFT) continue;
    const end = q * T + last(q);
    for (let i = q * T + 1; i <= end; i++) found[i] = units[i] / left[q];
  }
  return found;
}
