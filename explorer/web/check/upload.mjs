// A file that the app itself is to check, where it may: the question, and its answers as block after block is done.

import { ask, isAborted } from "../state/ask.mjs";

export const LARGEST_CODE = 200_000; // bytes

export class Checker {
  constructor() {
    this.now = null;
  }

  /** Resolves with the report as text, or null when it is stopped; `onBlock` hears which block is being checked. */
  async start(file, onBlock) {
    if (file.size > LARGEST_CODE)
      throw new Error(
        `This file is too large for a homework: it has ${Math.ceil(file.size / 1000)} kB, and at most ` +
          `${LARGEST_CODE / 1000} kB are read.`,
      );
    const code = await file.text();
    this.stop();
    const now = new AbortController();
    this.now = now;
    let report = null;
    const onLine = (line) => {
      if (line.block) onBlock(line.block);
      else report = line.report;
    };
    try {
      await ask("check", { name: file.name, code }, { onLine, signal: now.signal, quiet: true });
    } catch (problem) {
      if (!isAborted(problem)) throw problem;
    }
    return report;
  }

  stop() {
    this.now?.abort();
  }
}
