// Which picture of the model stands in the middle; the heads and the next token stay beside it.

import { make } from "../base/dom.mjs";
import { store } from "../state/store.mjs";
import { choice } from "../ui/choice.mjs";
import { hint } from "../ui/terms.mjs";
import { ABOUT, PAGE, TABS } from "./words.mjs";

export function mount(element) {
  const about = make("p", { className: "hs-hint" });
  const tabs = choice("panel", TABS, PAGE.picture);
  element.append(tabs, about);
  const draw = (payload, focus) => {
    const missing = payload.without?.[focus.panel];
    const panel = missing ? "none" : focus.panel;
    // the store redraws when it is set
    if (document.body.dataset.panel !== panel) {
      document.body.dataset.panel = panel;
      bringIntoSight(tabs, tabs.querySelector(`[data-name="${focus.panel}"]`));
    }
    const said = missing ?? ABOUT[focus.panel];
    if (about.textContent !== said) about.replaceChildren(...hint(said).childNodes);
  };
  store.subscribe(element, draw, null, false);
}

/** Where the tabs are wider than the screen, they scroll so that the chosen one stands in the middle. */
function bringIntoSight(/** @type {HTMLElement} */ tabs, /** @type {HTMLElement} */ chosen) {
  tabs.scrollTo({ left: chosen.offsetLeft - tabs.offsetLeft - (tabs.clientWidth - chosen.offsetWidth) / 2 });
}
