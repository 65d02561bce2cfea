// Fetches the payload that the server names, and says in one sentence what went wrong if something did.
// A text that the address names is put into the prompt and run, as if it were typed.

import { make } from "../base/dom.mjs";
import { parsePayload } from "../base/payload.mjs";
import { runText } from "../state/run_text.mjs";
import { GONE, watchServer } from "../state/server.mjs";
import { store } from "../state/store.mjs";

export function mount(element, { props, watch }) {
  const note = make("p", { className: "hs-problem", role: "alert", hidden: "" });
  element.append(note);
  let newest = 0; // when the newest result was asked for: an older one that comes later is dropped

  async function load() {
    if (!props.value) return;
    const { url, error, asked, model } = JSON.parse(props.value);
    if (asked < newest) return;
    const isFirst = newest === 0;
    newest = asked;
    let problem = error ?? null;
    try {
      if (url) {
        const payload = await fetchPayload(url);
        if (asked === newest) {
          if (isFirst) Object.assign(store, { firstText: payload.text, firstModel: payload.model.name });
          store.setPayload(payload);
        }
      }
    } catch (caught) {
      problem = caught.message;
    }
    if (asked === newest) say(problem, model); // else a newer text is on its way
  }

  function say(problem, model = null) {
    store.answered(model, problem);
    note.hidden = problem === null;
    note.textContent = problem ?? "";
    element.dataset.error = problem ?? "";
    element.dataset.ready = "true";
    document.dispatchEvent(new CustomEvent("hs-idle"));
  }

  document.addEventListener("hs-busy", () => watchServer(() => document.body.dataset.busy === "true", say));
  watch("value", load);
  load().then(() => {
    const { text, model } = store.asked ?? {};
    if ((text ?? null) === null && !model) return;
    store.wanted = model;
    runText(text ?? store.firstText);
  });
}

async function fetchPayload(url) {
  const answer = await fetch(new URL(url, document.baseURI), { cache: "no-cache" }).catch(() => {
    throw new Error(GONE);
  });
  if (!answer.ok) throw new Error(await answer.text());
  return parsePayload(await answer.arrayBuffer());
}
