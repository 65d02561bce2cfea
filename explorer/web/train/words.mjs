// The words of both parts of the Train page, to be read in one go. Pure: no DOM.

import { byHand } from "../base/hand.mjs";
import { OFF_NEAREST } from "../base/payload.mjs";
import { label, probability, quoted } from "../base/text.mjs";

export const PARTS = { live: "Train a tiny model now", timeline: "Watch a model learn" };
export const SWITCH = "What to see of training";

export const HEAD = {
  hint: byHand(
    "A row for each query token, a column for each key token. Hover over a cell to read it; click a row to " +
      "pin that token.",
  ),
  row: "This row as a table",
  table: "Weights of the chosen token",
  tensor: "the tensor and the index of this number",
};

export const HEADS = {
  title: "All heads at this step",
  advice: "then move through the steps and watch its pattern emerge",
  noBadge: "At this step no head has a badge: none scores far above uniform attention.",
  badges: "Badges: ",
};

export const headTitle = (layer, head, step) => `Layer ${layer}, head ${head}, step ${step}`;
export const headLabel = (title, part, said) =>
  `${title}, ${part.title}: attention of ${part.T} tokens to ${part.S}. ${said}`;

const named = (token) => quoted(label(token, 24));
/** `best`: [{token, p}]. */
export function looksMost(from, best) {
  const each = best.map(({ token, p }) => `${named(token)} ${probability(p, OFF_NEAREST)}`);
  return `${named(from)} looks most at ${each.join(", ")}.`;
}
export const cannotSee = (from, to) => `${named(from)} cannot see ${named(to)}: the mask hides it.`;
export const looksAt = (from, to) => `${named(from)} looks at ${named(to)} with weight `;

export const headsHint = (advice) =>
  "Each picture is one head: a row for each token, colored where that token attends. Press one to enlarge " +
  `it; ${advice}.`;
export const headsLabel = (title) => `All heads of ${title}: one row for each layer`;
export const badgesLabel = (layer, head, names) =>
  `Layer ${layer}, head ${head}${names.length ? `: ${names.join(", ")}` : ""}`;
