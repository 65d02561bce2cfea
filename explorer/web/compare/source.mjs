// Comparisons: the newest question counts, and one that was answered before is not asked again.

import { ask, isAborted } from "../state/ask.mjs";

export class CompareSource {
  constructor() {
    this.seq = 0;
    this.asked = null;
    this.waiting = null; // what is asked and not answered yet
    /** @type {(...heard: any[]) => void} */
    this.onResult = () => {};
    this.onProblem = this.onResult;
  }

  /** Ask {text, models, masked, second}, unless it is what was asked last. */
  async ask(question) {
    const written = JSON.stringify(question);
    if (written === this.asked) return;
    this.asked = written;
    this.seq += 1;
    this.waiting = written;
    try {
      this.onResult(await ask("compare", question, { newest: "compare", cached: isWhole }));
    } catch (problem) {
      if (!isAborted(problem)) this.onProblem(problem.message);
    }
    if (this.waiting === written) this.waiting = null;
  }
}

/** A folder that could not be shown may be mended meanwhile. */
const isWhole = ({ columns }) => columns.every(({ error }) => !error);
