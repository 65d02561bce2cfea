// What some views need beside the payload: PARTS of questions/explore.py says what there is.

import { ask } from "./ask.mjs";

/**
 * One part for the text and the model of a payload, and the edits that it was made with.
 * @param {string} name
 * @param {{text: string, model: any, edits?: object[], stack?: string, masked?: number | null}} payload
 */
export function fetchPart(name, { text, model, edits = [], stack, masked }) {
  const look = { ...(stack && { stack }), ...(typeof masked === "number" && { masked }) };
  const [kind, layer] = name.split("."); // "neurons", or of a large model "neurons.3"
  const of = layer === undefined ? {} : { layer: Number(layer) };
  return ask(kind, { text, model: model.name, edits, ...look, ...of }, { quiet: true });
}
