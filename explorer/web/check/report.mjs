// A report of the homework checker, read from a file that anybody may have written. Pure: no DOM, and nothing in it
// runs.
// What comes back has the known fields and no others; whatever is wrong is an Error of one sentence, for the page.

import { damaged, NO_REPORT, reportTooLarge } from "./words.mjs";

const LARGEST = 2_000_000; // bytes
const STATUSES = ["passed", "failed", "not started"];
const CELLS = 16; // rows and columns of a tensor
const TOKENS = 32;

/** Before anything of a file is read. */
export function checkSize(size) {
  if (size > LARGEST) throw new Error(reportTooLarge(size, LARGEST));
}

/** Bytes -> text: UTF-8, or the UTF-16 that PowerShell's ">" writes. */
export function decode(bytes) {
  const [first, second] = new Uint8Array(bytes);
  const encoding =
    first === 0xff && second === 0xfe ? "utf-16le" : first === 0xfe && second === 0xff ? "utf-16be" : "utf-8";
  return new TextDecoder(encoding).decode(bytes);
}

/** The text of a report -> the report. */
export function readReport(text) {
  let found;
  try {
    found = JSON.parse(text);
  } catch {
    throw new Error(NO_REPORT.json);
  }
  if (!isObject(found) || found.format !== "headscope-homework") throw new Error(NO_REPORT.format);
  if (found.version !== 1) throw new Error(NO_REPORT.version);
  const report = fields(REPORT)(found, "the report");
  const total = (name) => report.blocks.reduce((sum, block) => sum + block[name], 0);
  if (report.blocks.length && (total("points") !== report.points || total("possible") !== report.possible))
    throw new Error(NO_REPORT.points);
  if (!report.blocks.length && report.problem === null) throw new Error(NO_REPORT.empty);
  return report;
}

// what may stand where: (value, where) -> the value, or an Error that says which place is wrong

const wrong = (where, what) => new Error(damaged(where, what));
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const must = (test, what) => (value, where) => {
  if (!test(value)) throw wrong(where, what);
  return value;
};
const text = (most) =>
  must((value) => typeof value === "string" && value.length <= most, `text of at most ${most} characters`);
const count = (most) =>
  must((value) => Number.isInteger(value) && value >= 0 && value <= most, `a whole number from 0 to ${most}`);
const number = must((value) => Number.isFinite(value), "a number");
const flag = must((value) => typeof value === "boolean", "true or false");
const orNull = (rule) => (value, where) => (value === null || value === undefined ? null : rule(value, where));
const list = (rule, most) => (value, where) => {
  if (!Array.isArray(value) || value.length > most) throw wrong(where, `a list of at most ${most}`);
  return value.map((part, i) => rule(part, `${where}[${i}]`));
};
const fields = (rules) => (value, where) => {
  if (!isObject(value)) throw wrong(where, "an object");
  return Object.fromEntries(Object.entries(rules).map(([name, rule]) => [name, rule(value[name], `${where}.${name}`)]));
};

/** Lists of rows: as many as `rows` and `columns` name, in each of `tables`. */
const tables = (rules, rows, columns, names) => (value, where) => {
  const found = fields(rules)(value, where);
  const [R, K] = [found[rows].length, found[columns].length];
  for (const name of names) {
    if (!R || !K || found[name].length !== R || found[name].some((row) => row.length !== K))
      throw wrong(`${where}.${name}`, `${R} rows of ${K} numbers`);
  }
  return found;
};

const numbers = (most) => list(list(orNull(number), most), most); // null: not finite
const FAULT = {
  name: text(100),
  title: text(200),
  sentence: text(2000),
  effect: text(2000),
  idea: text(2000),
  lesson: orNull(fields({ lesson: text(40), step: orNull(count(100)) })),
};
const DIFFERENCE = {
  tensor: text(200),
  where: text(400),
  shape: list(count(1e9), 8),
  index: list(count(1e9), 8),
  rows: list(text(40), CELLS),
  columns: list(text(40), CELLS),
  expected: numbers(CELLS),
  found: numbers(CELLS),
  differs: list(list(flag, CELLS), CELLS),
};
const PATTERNS = {
  tokens: list(text(80), TOKENS),
  layer: count(1000),
  head: count(1000),
  expected: numbers(TOKENS),
  found: numbers(TOKENS),
};
const BLOCK = {
  name: text(80),
  title: text(120),
  possible: count(11),
  points: count(11),
  status: must((value) => STATUSES.includes(value), "“passed”, “failed” or “not started”"),
  sentence: text(2000),
  faults: list(fields(FAULT), 4),
  line: orNull(fields({ number: count(1e7), text: text(2000), cell: orNull(count(1e6)) })),
  difference: orNull(tables(DIFFERENCE, "rows", "columns", ["expected", "found", "differs"])),
  patterns: orNull(tables(PATTERNS, "tokens", "tokens", ["expected", "found"])),
};
const REPORT = {
  file: text(300),
  points: count(11),
  possible: count(11),
  seconds: number,
  problem: orNull(text(2000)),
  blocks: list(fields(BLOCK), 11),
};
