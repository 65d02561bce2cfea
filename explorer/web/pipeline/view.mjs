// The whole forward pass as one picture, and below it the stage that is open. See pipeline_stages.mjs for the stages.

import { make } from "../base/dom.mjs";
import { grouped } from "../base/text.mjs";
import { MOST } from "../matrix/shrink.mjs";
import { store } from "../state/store.mjs";
import { OpenStage } from "./open.mjs";
import { Picture } from "./picture.mjs";
import { wholeTensor } from "./words.mjs";

export function mount(element) {
  let built = null;
  store.subscribe(
    element,
    (payload, focus, part) => {
      built ??= build(element);
      built.note.textContent = noteOf(payload);
      built.picture.draw(payload, focus, part);
      built.open.draw(payload, focus, part);
      Object.assign(element.dataset, { stage: focus.stage, layer: focus.layer, head: focus.head });
    },
    "tensors",
  );
}

function build(element) {
  const [picture, open] = [new Picture(), new OpenStage()];
  const lead = make("p", {
    text:
      "Text goes in on the left, the next token comes out on the right. Every small picture is a tensor that " +
      "the model has just computed: a row for each token, the chosen one marked. Click one to open it, or " +
      "walk with Next ▸.",
  });
  const note = make("p", { className: "hs-hint" });
  element.numbers = () => wholeTensor(store.payload, store.focus.locked, store.part("tensors").value);
  element.append(lead, picture.element, note, open.element);
  return { picture, open, note };
}

function noteOf({ tokens, model }) {
  const { n_embd: C } = model;
  const legend =
    `T = ${tokens.length} tokens · C = ${C} numbers for each · H = ${model.n_head} heads of D = ` +
    `${C / model.n_head} · V = ${grouped(model.vocab_size)} tokens of vocabulary.`;
  const isSmaller = tokens.length > MOST.rows || 4 * C > MOST.columns;
  return isSmaller
    ? `${legend} A small picture has at most ${MOST.rows} × ${MOST.columns} cells: of the numbers that share ` +
        "one, the strongest is shown. The open stage shows all."
    : legend;
}
