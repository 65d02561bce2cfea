// Which picture of the model stands in the middle; the heads and the next token stay beside it.

import { make } from "../base/dom.mjs";
import { store } from "../state/store.mjs";
import { choice } from "../ui/choice.mjs";
import { ABOUT, PAGE, TABS } from "./words.mjs";

export function mount(element) {
  const about = make("p", { className: "hs-hint" });
  element.append(choice("panel", TABS, PAGE.picture), about);
  const draw = (_, focus) => {
    // the store redraws when it is set
    if (document.body.dataset.panel !== focus.panel) document.body.dataset.panel = focus.panel;
    about.textContent = ABOUT[focus.panel];
  };
  store.subscribe(element, draw, null, false);
}
