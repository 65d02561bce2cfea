// The models that there are, as the server lists them: those that were kept meanwhile appear without a reload.

import { ask } from "./ask.mjs";

let known = [];

/** {name, title, architecture} of each, as far as they are known yet. */
export const models = () => known;

/** Ask anew; "hs-models" says when there is something new. What could not be asked stays as it was. */
export async function refreshModels() {
  const listed = await ask("models", {}, { newest: "models", quiet: true }).catch(() => known);
  if (JSON.stringify(listed) === JSON.stringify(known)) return;
  known = listed;
  document.dispatchEvent(new CustomEvent("hs-models"));
}

document.addEventListener("hs-page", refreshModels);
document.addEventListener("hs-kept", refreshModels); // a model has been kept
refreshModels();
