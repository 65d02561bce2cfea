// Tokens that the reader types: the server is asked once for a text and a token, for all places together.

import { ask, isAborted } from "../state/ask.mjs";
import { store } from "../state/store.mjs";

export class TypedToken {
  /** `onAnswer(answer)` is called whenever something has changed here. */
  constructor(onAnswer) {
    this.onAnswer = onAnswer;
    this.waiting = null;
    this.answer = null; // {id, of, part}
    this.failed = null;
  }

  /** What went wrong with the last question about the text that is shown, or "". */
  get problem() {
    return this.failed?.of === store.seq ? this.failed.problem : "";
  }

  /** `token` is text as it was typed, or an id. */
  async ask(token) {
    const waiting = { token, of: store.seq };
    const { text, model, stack, masked } = store.payload;
    const look = { ...(stack && { stack }), ...(typeof masked === "number" && { masked }) };
    this.waiting = waiting;
    this.failed = null;
    const asked = ask("shares", { text, token, model: model.name, ...look }, { newest: "shares", quiet: true });
    this.onAnswer(null);
    try {
      const part = await asked;
      this.answer = { id: part.arrays.share_ids.data[0], of: waiting.of, part };
    } catch (problem) {
      if (isAborted(problem)) return;
      this.failed = { ...waiting, problem: problem.message };
    }
    this.waiting = null;
    this.onAnswer(this.failed ? null : this.answer);
  }

  /** The shares of token `id` in the text that is shown, or null; asked for when they are not there. */
  shares(id) {
    if (id === null) return null;
    if (this.answer?.id === id && this.answer.of === store.seq) return this.answer.part;
    const isAsked = this.waiting?.token === id && this.waiting.of === store.seq;
    const hasFailed = this.failed?.token === id && this.failed.of === store.seq;
    if (!isAsked && !hasFailed) this.ask(id);
    return null;
  }
}
