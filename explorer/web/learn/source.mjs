// Where lessons come from: computed ahead for the first example, else asked of the server. Answers come in any
// order: the newest question counts. A lesson that is here already is not fetched again.

import { parsePayload } from "../base/payload.mjs";
import { GONE, watchServer } from "../state/server.mjs";

const KEPT = 12;

export class LessonSource {
  /** `defaults` = {text, ahead}: the text that lessons were computed ahead for, and where they lie. */
  constructor(defaults, trigger) {
    this.defaults = defaults;
    this.trigger = trigger;
    this.seq = 0;
    this.kept = new Map();
    this.text = null;
    /** @type {(...heard: any[]) => void} */
    this.onLesson = () => {};
    this.onProblem = this.onLesson;
  }

  ask(lesson, text, inputs) {
    this.seq += 1;
    this.text = text;
    const question = JSON.stringify({ lesson, text, inputs });
    this.waiting = { seq: this.seq, question, lesson };
    const isFirst =
      this.defaults.ahead && (text === "" || text === this.defaults.text) && Object.keys(inputs).length === 0;
    if (this.kept.has(question)) this.deliver(this.kept.get(question), this.waiting);
    else if (isFirst) this.fetch(`${this.defaults.ahead}/${lesson}.bin`, this.waiting);
    else {
      document.dispatchEvent(new CustomEvent("hs-busy"));
      const asked = this.waiting;
      watchServer(
        () => this.waiting === asked,
        (problem) => this.fail(problem, asked),
      );
      this.trigger("ask", { seq: this.seq, lesson, text, inputs });
    }
  }

  /** The server's JSON: {seq, url} or {seq, error}. */
  answered(value) {
    const { seq, url, error } = JSON.parse(value);
    if (seq !== this.waiting?.seq) return;
    if (error) this.fail(error, this.waiting);
    else this.fetch(url, this.waiting);
  }

  async fetch(url, asked) {
    try {
      const answer = await fetch(new URL(url, document.baseURI), { cache: "no-cache" }).catch(() => {
        throw new Error(GONE);
      });
      if (!answer.ok) throw new Error(await answer.text());
      const payload = parsePayload(await answer.arrayBuffer());
      this.keep(asked.question, payload);
      this.deliver(payload, asked);
    } catch (caught) {
      this.fail(caught.message, asked);
    }
  }

  keep(question, payload) {
    const acted = payload.controls.some(({ kind, value }) => kind === "action" && value);
    if (acted) return; // measured anew each time
    this.kept.set(question, payload);
    if (this.kept.size > KEPT) this.kept.delete(this.kept.keys().next().value);
  }

  deliver(payload, asked) {
    if (this.waiting !== asked) return;
    this.done();
    this.onLesson(payload, asked.lesson);
  }

  fail(problem, asked) {
    if (this.waiting !== asked) return;
    this.done();
    this.onProblem(problem);
  }

  done() {
    this.waiting = null;
    document.dispatchEvent(new CustomEvent("hs-idle"));
  }
}
