// What the search finds beside the lessons: terms of the glossary, and places of the app. Pure: no DOM.

import { GLOSSARY } from "../ui/glossary.mjs";

const MOST_TERMS = 3;
const SHORTEST_BEGINNING = 3; // letters that begin a name

/** @type {{names: string[], text: string, search: string}[]} */
const PLACES = [
  { names: ["induction"], text: "The first screen: two heads switched off", search: "?" },
  {
    names: ["induction", "attention sink", "previous token head", "duplicate token", "head role", "copying"],
    text: "Explore: what a head does",
    search: "?show=explore",
  },
  {
    names: ["activation patching", "causal tracing", "path patching", "patching"],
    text: "Explore › Patch",
    search: "?show=explore&panel=patch",
  },
  {
    names: ["zero ablation", "mean ablation", "ablation", "switch off", "surgery"],
    text: "Explore › Surgery",
    search: "?show=explore&panel=surgery",
  },
  { names: ["logit lens", "tuned lens"], text: "Explore › Lens", search: "?show=explore&panel=lens" },
  {
    names: ["logit attribution", "direct logit attribution", "residual stream"],
    text: "Explore › Residual stream",
    search: "?show=explore&panel=residual",
  },
  {
    names: ["beam search", "greedy", "nucleus", "sampling", "top k", "top p", "temperature"],
    text: "Generate: strategies side by side",
    search: "?show=generate",
  },
  {
    names: ["training", "checkpoint", "learning rate", "loss curve", "phase change"],
    text: "Train: what a model learns, step by step",
    search: "?show=train",
  },
];

/** Places of the app for what is asked. @returns {{text: string, search: string}[]} */
export function placesFor(words) {
  const asked = plain(words);
  return PLACES.filter(({ names }) => names.some((name) => isNamed(name, asked)));
}

/** Terms of the glossary: those so named, then those whose sentence says it. @returns {string[]} */
export function termsFor(words) {
  const asked = plain(words);
  if (!asked) return [];
  const terms = Object.keys(GLOSSARY);
  const named = terms.filter((term) => plain(term) === asked || (term.length > 1 && isNamed(plain(term), asked)));
  const saying = terms.filter((term) => ` ${plain(GLOSSARY[term])}`.includes(` ${asked}`) && asked.length > 1);
  return [...new Set([...named, ...saying])].slice(0, MOST_TERMS);
}

/** "KV-Cache " is "kv cache". */
const plain = (text) =>
  text
    .toLowerCase()
    .replace(/[-\s]+/g, " ")
    .trim();

const isNamed = (name, asked) =>
  ` ${asked} `.includes(` ${name} `) || (asked.length >= SHORTEST_BEGINNING && ` ${name}`.includes(` ${asked}`));
