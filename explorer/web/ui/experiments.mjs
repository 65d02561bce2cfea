// Ready experiments to press: what each is called, and what it shows.

import { make } from "../base/dom.mjs";

/** `experiments` have a `name`, and a sentence that `says` more; `choose(experiment)` is called. */
export function experimentButtons(experiments, label, choose) {
  const one = (experiment) =>
    make(
      "button",
      { type: "button", className: "hs-experiment", onclick: () => choose(experiment) },
      make("strong", { text: experiment.name }),
      make("span", { text: experiment.says }),
    );
  const group = { className: "hs-experiments", role: "group", "aria-label": label };
  return make(
    "div",
    { className: "hs-ready" },
    make("p", { className: "hs-hint", text: label }),
    make("div", group, ...experiments.map(one)),
  );
}
