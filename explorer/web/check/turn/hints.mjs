// Hints, one after the other, and last one way to write it.

import { make } from "../../base/dom.mjs";
import { TURN } from "./words.mjs";

/** `shown` of the hints are open; `more(count)` opens so many. Behind them comes the solution. */
export function hintList(hints, solution, shown, more) {
  const all = [...hints, solution];
  const titles = [...TURN.hint, TURN.whole];
  const open = all.slice(0, shown).map((text, i) => [make("h4", { text: titles[i] }), told(text, i >= 2)]);
  const next =
    shown < all.length
      ? [make("button", { type: "button", text: titles[shown], "data-hint": shown, onclick: () => more(shown + 1) })]
      : [];
  return [make("h3", { text: TURN.hints }), ...open.flat(), ...next];
}

function told(text, isCode) {
  if (isCode) return make("pre", { tabindex: "0" }, make("code", { text }));
  return make("div", {}, ...text.split("\n").map((line) => make("p", { className: "hs-turn-hint", text: line })));
}
