// Computes in idle moments what a click on a long text would otherwise wait for: means and maxima, and the rollout.

import { blockOf } from "./aggregate.mjs";
import { mixing } from "./rollout.mjs";

const whenIdle = globalThis.requestIdleCallback ?? ((job) => setTimeout(job, 50));

/**
 * One piece at a time, and no more once `isShown()` says that another text has come.
 * @param {Payload} payload
 */
export function computeAhead(payload, isShown) {
  if (payload.arrays.pattern.layers) return; // of a large model only what is looked at is here
  const layers = Array.from({ length: payload.arrays.pattern.shape[0] }, (_, layer) => layer);
  const jobs = [
    ...layers.map((layer) => () => blockOf(payload, { layer, by: "mean", over: "heads" })),
    () => mixing(payload),
    ...["mean", "max"].map((by) => () => blockOf(payload, { by, over: "all" })),
  ];
  const next = () => {
    if (!jobs.length || !isShown()) return;
    jobs.shift()();
    whenIdle(next);
  };
  whenIdle(next);
}
