// What the timeline says in plain words; only what its numbers show. Pure: no DOM.

import { grouped } from "../../base/text.mjs";
import { short } from "../../charts/axis.mjs";

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
    `Loss ${loss.toFixed(3)} on held-out articles: for ${what} it is as unsure as between ${as} ` +
    `equally likely ones${compared}.`
  );
}

export const NO_EVENTS =
  "In this run no head became a previous-token head or an induction head and stayed one to the end.";

/** "The closest was L4 H6: previous token 0.362, by chance 0.035". */
export function nearestText({ layer, head, role, score, baseline }, stackTitle = "") {
  return (
    `The closest was ${stackTitle ? `${stackTitle} ` : ""}L${layer} H${head}: ${role} ` +
    `${score.toFixed(3)}, by chance ${baseline.toFixed(3)}`
  );
}

export const RISES =
  "the learning rate (how far a step moves the weights) rises once more: the loss gets worse before it gets better";

export const NO_ROLES =
  "Roles are measured on one text whose tokens attend to each other. Cross-attention goes from one text to " +
  "another, so it has none.";

const BECOMES = { "previous token": "a previous-token head", induction: "an induction head" };

/** "L2 H5 becomes an induction head at step 512". */
export function eventText({ layer, head, role, step }, stackTitle = "") {
  const name = BECOMES[role] ?? `a head of the role “${role}”`;
  return (
    `${stackTitle ? `${stackTitle} ` : ""}L${layer} H${head} ${step === 0 ? "is" : "becomes"} ` +
    `${name} at step ${grouped(step)}`
  );
}

/** What the chosen head scores in a role now, at first and at most. */
export function roleText(name, scores, steps, i, baseline) {
  const most = scores.reduce((best, score, at) => (score > scores[best] ? at : best), 0);
  return (
    `${name}: ${scores[i].toFixed(3)} now; by chance ${baseline.toFixed(3)}, at most ` +
    `${scores[most].toFixed(3)} at step ${grouped(steps[most])}`
  );
}

/** The chart of those scores, for who cannot see it. */
export function scoresText({ layer, head, series, steps, i }) {
  const each = series.map(({ role, scores }) => roleText(role.name, scores, steps, i, role.baseline));
  return `Scores of layer ${layer}, head ${head} over the steps. ${each.join("; ")}.`;
}

/** Which badges the head wears at this step. */
export function badgeText(names) {
  const worn = names.length
    ? `Badge: ${names.join(", ")}.`
    : "No badge at this step: in none of the roles is it far above what uniform attention scores.";
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
