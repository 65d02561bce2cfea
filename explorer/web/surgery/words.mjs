// The words of the Surgery page, to be read in one go; edits.mjs names what can be done, leaks.mjs tells what leaked.

import { byHand } from "../base/hand.mjs";
import { OFF } from "../base/payload.mjs";
import { certain, label, probability, quoted, visible } from "../base/text.mjs";
import { editName, placeName } from "./edits.mjs";

const FUTURE = " Attention to later tokens is drawn only in the Surgery tab; the other views hatch it.";
const NAMED = 3; // edits

export const PAGE = {
  back: "Show the model as it is",
  show: "Show the changed model",
  where: "Where to show the changed model",
  tool: "What to do",
  experiments: "Ready-made experiments, each with its own text",
  heads: "All heads",
  headsHint: byHand(
    "Press a head, a layer’s attention or an MLP to change it. Hover to look at a head; Shift-click pins it.",
  ),
  board: "Heads, attention and MLP of every layer",
  everywhere: "All heads of all layers",
  changes: "What is changed",
  loss: "Loss: how surprised the model is by your text",
  losses: "Change of each token's loss",
  lossHint: byHand(
    "Under each token: how its own loss changed. + (teal): harder to predict than before; − (brown): " +
      "easier. Hover over a token for both numbers.",
  ),
  noLoss: "A text of one token has nothing to predict.",
  leaked: "What leaked",
  next: "Next token",
  row: "This row as a table",
  rowTable: "Weights of the chosen token, before and after",
  weight: "weight (root scale)",
  hidden: "hidden by the mask",
};

export const SHOW = { here: "Only here", everywhere: "In all tabs" };
export const MAPS = { before: "before", after: "after", difference: "after − before" };

export const MASK = {
  about:
    "Row: the token that looks. Column: the token that is looked at. Press or drag to hide or show it; on the " +
    "keyboard, arrow keys move and Space toggles.",
  scope: "Whose mask",
  scopes: { head: "This head", attention: "This layer", everywhere: "All heads" },
  seen: "may be looked at",
  leak: "! comes later but may be looked at: a leak",
  hidden: "hidden",
  presets: "Masks to start from",
  causal: "Causal (normal)",
  open: "Let the future through",
  first: "First token only",
  window: "Window of",
  size: "Number of tokens in the window",
};

export const MEASURE = {
  title: "Does it hold in general?",
  about:
    "One text proves little. Measure what your changes do to the loss of 100 sentences, or switch off every head and " +
    "MLP, one after the other, and see which matter most. The sentences are from our own sample articles, which no " +
    "model was trained on. Each is read where it occurs in its article, after what comes before it.",
  go: "Measure on 100 sentences",
  ranks: { zero: "Rank by zero ablation", mean: "Rank by mean ablation" },
  nothing: "Change something first",
  waiting: "Waiting for its turn …",
  cancelled: "Cancelled.",
  effects: "Effect of every head and MLP",
  ranking: "Heads and MLPs by effect",
  stale: "Measured before your latest changes: measure again.",
  interval: "95% interval",
};

/** "+0.123", "−0.123", and what is rounded to nothing without a sign. */
export function signed(x, decimals = 3) {
  const size = Math.abs(x).toFixed(decimals);
  return Number(size) === 0 ? size : `${x < 0 ? "−" : "+"}${size}`;
}

export function bannerSentence(edits, hasReach) {
  const names = edits.slice(0, NAMED).map(editName);
  const more = edits.length - names.length;
  if (more > 0) names.push(`${more} more`);
  return `Every view shows a changed model: ${names.join("; ")}.${hasReach ? FUTURE : ""}`;
}

export const cutLabel = (place, state, signs) =>
  `${placeName(place)}: ${state ? `${state}, marked ${signs.join("")}` : "as it is"}`;
export const undoLabel = (edit) => `Undo: ${editName(edit)}`;

// what is changed in this text; of a sentence in parts, every second one is a number

export const lossParts = (was, now) => [
  "before ",
  was.toFixed(3),
  " → after ",
  now.toFixed(3),
  " nats per token, a change of ",
  signed(now - was),
  Math.abs(now - was) < 0.0005
    ? ": nothing changed."
    : now > was
      ? ": the model predicts your text worse."
      : ": the model predicts your text better.",
];

export const tokenLoss = (token, place, before, after) =>
  `${quoted(label(token, 24))} at position ${place}, predicted at position ${place - 1}: ` +
  `loss ${before.toFixed(3)} before, ${after.toFixed(3)} after`;
export const moreLines = (count) => `${count} more`;

export const attentionTitle = (layer, head, isSame) =>
  `Attention of layer ${layer}, head ${head}${isSame ? ": the same as before" : ""}`;
export const mapLabel = (title, name, query) =>
  `${title}, ${name}. A table has the numbers of the row at position ${query}.`;

/** Why the pattern of a layer is as it was; `first`: the first changed layer. */
export function whySame(layer, first) {
  if (layer < first) return "This layer comes before the first changed one: nothing that reaches it has changed.";
  if (layer === first)
    return "All heads of a layer read the same input, and the change acts on the output: it reaches only later layers.";
  return "";
}

export const NO_CELL = byHand("Hover over a cell to read its three numbers.");
export function cellParts(from, to, was, now) {
  const pair = [from, to].map((token) => quoted(label(token, 24))).join(" → ");
  return [`${pair}: `, was.toFixed(4), " before, ", now.toFixed(4), " after, ", changeOf(was, now)];
}

/** The difference of two weights, each of which may be off. */
export function changeOf(was, now) {
  const text = certain(now - was, 2 * OFF).replace("-", "−");
  return Number(text) > 0 ? `+${text}` : text;
}

export const expectsAfter = (token) => `What the model expects after ${quoted(label(token, 24))}`;
export function scaleSentence(top, isChanged, next) {
  const answer = next === undefined ? "" : ` Bold: the token your text continues with, ${quoted(visible(next))}.`;
  const sides = isChanged ? "gray before, violet after, highest after first" : "nothing is changed yet";
  return `Probability from 0 to ${probability(top)}: ${sides}.${answer}`;
}

// the mask

export const maskTitle = (place) => `Mask of ${placeName(place).toLowerCase()}`;
export const maskLabel = (T, sentence) => `Mask for ${T} tokens. ${sentence}`;
export function maskSentence(tokens, query, key, isSeen) {
  const [from, to] = [query, key].map((i) => quoted(label(tokens[i], 24)));
  const leak = isSeen && key > query ? ", which comes later: a leak" : "";
  return `${from} (position ${query}) ${isSeen ? "sees" : "does not see"} ${to} (position ${key})${leak}.`;
}

// what is measured

const countedName = (isEffect) => (isEffect ? "sentences" : "heads and MLPs");
export function progressSentence(done, of, isEffect, seconds) {
  const left = done ? ` · about ${Math.ceil((seconds / done) * (of - done))} s left` : "";
  return `${done}/${of} ${countedName(isEffect)}${left}`;
}
export const doneSentence = (of, isEffect, seconds) =>
  `Done: ${of} ${countedName(isEffect)} in ${seconds.toFixed(1)} s.`;

export const intervalText = ({ low, high }) => `${signed(low)} to ${signed(high)}`;
export function effectParts(edits, { mean, low, high, before }) {
  const verdict =
    low > 0
      ? "The changes make the model worse."
      : high < 0
        ? "The changes make the model better."
        : "The interval contains 0: no clear effect.";
  return [
    `${edits.map(editName).join("; ")}: `,
    signed(mean),
    " nats per token ",
    `(${MEASURE.interval} ${intervalText({ low, high })})`,
    `, from a loss of ${before.toFixed(3)}. ${verdict}`,
  ];
}
export const effectHint = (n) =>
  `Mean of ${n} differences, each sentence compared with itself; Student's t interval. A painted mask ` +
  "acts on the first positions of each article.";
export const rankingCaption = (how) =>
  `${how === "zero" ? "Switched off" : "Set to the mean"}, one at a time: change of the loss in nats ` +
  "per token. + is worse. The color scale ends at the largest effect of a head.";
export const sweepTitle = (one) => `${placeName(one)}: ${signed(one.mean)} (${intervalText(one)})`;
