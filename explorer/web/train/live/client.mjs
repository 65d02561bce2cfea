// The page's side of a training run on the server: it starts one, watches its frames as they come, and commands it.

import { ask, BROKEN, isAborted, tell } from "../../state/ask.mjs";
import { OVER } from "./record.mjs";

const RETRIES = 5; // of a stream of frames that broke, a second apart
const QUIET = { quiet: true };
const page = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join(
  "",
);

/** What there is to choose. */
export const liveChoices = () => ask("live_choices", {}, QUIET);

export class LiveClient {
  /** `hear(frame)` gets each frame; `lost(sentence)` is called if the run cannot be followed any more. */
  constructor({ hear, lost }) {
    this.hear = hear;
    this.lost = lost;
    this.run = null;
    this.watching = new AbortController();
    addEventListener("pagehide", () => this.leave());
  }

  /** Start a run; the one before ends. Throws with one sentence if it cannot be. */
  async start(choices) {
    this.run = null;
    this.watching.abort();
    const { run } = await ask("live_start", { page, choices }, QUIET);
    this.run = run;
    this.watching = new AbortController();
    this.follow(run, this.watching.signal);
  }

  /** "pause", "resume" or "stop". */
  command(what) {
    return ask("live_tell", { run: this.run, what }, QUIET);
  }

  /** Save what was learned; {kept: its name}. */
  keep(name) {
    return ask("live_keep", { run: this.run, name }, QUIET);
  }

  /** A stream ends after some seconds: the next one begins behind the frames that are here. */
  async follow(run, signal) {
    let [after, failed, isOver] = [0, 0, false];
    const onFrame = (frame) => {
      after += 1;
      failed = 0;
      isOver ||= frame.kind === "state" && OVER.includes(frame.state);
      this.hear(frame);
    };
    while (!isOver && !signal.aborted) {
      try {
        await ask("live_frames", { run, after }, { onFrame, signal, quiet: true });
      } catch (problem) {
        if (isAborted(problem)) return;
        failed += 1;
        if (problem.message !== BROKEN || failed > RETRIES) return this.lost(problem.message);
        await new Promise((go) => setTimeout(go, 1000));
      }
    }
  }

  /** The page is closed: its run ends. */
  leave() {
    if (this.run) tell("live_tell", { run: this.run, what: "close" });
  }
}
