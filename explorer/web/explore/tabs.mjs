// Which picture of the model stands in the middle; the heads and the next token stay beside it.

import { make } from "../base/dom.mjs";
import { store } from "../state/store.mjs";
import { choice } from "../ui/choice.mjs";
import { ABOUT, PAGE, TABS } from "./words.mjs";

export function mount(element) {
  const about = make("p", { className: "hs-hint" });
  element.append(choice("panel", TABS, PAGE.picture), about);
  const draw = (payload, focus) => {
    const missing = payload.without?.[focus.panel];
    const panel = missing ? "none" : focus.panel;
    // the store redraws when it is set
    if (document.body.dataset.panel !== panel) document.body.dataset.panel = panel;
    about.textContent = missing ?? ABOUT[focus.panel];
  };
  store.subscribe(element, draw, null, false);
}
