// Predict, then reveal: a prompt, its options, and for each the reason why it is right or what led to it.

import { make } from "../base/dom.mjs";
import { withNouns } from "./nouns.mjs";

/** A card; `onAnswer("right" | "wrong" | "shown")` hears how it went. */
export function questionCard(question, revealed, onAnswer) {
  const why = make("p", { className: "hs-why", role: "status" });
  const buttons = question.options.map((option) =>
    make("button", { type: "button", className: "hs-option", text: option.text, onclick: () => answer(option) }),
  );
  const skip = make("button", {
    type: "button",
    className: "hs-link",
    text: "Reveal",
    onclick: () => onAnswer("shown"),
  });

  function answer(option) {
    buttons.forEach((button, i) => {
      if (question.options[i] === option) button.classList.add(option.right ? "hs-right" : "hs-wrong");
    });
    why.replaceChildren(make("strong", { text: option.right ? "Right. " : "Not quite. " }), ...withNouns(option.why));
    onAnswer(option.right ? "right" : "wrong");
    if (option.right) close();
  }

  function close() {
    buttons.forEach((button, i) => {
      button.disabled = true;
      if (question.options[i].right) button.classList.add("hs-right");
    });
    skip.hidden = true;
  }

  if (revealed) {
    close();
    why.replaceChildren(...withNouns(question.options.find(({ right }) => right).why));
  }
  return make(
    "section",
    { className: "hs-question", "aria-label": "Predict" },
    make("h3", { text: revealed ? "The question was" : "Predict first" }),
    make("p", {}, ...withNouns(question.prompt)),
    make("div", { className: "hs-options", role: "group" }, ...buttons),
    why,
    skip,
  );
}
