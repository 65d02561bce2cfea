// The dialog in which the app's owner opens a model of their own: a folder, a file, or a name on the Hub.

import { make } from "../base/dom.mjs";
import { ask } from "../state/ask.mjs";
import { refreshModels } from "../state/models.mjs";
import { chooseModel } from "../state/run.mjs";

const FAMILIES =
  "GPT-2 and DistilGPT2 · Llama 2 and 3, Mistral, Qwen 2, 2.5 and 3, SmolLM2 · Pythia · TinyStories · nanoGPT's " +
  "ckpt.pt. BERT, DistilBERT, RoBERTa, T5, and BART open on the Compare page.";
const SMALL = [
  // name, license, download
  ["distilgpt2", "Apache 2.0", "353 MB"],
  ["gpt2", "MIT", "548 MB"],
  ["EleutherAI/pythia-70m", "Apache 2.0", "166 MB"],
  ["HuggingFaceTB/SmolLM2-135M", "Apache 2.0", "269 MB"],
];

/** Ask for a model, and show the text in it. */
export function openModel() {
  const field = make("input", {
    type: "text",
    required: "",
    maxlength: "400",
    list: "hs-hub-models",
    placeholder: "path/to/folder, or gpt2",
    "aria-label": "Folder, file, or name on the Hugging Face Hub",
  });
  const hub = SMALL.map(([value, license, size]) => make("option", { value, text: `${license}, ${size} to download` }));
  const problem = make("p", { className: "hs-problem", role: "alert", hidden: "" });
  const busy = make("p", { className: "hs-hint", role: "status", hidden: "" });
  busy.append(make("progress"), " Loading the model. The first time, a model from the Hub is downloaded.");
  const open = make("button", { type: "submit", text: "Open" });
  const form = make(
    "form",
    { method: "dialog", onsubmit: (event) => submit(event) },
    make("h2", { text: "Open another model" }),
    make("p", {
      text:
        "A folder with config.json, model.safetensors, and a tokenizer; a .pt or .gguf file; or a name on the " +
        "Hugging Face Hub.",
    }),
    field,
    make("datalist", { id: "hs-hub-models" }, ...hub),
    make("p", { className: "hs-hint", text: FAMILIES }),
    busy,
    problem,
    open,
    make("button", { type: "button", text: "Cancel", onclick: () => dialog.close() }),
  );
  const dialog = make("dialog", { className: "hs-open-model", onclose: () => dialog.remove() }, form);

  async function submit(event) {
    event.preventDefault();
    problem.hidden = open.disabled = true;
    busy.hidden = false;
    try {
      const { name, architecture } = await ask("open_model", { name: field.value }, { newest: "open", quiet: true });
      if (architecture !== "decoder")
        throw new Error(`${name} is open now, on the Compare page: this page shows decoders.`);
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
