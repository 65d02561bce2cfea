// The words of the residual stream, to be read in one go; residual.mjs names the parts of the sum.

import { byHand } from "../base/hand.mjs";
import { grouped, label, pieceName, probability, quoted } from "../base/text.mjs";
import { partsOf, signed } from "./residual.mjs";

export const PAGE = {
  title: "Residual stream",
  about:
    "Every head and every MLP adds a vector to one running sum, the residual stream. The score (logit) of a " +
    "token is read off the end of that sum, so the score is a sum too. Here is what each part adds to it. Choose " +
    "the token whose score you want explained.",
  explain: "Explain",
  against: "compared with",
  nothing: "nothing: just the logit",
  type: "or type one",
  typed: "Any token, typed",
  example: "e.g. water",
  sum: "The sum, from the embedding to the end",
  sumTable: "What each part adds",
  crossing: "These are the heads of cross-attention; those of self-attention are in the sum, layer by layer.",
  heads: "Head by head",
  headsTable: "What each head adds: a row for each layer",
  headsHint: byHand("Hover over a head to see its attention; click to pin it."),
  bias: "the bias of the output projection: it belongs to no head",
  mlp: "the whole MLP of this layer",
  tensor: "the tensor that this head writes with, through its columns of out_proj",
  scale: "adds, logits",
  colors: "teal raises the score, brown lowers it",
  norms: "Vector norms",
  normsHint:
    "Length (Euclidean norm) of what each part adds, and of the stream after it. A long vector does not have to " +
    "point toward your token.",
};

/** What is held while the sum is taken apart; `norm` is "rms", or GPT-2's; post_norm: norms stand on the stream. */
export const heldSentence = ({ norm, post_norm: isPost }) =>
  (isPost
    ? "Each norm acts on the stream itself and divides by its standard deviation, which is held at the value it had. " +
      "A part is read through every norm after it, so parts from early layers come out small. "
    : norm === "rms"
      ? "The final norm divides the stream by its root mean square, which is held at the value it had. "
      : "The final norm subtracts the mean of the stream's numbers from each of them and divides by their standard " +
        "deviation; that divisor is held at the value it had. ") +
  "If a part changes what later parts write, that effect counts for the later parts (direct logit attribution, " +
  "Elhage et al. 2021).";

export function optionText({ predicts }, choice, text, p) {
  const how =
    { next: predicts === "own" ? "your text has" : "your text continues with", typed: "typed:" }[choice] ??
    `${choice}.`;
  return `${how} ${quoted(pieceName(text))}${p === null ? "" : `  ${probability(p)}`}`;
}

/** Every second part is a number: the logit, and the sum of the parts. `other`: the token compared with, or null. */
export function sumParts({ tokens, predicts }, place, shares, name, other) {
  const token = tokens[place];
  const where = predicts === "own" ? "At" : "After";
  const parts = partsOf(shares).sort((a, b) => b.value - a.value);
  const list = (some) => some.map((part) => `${part.name} ${signed(part.value, 2)}`).join(", ");
  const up = parts.filter(({ value }) => value > 0).slice(0, 3);
  const down = parts
    .filter(({ value }) => value < 0)
    .slice(-3)
    .reverse();
  const what = other ? `the logit of ${name} minus that of ${other} is ` : `the logit of ${name} is `;
  const ratio = other
    ? ` So ${name} is ${times(shares.logit)} ${other}.`
    : " Only differences between logits matter: compare with another token to see what decides.";
  return [
    `${where} ${quoted(label(token, 24))}, ${what}`,
    signed(shares.logit),
    `; the ${parts.length} parts add up to `,
    signed(parts.reduce((sum, { value }) => sum + value, 0)),
    `. Most in favor: ${list(up) || "nothing"}. Most against: ${list(down) || "nothing"}.${ratio}`,
  ];
}

/** A difference of logits in words: e to its power is the ratio of the probabilities. */
function times(difference) {
  const factor = Number(Math.exp(Math.abs(difference)).toPrecision(3));
  const written = factor < 1000 ? String(factor) : grouped(factor);
  return difference < 0 ? `${written} times less likely than` : `${written} times as likely as`;
}

export const headParts = (layer, head, adds, name, other) => [
  `Layer ${layer}, head ${head} adds `,
  signed(adds, 4),
  ` to ${other ? `the difference between ${name} and ${other}` : `the logit of ${name}`}.`,
];
