// A text is given to a model: the prompt's own, another one, or an example that was computed ahead.

import { ask, isAborted, load } from "./ask.mjs";
import { store } from "./store.mjs";

const NEWEST = { newest: "run" }; // of texts that are asked for in a hurry

export const promptText = () => prompt()?.value ?? "";

/** Run the text that stands in the prompt. */
export function run() {
  return given(promptText());
}

/** Put a text into the prompt, and run it. */
export function runText(text) {
  setPrompt(text);
  return given(text);
}

/** Look at the text that is there otherwise: at another attention of the model (`stack`), or with a place hidden. */
export function lookAgain(/** @type {{stack?: string, masked?: number | null}} */ change) {
  const { text, model } = store.payload;
  const look = { ...store.lookAt(text), ...change };
  if (look.masked === null) delete look.masked;
  return shown(ask("run", { text, model: model.name, ...look }, NEWEST));
}

const given = (text) => shown(ask("run", { text, model: store.model, ...store.lookAt(text) }, NEWEST));

/** Put an example into the prompt, and show what was computed of it. */
export function openAhead(text, address) {
  setPrompt(text);
  return shown(load(address, NEWEST));
}

/** Give the text that is there to another model. */
export function chooseModel(name) {
  store.wanted = name;
  return run();
}

/** Shows the result; "hs-ran" says what went wrong, or "". What was shown stays until then. */
async function shown(asked) {
  const { model } = store;
  let problem = null;
  store.asking(true);
  try {
    store.setPayload(await asked);
  } catch (caught) {
    if (isAborted(caught)) return;
    problem = caught.message;
  }
  store.answered(model, problem);
  document.dispatchEvent(new CustomEvent("hs-ran", { detail: problem ?? "" }));
}

/** @returns {HTMLTextAreaElement | null} */
const prompt = () => document.querySelector("#prompt textarea");

/** On a slow machine the prompt comes after the views. Gradio notes what is in it when it hears "input". */
function setPrompt(text) {
  const element = prompt();
  if (!element) return requestAnimationFrame(() => setPrompt(text));
  if (element.value === text) return;
  element.value = text;
  element.dispatchEvent(new Event("input", { bubbles: true }));
}
