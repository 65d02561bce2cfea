// What the Compare page says in plain words. Pure: no DOM.

import { byHand } from "../base/hand.mjs";
import { OFF } from "../base/payload.mjs";
import { certain, fineProbability, grouped, label, pieceName, probability, quoted, several } from "../base/text.mjs";

const ROWS = "Row by row: what each token may see, where it attends, what the model predicts, and what it costs.";

export const PAGE = {
  title: "Side by side",
  intros: {
    models: `Your text runs through each model you choose. ${ROWS}`,
    texts: `Two texts run through the same model. ${ROWS}`,
  },
  what: "What to compare",
  modes: { models: "Several models", texts: "Two texts" },
  models: "Models",
  second: "The second text",
  compare: "Compare",
  folder: "Folder of a saved model",
  folderExample: "a folder with a saved model, such as runs/decoder/model",
  add: "Add",
  place: "Layer and head",
  links: { linked: "same in all columns", own: "separate for each column" },
  look: "What to look at",
  running: "Running the models for the first time …",
  oneLine:
    "An encoder-decoder reads the first line as the title and the rest as the text, but your text has one line. ",
  twoLines: "Replace it with an example of two lines",
  inSight: "Model in view",
  masks: "Which mask is used where, and why",
  masksHint:
    "The small pictures show a row of a batch whose last position is padding, so its column is hidden too (in the " +
    "prefix picture: the third position of the title and the last of the text). Your own text runs alone, without " +
    "padding.",
};

export const STAGES = [
  ["The model", ""],
  ["Its mask", "Which tokens may attend to which: a row for each query, a column for each key. Hatched: masked."],
  [
    "Its attention",
    byHand(
      "Attention weights of one head: how strongly each query (row) attends to each key (column). A " +
        "stronger color means more. Hover over a cell to read its number; click to pin it.",
    ),
  ],
  ["What it predicts", ""],
  [
    "Cost and quality",
    "FLOPs count the multiplications and additions in the matrix products of one forward pass. Compare losses " +
      "only of the same kind, and after the same number of tokens: guessing a masked token is a different task " +
      "from guessing the next one.",
  ],
];

export const COLUMN = {
  numbers: "These numbers as a table",
  numbersTable: "Attention weights: rows are queries, columns are keys",
  which: "Which attention",
  tabs: { encoder: "Encoder", decoder: "Decoder", cross: "Cross" },
  hide: byHand("One token is hidden for the model to guess: click another token to hide that one."),
  after: byHand("Click a token to see what the model expects after it."),
  full: "The text fills the model's window: there is no room to continue.",
  blank: "(white space only)",
  empty: "(empty)",
  end: "This is the end of the text.",
  costs: "Cost and quality",
  loss: "Held-out loss",
  noLoss: "not measured",
  tensor: "the tensor and the index of this number",
};

export const DIFFERENCE = {
  title: "Difference of two patterns",
  about: "The first pattern minus the second, for the layer and head that each column shows.",
  minus: "minus",
  row: "This row as a table",
  table: "Both patterns and their difference",
  equal: "The two are equal in every cell.",
};

export const KINDS = {
  encoder: "Encoder: self-attention",
  decoder: "Decoder: self-attention",
  cross: "Cross-attention: decoder to encoder",
};

/** The kinds of mask, in the order of the table. `sees(q, k)`: in a row of 6 places whose last is padding. */
export const MASKS = [
  {
    where: "Encoder",
    mask: "padding only",
    shape: { T: 6, S: 6, prefix: 0 },
    sees: (_q, k) => k < 5,
    why:
      "The whole text is given at once, and the token to guess is replaced by the mask token. So every token may " +
      "attend in both directions. Padding (filler that makes the rows of a batch equally long) is not text, so " +
      "it is masked.",
  },
  {
    where: "Decoder",
    mask: "causal + padding",
    shape: { T: 6, S: 6, prefix: 0 },
    sees: (q, k) => k <= q && k < 5,
    why:
      "It learns to predict the next token at every position at once. A token that could look to the right would " +
      "simply read the answer. So each token sees itself and the tokens before it, and no padding.",
  },
  {
    where: "Encoder-decoder, prefix: its decoder",
    mask: "causal + padding, over title and text",
    shape: { T: 7, S: 7, prefix: 3 },
    sees: (q, k) => k <= q && k !== 2 && k < 6,
    why:
      "The title's encoder states come first (left of the dashed line), so every token of the text sees all of " +
      "them. The causal mask applies to them too; they have already attended to each other in the encoder. " +
      "Padding of the title and of the text is masked.",
  },
  {
    where: "Encoder-decoder, cross: its decoder",
    mask: "causal + padding",
    shape: { T: 6, S: 6, prefix: 0 },
    sees: (q, k) => k <= q && k < 5,
    why: "Among its own tokens it works like any decoder.",
  },
  {
    where: "Encoder-decoder, cross: cross-attention",
    mask: "padding of the title only",
    shape: { T: 6, S: 4, prefix: 0 },
    sees: (_q, k) => k < 3,
    why:
      "Rows are tokens of the text, columns are tokens of the title. The title is given, not predicted, so " +
      "seeing all of it gives nothing away. Only its padding is masked.",
  },
];

export const tooMany = (most) => `At most ${most} columns: remove one first.`;
export const inColumns = (text, count) => `“${text.slice(0, 40)}” in ${count} columns`;

/** The paragraph on what to look at, for the columns that are there. */
export function whatToLookAt(columns, isTwoTexts) {
  const shown = columns.filter(({ error }) => !error);
  const has = (architecture) => shown.some((column) => column.architecture === architecture);
  const lines = [];
  if (isTwoTexts) {
    lines.push(
      "One model, two texts: weights and mask are the same, so every difference comes from the words. " +
        "Change one word and see which heads react. If both texts have the same number of tokens, the " +
        "difference at the bottom shows it cell by cell.",
    );
  } else {
    if (has("encoder") && has("decoder"))
      lines.push(
        byHand(
          "Hover over a token in the middle: in the encoder its row (outlined) has weight on both sides of the " +
            "diagonal; in the decoder everything to the right of the diagonal is masked (hatched). Their " +
            "layers are built alike; this triangle, and what each was trained to predict (a masked token, or the " +
            "next one), make the difference.",
        ),
      );
    else if (has("decoder"))
      lines.push(
        "In the decoder everything to the right of the diagonal is masked (hatched): a token sees itself and the " +
          "tokens before it.",
      );
    else if (has("encoder"))
      lines.push("In the encoder nothing is masked: every token sees every other, including later ones.");
    if (has("encoder-decoder-prefix"))
      lines.push(
        "In the prefix decoder, look left of the dashed line: there every token of the text attends to the title.",
      );
    if (has("encoder-decoder-cross"))
      lines.push(
        "With cross-attention, attention to the title is a separate matrix, with one column for each token of " +
          "the title.",
      );
  }
  return lines.join(" ");
}

/** "36 of 64 pairs visible: …" for a mask of T queries and S keys. */
export function maskLine({ name, T, S, mask, prefix }) {
  const visible = mask.reduce((sum, value) => sum + value, 0);
  const count = `${grouped(visible)} of ${grouped(T * S)} pairs visible`;
  if (name === "cross") return `${count}: every token of the text sees the whole title.`;
  if (prefix)
    return (
      `${count}: the title (left of the dashed line) comes first, then each token sees itself and what ` +
      "came before."
    );
  if (visible === T * S && T > 1) return `${count}: every token sees every token.`;
  return T > 1 ? `${count}: each token sees itself and what came before.` : `${count}: there is only one token.`;
}

/** Why two patterns cannot be subtracted, or null. */
export function whyNoDifference(a, b) {
  if (!a || !b) return "Choose two patterns.";
  if (a.T === b.T && a.S === b.S) return null;
  const size = ({ T, S }) => `${T} × ${S}`;
  return (
    `These cannot be subtracted cell by cell: the first is ${size(a)} (queries × keys), the second ` +
    `${size(b)}. Choose two of the same size.`
  );
}

/** 1234567 -> "1.23 M". */
export function short(number) {
  const unit = Object.entries({ T: 1e12, G: 1e9, M: 1e6, k: 1e3 }).find(([, size]) => number >= size);
  return unit ? `${(number / unit[1]).toPrecision(3)} ${unit[0]}` : String(number);
}

export function sum(parts) {
  return Object.values(parts).reduce((total, value) => total + value, 0);
}

/** What became of the text in this column, where that is not plain. */
export function inputLine({ architecture, parts, used, total }) {
  const cut =
    used < total ? ` Shown: the first ${grouped(used)} of ${grouped(total)} tokens; the window ends there.` : "";
  if (!architecture.startsWith("encoder-decoder")) return `${grouped(used)} tokens.${cut}`;
  const title = parts[0].keys.length;
  const own = parts[1].queries.length - parts[1].prefix;
  const rest =
    own > 1
      ? `the decoder the rest (${own} tokens, including the start token)`
      : "the decoder only its start token, because the text has no second line";
  return `The encoder reads the first line, the title (${title} tokens); ${rest}.${cut}`;
}

// a column

export const savedHere = (architecture) => `${architecture}, saved here`;
export const maskLabel = (part) => `Mask of ${KINDS[part.name]}. ${maskLine(part)}`;
export const chipLabel = (masks, place, token) => `${masks ? "Hide" : "After"} token ${place}: ${label(token)}`;
export const continuation = ({ ids, ended }) =>
  `Greedy continuation of the text (the likeliest token, ${ids.length} ` +
  `times${ended ? "; then the model ends the text" : ""}):`;

export function headCaption(name, layer, head, /** @type {number[]} */ [L, H], isClipped) {
  const clipped = isClipped ? ` (this stack has ${L} layers × ${H} heads)` : "";
  return `${KINDS[name]} · layer ${layer}, head ${head}${clipped}`;
}

export const expectsHidden = (place) => `What it expects at the hidden position ${place}`;
export const expectsAfter = (token, isLast) =>
  `What it expects after ${quoted(label(token, 24))}${isLast ? ", the end of the text" : ""}`;
export const restSentence = (others, rest) => `The other ${grouped(others)} tokens share ${probability(rest)}.`;
export const truthSentence = (text, p, rank, V) =>
  `Actual token: ${quoted(pieceName(text))}, probability ${fineProbability(p)}, rank ` +
  `${grouped(rank)} of ${grouped(V)}.`;

const named = (token) => quoted(label(token, 24));
/** `best`: [{token, p}]. */
export const looksMost = (from, best) =>
  `${named(from)} looks most at ${best.map(({ token, p }) => `${named(token)} ${probability(p)}`).join(", ")}.`;
export const cannotSee = (from, to) => `${named(from)} cannot see ${named(to)}: the mask hides it.`;
export const looksAt = (from, to) => `${named(from)} looks at ${named(to)} with weight `;

export const timeSentence = ({ runs, threads }) =>
  `the fastest of ${runs} forward passes on this server's CPU, ${several(threads, "thread")}`;
export const lossSentence = ({ unit, tokens }) =>
  `${unit}, on articles it was not trained on${tokens ? `; it was trained on ${short(tokens)} tokens` : ""}`;

/** "(1,234,567): attention 40%, …", what is under half a percent left out. */
export function sharesText(parts) {
  const all = sum(parts);
  const shares = Object.entries(parts)
    .filter(([, value]) => value >= all / 200)
    .map(([name, value]) => `${name} ${Math.round((value / all) * 100)}%`);
  return `(${grouped(all)}): ${shares.join(", ")}`;
}

// the difference of two patterns

export const patternLabel = (name) => `The ${name} pattern`;
export const patternOption = ({ index, title, name }, part) => `${index + 1} ${title ?? name} · ${KINDS[part.name]}`;
export const scaleEnds = (top) => [`−${top} more in the second`, `more in the first +${top}`];
export const differenceLabel = (sentence) => `${DIFFERENCE.title}. ${sentence}`;
export const largestDifference = (most) =>
  byHand(`The largest difference is ${certain(most, 2 * OFF)}. Hover over a cell to read its number.`);
/** The difference of two weights, each of which may be off. */
export function signed(number) {
  const text = certain(number, 2 * OFF);
  return Number(text) > 0 ? `+${text}` : text;
}
export const differenceSentence = (from, to, first, second) =>
  `${named(from)} to ${named(to)}: ${first.toFixed(4)} − ${second.toFixed(4)} = ${signed(first - second)}`;
