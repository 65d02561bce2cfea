// The words of live training, and what is said of a run. Pure: no DOM.

import { grouped, label, probability } from "../../base/text.mjs";

export const PAGE = {
  title: "Train a tiny model now",
  lead:
    "Choose a task and press Train: a new model with random weights learns it while you watch, on the " +
    "computer that runs this app. Change one thing, train again, and compare the curves.",
  loading: "Loading the choices …",
  train: "Train",
  again: "Train again",
  restart: "Restart training",
  restartHint: "Stops the current run and starts a new one with these choices",
  pause: "Pause",
  resume: "Resume",
  stop: "Stop",
  idle: "Nothing is running yet. Loss, accuracy, and the attention of every head appear below during training.",
  name: "Name of the saved model",
  saveAs: "save it as",
  keep: "Keep",
  saved: ["Saved in the folder ", " beside the app. "],
  savedFor: " Saved models are listed on the other pages, for everyone who uses this app.",
  compare: "Open in Compare (a new tab)",
  explore: "Open in Explore",
};

export const FORM = {
  more: "More choices ",
  all: "encoder or decoder, layers, heads, width, learning rate, positions, scale, dropout",
  reset: "Reset all",
  tries: "Try this: experiments that set the choices",
  try: "Try this:",
  task: "Choose a task",
};
export const changedText = (choices) => `changed: ${choices.join(", ")}`;
export const tryHint = (sentence) => `${sentence} Now start training.`;

export const NOW = {
  advice: "as the model trains, its pattern emerges",
  which: "Which attention",
  right: "right answer",
  says: "it says",
  probability: "probability",
};
export const nowTitle = (number, step) => `Run ${number} at step ${step}`;
export const probeSentence = (text) =>
  "The input is always the same, one that the model never trains on, so only the model changes: " +
  `“${text.replaceAll("\n", "⏎")}”.`;
export const answerTitle = (answer, said) =>
  `should be ${label(answer)}, it says ${label(said)} with probability ${probability(said.p)}`;
export const rightSentence = (right, all) => `Its answer now: ${right} of ${all} right.`;
export function answersLabel(answers, said) {
  const [wanted, given] = [answers, said].map((tokens) => tokens.map((token) => label(token)).join(" "));
  return `Right answer: ${wanted}. The model says: ${given}.`;
}

export const PLOT = {
  loss: "Loss: how surprised the model is by the right answer",
  accuracy: "Accuracy: how often its first choice is right",
  lossAxis: "loss in nats",
  accuracyAxis: "accuracy, 0 to 1",
  runs: "Runs in the chart",
  events: "What happened",
  lines: "Thick line: on fresh sequences that it never trains on. Thin line: on the batch it just learned from.",
  curves: "These curves as a table",
  table: "Measurements of every run",
  fresh: "loss on fresh sequences (nats)",
  look: "Look at this run below",
  remove: "Remove this run from the chart",
  head: "Show this head",
  broke: "broke",
};
export const runText = (number) => `Run ${number}`;
export const runName = (number, name) => `run ${number}: ${name}`;
export const showLabel = (number) => `Show run ${number} in the chart`;
export const removeLabel = (number) => `Remove run ${number}`;
export const guessText = (loss) => `uniform guess: ${loss.toFixed(2)}`;
export const stepWord = (step) => `step ${grouped(step)}`;
export const eventName = ({ title, step }) => `${title} at step ${grouped(step)}`;

const lastOf = (curves, word) =>
  curves
    .map(({ name, points }) => `${name}: ${points.length ? word(points.at(-1)[1]) : "not yet measured"}`)
    .join("; ");
export const lossLabel = (curves) => `Loss over the steps of training. ${lastOf(curves, lossWords)}.`;
export const accuracyLabel = (curves) => `Accuracy over the steps of training. ${lastOf(curves, percent)}.`;
export const measuredText = (number, { loss, accuracy }, step) =>
  `run ${number}: loss ${lossWords(loss)}, accuracy ${percent(accuracy)} (measured at step ${grouped(step)})`;
export const cursorText = (step, measured) => `Step ${grouped(step)}. ${measured.join(" · ")}`;
export const lastText = ({ loss, accuracy }) => `loss ${lossWords(loss)} · ${percent(accuracy)} right`;

export const percent = (share) => (Number.isFinite(share) ? `${(100 * share).toFixed(1)}%` : "no number");
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
      `yours is number ${place} in the queue. It will start by itself.`,
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
      "The model finds out that there are only 26 letters (a loss of ln 26 = 3.26) and stays there: each step is too " +
      "large to learn anything finer. With a learning rate of 100 the loss diverges.",
  },
];
