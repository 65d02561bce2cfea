// The dialog in which the app's owner opens a model of their own: a folder, a file, or a name on the Hub.

import { make } from "../base/dom.mjs";
import { ask } from "../state/ask.mjs";
import { refreshModels } from "../state/models.mjs";
import { page } from "../state/pages.mjs";
import { chooseModel } from "../state/run.mjs";
import { downloadText, OPEN_MODEL, openElsewhere } from "./words.mjs";

const SMALL = [
  // name, license, download
  ["distilgpt2", "Apache 2.0", "353 MB"],
  ["gpt2", "MIT", "548 MB"],
  ["EleutherAI/pythia-70m", "Apache 2.0", "166 MB"],
  ["HuggingFaceTB/SmolLM2-135M", "Apache 2.0", "269 MB"],
  ["distilbert-base-uncased", "Apache 2.0", "268 MB"],
  ["t5-small", "Apache 2.0", "242 MB"],
];

/** Ask for a model, and show the text in it. */
export function openModel() {
  const field = make("input", {
    type: "text",
    required: "",
    maxlength: "400",
    list: "hs-hub-models",
    placeholder: OPEN_MODEL.example,
    "aria-label": OPEN_MODEL.field,
  });
  const hub = SMALL.map(([value, license, size]) => make("option", { value, text: downloadText(license, size) }));
  const problem = make("p", { className: "hs-problem", role: "alert", hidden: "" });
  const busy = make("p", { className: "hs-hint", role: "status", hidden: "" });
  busy.append(make("progress"), OPEN_MODEL.busy);
  const open = make("button", { type: "submit", text: OPEN_MODEL.open });
  const form = make(
    "form",
    { method: "dialog", onsubmit: (event) => submit(event) },
    make("h2", { text: OPEN_MODEL.title }),
    make("p", { text: OPEN_MODEL.about }),
    field,
    make("datalist", { id: "hs-hub-models" }, ...hub),
    make("p", { className: "hs-hint", text: OPEN_MODEL.families }),
    busy,
    problem,
    open,
    make("button", { type: "button", text: OPEN_MODEL.cancel, onclick: () => dialog.close() }),
  );
  const dialog = make("dialog", { className: "hs-open-model", onclose: () => dialog.remove() }, form);

  async function submit(event) {
    event.preventDefault();
    problem.hidden = open.disabled = true;
    busy.hidden = false;
    try {
      const { name, architecture } = await ask("open_model", { name: field.value }, { newest: "open", quiet: true });
      if (architecture !== "decoder" && page() !== "explore") throw new Error(openElsewhere(name));
      await refreshModels();
      chooseModel(name);
      dialog.close();
    } catch ({ message }) {
      problem.textContent = message;
      problem.hidden = open.disabled = false;
    }
    busy.hidden = true;
  }

  document.body.append(dialog);
  dialog.showModal();
}
