// The words of the Generate page, to be read in one go.

import { grouped, probability, quoted, several } from "../base/text.mjs";

export const PAGE = {
  title: "The model writes, one token at a time",
  intro:
    "For every next token the model gives each token of its vocabulary a probability; your settings reshape it, " +
    "and a random number selects. Press One token, or take one yourself.",
  step: "draw the next token",
  write: "draw one token after the other",
  undo: "go back by one token; it stays in the tree",
  clear: "discard everything generated after this text",
  use: "open it on the Explore page",
  choice: "How a token is chosen",
  choiceTable: "How the token is chosen, step by step",
  looks: "What the newest token looks at",
  tree: "Branches you explored",
  treeHint:
    "Shared beginnings appear once. Press a token to go there and continue; with the keyboard, use the arrow keys.",
  treeStart: "No branches yet. Go back to a token and choose another one: both continuations will stand here.",
  treeList: "The tree as a list",
  cache: "The KV cache",
  cacheHint: "The cache lasts for one run; between two of your clicks the server keeps nothing.",
  measure: "Measure with and without",
  measuring: "Writing the same tokens twice …",
  strategies: "Several strategies, side by side",
  strategiesHint: "The same text and seed, seven ways to choose. Tokens says how many each writes.",
  compare: "Compare strategies",
  numbers: "What the numbers mean",
  root: "the text that all of this continues",
  treeLabel: "Everything written so far; arrow keys move, Enter goes there",
  take: "press one to take it",
  minor: "Show or fold tokens below 0.001",
};

export const MEASURES = [
  [
    "Log-prob.",
    "Log-probability: how likely the whole text is under the model: the natural logarithms of its tokens' " +
      "probabilities, summed, before any setting is applied. Closer to 0 means likelier.",
  ],
  ["per token", "The same, divided by the number of tokens, so that texts of different lengths can be compared."],
  [
    "Repeated",
    "Of all runs of 4 tokens, the share that occurred in the text before. Greedy and beam search tend to go in " +
      "circles.",
  ],
  ["Distinct", "Of all pairs of neighboring tokens, the share of different ones (distinct-2, Li et al. 2016)."],
  ["Time", "Time in the model alone, without waiting for others. Beam search keeps 4 candidates at once."],
];

/** Below the text: how it ended, what is no longer seen, and how much is written. */
export function stateSentence({ hasEnded, slid, isEmpty, depth, most, hasAhead }) {
  return [
    hasEnded && "The model has ended its text here.",
    slid && "The window was full, so the model no longer sees the first tokens.",
    isEmpty && "There is no text: the model begins as it would any article.",
    `${depth} of at most ${grouped(most)} tokens written.`,
    hasAhead && "Gray: where you went from here before.",
    "Darker background: more confident.",
  ]
    .filter(Boolean)
    .join(" ");
}

/** How the token that stands there was chosen: `how` is "draw", "hand" or a strategy's name. */
export function chosenSentence({ how, name, p, place, settings, drawn }) {
  const facts = `probability ${probability(p)} by the model, place ${grouped(place)}.`;
  if (how === "draw") return `${quoted(name)}: ${facts} Drawn with ${settings}. ${drawn}`;
  if (how === "hand") return `You took ${quoted(name)} by hand: ${facts} ${drawn}`;
  return `${how} wrote ${quoted(name)}: ${facts} With the current settings: ${drawn}`;
}

export function modeWords(mode, name) {
  if (mode === "next") return "What comes next";
  return name === null ? "Nothing chosen yet" : `How ${quoted(name)} was chosen`;
}

export function strategiesSentence(depth, most) {
  const after = depth ? ` and the ${depth} tokens written so far` : "";
  return `After your text${after}, at most ${most} tokens each.`;
}

export function drawnSentence({ u, name, from, to }) {
  return (
    `The random number u = ${u.toFixed(4)} falls on ${quoted(name)}, ` +
    `which has the line from ${from.toFixed(4)} to ${to.toFixed(4)}.`
  );
}

export const greedySentence = (name) =>
  `Temperature 0: nothing is drawn, the likeliest token ${quoted(name)} is taken.`;
export const NO_NUMBER = "There is no random number yet: the seed must be a whole number.";

export function cacheSentence({ L, T, slid, isFirst, computed, bytes }) {
  const held = `${grouped(Math.round(bytes / 1024))} KiB`;
  const layers = several(L, "layer");
  if (slid)
    return (
      `The window of ${T} tokens is full and slides: every token gets a new position, so nothing can be reused, ` +
      `and all ${T} columns are recomputed in every step.`
    );
  if (isFirst)
    return (
      `First the model reads your text: keys and values of all ${T} tokens are computed at once, in ${layers}, ` +
      `and kept: ${held}.`
    );
  return (
    `To continue, ${computed} new column is computed in each of ${layers}; the ${grouped(T - 1)} earlier ones are ` +
    `reused as they are. Without the cache all ${T} would be computed again. Held now: ${held}.`
  );
}

export function timesSentence({ with_cache, without_cache, same, read, slid }) {
  const [quick, slow] = [with_cache, without_cache].map((values) => values.reduce((a, b) => a + b, 0));
  const times = slow / quick;
  const length = `${with_cache.length} tokens after ${grouped(read)}`;
  const ratio = `${times >= 10 ? Math.round(times) : times.toFixed(1)} times as long`;
  return [
    `${length}: ${seconds(quick)} with the cache, ${seconds(slow)} without, ${ratio}.`,
    same ? "Both wrote the same tokens." : "The two wrote different tokens: rounding tipped a near tie the other way.",
    slid && "The window filled up on the way: from then on the cache saves nothing.",
  ]
    .filter(Boolean)
    .join(" ");
}

export function seconds(ms) {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
}
