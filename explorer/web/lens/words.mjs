// The words of the logit lens, to be read in one go; lens.mjs names the measures and the layers.

import { byHand } from "../base/hand.mjs";
import { label, quoted } from "../base/text.mjs";

export const PAGE = {
  title: "Logit lens",
  about: byHand(
    "Each cell shows the likeliest token if the vector after that layer is read the way the model reads its last " +
      "one: through the final norm and the output matrix. The norm was never trained for early layers, so their " +
      "rows show what can be read off there, not what the model “thinks” (nostalgebraist 2020). Hover over a cell " +
      "to open it; click to pin it.",
  ),
  key: "Bold: already the model's final choice.  ✓ the token your text has there.",
  table: "Logit lens: a row for each layer, a column for each token",
  colors: "What the cells' color shows",
  coloredBy: { probability: "Probability", entropy: "Entropy", kl: "KL divergence" },
  text: "your text",
  last: "the model itself",
  forms: "How the prediction forms",
  both: "Both tokens, layer by layer",
  choice: "the model's choice",
};

export const columnTitle = ({ predicts }, token, place) =>
  `${predicts === "own" ? "at" : "after"} ${label(token, 40)}, position ${place}`;
export const comesAfter = ({ predicts, tokens }, place) =>
  `What would ${predicts === "own" ? "stand at" : "come after"} ${quoted(label(tokens[place], 24))}`;

/** Of L layers; row 0 is the embedding. */
export function cellTitle(row, L) {
  if (row === L) return `After layer ${L - 1}: the model's own prediction`;
  return row === 0 ? "At the embedding, before any layer" : `After layer ${row - 1}`;
}

/** Every second part is a number: entropy, KL. */
export const sureParts = (entropy, kl, V, isEnd) => [
  "Entropy ",
  entropy.toFixed(3),
  ` nats: ${sureness(entropy, V)}. KL(final ‖ this layer) `,
  kl.toFixed(3),
  ` nats${isEnd ? ": this is the last layer" : ""}.`,
];

/** exp(entropy) is how many equally likely tokens would be as undecided. */
function sureness(entropy, V) {
  const as = Math.exp(entropy);
  return `as undecided as between ${as < 10 ? as.toFixed(1) : Math.min(V, Math.round(as))} equally likely tokens`;
}

export const choiceSentence = (name, onTop) => `${quoted(name)}, ${PAGE.choice}, ${onTop}`;
