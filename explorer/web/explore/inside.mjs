// The switch between the panels that show the rest of the model, and which of them is seen.

import { make } from "../base/dom.mjs";
import { store } from "../state/store.mjs";
import { choice } from "../ui/choice.mjs";

const PANELS = { pipeline: "Pipeline", lens: "Logit lens", residual: "Residual stream", surgery: "Head surgery" };
const ABOUT = {
  pipeline: "The whole way from text to next token, in one picture.",
  lens: "What the model would predict if it stopped after each layer.",
  residual: "Who wrote what: how every head and MLP adds to the score of a token.",
  surgery: "Switch heads off, freeze them, paint their mask, and see what changes.",
};

export function mount(element) {
  const about = make("p", { className: "hs-hint" });
  element.append(
    make(
      "div",
      { className: "hs-view-head" },
      make("h2", { text: "The rest of the model" }),
      choice("panel", PANELS, "What to see of the rest of the model"),
    ),
    about,
  );
  store.subscribe(element, (_, focus) => {
    // the store redraws when it is set
    if (document.body.dataset.panel !== focus.panel) document.body.dataset.panel = focus.panel;
    about.textContent = ABOUT[focus.panel];
  });
}
