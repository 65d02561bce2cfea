// Several strategies next to each other: what each wrote, how likely the model finds it, and how much it repeats.

import { make } from "../base/dom.mjs";
import { seconds } from "./cache.mjs";
import { visible } from "../base/text.mjs";

export const WORDS = [
  [
    "Log-prob.",
    "Log-probability: how likely the model finds the whole text: the natural logarithms of its tokens' " +
      "probabilities, summed; whatever bent the draw, the model as it is judges. Nearer to 0 is likelier.",
  ],
  ["per token", "The same divided by the number of tokens, so that a short and a long text can be compared."],
  [
    "Repeated",
    "Of all runs of 4 tokens, the share that stood in the text before. Greedy and beam search tend to go round " +
      "in circles.",
  ],
  ["Distinct", "Of all pairs of neighbouring tokens, the share of different ones (distinct-2, Li et al. 2016)."],
  ["Time", "What the model alone needed, without waiting for others. Beam search keeps 4 beginnings at once."],
];

/** One strategy's card; `onWalk` puts its text into the tree. Without `found` it is being written. */
export function card(name, found, onWalk) {
  if (!found)
    return make(
      "li",
      { className: "hs-strategy hs-waits" },
      make("h3", { text: name }),
      make("p", { className: "hs-hint", text: "to be written …" }),
    );
  const text = make("p", {
    className: "hs-strategy-text",
    dir: "auto",
    text: found.text.trim() === "" ? visible(found.text) || "(ended at once)" : found.text,
  });
  const numbers = [
    ["Log-prob.", found.logprob.toFixed(2)],
    ["per token", found.logprob_per_token.toFixed(3)],
    ["Repeated", share(found.repeated)],
    ["Distinct", share(found.distinct)],
    ["Time", seconds(found.seconds * 1000)],
    ["Tokens", `${found.tokens.length}${found.ended ? ", ended" : ""}`],
  ];
  return make(
    "li",
    { className: "hs-strategy", "data-name": name },
    make("h3", { text: name }),
    make("p", { className: "hs-hint", text: found.about }),
    text,
    make(
      "dl",
      {},
      ...numbers.map(([what, number]) =>
        make("div", {}, make("dt", { text: what }), make("dd", { className: "hs-number", text: number })),
      ),
    ),
    make("button", { type: "button", text: "Put into the tree", onclick: onWalk }),
  );
}

function share(value) {
  return value === null ? "–" : `${Math.round(value * 1000) / 10} %`;
}
