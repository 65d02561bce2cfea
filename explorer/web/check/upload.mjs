// A file that the app itself is to check, where it may: the question, and its answers as block after block is done.

import { ask, isAborted } from "../state/ask.mjs";
import { codeTooLarge } from "./words.mjs";

export const LARGEST_CODE = 200_000; // bytes
const LARGEST_NOTEBOOK = 20_000_000; // with its outputs

function checkSize(size, most) {
  if (size > most) throw new Error(codeTooLarge(size, most));
}

/** A notebook's text with its code alone: outputs can be large. */
function withoutOutputs(text) {
  try {
    const notebook = JSON.parse(text);
    for (const cell of notebook.cells) delete cell.outputs;
    return JSON.stringify(notebook);
  } catch {
    return text; // the checker says what is wrong with it
  }
}

export class Checker {
  constructor() {
    this.now = null;
  }

  /** Resolves with the report as text, or null when it is stopped; `onBlock` hears which block is being checked. */
  async start(file, onBlock) {
    const isNotebook = file.name.endsWith(".ipynb");
    checkSize(file.size, isNotebook ? LARGEST_NOTEBOOK : LARGEST_CODE);
    const code = isNotebook ? withoutOutputs(await file.text()) : await file.text();
    checkSize(code.length, LARGEST_CODE);
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
