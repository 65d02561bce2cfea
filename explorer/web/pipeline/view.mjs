// The whole forward pass as one picture, and below it the stage that is open. See pipeline_stages.mjs for the stages.

import { byHand } from "../base/hand.mjs";
import { make } from "../base/dom.mjs";
import { grouped } from "../base/text.mjs";
import { MOST } from "../matrix/shrink.mjs";
import { layered } from "../state/layers.mjs";
import { store } from "../state/store.mjs";
import { OpenStage } from "./open.mjs";
import { Picture } from "./picture.mjs";
import { stagesOf } from "./stages.mjs";
import { wholeTensor } from "./words.mjs";

export function mount(element) {
  let built = null;
  store.subscribe(
    element,
    (payload, focus, part) => {
      if (built?.family !== stagesOf(payload.model)) built = build(element, payload.model);
      const stage = built.family[focus.stage] ? focus.stage : "tokens"; // an address may name another family's
      focus = { ...focus, stage };
      built.note.textContent = noteOf(payload);
      built.picture.draw(payload, focus, part);
      built.open.draw(payload, focus, part);
      Object.assign(element.dataset, { stage: focus.stage, layer: focus.layer, head: focus.head });
    },
    layered("tensors"),
  );
}

function build(element, model) {
  const [picture, open] = [new Picture(model), new OpenStage()];
  const lead = make("p", {
    text: byHand(
      "Text goes in, the next token comes out. Each strip is what the model has just computed for the chosen token, " +
        "carried along the stream; scores and attention are shown whole. Click a strip to open it, or press Next ▸.",
    ),
  });
  const note = make("p", { className: "hs-hint" });
  element.numbers = () => wholeTensor(store.payload, store.focus.locked, partNow());
  element.replaceChildren(lead, picture.element, note, open.element);
  return { picture, open, note, family: stagesOf(model) };
}

const partNow = () => store.part(layered("tensors")(store.payload, store.focus.locked)[0]).value;

function noteOf({ tokens, model }) {
  const { n_embd: C } = model;
  const legend =
    `T = ${tokens.length} tokens · C = ${C} numbers for each · H = ${model.n_head} heads of D = ` +
    `${C / model.n_head} · V = ${grouped(model.vocab_size)} tokens of vocabulary.`;
  const isSmaller = tokens.length > MOST.rows || 4 * C > MOST.columns;
  return isSmaller
    ? `${legend} A strip has at most ${MOST.columns} cells: where several numbers share a ` +
        "cell, the strongest is shown. The open stage shows all of them."
    : legend;
}
