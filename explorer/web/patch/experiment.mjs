// What is patched, and what the server says of it: the map of one site at a time, and the tokens behind one cell.

import { ask, isAborted } from "../state/ask.mjs";
import { store } from "../state/store.mjs";
import { isOfHeads } from "./words.mjs";

const KEPT = 40; // maps that are remembered

/**
 * @typedef {object} PatchMap
 * @property {object[]} [tokens] of the clean text
 * @property {object[]} [corrupted] of the other
 * @property {{clean: number, corrupted: number, answer: object, other: object}} [facts]
 * @property {number[][]} [estimated] by layer
 * @property {number[][]} rows the exact ones, as far as they are there
 * @property {string} problem
 */

/** What the focus asks for, as the server wants it. */
const questionOf = (payload, { corrupted, site, metric, answer, other }) => ({
  text: payload.text,
  model: payload.model.name,
  ...{ corrupted, site, metric, answer, other },
});

class Experiment {
  constructor() {
    this.maps = new Map(); // by question
    this.cells = new Map(); // by question and cell: {tokens} or {problem}, or {} on the way
  }

  /** The map that the focus asks for, which is asked for if it is not there; null without a corrupted text. */
  map(payload, focus) {
    if (!focus.corrupted) return null;
    const question = questionOf(payload, focus);
    const id = JSON.stringify(question);
    if (!this.maps.has(id)) this.ask(id, question);
    return this.maps.get(id);
  }

  async ask(id, question) {
    /** @type {PatchMap} */
    const map = { rows: [], problem: "" };
    this.maps.set(id, map);
    for (const oldest of [...this.maps.keys()].slice(0, -KEPT)) this.maps.delete(oldest);
    const onLine = (line) => {
      if (line.tokens) Object.assign(map, { tokens: line.tokens, corrupted: line.corrupted_tokens });
      if (line.facts) Object.assign(map, { facts: line.facts, estimated: line.estimated });
      if (line.values) map.rows.push(line.values);
      store.changed();
    };
    try {
      await ask("patch", question, { onLine, newest: "patch" });
    } catch (problem) {
      if (isAborted(problem)) return this.maps.delete(id);
      map.problem = problem.message;
      store.changed();
    }
  }

  /** The likeliest tokens of the three runs, for the cell of the focus. */
  cell(payload, focus) {
    const at = isOfHeads(focus.site) ? { head: focus.head } : { place: store.query(focus) };
    const question = { ...questionOf(payload, focus), layer: focus.layer, ...at };
    const id = JSON.stringify(question);
    if (!this.cells.has(id)) this.askCell(id, question);
    return this.cells.get(id);
  }

  async askCell(id, question) {
    const found = {};
    this.cells.set(id, found);
    for (const oldest of [...this.cells.keys()].slice(0, -KEPT)) this.cells.delete(oldest);
    try {
      found.tokens = (await ask("patch_cell", question, { newest: "patch_cell", quiet: true })).tokens;
    } catch (problem) {
      if (isAborted(problem)) return this.cells.delete(id);
      found.problem = problem.message;
    }
    store.changed();
  }
}

export const experiment = new Experiment();

/** The metric in a cell, and whether it is exact. */
export function valueAt({ rows, estimated }, layer, column) {
  const isExact = layer < rows.length;
  return { value: (isExact ? rows : estimated)[layer][column], isExact };
}

/** How far a value is on the way from corrupted to clean: 0 to 1 and beyond. */
export const recovered = ({ facts: { clean, corrupted } }, value) => (value - corrupted) / (clean - corrupted);
