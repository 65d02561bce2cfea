// What the page says about a training run. Pure: no DOM.

import { grouped } from "./text.mjs";

export const percent = (share) => (Number.isFinite(share) ? `${(100 * share).toFixed(1)} %` : "no number");
export const lossWords = (loss) => (loss === null || !Number.isFinite(loss) ? "no number" : loss >= 1000 ? loss.toPrecision(3) : loss.toFixed(3));

/** The line beside the buttons. */
export function stateText({ state, sentence, place, training, step, choices, tokensPerSecond, seconds }) {
  const at = `step ${grouped(step)} of ${grouped(choices.steps)}`;
  const speed = tokensPerSecond ? ` · ${grouped(Math.round(tokensPerSecond))} tokens/s` : "";
  const time = seconds ? ` · ${Math.round(seconds)} s` : "";
  return {
    starting: "Starting a process of its own for your model …",
    waiting: `${training === 1 ? "One model trains" : `${numberWord(training)} models train`} on this server now; yours is number ${place} in the queue. It starts by itself.`,
    running: `Training: ${at}${speed}${time}`,
    paused: `Paused at ${at}. ${sentence}`,
    done: `Done: ${at}${time}. ${sentence}`,
    stopped: `Stopped at ${at}. ${sentence}`,
    failed: `It ended at step ${grouped(step)}.`,
    lost: "The run is lost.",
  }[state].trim();
}

function numberWord(count) {
  return ["No", "One", "Two", "Three", "Four", "Five", "Six"][count] ?? String(count);
}

/** One-click experiments: the choices that differ from the start, and what to look for. */
export const EXPERIMENTS = [
  {
    title: "Watch an induction head form",
    choices: { task: "induction" },
    sentence: "Two layers can copy what followed the same letter before: first a head finds the previous letter, then one in the layer above uses it, and the loss falls within a few steps.",
  },
  {
    title: "One layer cannot do induction",
    choices: { task: "induction", n_layer: 1 },
    sentence: "The same task with a single layer: no head can use what another one has found, so the loss stays high. Lay both runs on one picture.",
  },
  {
    title: "Without positions",
    choices: { task: "reverse", positions: false },
    sentence: "Nothing tells the model where a letter stands. To write a word backwards one has to know.",
  },
  {
    title: "Learning rate 100 times too high",
    choices: { learning_rate: (start) => start * 100 },
    sentence: "Each step goes far beyond where the slope was measured: the loss jumps up instead of falling, and may become no number at all.",
  },
];
