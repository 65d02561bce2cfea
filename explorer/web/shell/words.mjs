// The words of what stands around every page, to be read in one go.

import { label, modelName, quoted } from "../base/text.mjs";

export const LOST = "A part of this page could not be loaded. Is the app still running? Reload the page.";

export const MODEL = {
  name: "Model",
  ofLessons: "Model of the lessons",
  other: "Open another model …",
};

export const OPEN_MODEL = {
  title: "Open another model",
  about:
    "A folder with config.json, model.safetensors, and a tokenizer; a .pt or .gguf file; or a name on the " +
    "Hugging Face Hub.",
  families:
    "GPT-2 and DistilGPT2 · Llama 2 and 3, Mistral, Qwen 2, 2.5 and 3, SmolLM2 · Pythia · TinyStories · nanoGPT's " +
    "ckpt.pt · BERT, DistilBERT, RoBERTa, T5, and BART on Explore and Compare.",
  example: "path/to/folder, or gpt2",
  field: "Folder, file, or name on the Hugging Face Hub",
  busy: " Loading the model. The first time, a model from the Hub is downloaded.",
  open: "Open",
  cancel: "Cancel",
};

/** After a text was refused: what the picture still shows. */
export const stillShown = ({ text, model }) =>
  `Still shown: ${quoted(label({ text }, 60))} in ${modelName(model.name)}.`;

export const downloadText = (license, size) => `${license}, ${size} to download`;
export const openElsewhere = (name) => `${name} is open on Explore and Compare; this page shows only decoders.`;

export const HELP = { title: "Keys and glossary", close: "Close", keys: "Keys", glossary: "Glossary" };
export const KEYS = [
  ["Tab", "move from view to view"],
  ["← →", "in a lesson: previous and next step"],
  ["← → ↑ ↓", "in the grid: choose head and layer; in a matrix or tensor: move from cell to cell"],
  ["+ − Esc", "in the minimap of a long matrix: more tokens, fewer, all; arrow keys move it"],
  ["R", "in a lesson: replay the animation"],
  ["L", "in a lesson: large type for a lecture, on and off"],
  ["Enter", "in the text: run; in a view: pin what is shown, again to unpin"],
  ["?", "show or hide this list"],
];
