// One of several as radio buttons, for choices that the shared focus does not keep: one Tab stop, arrows choose.

import { make } from "./dom.mjs";

/** `names` = {value: text}; `choose(value)` is called; the element's `mark(value)` says what is chosen. */
export function choiceOf(names, label, choose) {
  const group = make("div", { className: "hs-switch", role: "radiogroup", "aria-label": label });
  for (const [value, text] of Object.entries(names)) {
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
  group.mark = (value) => {
    for (const button of group.children) {
      const chosen = button.dataset.name === String(value);
      button.setAttribute("aria-checked", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
    }
  };
  return group;
}

/** Layer and head: two such groups that count from 1. */
export function placePicker(L, H, choose) {
  const numbers = (count) => Object.fromEntries(Array.from({ length: count }, (_, i) => [i, String(i + 1)]));
  const layers = choiceOf(numbers(L), "Layer", (layer) => choose({ layer: Number(layer) }));
  const heads = choiceOf(numbers(H), "Head", (head) => choose({ head: Number(head) }));
  const element = make("div", { className: "hs-compare-place" }, make("div", {}, make("span", { text: "layer" }), layers), make("div", {}, make("span", { text: "head" }), heads));
  element.mark = ({ layer, head }) => {
    layers.mark(Math.min(layer, L - 1));
    heads.mark(Math.min(head, H - 1));
  };
  return element;
}
