// What the page says about a report. Pure: no DOM.

import { visible } from "../base/text.mjs";

/** A sign and a word: colour is never the only cue. */
export const STATUS = {
  passed: { sign: "✓", word: "right" },
  failed: { sign: "✗", word: "wrong" },
  "not started": { sign: "–", word: "not started" },
};

export const points = (count) => `${count} ${count === 1 ? "point" : "points"}`;
export const ofPoints = ({ points: reached, possible }) => `${reached} of ${points(possible)}`;

/** What to do now, in one sentence. */
export function advice({ blocks }) {
  const [failed, open] = ["failed", "not started"].map((status) => blocks.filter((block) => block.status === status));
  if (failed.length)
    return (
      `${failed.length === 1 ? "One block is" : `${failed.length} blocks are`} not right yet. ` +
      `${failed.length === 1 ? "Below you see why." : "Press a red one to see why."}`
    );
  if (open.length)
    return (
      `Everything you have written is right. ${open.length === 1 ? "One block is" : `${open.length} blocks are`} ` +
      `not written yet: continue with ${open[0].title}.`
    );
  return "Every block computes what it should: nothing left to fix.";
}

/** Six digits as the report has them; what has no finite value says so. */
export const exact = (value) => (value === null ? "NaN or ∞" : String(value));

/** As it fits into a cell: two decimals, or fewer where the number is large; whole numbers stay whole. */
export function short(value, whole = false) {
  if (value === null) return "";
  const size = Math.abs(value);
  if (whole || size >= 1000) return size >= 1e4 ? value.toExponential(0).replace("e+", "e") : String(Math.round(value));
  return value
    .toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)
    .replace(/^(-?)0\./, "$1.")
    .replace(/^-(?=[.0]+$)/, "");
}

/** Found minus expected, as the end of a sentence. */
export function gap(expected, found) {
  if (expected === found) return ", the same";
  if (expected === null || found === null) return "";
  const difference = Number((found - expected).toPrecision(6));
  return `; difference ${difference > 0 ? "+" : "−"}${Math.abs(difference)}`;
}

/** "[0, 1, :, :]": which part of a tensor is shown; the last two dimensions are rows and columns. */
export function slice({ shape, index }) {
  if (shape.length <= 2 || index.length !== shape.length) return "";
  return `[${[...index.slice(0, -2), ":", ":"].join(", ")}]`;
}

/** The largest absolute value that is finite. */
export function limit(...tables) {
  return tables.flat(2).reduce((most, value) => (value === null ? most : Math.max(most, Math.abs(value))), 0);
}

export const isWhole = (...tables) => tables.flat(2).every((value) => value === null || Number.isInteger(value));

/** Found minus expected, cell by cell; null where one is not finite. */
export function differences(expected, found) {
  return expected.map((row, r) =>
    row.map((value, c) => (value === null || found[r][c] === null ? null : found[r][c] - value)),
  );
}

/** A student's line, told by its number; what cannot be seen is made visible. */
export const codeLine = (line) => visible(line.text);

/** How many cells of a table of flags are set. */
export const countOf = (flags) => flags.flat().filter(Boolean).length;

export const capital = (sentence) => sentence.charAt(0).toUpperCase() + sentence.slice(1);

const MOST_NAMED = 3;

/** Right rows in wrong places: what a cut along the wrong dimension does. "" if there are none. */
export function displaced({ rows, expected, found }) {
  const same = (a, b) => a.every((value, i) => value !== null && b[i] !== null && Math.abs(value - b[i]) < 1e-4);
  const isPlain = (row) => row.every((value) => value === row[0]); // would be found anywhere
  const moved = found.flatMap((row, r) => {
    const from = isPlain(row) || same(row, expected[r]) ? -1 : expected.findIndex((other) => same(row, other));
    return from < 0 ? [] : [`your row ${rows[r]} is what row ${rows[from]} should be`];
  });
  return moved.length
    ? "The right numbers are in the wrong place: " +
        `${moved.slice(0, MOST_NAMED).join(", ")}${moved.length > MOST_NAMED ? ", and so on" : ""}.`
    : "";
}
