// What the timeline shows now, as the rows of a table: to be saved as CSV. Pure: no DOM.

import { OFF_NEAREST } from "../../base/payload.mjs";
import { certain, visible } from "../../base/text.mjs";

const exact = (unit) => certain(unit / 65535, OFF_NEAREST); // it was recorded in 16 bits

/**
 * {model, prompt, part, state, i, place}: losses at all steps, then the head's weights and the prediction at this
 * one.
 */
export function timelineRows({ model, prompt, part, state: { layer, head }, i, place }) {
  return [
    ...overSteps(model, part, layer, head),
    [],
    ...weights(part, layer, head),
    [],
    ...prediction(prompt, i, place),
  ];
}

function overSteps(model, part, layer, head) {
  const names = model.roles(part.name, 0).map(({ name }) => name);
  const scores = (at) => model.roles(part.name, at).map((role) => role.scores[layer][head]);
  return [
    ["step", "tokens seen", "held-out loss", ...names.map((name) => `L${layer} H${head} ${name}`)],
    ...model.steps.map((step, at) => [step, model.tokens[at], model.heldOutAt(at), ...scores(at)]),
  ];
}

function weights({ T, S, queries, keys, block }, layer, head) {
  const name = (tokens, at) => `${at} ${visible(tokens[at].text)}`;
  const units = block(layer, head);
  return [
    [`L${layer} H${head}: query \\ key`, ...Array.from({ length: S }, (_, k) => name(keys, k))],
    ...Array.from({ length: T }, (_, q) => [name(queries, q), ...Array.from(units.subarray(q * S, q * S + S), exact)]),
  ];
}

function prediction(prompt, i, place) {
  const rows = prompt
    .predicted(i, place)
    .best.map(({ id, text, p }) => [`${place} ${visible(prompt.tokens[place].text)}`, visible(text), id, p]);
  return [["position", "token", "id", "probability"], ...rows];
}
