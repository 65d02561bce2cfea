// Tokens that the reader types: the server is asked once for a text and a token, for all places together.

import { parsePayload } from "../base/payload.mjs";
import { GONE, watchServer } from "../state/server.mjs";
import { store } from "../state/store.mjs";

export class TypedToken {
  /** `onAnswer()` is called whenever something has changed here. */
  constructor(trigger, onAnswer) {
    this.trigger = trigger;
    this.onAnswer = onAnswer;
    this.seq = 0;
    this.waiting = null;
    this.found = null;
    this.failed = null;
  }

  /** What went wrong with the last question about the text that is shown, or "". */
  get problem() {
    return this.failed?.of === store.seq ? this.failed.problem : "";
  }

  /** `question`: {token: "as typed"} or {id}. */
  ask(question) {
    this.seq += 1;
    const asked = { seq: this.seq, of: store.seq, id: question.id };
    this.waiting = asked;
    this.failed = null;
    watchServer(
      () => this.waiting === asked,
      (problem) => this.end(asked, { problem }),
    );
    this.trigger("ask", { seq: this.seq, text: store.payload.text, model: store.payload.model.name, ...question });
    this.onAnswer();
  }

  /** The shares of token `id` in the text that is shown, or null; asked for when they are not there. */
  shares(id) {
    if (id === null) return null;
    if (this.found?.id === id && this.found.of === store.seq) return this.found.part;
    const isAsked = this.waiting?.id === id && this.waiting.of === store.seq;
    const hasFailed = this.failed?.id === id && this.failed.of === store.seq;
    if (!isAsked && !hasFailed) this.ask({ id });
    return null;
  }

  /** The server's JSON: {seq, id, url} or {seq, error}. */
  async answered(value) {
    const { seq, id, url, error } = JSON.parse(value);
    const asked = this.waiting;
    if (seq !== asked?.seq) return;
    if (error) return this.end(asked, { problem: error });
    try {
      const answer = await fetch(new URL(url, document.baseURI)).catch(() => {
        throw new Error(GONE);
      });
      if (!answer.ok) throw new Error(await answer.text());
      const part = parsePayload(await answer.arrayBuffer());
      this.end(asked, { found: { id, of: asked.of, part } });
    } catch ({ message }) {
      this.end(asked, { problem: message });
    }
  }

  end(asked, { found = null, problem = "" }) {
    if (this.waiting !== asked) return;
    this.waiting = null;
    if (found) this.found = found;
    else this.failed = { ...asked, problem };
    this.onAnswer(found);
  }
}
