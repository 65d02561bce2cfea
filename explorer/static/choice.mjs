// One of several, chosen by name in the focus, as radio buttons are: one Tab stop, arrows choose.

import { make } from "./dom.mjs";
import { store } from "./store.mjs";

/** A switch for the choice `name` of focus.mjs; `options` are its values and what they are called. */
export function choice(name, options, label) {
  const group = make("div", { className: "hs-switch", role: "radiogroup", "aria-label": label });
  const choose = (value) => store.toggle({ [name]: value });
  for (const [value, text] of Object.entries(options)) {
    group.append(make("button", { type: "button", role: "radio", text, "data-name": value, onclick: () => choose(value) }));
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
  store.subscribe(group, (_, focus) => {
    for (const button of group.children) {
      const chosen = button.dataset.name === focus[name];
      button.setAttribute("aria-checked", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
    }
  });
  return group;
}
