// What some views need beside the payload: PARTS of questions/explore.py says what there is.

import { ask } from "./ask.mjs";

/** One part for the text and the model of a payload, and the edits that it was made with. */
export function fetchPart(name, { text, model, edits = [] }) {
  return ask(name, { text, model: model.name, edits }, { quiet: true });
}
