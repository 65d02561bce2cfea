// A file that the app itself is to check, where it may: the question, and its answers as block after block is done.

import { GONE, watchServer } from "../state/server.mjs";

export const LARGEST_CODE = 200_000; // bytes

export class Checker {
  constructor(trigger) {
    this.trigger = trigger;
    this.seq = 0;
    this.now = null;
  }

  /** Resolves with the report as text, or null when it is stopped; `onBlock` hears which block is being checked. */
  async start(file, onBlock) {
    if (file.size > LARGEST_CODE)
      throw new Error(
        `This file is too large for a homework: it has ${Math.ceil(file.size / 1000)} kB, and at most ${LARGEST_CODE / 1000} kB are read.`,
      );
    const code = await file.text();
    this.stop();
    this.seq += 1;
    const { seq } = this;
    return new Promise((resolve, reject) => {
      this.now = { seq, onBlock, resolve, reject };
      watchServer(
        () => this.now?.seq === seq,
        () => this.hear(JSON.stringify({ seq, error: GONE })),
      );
      this.trigger("check", { seq, name: file.name, code });
    });
  }

  stop() {
    if (!this.now) return;
    this.trigger("halt", {});
    this.now.resolve(null);
    this.now = null;
  }

  hear(value) {
    const { seq, block, report, error } = JSON.parse(value || "{}");
    if (!this.now || seq !== this.now.seq) return;
    if (block) return this.now.onBlock(block);
    const { resolve, reject } = this.now;
    this.now = null;
    if (error) reject(new Error(error));
    else resolve(report);
  }
}
