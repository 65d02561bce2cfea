// What the Compare page says in plain words. Pure: no DOM.

import { grouped } from "../base/text.mjs";

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
        "Hover over a token in the middle: in the encoder its row (outlined) has weight on both sides of the " +
          "diagonal; in the decoder everything to the right of the diagonal is masked (hatched). That triangle " +
          "is the only difference between the two: the layers are the same.",
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
