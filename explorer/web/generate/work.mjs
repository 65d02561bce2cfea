// One longer piece of work at a time, told line by line; it can be stopped.

import { ask, isAborted } from "../state/ask.mjs";

class Work {
  constructor() {
    this.now = null;
  }

  get isOn() {
    return this.now !== null;
  }

  /** Resolves when all is told, or stopped. */
  async start(name, body, onLine) {
    this.stop();
    const now = new AbortController();
    this.now = now;
    try {
      await ask(name, body, { onLine, signal: now.signal });
    } catch (problem) {
      if (!isAborted(problem)) throw problem;
    } finally {
      if (this.now === now) this.now = null;
    }
  }

  stop() {
    this.now?.abort();
    this.now = null;
  }
}

export const work = new Work();
