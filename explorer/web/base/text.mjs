// Token text for labels. Pure: no DOM. What it returns goes into textContent or a canvas, never into markup.

/** Said where layers and heads are first met. */
export const COUNTED = "Layers and heads count from 0, as in the code.";

const ROLES = { "<|startofarticle|>": "start", "<|endoftext|>": "end", "<|padding|>": "padding", "<|mask|>": "mask" };

/**
 * White space, control and format characters made visible, and halves of surrogate pairs; inner and leading spaces
 * stay.
 */
export function visible(text) {
  if (text !== "" && text.trim() === "")
    return [...text].map((c) => ({ "\n": "⏎", "\t": "⇥", " ": "␣" })[c] ?? codePoint(c)).join("");
  return text
    .replace(/\n/g, "⏎")
    .replace(/\t/g, "⇥")
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, codePoint);
}

function codePoint(character) {
  return `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}

/** A short label: special tokens by their role, long ones cut. */
export function label(token, limit = 14) {
  if (token.special) return ROLES[token.text] ?? token.text;
  const shown = visible(token.text).trim() || "␣";
  const letters = [...shown];
  return letters.length > limit ? `${letters.slice(0, limit - 1).join("")}…` : shown;
}

/** A token of the vocabulary: special ones by their role (ordinary text never becomes a token of that name). */
export function pieceName(text) {
  return ROLES[text] ? `⟨${ROLES[text]}⟩` : visible(text);
}

/** With so many decimals; what is rounded to nothing has no sign. */
export function fixed(value, decimals) {
  const text = value.toFixed(decimals);
  return Number(text) === 0 ? text.replace("-", "") : text;
}

/**
 * A number that is known to within `off`: with as many decimals, at most `most`, as both ends of what it may be are
 * rounded to alike, so that each digit is its own.
 */
export function certain(value, off, most = 4) {
  let decimals = most;
  while (decimals > 0 && fixed(value - off, decimals) !== fixed(value + off, decimals)) decimals -= 1;
  return fixed(value, decimals);
}

/** A probability, known to within `off`, with three decimals; small ones in words that stay true. */
export function probability(p, off = 0) {
  return p > 0 && p + off < 0.0005 ? "<0.001" : certain(p, off, 3);
}

/** A probability with two digits that count where three decimals would hide what differs. */
export function fineProbability(p) {
  if (p <= 0 || p >= 0.0095) return probability(p);
  return p < 1e-4 ? p.toExponential(1) : p.toPrecision(2);
}

export function quoted(text) {
  return `“${text}”`;
}

export function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** "1 layer", "6 layers". */
export function several(count, name) {
  return `${count} ${name}${count === 1 ? "" : "s"}`;
}

const listed = new WeakMap(); // by a list of tokens: its labels, by their limit

/** The labels of tokens; the same list as long as the tokens are the same. */
export function labels(tokens, limit = 14) {
  if (!listed.has(tokens)) listed.set(tokens, new Map());
  const lists = listed.get(tokens);
  if (!lists.has(limit))
    lists.set(
      limit,
      tokens.map((token) => label(token, limit)),
    );
  return lists.get(limit);
}

/** A model's name for the screen: of a file its name, of a folder its own name and the name of the folder around it. */
export function modelName(name) {
  if (!/^([/~.\\]|[a-z]:)/i.test(name)) return name; // ours, a run of ours, or an id of the Hub
  const parts = name.split(/[/\\]/).filter(Boolean);
  return parts.slice(/\.(gguf|pt)$/i.test(name) ? -1 : -2).join("/");
}
