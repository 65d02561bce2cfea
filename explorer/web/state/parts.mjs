// Fetches what some views need beside the payload: parts.py says what there is.

import { parsePayload } from "../base/payload.mjs";
import { GONE } from "./server.mjs";

/** The payload of one part for the text and the model of `payload`, and the edits that it was made with; an error whose
 * message is a sentence for the page. */
export async function fetchPart(name, { text, model, edits = [] }) {
  const body = JSON.stringify({ text, model: model.name, edits });
  const asked = { method: "POST", headers: { "Content-Type": "application/json" }, body };
  const answer = await fetch(new URL(`part/${name}`, document.baseURI), asked).catch(() => {
    throw new Error(GONE);
  });
  if (!answer.ok) throw new Error(await answer.text());
  return parsePayload(await answer.arrayBuffer());
}
