// The page's side of a training run on the server: it starts one, fetches its frames as they come, and commands it.

import { parsePayload } from "../../base/payload.mjs";
import { GONE } from "../../state/server.mjs";

const RETRIES = 5; // of a question for frames that got no answer, a second apart
const page = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join(
  "",
);

/** What there is to choose. */
export async function liveChoices() {
  return (await asked("live/choices")).json();
}

export class LiveClient {
  /** `hear(frame)` gets each frame; `lost(sentence)` is called if the run cannot be followed any more. */
  constructor({ hear, lost }) {
    this.hear = hear;
    this.lost = lost;
    this.run = null;
    addEventListener("pagehide", () => this.leave());
  }

  /** Start a run; the one before ends. Throws with one sentence if it cannot be. */
  async start(choices) {
    this.run = null;
    const { run } = await (await post("live/start", { page, choices })).json();
    this.run = run;
    this.follow(run);
  }

  /** "pause", "resume", "stop", or "keep" with {name}. */
  async command(what, given = {}) {
    return (await post(`live/${this.run}/${what}`, given)).json();
  }

  async follow(run) {
    let [number, failed] = [0, 0];
    while (this.run === run) {
      try {
        const answer = await asked(`live/${run}/frames?after=${number}`, { cache: "no-store" });
        const frames = framesIn(await answer.arrayBuffer());
        if (this.run !== run) return;
        for (const frame of frames) this.hear(frame);
        number += frames.length;
        failed = 0;
        if (frames.some(({ kind, state }) => kind === "state" && ["stopped", "failed", "done"].includes(state))) return;
      } catch (problem) {
        failed += 1;
        if (this.run !== run) return;
        if (problem.isSaid || failed > RETRIES) return this.lost(problem.message);
        await new Promise((go) => setTimeout(go, 1000));
      }
    }
  }

  /** The page is closed: its run ends. */
  leave() {
    if (this.run) navigator.sendBeacon(new URL(`live/${this.run}/close`, document.baseURI));
  }
}

/** Frames, each behind its length. Pure. */
export function framesIn(buffer) {
  const [view, frames] = [new DataView(buffer), []];
  for (let at = 0; at < buffer.byteLength; ) {
    const length = view.getUint32(at, true);
    frames.push(parsePayload(buffer.slice(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return frames;
}

function post(address, given) {
  return asked(address, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(given),
  });
}

async function asked(address, options = {}) {
  const answer = await fetch(new URL(address, document.baseURI), options).catch(() => {
    throw new Error(GONE);
  });
  if (!answer.ok) throw Object.assign(new Error(await answer.text()), { isSaid: true });
  return answer;
}
