// Head surgery: choose what to do, press what to do it to, and see what changes.

import { make } from "../base/dom.mjs";
import { store } from "../state/store.mjs";
import { choice } from "../ui/choice.mjs";
import { board } from "./board.mjs";
import { attentionCard, lossCard, nextCard } from "./change.mjs";
import { HOWS } from "./edits.mjs";
import { maskEditor } from "./mask.mjs";
import { measureCard } from "./measure.mjs";
import { operation } from "./state.mjs";

const SHOW = { here: "Only here", everywhere: "In all views" };

export function mount(element) {
  const tools = choice(
    "tool",
    Object.fromEntries(Object.entries(HOWS).map(([how, { tool, sign }]) => [how, `${sign} ${tool}`])),
    "What to do",
  );
  const problem = make("p", { className: "hs-problem", role: "alert", hidden: "" });
  const measure = measureCard();
  const cards = {
    board: board(),
    mask: maskEditor(),
    loss: lossCard(),
    next: nextCard(),
    attention: attentionCard(),
    measure,
  };
  const show = make(
    "div",
    { className: "hs-cut-show" },
    make("span", { className: "hs-hint", text: "Show the changed model" }),
    choice("changed", SHOW, "Where to show the changed model"),
  );
  element.append(
    make("p", {
      text:
        "Which part of the model does the work? Choose what to do, then press a head, a layer’s attention or " +
        "an MLP, and see what becomes of the prediction.",
    }),
    make("div", { className: "hs-cut-choose" }, tools),
    problem,
    make(
      "div",
      { className: "hs-operate" },
      make("div", { className: "hs-operate-left" }, cards.board.element, show, cards.mask.element),
      make("div", { className: "hs-operate-right" }, cards.loss.element, cards.next.element),
    ),
    cards.attention.element,
    measure.element,
  );

  store.subscribe(element, (payload, focus) => {
    operation.sees(payload, focus);
    const { base } = operation;
    for (const { draw } of Object.values(cards)) draw(base, focus);
    problem.hidden = !operation.problem;
    problem.textContent = operation.problem;
    element.dataset.done = String(
      operation.done === operation.edits || !(operation.done.length + operation.edits.length),
    );
    element.dataset.edits = String(operation.done.length);
  });
}
