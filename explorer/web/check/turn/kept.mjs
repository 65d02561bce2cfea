// What the learner has written, kept in this browser alone, and the file that it makes.

const KEY = "headscope.written";
export const BLANK = "____";

/** @typedef {{text?: string, hints?: number, isRight?: boolean}} Kept what is kept of one exercise */

/** What has become of an exercise. @returns {"right" | "written" | ""} */
const stateOf = ({ text, isRight } = /** @type {Kept} */ ({})) =>
  isRight ? "right" : text && !text.includes(BLANK) ? "written" : "";

/** The first that is not right yet, or, where nothing is checked, not written; else the first of all. */
export function firstLeft(exercises, mayCheck) {
  const kept = load();
  const isDone = ({ id }) => (mayCheck ? stateOf(kept[id]) === "right" : stateOf(kept[id]) !== "");
  return exercises.find((one) => !isDone(one)) ?? exercises[0];
}

/** @returns {{[exercise: string]: Kept}} */
function load() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {}; // no storage allowed, or something else in it
  }
}

export class Written {
  constructor(exercises, pieces) {
    this.exercises = exercises;
    this.pieces = pieces;
    this.kept = load();
  }

  /** @returns {Kept} */
  of(id) {
    return this.kept[id] ?? {};
  }

  text(id) {
    return this.of(id).text ?? this.exercises.find((one) => one.id === id).start;
  }

  keep(id, /** @type {Kept} */ more) {
    this.kept[id] = { ...this.of(id), ...more };
    try {
      localStorage.setItem(KEY, JSON.stringify(this.kept));
    } catch {
      // it is still in the editor
    }
  }

  forget(id) {
    const { hints = 0 } = this.of(id);
    this.kept[id] = {};
    this.keep(id, { hints });
  }

  /** @returns {{[exercise: string]: "right" | "written" | ""}} */
  get states() {
    return Object.fromEntries(this.exercises.map(({ id }) => [id, stateOf(this.of(id))]));
  }

  /** Which exercises have no blank left. */
  get written() {
    return this.exercises.filter(({ id }) => stateOf(this.of(id))).map(({ id }) => id);
  }

  /** A whole homework file: what is written of `ids`, and the skeleton's own text for the others. */
  file(ids = this.written) {
    const ended = (text) => (text.endsWith("\n") ? text : `${text}\n`);
    return this.pieces.map(({ id, text }) => (id && ids.includes(id) ? ended(this.text(id)) : text)).join("");
  }

  /** How many lines of the file stand before that exercise. */
  linesBefore(id) {
    const at = this.pieces.findIndex((piece) => piece.id === id);
    const before = this.pieces.slice(0, at).map(({ text }) => text);
    return before.join("").split("\n").length - 1;
  }
}
