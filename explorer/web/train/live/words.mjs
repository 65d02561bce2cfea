// What the page says about a training run. Pure: no DOM.

import { grouped } from "../../base/text.mjs";

export const percent = (share) => (Number.isFinite(share) ? `${(100 * share).toFixed(1)} %` : "no number");
export const lossWords = (loss) =>
  loss === null || !Number.isFinite(loss) ? "no number" : loss >= 1000 ? loss.toPrecision(3) : loss.toFixed(3);

/** The line beside the buttons. */
export function stateText({ state, sentence, place, training, step, choices, tokensPerSecond, seconds }) {
  const at = `step ${grouped(step)} of ${grouped(choices.steps)}`;
  const speed = tokensPerSecond ? ` · ${grouped(Math.round(tokensPerSecond))} tokens/s` : "";
  const time = seconds ? ` · ${Math.round(seconds)} s` : "";
  return {
    starting: "Starting a process for your model …",
    waiting:
      `${training === 1 ? "One model trains" : `${numberWord(training)} models train`} on this server now; ` +
      `yours is number ${place} in the queue. It starts by itself.`,
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
    sentence:
      "For a few hundred steps the model only guesses. Then the loss drops, and heads of layer 1 get the mark I: " +
      "from each letter they attend to the letter that followed its previous occurrence.",
  },
  {
    title: "One layer cannot do induction",
    choices: { task: "induction", n_layer: 1 },
    sentence:
      "An induction head uses what a head in the layer below has found. With a single layer there is no layer " +
      "below, so this model keeps guessing. Train it, then set Layers to 2 and train again: both curves appear " +
      "in one chart.",
  },
  {
    title: "Without positions",
    choices: { task: "copy", architecture: "encoder", positions: false },
    sentence:
      "An encoder fills in all masked letters at once. Without positions they all look the same to it: it finds " +
      "out which letters there are, but not their order.",
  },
  {
    title: "Learning rate 100 times too high",
    choices: { learning_rate: (start) => start * 100 },
    sentence:
      "It finds out that there are only 26 letters, a loss of ln 26 = 3.26, and stays there: each step is too " +
      "large to learn anything finer. With a learning rate of 100 the loss diverges.",
  },
];
