// One of several, as radio buttons are: one Tab stop, arrows choose.

import { make } from "../base/dom.mjs";
import { store } from "../state/store.mjs";

/** A switch for the choice `name` of focus.mjs; `options` are its values and what they are called. */
export function choice(name, options, label) {
  const group = choiceOf(options, label, (value) => store.toggle({ [name]: value }));
  store.subscribe(group, (_, focus) => group.mark(focus[name]));
  return group;
}

/** `names` = {value: text}; `choose(value)` is called; the element's `mark(value)` says what is chosen. */
export function choiceOf(names, label, choose) {
  const group = make("div", { className: "hs-switch", role: "radiogroup", "aria-label": label });
  for (const [value, text] of Object.entries(names)) {
    group.append(
      make("button", { type: "button", role: "radio", text, "data-name": value, onclick: () => choose(value) }),
    );
  }
  group.addEventListener("keydown", (event) => {
    const buttons = [...group.children];
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = buttons[(buttons.indexOf(event.target) + step + buttons.length) % buttons.length];
    next.focus();
    choose(next.dataset.name);
  });
  group.mark = (value) => {
    for (const button of group.children) {
      const chosen = button.dataset.name === String(value);
      button.setAttribute("aria-checked", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
    }
  };
  return group;
}
