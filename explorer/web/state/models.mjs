// The models that there are, as the server lists them: those that were kept meanwhile appear without a reload.

let known = [];

/** {name, title, architecture} of each, as far as they are known yet. */
export const models = () => known;

/** Ask anew; "hs-models" says when there is something new. What could not be asked stays as it was. */
export async function refreshModels() {
  const answer = await fetch(new URL("models", document.baseURI), { cache: "no-store" }).catch(() => null);
  if (!answer?.ok) return;
  const found = await answer.json();
  if (JSON.stringify(found) === JSON.stringify(known)) return;
  known = found;
  document.dispatchEvent(new CustomEvent("hs-models"));
}

document.addEventListener("hs-page", refreshModels);
document.addEventListener("hs-kept", refreshModels); // a model has been kept
refreshModels();
