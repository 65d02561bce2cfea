// Likely tokens as bars: a name, a bar whose full width is the smallest round number that holds the largest, a number.

import { make } from "../base/dom.mjs";
import { probability } from "../base/text.mjs";

const TOPS = [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1];

/**
 * The probability at full width for bars of at most `p`; never below `least`, which would make little look like much.
 */
export function topOf(p, least = 0.05) {
  return TOPS.find((top) => top >= least && p <= top) ?? 1;
}

export function tokenBar(name, p, top, marked, written = probability(p)) {
  const fill = make("span", { className: "hs-fill" });
  fill.style.width = `${Math.min(1, p / top) * 100}%`;
  return make(
    "li",
    { className: marked ? "hs-marked" : "" },
    make("span", { className: "hs-bar-name", dir: "auto", text: name }),
    make("span", { className: "hs-track" }, fill),
    make("span", { className: "hs-number", text: written }),
  );
}

/** What stands below the bars. */
export function belowBars(top) {
  return ["0", "probability", String(top)].map((text) => make("span", { text }));
}
