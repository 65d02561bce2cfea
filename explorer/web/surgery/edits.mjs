// Edits of the model, as llm_core/analysis/surgery.py understands them: {what, how, layer, head, n, rows}. Pure: no
// DOM.

export const HOWS = {
  zero: {
    tool: "Switch off",
    says: "off",
    sign: "0",
    about:
      "Zero ablation: what comes out of a head, or of an MLP, is replaced by zeros. The bias of a layer’s attention " +
      "output is still added, even if all its heads are off.",
  },
  absent: {
    tool: "Leave out",
    says: "left out",
    sign: "∅",
    about:
      "The layer’s attention, or its MLP, adds nothing at all to the stream, not even a bias, as if it were not " +
      "there. Press All or MLP.",
  },
  mean: {
    tool: "Mean",
    says: "its mean",
    sign: "μ",
    about:
      "Mean ablation: its output is replaced by its average over the first 64 tokens of each of 24 sample articles: " +
      "one vector, the same at every position. It keeps adding what it adds on average, but no longer reacts to " +
      "your text.",
  },
  uniform: {
    tool: "Look everywhere",
    says: "attends to all tokens equally",
    sign: "≡",
    about: "Its pattern is frozen: every visible token gets the same weight.",
  },
  diagonal: {
    tool: "Look at itself",
    says: "looks at itself",
    sign: "╲",
    about: "Its pattern is frozen: every token looks only at itself.",
  },
  previous: {
    tool: "Look one back",
    says: "looks one back",
    sign: "←",
    about: "Its pattern is frozen: every token looks only at the one before it.",
  },
  mask: {
    tool: "Paint a mask",
    sign: "▦",
    about: "You decide which tokens may be attended to. Normally a token sees itself and the tokens before it.",
  },
};
const MASKS = { open: "sees the future", first: "sees the first token only", painted: "painted mask" };
const OF_LAYERS = ["zero", "mean", "absent"];
const MASK_HOWS = ["open", "window", "first", "painted"];

export const isMask = ({ how }) => MASK_HOWS.includes(how);
/** Whether an edit can be made of a head, an MLP, or a layer's attention. */
export const fits = (how, what) => (what === "mlp" ? OF_LAYERS.includes(how) : what !== "head" || how !== "absent");

export function placeName({ what, layer, head }) {
  if (what === "everywhere") return "All heads";
  return `Layer ${layer}, ${what === "head" ? `head ${head}` : what === "mlp" ? "MLP" : "attention"}`;
}

export function editName(edit) {
  const says = edit.how === "window" ? `sees the last ${edit.n}` : (MASKS[edit.how] ?? HOWS[edit.how].says);
  return `${placeName(edit)}: ${says}`;
}

/** Whether `wide` changes everything that `narrow` does, in the same respect. */
function covers(wide, narrow) {
  if (isMask(wide) !== isMask(narrow) || (wide.what === "mlp") !== (narrow.what === "mlp")) return false;
  if (wide.what === "everywhere") return true;
  return (
    wide.layer === narrow.layer &&
    (wide.what === "attention"
      ? narrow.what !== "everywhere"
      : wide.what === narrow.what && (wide.head ?? null) === (narrow.head ?? null))
  );
}

/** The edits with `edit` last, where it counts; what it covers is dropped. */
export function put(edits, edit) {
  return [...edits.filter((other) => !covers(edit, other)), edit];
}

/** Put it, or take it away if it is there already. */
export function toggle(edits, edit) {
  const same = JSON.stringify(edit);
  return edits.some((other) => JSON.stringify(other) === same)
    ? edits.filter((other) => JSON.stringify(other) !== same)
    : put(edits, edit);
}

/** The edits that count for one head, or for an MLP (head null): {change, mask}. */
export function counting(edits, layer, head) {
  const own = edits.filter((edit) => covers(edit, { ...edit, what: head === null ? "mlp" : "head", layer, head }));
  return { change: own.findLast((edit) => !isMask(edit)), mask: own.findLast(isMask) };
}

/** Whether the query sees the key with that mask edit, or with none. */
export function sees(mask, query, key) {
  if (mask?.how === "open") return true;
  if (mask?.how === "window") return key <= query && key > query - mask.n;
  if (mask?.how === "first") return key === 0;
  if (mask?.how === "painted" && query < mask.rows.length && key < mask.rows.length)
    return mask.rows[query][key] === "1";
  return key <= query;
}

/** A mask as rows of 0 and 1, for T tokens. */
export function rowsOf(mask, T) {
  return Array.from({ length: T }, (_, query) =>
    Array.from({ length: T }, (_, key) => (sees(mask, query, key) ? "1" : "0")).join(""),
  );
}

export function isCausal(rows) {
  return rows.every((row, query) => row === "1".repeat(query + 1) + "0".repeat(rows.length - query - 1));
}

// as one word for the address: "zero.h.3.2~window4.e", layers and heads from 0

const LETTERS = { head: "h", attention: "a", everywhere: "e", mlp: "m" };
const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"; // six cells of a mask each
const LONGEST = 600;

/** "" for none, or if it would be too long. */
export function writeEdits(edits) {
  const text = edits
    .map((edit) => {
      const place = [edit.layer, edit.head].filter((value) => value !== undefined);
      const painted = edit.how === "painted" ? [edit.rows.length, toDigits(edit.rows.join(""))] : [];
      return [`${edit.how}${edit.n ?? ""}`, LETTERS[edit.what], ...place, ...painted].join(".");
    })
    .join("~");
  return text.length > LONGEST ? "" : text;
}

/** What is not understood is left out. */
export function readEdits(text) {
  return text.split("~").map(readEdit).filter(Boolean);
}

function readEdit(text) {
  const [verb, letter, ...rest] = text.split(".");
  const [, how, n] = /^([a-z]+)(\d{0,3})$/.exec(verb) ?? [];
  const what = Object.keys(LETTERS).find((name) => LETTERS[name] === letter);
  if (!what || !(Object.hasOwn(HOWS, how) || MASK_HOWS.includes(how)) || how === "mask") return null;
  const count = { head: 2, attention: 1, mlp: 1, everywhere: 0 }[what];
  const place = rest.slice(0, count).map((value) => (/^\d{1,3}$/.test(value) ? Number(value) : -1));
  if (place.length < count || place.includes(-1)) return null;
  if ((how === "window") !== Number(n) > 0 || !fits(how, what)) return null;
  const edit = {
    what,
    how,
    ...(count > 0 && { layer: place[0] }),
    ...(count > 1 && { head: place[1] }),
    ...(how === "window" && { n: Number(n) }),
  };
  return how === "painted" ? painted(edit, Number(rest[count]), rest[count + 1] ?? "") : edit;
}

/** The edit with its mask of T rows, or null if the digits do not fill them. */
function painted(edit, T, digits) {
  const cells = fromDigits(digits).slice(0, T * T);
  if (!(T > 0) || cells.length !== T * T) return null;
  return { ...edit, rows: Array.from({ length: T }, (_, q) => cells.slice(q * T, (q + 1) * T)) };
}

function toDigits(cells) {
  return (cells.match(/.{1,6}/g) ?? []).map((six) => DIGITS[parseInt(six.padEnd(6, "0"), 2)]).join("");
}

function fromDigits(text) {
  return [...text].map((digit) => Math.max(DIGITS.indexOf(digit), 0).toString(2).padStart(6, "0")).join("");
}
