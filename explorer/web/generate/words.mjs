// The words of the Generate page, to be read in one go.

import { grouped, label, probability, quoted, several } from "../base/text.mjs";

export const PAGE = {
  title: "The model writes, one token at a time",
  intro:
    "At every step, the model gives each token of its vocabulary a probability. Your settings reshape these " +
    "probabilities, and a random number selects a token. Press One token, or choose a token yourself.",
  step: "draw the next token",
  write: "draw one token after the other",
  undo: "go back one token; it stays in the tree",
  clear: "discard everything generated after this text",
  use: "open it on the Explore page",
  choice: "How a token is chosen",
  choiceTable: "How the token is chosen, step by step",
  looks: "What the newest token looks at",
  tree: "Branches you explored",
  treeHint:
    "Shared beginnings appear once. Press a token to go there and continue; with the keyboard, use the arrow keys.",
  treeStart: "No branches yet. Go back to a token and choose another one: both continuations then appear here.",
  treeList: "The tree as a list",
  cache: "The KV cache",
  cacheHint: "The cache lasts for one run; between two runs the server keeps nothing.",
  measure: "Measure with and without",
  measuring: "Writing the same tokens twice …",
  strategies: "Several strategies, side by side",
  strategiesHint: "The same text and seed, seven ways to choose. The setting Tokens limits how many each one writes.",
  compare: "Compare strategies",
  numbers: "What the numbers mean",
  root: "the text that all of this continues",
  treeLabel: "Everything written so far; arrow keys move, Enter goes there",
  take: "press one to take it",
  minor: "Show or fold tokens below 0.001",
  buttons: {
    step: "One token ▸",
    write: "Write ▸▸",
    stop: "Stop",
    undo: "Undo",
    clear: "Clear",
    use: "Look inside this text",
  },
  written: "Written text",
  which: "Which choice to look at",
  old: "of the token before",
  seed: "Seed",
  seedHint: "same seed, same text",
  line: "what remains, likeliest first",
  reused: "reused",
  keys: "K computed",
  values: "V computed",
  newToken: "new token",
  waiting: "waiting …",
  ended: "(ended at once)",
  walk: "Add to the tree",
  start: "your text",
};

/** The table of a choice. */
export const TABLE = {
  model: "as it predicts",
  noTopK: "No top-k",
  noTopP: "No top-p",
  sum: "down to here",
  removed: "removed by this step",
  left: "Tokens left",
  mass: "Mass removed",
};
export const removesText = (count, mass) =>
  count === 0 ? "removes nothing" : `removes ${grouped(count)}: ${probability(mass)}`;
export const movesText = (mass) => (mass < 0.0005 ? "moves nothing" : `moves ${probability(mass)}`);
export const takeTitle = (id, place) => `token ${id}, rank ${place}: take it and continue from there`;
export const othersText = (count) => `${grouped(count)} others`;
export const fieldLabel = (label) => `number input for ${label}`;

export const MEASURES = [
  [
    "Log-prob.",
    "Log-probability: how likely the whole text is under the model. It is the sum of the natural logarithms of its " +
      "tokens' probabilities, before any setting is applied. Closer to 0 means likelier.",
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
    "Stronger background: more confident.",
  ]
    .filter(Boolean)
    .join(" ");
}

/** How the token that stands there was chosen: `how` is "draw", "hand" or a strategy's name. */
export function chosenSentence({ how, name, p, place, settings, drawn }) {
  const facts = `probability ${probability(p)} by the model, rank ${grouped(place)}.`;
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
    `which covers ${from.toFixed(4)} to ${to.toFixed(4)} of the line.`
  );
}

export const barSentence = (top) => `A full bar is ${probability(top)}.`;
export const nextSentence = (drawn) => `${drawn} Press One token to take it.`;
export const greedySentence = (name) =>
  `Temperature 0: nothing is drawn, the likeliest token ${quoted(name)} is taken.`;
export const NO_NUMBER = "There is no random number yet: the seed must be a whole number.";

export const rowLabel = (layer, head) => `Attention of the newest token, layer ${layer}, head ${head}`;
/** `best`: [{token, share, isNewest}]. */
export function rowSentence(newest, best) {
  const named = best.map(
    ({ token, share, isNewest }) => `${quoted(label(token))}${isNewest ? " (itself)" : ""} ${probability(share)}`,
  );
  return `${quoted(label(newest, 24))} (outlined) attends most to ${named.join(", ")}.`;
}
export const shareTitle = (place, share) => `position ${place}: ${probability(share)}`;

export const writtenTitle = (p, rank, how) =>
  p === null ? `written by ${how}` : `probability ${probability(p)}, rank ${grouped(rank)}`;
export function nodeTitle({ logprob, depth, how }) {
  const p = logprob === null ? "" : `probability ${probability(Math.exp(logprob))}, `;
  return `token ${depth}: ${p}${{ draw: "drawn", hand: "chosen by hand" }[how] ?? `written by ${how}`}`;
}

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
