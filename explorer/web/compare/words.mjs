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
      "The whole text is there from the start, and what it has to guess is hidden behind the mask token. So " +
      "every token may look to both sides. Padding (filler that makes the rows of a batch equally long) is " +
      "no text: nobody may look at it.",
  },
  {
    where: "Decoder",
    mask: "causal + padding",
    shape: { T: 6, S: 6, prefix: 0 },
    sees: (q, k) => k <= q && k < 5,
    why:
      "It learns to guess the next token at every place at once. A token that could look to the right would " +
      "simply read the answer. So each sees itself and what stands before it, and no padding.",
  },
  {
    where: "Encoder-decoder, prefix: its decoder",
    mask: "causal + padding, over title and text",
    shape: { T: 7, S: 7, prefix: 3 },
    sees: (q, k) => k <= q && k !== 2 && k < 6,
    why:
      "The title's states stand in front (left of the dashed line), so every token of the text sees all of " +
      "them: they come earlier. The causal mask covers them as well; they have seen each other in the " +
      "encoder already. Padding of the title and of the text is hidden.",
  },
  {
    where: "Encoder-decoder, cross: its decoder",
    mask: "causal + padding",
    shape: { T: 6, S: 6, prefix: 0 },
    sees: (q, k) => k <= q && k < 5,
    why: "Among its own tokens it is a decoder like any other.",
  },
  {
    where: "Encoder-decoder, cross: cross-attention",
    mask: "padding of the title only",
    shape: { T: 6, S: 4, prefix: 0 },
    sees: (_q, k) => k < 3,
    why:
      "Rows are tokens of the text, columns those of the title. The title is given, not guessed: to look at " +
      "all of it gives nothing away. Only its padding is hidden.",
  },
];

/** The paragraph on what to look at, for the columns that are there. */
export function whatToLookAt(columns, isTwoTexts) {
  const shown = columns.filter(({ error }) => !error);
  const has = (architecture) => shown.some((column) => column.architecture === architecture);
  const lines = [];
  if (isTwoTexts) {
    lines.push(
      "One model, two texts: weights and mask are the same, so whatever differs comes from the words. " +
        "Change one word and look which heads notice; the difference at the bottom shows it cell by cell if " +
        "both texts have as many tokens.",
    );
  } else {
    if (has("encoder") && has("decoder"))
      lines.push(
        "Point at a token in the middle: in the encoder its row (outlined) has weight on both sides of the " +
          "diagonal, in the decoder everything to the right of the diagonal is hatched. That one triangle is " +
          "the whole difference between the two: the layers are the same.",
      );
    else if (has("decoder"))
      lines.push(
        "In the decoder everything to the right of the diagonal is hatched: a token sees itself and what " +
          "stands before it.",
      );
    else if (has("encoder"))
      lines.push("In the encoder nothing is hatched: every token sees every other, also what comes later.");
    if (has("encoder-decoder-prefix"))
      lines.push(
        "In the prefix decoder look left of the dashed line: there every token of the text looks at the title.",
      );
    if (has("encoder-decoder-cross"))
      lines.push(
        "With cross-attention that look at the title is a picture of its own, with as many columns as the " +
          "title has tokens.",
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
      `${count}: the title (left of the dashed line) stands in front, then each token sees itself and what ` +
      "came before."
    );
  if (visible === T * S && T > 1) return `${count}: everybody sees everybody.`;
  return T > 1 ? `${count}: each token sees itself and what came before.` : `${count}: there is one token only.`;
}

/** Why two patterns cannot be subtracted, or null. */
export function whyNoDifference(a, b) {
  if (!a || !b) return "Choose two patterns.";
  if (a.T === b.T && a.S === b.S) return null;
  const size = ({ T, S }) => `${T} × ${S}`;
  return (
    `These cannot be subtracted cell by cell: the first is ${size(a)} (queries × keys), the second ` +
    `${size(b)}. Choose two of one size.`
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
      ? `the decoder the rest (${own} tokens, the start token among them)`
      : "the decoder only its start token, for the text has no second line";
  return `The encoder reads the first line, the title (${title} tokens); ${rest}.${cut}`;
}
