// Layer and head, chosen for one column alone: the shared focus does not keep them.

import { make } from "../base/dom.mjs";
import { choiceOf } from "../ui/choice.mjs";

/** Layer and head: two groups that count from 0. */
export function placePicker(L, H, choose) {
  const numbers = (count) => Object.fromEntries(Array.from({ length: count }, (_, i) => [i, String(i)]));
  const layers = choiceOf(numbers(L), "Layer", (layer) => choose({ layer: Number(layer) }));
  const heads = choiceOf(numbers(H), "Head", (head) => choose({ head: Number(head) }));
  const element = make(
    "div",
    { className: "hs-compare-place" },
    make("div", {}, make("span", { text: "layer" }), layers),
    make("div", {}, make("span", { text: "head" }), heads),
  );
  element.mark = ({ layer, head }) => {
    layers.mark(Math.min(layer, L - 1));
    heads.mark(Math.min(head, H - 1));
  };
  return element;
}
