// What switching off each head does to the loss of the text that is shown, asked for when somebody looks.

import { ask, isAborted } from "../state/ask.mjs";
import { store } from "../state/store.mjs";

/**
 * @typedef {object} Effects
 * @property {number[][]} changes of the layers that are there, nats per token, above 0 where the head is needed
 * @property {number} loss of the text as it is
 * @property {number} of layers there will be
 * @property {string} problem
 */

class HeadEffects {
  constructor() {
    this.id = "";
    /** @type {Effects} */
    this.found = nothing();
  }

  /** What is known by now of a payload's text. @returns {Effects} */
  of({ text, model }) {
    const id = JSON.stringify([text, model.name]);
    if (this.id !== id) this.ask(id, { text, model: model.name });
    return this.found;
  }

  /** What went wrong is tried again. */
  forgetProblem() {
    if (this.found.problem) this.id = "";
  }

  async ask(id, question) {
    const found = nothing();
    this.id = id;
    this.found = found;
    const onLine = ({ changes, ...first }) => {
      if (changes) found.changes.push(changes);
      else Object.assign(found, first);
      store.changed();
    };
    try {
      await ask("head_effects", question, { onLine, newest: "head_effects", quiet: true });
    } catch (problem) {
      if (isAborted(problem)) return;
      found.problem = problem.message;
      store.changed();
    }
  }
}

/** @param {Effects} effects */
export const isWhole = ({ changes, of }) => of > 0 && changes.length === of;

/** @returns {Effects} */
const nothing = () => ({ changes: [], loss: 0, of: 0, problem: "" });

export const effects = new HeadEffects();
