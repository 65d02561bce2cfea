// Head surgery: three experiments to press, or choose what to do and press a head of the grid; and see what changes.

import { make } from "../base/dom.mjs";
import { runText } from "../state/run.mjs";
import { store } from "../state/store.mjs";
import { choice } from "../ui/choice.mjs";
import { experimentButtons } from "../ui/experiments.mjs";
import { hint } from "../ui/terms.mjs";
import { changes } from "./board.mjs";
import { attentionCard, lossCard } from "./change.mjs";
import { HOWS } from "./edits.mjs";
import { maskEditor } from "./mask.mjs";
import { measureCard } from "./measure.mjs";
import { operation } from "./state.mjs";
import { PAGE, SHOW } from "./words.mjs";

const TOOLS = Object.fromEntries(Object.entries(HOWS).map(([how, { tool, sign }]) => [how, `${sign} ${tool}`]));

export function mount(element, { props }) {
  const { model, experiments } = JSON.parse(props.given);
  const ready = experimentButtons(experiments, PAGE.experiments, begin);
  const about = make("p", { className: "hs-hint" });
  const problem = make("p", { className: "hs-problem", role: "alert", hidden: "" });
  const show = make(
    "div",
    { className: "hs-cut-show" },
    make("span", { className: "hs-hint", text: PAGE.show }),
    choice("changed", SHOW, PAGE.where),
  );
  const cards = { changes: changes(), mask: maskEditor(), attention: attentionCard(), loss: lossCard() };
  const measure = measureCard();
  const found = make("div", {}, show, cards.attention.element, cards.loss.element);
  element.append(
    ready,
    make("div", { className: "hs-cut-choose" }, choice("tool", TOOLS, PAGE.tool)),
    about,
    problem,
    cards.changes.element,
    cards.mask.element,
    found,
    measure.element,
  );

  store.subscribe(element, (payload, focus) => {
    operation.sees(payload, focus);
    const { base } = operation;
    ready.hidden = base.model.name !== model; // its heads are meant
    if (element.dataset.tool !== focus.tool) about.replaceChildren(...hint(HOWS[focus.tool].about).childNodes);
    element.dataset.tool = focus.tool;
    found.hidden = !operation.result; // before and after are the same
    for (const { draw } of [...Object.values(cards), measure]) draw(base, focus);
    problem.hidden = !operation.problem;
    problem.textContent = operation.problem;
    element.dataset.done = String(
      operation.done === operation.edits || !(operation.done.length + operation.edits.length),
    );
    element.dataset.edits = String(operation.done.length);
  });
}

/** Each is a text, and what is changed in the model that reads it. */
async function begin({ text, edits }) {
  if (operation.base.text !== text) await runText(text);
  operation.set(edits);
}
