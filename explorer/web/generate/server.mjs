// What the Generate page asks of the server: single questions, one after the other, and one longer piece of work.

import { parsePayload } from "../base/payload.mjs";
import { GONE, watchServer } from "../state/server.mjs";

const busy = (on) => document.dispatchEvent(new CustomEvent(on ? "hs-busy" : "hs-idle"));

/** Questions wait for each other: a component has one value, and an answer must not cover another. */
export class Questions {
  constructor(trigger) {
    this.trigger = trigger;
    this.seq = 0;
    this.waiting = null;
    this.last = Promise.resolve();
  }

  /** The answer; null if it is not `wanted` any more when its turn comes. An Error's message is for the page. */
  ask(question, wanted = () => true) {
    const answer = this.last.then(() => (wanted() ? this.send(question) : null));
    this.last = answer.catch(() => {});
    return answer;
  }

  /** The payload that the answer names. */
  async fetch(question, wanted) {
    const answer = await this.ask(question, wanted);
    if (!answer) return null;
    const found = await fetch(new URL(answer.url, document.baseURI), { cache: "no-cache" }).catch(() => {
      throw new Error(GONE);
    });
    if (!found.ok) throw new Error(await found.text());
    return parsePayload(await found.arrayBuffer());
  }

  send(question) {
    this.seq += 1;
    const { seq } = this;
    busy(true);
    return new Promise((resolve, reject) => {
      this.waiting = { seq, resolve, reject };
      watchServer(
        () => this.waiting?.seq === seq,
        (problem) => this.settle({ seq, error: problem }),
      );
      this.trigger("ask", { seq, ...question });
    });
  }

  settle({ seq, error, ...answer }) {
    if (seq !== this.waiting?.seq) return;
    const { resolve, reject } = this.waiting;
    this.waiting = null;
    busy(false);
    if (error) reject(new Error(error));
    else resolve(answer);
  }
}

/** One piece of work at a time, told line by line; lines of work that was stopped are not heard any more. */
class Work {
  constructor() {
    this.trigger = null;
    this.seq = 0;
    this.now = null;
  }

  get isOn() {
    return this.now !== null;
  }

  /** Resolves when all is told, or stopped. */
  start(kind, asked, onLine) {
    this.stop();
    this.seq += 1;
    const { seq } = this;
    busy(true);
    return new Promise((resolve, reject) => {
      this.now = { seq, onLine, heard: 0, resolve, reject };
      watchServer(
        () => this.now?.seq === seq,
        (problem) => this.now?.seq === seq && this.end(new Error(problem)),
      );
      this.trigger("go", { seq, kind, ...asked });
    });
  }

  stop() {
    if (!this.isOn) return;
    this.trigger("halt", {});
    this.end(null);
  }

  /** One JSON object a line: {seq}, then what was done, last {done} or {error}. */
  hear(value) {
    const [head, ...lines] = (value || "")
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
    if (!head || head.seq !== this.now?.seq) return;
    for (const line of lines.slice(this.now.heard)) {
      if (line.done || line.error) return this.end(line.error ? new Error(line.error) : null);
      this.now.heard += 1;
      this.now.onLine(line);
    }
  }

  end(error = null) {
    const { resolve, reject } = this.now;
    this.now = null;
    busy(false);
    if (error) reject(error);
    else resolve(null);
  }
}

export const work = new Work();
