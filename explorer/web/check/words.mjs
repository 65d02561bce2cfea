// The words of the page "Check your code", and what it says about a report. Pure: no DOM.

import { quoted, visible } from "../base/text.mjs";

const REPORT_COMMAND = "python -m llm_core.homework my_llm_implementation.py --json > report.json";

export const COMMANDS = {
  install: "python -m pip install -r requirements.txt",
  begin: "python -m llm_core.homework --new my_llm_implementation.py",
  check: REPORT_COMMAND,
  allow: "python app.py --allow-code-upload",
};

export const START = {
  title: "Check your code",
  lead:
    "You write a Transformer in nine blocks, in one file: my_llm_implementation.py. See how many of the 11 " +
    "points it earns, and why: one for each block, and two if all of them together train and write.",
  example: "See an example",
  exampleHint: "a report on a file with mistakes",
  here: "You can write the blocks here in the browser, each with hints: ",
  writeHere: "write the next block ▸",
  commands:
    "Or work in a file of your own. Type the commands in a terminal, in the folder that holds app.py. The checker " +
    "needs Python and what requirements.txt lists:",
  begin: ["Begin", "Writes a file with blanks to fill in. Already have one? Skip to step 2."],
  check: ["Check", "Compares your file with the reference and writes a report. Unfinished blocks are fine."],
  look: ["Look", "Your report never leaves your browser. You can also drop the file on this page."],
  open: "Open a report",
  upload: "Or let this app check it",
  uploadHint:
    "Your file runs on the computer that runs this app, in its own process, without a network and with limits " +
    "on time, memory, and files. These limits stop accidents, not attacks: choose only a file whose author " +
    "you trust.",
  choose: "Choose my_llm_implementation.py",
  whyNot: "Why can’t I upload my file here?",
  whyNotHint:
    "Checking code means running it, so this app accepts no files unless its owner allows it. On your own " +
    "computer, and only there, start it like this:",
  copy: "Copy",
  copied: "Copied",
  byKeys: "Ctrl-C",
  opening: "Opening your file …",
  stop: "Stop",
};

export const REPORT = {
  other: "Open another report",
  file: "Check a file",
  back: "Back to the start",
  failed: "The file could not be run. ",
  blocks: "Blocks of the homework",
};

export const BLOCK = {
  agrees: "It agrees with the reference in every test.",
  wrong: "What is wrong",
  see: "See it",
  why: "Why it matters",
  read: "Where to read",
  newTab: "It opens in a new tab; your report stays here.",
  idea: "The idea",
  expected: "It should be",
  found: "Yours",
  apart: "Yours minus what it should be",
  mapsHint:
    "Your attention code ran on a text with the trained model's weights; this is the head where it is furthest " +
    "off. Each row is a query token, each column a key token.",
};

/** Why a report cannot be shown. */
export const NO_REPORT = {
  json: `This file is not a report: it is not JSON. Make one with: ${REPORT_COMMAND}`,
  format: `This file is not a report of the homework checker. Make one with: ${REPORT_COMMAND}`,
  version:
    "This report was written by another version of the checker: make a new one with the checker that came with " +
    "this app.",
  points: "This report is damaged: the points of its blocks do not add up to its total.",
  empty: "This report is empty: it has no blocks, and does not say why.",
};
export const damaged = (where, what) => `This report is damaged: ${where} should be ${what}.`;
export const reportTooLarge = (size, most) =>
  `This file is too large for a report: it is ${(size / 1e6).toFixed(1)} MB, and a report is at most ${most / 1e6} MB.`;
export const codeTooLarge = (size, most) =>
  `This file is too large to be a homework file: it is ${Math.ceil(size / 1000)} kB, and the limit is ` +
  `${most / 1000} kB.`;

export const knownTitle = (count) => `Which mistakes does it know? ${count} by name`;
export const copyLabel = (command) => `Copy: ${command}`;
export const progressSentence = (title, done, all) => `Checking ${title} … ${done} of ${all} blocks done.`;
export const tookSentence = (report) => `${advice(report)} (It took ${Math.max(1, Math.round(report.seconds))} s.)`;
export const tileLabel = (block) => `${block.title}: ${STATUS[block.status].word}, ${ofPoints(block)}`;

/** A sign and a word: colour is never the only cue. */
export const STATUS = {
  passed: { sign: "✓", word: "right" },
  failed: { sign: "✗", word: "wrong" },
  "not started": { sign: "–", word: "not started" },
};

export const points = (count) => `${count} ${count === 1 ? "point" : "points"}`;
export const ofPoints = ({ points: reached, possible }) => `${reached} of ${points(possible)}`;

/** What to do now, in one sentence. */
function advice({ blocks }) {
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
function gap(expected, found) {
  if (expected === found) return ", the same";
  if (expected === null || found === null) return "";
  const difference = Number((found - expected).toPrecision(6));
  return `; difference ${difference > 0 ? "+" : "−"}${Math.abs(difference)}`;
}

/** "[0, 1, :, :]": which part of a tensor is shown; the last two dimensions are rows and columns. */
function slice({ shape, index }) {
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
const countOf = (flags) => flags.flat().filter(Boolean).length;

const capital = (sentence) => sentence.charAt(0).toUpperCase() + sentence.slice(1);

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

// a block

export const lineTitle = ({ cell, number }) => (cell ? `Your cell ${cell}, line ${number}` : `Your line ${number}`);
export const lineLabel = ({ cell, number }) => `Line ${number} of ${cell ? `cell ${cell}` : "your file"}`;
export const lessonText = (title, step) => `The lesson that explains it: ${title}${step ? `, step ${step}` : ""} ↗`;

const strongest = (most) => exact(Number(most.toPrecision(3)));

export function tensorNote(difference) {
  const { where, shape, rows, columns, differs } = difference;
  const cut = slice(difference);
  return (
    `${capital(visible(where))}. Shape ` +
    `${shape.join(" × ") || "a single number"}${cut ? `; here is its part ${cut}` : ""}. ${countOf(differs)} of the ` +
    `${rows.length * columns.length} numbers shown differ (thick border, bold digits). ${displaced(difference)}`
  );
}
export const tensorKey = (most) =>
  `Teal is above 0, brown below; the strongest color is ${strongest(most)}. ` +
  "Striped: not a finite number (NaN; or −∞, where the mask hides), in red where it should be one.";

export const mapsTitle = (layer, head) => `Attention in the trained model, layer ${layer}, head ${head}`;
export const mapsKey = (most) =>
  "The first two: weight 0 is the background; 1 is darkest in light mode and brightest in dark mode; " +
  "striped cells are hidden by the mask (in red: NaN). The third: teal where you have more, brown " +
  `where less, up to ${strongest(most)}.`;

export const placeName = ({ rows, columns }, r, c) =>
  rows.length > 1 ? `row ${rows[r]}, column ${columns[c]}` : `number ${columns[c]}`;
export const looksAt = (query, key) => `${quoted(query)} looks at ${quoted(key)}`;
/** A sentence in parts: what is no text is a number. */
export const shouldBe = (place, expected, found) => [
  `${place}: it should be `,
  expected,
  ", yours is ",
  found,
  gap(expected, found),
];
