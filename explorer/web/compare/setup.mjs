// What is compared: {models, masked, second, own}, and the same as the address says it. Pure: no DOM.

import { isSame } from "../state/address.mjs";

export const MOST = 4;
const MIDDLE = -1; // the server hides the token in the middle
const USUAL = { models: ["encoder", "decoder", "encoder-decoder-prefix"], texts: ["decoder"] };
export const FIRST = setupOf({ models: null, mask: null, second: null, own: null });

/** A second text goes with one model. */
export function setupOf({ models, mask, second, own }) {
  const chosen = [...new Set((models ?? []).filter(Boolean))].slice(0, second === null ? MOST : 1);
  return { models: chosen.length ? chosen : [...usualFor(second)], masked: mask ?? MIDDLE, second, own };
}

export function toldOf({ models, masked, second, own }) {
  return {
    models: isSame(models, usualFor(second)) ? null : models,
    mask: masked === MIDDLE ? null : masked,
    second,
    own,
  };
}

function usualFor(second) {
  return second === null ? USUAL.models : USUAL.texts;
}
