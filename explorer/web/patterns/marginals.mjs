// How much attention each token receives and gives: sums along the columns and rows of what is drawn. Pure: no DOM.

import { OFF } from "../base/payload.mjs";

/**
 * What each key receives: the mean over the queries that can see it. Without that, the last keys of a causal pattern
 * would look neglected, whatever the model does. NaN where nothing can be said: the hidden first token, or a key that
 * is seen by rows only of which almost nothing is left.
 */
export function received(shown) {
  const { T, block } = shown;
  const [sums, seen] = [new Float64Array(T), new Uint32Array(T)];
  for (let query = 0; query < T; query++) {
    if (shown.state(query, query) !== "seen") continue;
    for (let key = shown.hidden ? 1 : 0; key <= shown.last(query); key++) {
      sums[key] += block[query * T + key];
      seen[key] += 1;
    }
  }
  return sums.map((sum, key) => sum / 65535 / seen[key]);
}

/** How far `received` may be off at a key. */
export function offReceived(shown, key) {
  if (!shown.hidden) return OFF;
  const offs = Array.from({ length: shown.T }, (_, query) =>
    shown.state(query, key) === "seen" ? shown.off(query, key) : 0,
  );
  return Math.max(...offs);
}

/**
 * What a query gives: {first, others, itself}, shares of its row that sum to 1. A row always sums to 1, so that what
 * tells tokens apart is whether it goes away at all, and whether to more than the first token. null: almost nothing
 * is left of the row.
 */
export function given(shown, query) {
  if (shown.state(query, query) !== "seen") return null;
  const total = shown.total(query);
  const itself = shown.at(query, query) / total;
  const first = query === 0 ? 0 : shown.at(query, 0) / total;
  return { first, others: Math.max(0, 1 - first - itself), itself };
}

/** How far each of those may be off. */
export function offGiven(shown, query, { first, itself }) {
  if (shown.hidden) return { first: 0, others: shown.off(query, query), itself: shown.off(query, query) };
  const [of, least] = [(share) => shown.offShare(query, share), OFF / shown.total(query)];
  return { first: of(first), others: Math.max(of(first), least) + Math.max(of(itself), least), itself: of(itself) };
}
