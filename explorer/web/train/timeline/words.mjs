// What the timeline says in plain words; only what its numbers show. Pure: no DOM.

import { byHand } from "../../base/hand.mjs";
import { certain, fineProbability, grouped, label, quoted, visible } from "../../base/text.mjs";
import { short } from "../../charts/axis.mjs";

// What is recorded is rounded, and off by at most half of its last decimal.
export const OFF_SCORE = 5e-5;
export const OFF_LOSS = { heldOut: 5e-6, training: 5e-5 };
const OFF_FILL = 5e-7;
const ofScore = (score) => certain(score, OFF_SCORE, 3);
const ofLoss = (loss, off = OFF_LOSS.heldOut) => certain(loss, off, 3);

export const PAGE = {
  about:
    "Press play and watch the loss fall and the pictures below change. At step 0 the weights are random and " +
    "nothing has been learned. A mark on the curve shows where a head took up a task.",
  model: "Model",
  whichModel: "Which model",
  prompt: "Prompt",
  whichPrompt: "Which prompt",
  whichAttention: "Which attention",
  slider: "Step of training",
  speed: "Speed",
  play: "▶ Play",
  pause: "❚❚ Pause",
};
export const aboutBoth = (model, prompt) => `${model.sentence} In this prompt: ${prompt.sentence}`;
export const shownText = (step, prompt) => `step ${grouped(step)}, ${prompt.title}`;
export const promptOf = (prompt, model) => `“${prompt.title}” in ${model.name}`;

export const LOSS = {
  title: "Loss: how wrong its predictions are",
  scales: { log: "Early steps widened", even: "Even steps" },
  scale: "How the steps are spaced",
  heldOut: "held out: articles it never trains on",
  training: "training: the articles it trains on",
  marks: "Press a mark to see a head become",
};
export const guessText = (loss) => `uniform guess: ${loss.toFixed(2)}`;
export const moreText = (count) => `${count} more`;
export const lossLabel = (last, step, loss) =>
  `Loss over ${grouped(last)} steps. At step ${grouped(step)} the held-out ` +
  `loss is ${loss === undefined ? "not measured" : ofLoss(loss)}.`;

export const RUNS = {
  title: "All recorded runs in one chart",
  hint: byHand(
    "Thick, with points: held-out loss at the snapshots. Thin: training loss. Click a name in the legend to hide its " +
      "run, drag to zoom. An encoder fills gaps and a decoder continues a text, so their losses answer different " +
      "questions: compare how they fall, not how low they are. A logarithmic axis cannot show step 0.",
  ),
  scales: { linear: "Even", log: "Logarithmic" },
  steps: "Steps",
  loss: "Loss",
  smooth: "Smooth the training loss",
  across: "training step",
  up: "loss in nats per token",
  heldOut: "held out",
  training: "training",
  run: "run",
  step: "step",
  lossHeldOut: "held-out loss",
};
export const smoothText = (width) => (width === 1 ? "as recorded" : `mean of ${width} losses`);
export const lossText3 = (loss, off) => (Number.isFinite(loss) ? ofLoss(loss, off) : "not measured");
export const runsLabel = (runs) =>
  `Loss of ${runs.length} runs. At the last snapshot: ` +
  `${runs.map(({ title, heldOut }) => `${title} ${lossText3(heldOut.at(-1)[1])}`).join("; ")}.`;

export const NEXT = {
  tokens: "The tokens of the prompt",
  title: "What it expects next",
  gap: "What it puts in the gap",
  hint: "Press a token of the prompt: the bars show what the model expects after it at this step of training.",
  gapHint: "The outlined token is masked; the model has to guess it from the text on both sides.",
  end: "This is the end of the prompt: there is no true next token to compare with.",
};
export const afterText = (token, step) => `After ${quoted(label(token, 24))}, at step ${step}`;
export const gapText = (place) => `Which token is at position ${place}?`;
export const truthText = ({ text, p, rank }, masked, vocabulary) =>
  `✓ ${masked ? "What was hidden" : "The text continues with"} ${quoted(visible(text))}: ` +
  `probability ${fineProbability(p)}, rank ${grouped(rank)} of ${grouped(vocabulary)}.`;
export const chipLabel = (masked, place, token) => `${masked ? "Token" : "After token"} ${place}: ${label(token)}`;

export const SAMPLE = {
  blank: "(white space only)",
  gaps: "Gray is given; bold is the likeliest token for each gap.",
};
export const writesTitle = (step) => `What it writes at step ${step}`;
export const fillsTitle = (step) => `How it fills gaps at step ${step}`;
export const fillTitle = (p) => `probability ${certain(p, OFF_FILL, 3)}`;
export const drawsText = ({ seed, temperature, top_p }) =>
  `Unedited, below the gray title. The random draws are the same at every step (seed ${seed}, temperature ` +
  `${temperature}, top-p ${top_p}), so every difference is something the model has learned.`;

export const ROLES = {
  meanings: "What each role means",
  half: "This recording covers one half of induction, prefix matching; copying was not recorded.",
  hint:
    "Its scores at every recorded step. A curve that stays low and then rises within a few steps belongs to a head " +
    "that has found its task.",
  axis: "score, 0 to 1",
  noRise: "None of these scores rises by as much as 0.1 between two recorded steps.",
};
export const doesTitle = (layer, head, step) => `What layer ${layer}, head ${head} does at step ${grouped(step)}`;
export const cameTitle = (layer, head) => `How layer ${layer}, head ${head} came to do it`;
export const goText = (step) => `Go to step ${grouped(step)}`;
export const riseText = ({ name, from, to, low, high }) =>
  `The largest rise: ${name}, from ${ofScore(low)} at step ${grouped(from)} to ${ofScore(high)} at ` +
  `step ${grouped(to)}. `;

/** "step 512 of 20,000 · 16.8 M tokens seen": what the slider says. */
export function stepText({ steps, tokens }, i) {
  return `step ${grouped(steps[i])} of ${grouped(steps.at(-1))} · ${short(tokens[i])} tokens seen`;
}

/** The held-out loss at a step in words; `loss` is in nats, undefined if none was measured there. */
export function lossText(loss, vocabulary, masked) {
  const what = masked ? "each hidden token" : "each next token";
  if (loss === undefined) return "";
  if (!Number.isFinite(loss)) return "The loss is not a number here: training has diverged.";
  const choices = Math.exp(loss);
  const as = choices < 10 ? choices.toFixed(1) : grouped(Math.round(choices));
  const even = Math.log(vocabulary);
  const compared =
    Math.abs(loss - even) < 0.1 ? `, about what a uniform guess over all ${grouped(vocabulary)} tokens gives` : "";
  return (
    `Loss ${ofLoss(loss)} on held-out articles: for ${what}, the model is as unsure as if it chose among ${as} ` +
    `equally likely tokens${compared}.`
  );
}

export const NO_EVENTS =
  "In this run no head became a previous-token, prefix-matching, or induction head and stayed one to the end.";

/** "The closest was L4 H6: previous token 0.362, by chance 0.035". */
export function nearestText({ layer, head, role, score, baseline }, stackTitle = "") {
  return (
    `The closest was ${stackTitle ? `${stackTitle} ` : ""}L${layer} H${head}: ${role} ` +
    `${ofScore(score)}, by chance ${ofScore(baseline)}`
  );
}

export const RISES =
  "the learning rate (how far a step moves the weights) rises again: the loss gets worse before it gets better";

export const NO_ROLES =
  "Roles are measured on one text whose tokens attend to each other. Cross-attention goes from one text to " +
  "another, so it has none.";

const BECOMES = {
  "previous token": "a previous-token head",
  "prefix matching": "a prefix-matching head",
  induction: "an induction head",
};
const nameOf = (role) => BECOMES[role] ?? `a head of the role “${role}”`;

/** What the marks with a role's sign say, in the key. */
export const markText = (role) => ` ${nameOf(role)}`;

/** "L2 H5 becomes an induction head at step 512". */
export function eventText({ layer, head, role, step }, stackTitle = "") {
  return (
    `${stackTitle ? `${stackTitle} ` : ""}L${layer} H${head} ${step === 0 ? "is" : "becomes"} ` +
    `${nameOf(role)} at step ${grouped(step)}`
  );
}

/** What the chosen head scores in a role now, at first and at most. */
export function roleText(name, scores, steps, i, baseline) {
  const most = scores.reduce((best, score, at) => (score > scores[best] ? at : best), 0);
  return (
    `${name}: ${ofScore(scores[i])} now; by chance ${ofScore(baseline)}, at most ` +
    `${ofScore(scores[most])} at step ${grouped(steps[most])}`
  );
}

/** The chart of those scores, for who cannot see it. */
export function scoresText({ layer, head, series, steps, i }) {
  const each = series.map(({ role, scores }) => roleText(role.name, scores, steps, i, role.baseline));
  return `Scores of layer ${layer}, head ${head} over the steps. ${each.join("; ")}.`;
}

/** Whether a recording has only the matching half of induction. */
export const isHalf = (roles) =>
  roles.some(({ name }) => name === "prefix matching") && !roles.some(({ name }) => name === "induction");

/** Which badges the head wears at this step. */
export function badgeText(names) {
  const worn = names.length
    ? `Badge: ${names.join(", ")}.`
    : "No badge at this step: in every role, its score is too low for one.";
  return `${worn} Measured on sample articles and on repeated random tokens, not on the prompt.`;
}

/** Between which two recorded steps a score rose most; null if it never rose by a tenth. */
export function steepest(scores, steps) {
  let best = null;
  for (let i = 1; i < scores.length; i++) {
    const rise = scores[i] - scores[i - 1];
    if (rise >= 0.1 && rise > (best?.rise ?? 0))
      best = { from: steps[i - 1], to: steps[i], rise, low: scores[i - 1], high: scores[i] };
  }
  return best;
}

/**
 * How often the same token is the likeliest: a model that has learned only which tokens are frequent says the same
 * everywhere.
 */
export function sameness(likeliest) {
  const counts = new Map();
  for (const { id } of likeliest) counts.set(id, (counts.get(id) ?? 0) + 1);
  const [id, count] = [...counts].sort((a, b) => b[1] - a[1])[0];
  const total = likeliest.length;
  if (count < 2 || total < 3) return "";
  const name = quoted(visible(likeliest.find((one) => one.id === id).text));
  if (count === total)
    return (
      `At this step ${name} is the likeliest after every one of the ${total} tokens: what came before makes ` +
      "no difference yet to the model's first choice."
    );
  if (count * 2 > total) return `At this step ${name} is the likeliest after ${count} of the ${total} tokens.`;
  return (
    `At this step there are ${counts.size} different first choices after the ${total} tokens: what came ` +
    "before counts."
  );
}
