// Which picture of the model stands in the middle; the heads and the next token stay beside it.

import { make } from "../base/dom.mjs";
import { store } from "../state/store.mjs";
import { choice } from "../ui/choice.mjs";

const TABS = { attention: "Attention", pipeline: "Pipeline", lens: "Lens", residual: "Residual", surgery: "Surgery" };
const ABOUT = {
  attention: "",
  pipeline: "The whole way from text to next token, in one picture.",
  lens: "What the model would predict if it stopped after each layer.",
  residual: "Who wrote what: how every head and MLP adds to the score of a token.",
  surgery: "Switch heads off, freeze them, paint their mask, and see what changes.",
};

export function mount(element) {
  const about = make("p", { className: "hs-hint" });
  element.append(choice("panel", TABS, "Picture of the model"), about);
  const draw = (_, focus) => {
    // the store redraws when it is set
    if (document.body.dataset.panel !== focus.panel) document.body.dataset.panel = focus.panel;
    about.textContent = ABOUT[focus.panel];
  };
  store.subscribe(element, draw, null, false);
}
