// Comparisons, asked of the server. Answers come in any order: the newest question counts, and one that was
// answered before is not asked again.

import { parsePayload } from "../base/payload.mjs";
import { GONE, watchServer } from "../state/server.mjs";

const KEPT = 3; // a comparison of long texts is some 20 MB

export class CompareSource {
  constructor(trigger) {
    this.trigger = trigger;
    this.seq = 0;
    this.asked = null;
    this.waiting = null;
    this.kept = new Map();
    /** @type {(...heard: any[]) => void} */
    this.onResult = () => {};
    this.onProblem = this.onResult;
    this.onRights = this.onResult;
  }

  /** Ask {text, models, masked, second}, unless it is what was asked last. */
  ask(question) {
    const written = JSON.stringify(question);
    if (written === this.asked) return;
    this.asked = written;
    this.seq += 1;
    const waiting = { seq: this.seq, written };
    this.waiting = waiting;
    if (this.kept.has(written)) return this.deliver(this.kept.get(written), waiting);
    document.dispatchEvent(new CustomEvent("hs-busy"));
    watchServer(
      () => this.waiting === waiting,
      (problem) => this.fail(problem, waiting),
    );
    this.trigger("ask", { seq: this.seq, ...question });
  }

  /** The server's JSON: {seq, url, any_folder} or {seq, error}. */
  async answered(value) {
    const { seq, url, error, any_folder } = JSON.parse(value);
    const { waiting } = this;
    if (seq !== waiting?.seq) return;
    if (error) return this.fail(error, waiting);
    this.onRights(any_folder);
    try {
      const answer = await fetch(new URL(url, document.baseURI), { cache: "no-cache" }).catch(() => {
        throw new Error(GONE);
      });
      if (!answer.ok) throw new Error(await answer.text());
      const payload = parsePayload(await answer.arrayBuffer());
      this.keep(waiting.written, payload);
      this.deliver(payload, waiting);
    } catch (caught) {
      this.fail(caught.message, waiting);
    }
  }

  keep(written, payload) {
    if (payload.columns.some(({ error }) => error)) return; // a folder may be mended meanwhile
    this.kept.set(written, payload);
    if (this.kept.size > KEPT) this.kept.delete(this.kept.keys().next().value);
  }

  deliver(payload, waiting) {
    if (this.done(waiting)) this.onResult(payload);
  }

  fail(problem, waiting) {
    if (this.done(waiting)) this.onProblem(problem);
  }

  /** False for an answer that nobody waits for any more. */
  done(waiting) {
    if (this.waiting !== waiting) return false;
    this.waiting = null;
    document.dispatchEvent(new CustomEvent("hs-idle"));
    return true;
  }
}
