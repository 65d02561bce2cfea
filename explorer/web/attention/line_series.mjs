// The lines in sight: a series for each head that is shown, and which of its weights are lines. Pure: no DOM.

import { drawn } from "../patterns/drawn.mjs";
import { headsShown, lineStyle } from "../color/heads.mjs";
import { headOf, OFF } from "../base/payload.mjs";
import { readsColumn, reading } from "../patterns/reading.mjs";

export const MOST = 3000; // lines that are drawn at once: more take too long, and are no picture any more
const BINS = 4096;

/** What the threshold can be; focus.least counts thousandths, as the address does. */
export const LEAST = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500];

/** [{head, name, color, dash, shown: what drawn() gives}]; a mean or maximum over heads is one series of no head. */
export function seriesOf(payload, focus) {
  if ((focus.by ?? "one") !== "one")
    return [{ head: null, name: "", color: "--hs-attention", dash: [], shown: drawn(payload, focus) }];
  return headsShown(focus, payload.arrays.pattern.shape[1]).map((head) => ({
    head,
    name: `H${headOf(payload, head)}`,
    ...lineStyle(head),
    shown: drawn(payload, { ...focus, head }),
  }));
}

/** Call `visit(query, key, weight)` for every line in sight: those of the chosen token, or all. */
export function eachLine({ shown }, focus, T, visit) {
  const column = readsColumn(focus);
  const { query, key } = focus;
  const row = (q) => {
    for (let k = 0; k <= shown.last(q); k++) visit(q, k, shown.at(q, k));
  };
  if (column && key !== null) {
    for (let q = shown.open ? 0 : key; q < T; q++) visit(q, key, shown.at(q, key));
  } else if (!column && query !== null) row(query);
  else for (let q = 0; q < T; q++) row(q);
}

/** The weight from which on lines are drawn: the chosen threshold, or a higher one above which MOST lines are left. */
export function floorOf(series, focus, T) {
  const bins = new Uint32Array(BINS + 1); // how many weights are between i / BINS and (i + 1) / BINS
  for (const one of series) eachLine(one, focus, T, (_query, _key, p) => (bins[Math.floor(p * BINS)] += 1));
  let [bin, lines] = [BINS, bins[BINS]];
  while (bin > 0 && lines + bins[bin - 1] <= MOST) lines += bins[--bin];
  return Math.max(focus.least / 1000, bin / BINS);
}

export function isDrawn(weight, floor) {
  return weight > 0 && weight >= floor;
}

/** (query, key) -> whether a line stands out: that of the chosen pair, else those of the token that is read. */
export function standsOut(payload, focus, shown) {
  const { column, token } = reading(payload, focus, shown);
  const { query, key } = focus;
  if (query !== null && key !== null && key <= shown.last(query)) return (q, k) => q === query && k === key;
  return column ? (_, k) => k === token : (q) => q === token;
}

/**
 * How many lines there are, how many of them are below `floor` and not drawn, and what share of the weight these
 * carry.
 */
export function counted(series, focus, T) {
  const floor = floorOf(series, focus, T);
  let [lines, hidden, weight, lost] = [0, 0, 0, 0];
  for (const one of series) {
    eachLine(one, focus, T, (_query, _key, p) => {
      lines += 1;
      weight += p;
      if (isDrawn(p, floor)) return;
      hidden += 1;
      lost += p;
    });
  }
  return { floor, lines, hidden, lost: weight > 0 ? lost / weight : 0, off: weight > 0 ? (OFF * lines) / weight : 0 };
}
