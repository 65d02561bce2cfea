// The words of the tab Patch, to be read in one go.

import { label, pieceName, probability, quoted } from "../base/text.mjs";

export const PAGE = {
  title: "Activation patching",
  about:
    "The model reads the corrupted text with one activation replaced by its value on the clean text. 100: the " +
    "clean answer is fully back; 0: nothing changed (Meng et al. 2022; Wang et al. 2022).",
  experiments: "Ready-made experiments, each with its own two texts",
  clean: "Clean: the text above",
  corrupted: "Corrupted: the same text with a word changed",
  answer: "Answer",
  other: "instead of",
  auto: "likeliest",
  answerTitle: "The next token that the clean text should lead to; empty: the likeliest one",
  otherTitle: "The next token that the corrupted text leads to; empty: the likeliest one",
  run: "Patch",
  begin:
    "Choose an experiment, or change a word of the text and press Patch. Both texts must have the same number of " +
    "tokens.",
  pair: "Both texts, token by token",
  site: "What is put in",
  metric: "How the answer is measured",
  map: "What brings the answer back: a row for each layer",
  scale: "% brought back",
  estimate: "Italic: estimated from gradients until the exact runs are done.",
  next: "The next token, in all three runs",
  nextAbout: "Bold: the two tokens that are compared.",
  same: "Both texts give the same value: there is nothing to bring back. Change another word, or name the tokens.",
};

export const SITES = {
  resid_pre: "Residual stream",
  attn_out: "Attention",
  mlp_out: "MLP",
  z: "Heads",
  pattern: "Where heads look",
};
export const SITE_ABOUT = {
  resid_pre: "The residual stream just before a layer, at one position: everything known there at that point.",
  attn_out: "What the attention of a layer adds to the stream, at one position.",
  mlp_out: "What the MLP of a layer adds to the stream, at one position.",
  z: "The output of one head, at all positions.",
  pattern: "The attention pattern of one head: where it looks, not what it finds there.",
};
export const METRICS = { difference: "Logit difference", probability: "Probability", kl: "KL divergence" };

/** Every second part is a number. */
export function metricParts(metric, { clean, corrupted, answer, other }) {
  const [one, two] = [answer, other].map(({ text }) => quoted(pieceName(text)));
  const what = {
    difference: `Logit of ${one} minus that of ${two}`,
    probability: `Probability of ${one}`,
    kl: "KL(clean prediction ‖ this one), nats",
  }[metric];
  return [`${what}: `, fixed(clean), " on the clean text, ", fixed(corrupted), " on the corrupted one."];
}

const fixed = (value) => value.toFixed(3).replace("-", "−");
export const percent = (share) => `${share < -0.005 ? "−" : ""}${Math.abs(100 * share).toFixed(0)}`;

export const placeName = (site, { layer, head }, token, place) =>
  isOfHeads(site) ? `Layer ${layer}, head ${head}` : `Layer ${layer}, ${quoted(label(token, 24))} at position ${place}`;

export const isOfHeads = (site) => site === "z" || site === "pattern";

/** Every second part is a number. */
export const cellParts = (name, value, share, isExact) => [
  `${name}: the metric becomes `,
  fixed(value),
  ", which brings back ",
  `${percent(share)}%`,
  isExact ? "." : " (estimated).",
];

export const progress = (done, of) => (done < of ? `Layer ${done} of ${of}` : "");
export const columnTitle = (clean, corrupted, place) =>
  clean.text === corrupted.text
    ? `position ${place}: ${quoted(label(clean, 40))}`
    : `position ${place}: ${quoted(label(clean, 40))} became ${quoted(label(corrupted, 40))}`;
export const columnName = (clean, corrupted) =>
  clean.text === corrupted.text ? label(clean, 10) : `${label(clean, 8)} → ${label(corrupted, 8)}`;
export const written = probability;
