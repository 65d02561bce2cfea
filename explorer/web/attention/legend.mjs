// What the colours, marks and bars of a matrix mean.

import { make } from "../base/dom.mjs";
import { hatched, legend as row, sign, swatch, weightScale } from "../color/legend.mjs";
import { PARTS } from "./weights.mjs";

const GIVES = { first: "to the first token", others: "to other earlier tokens", itself: "to itself" };

export function legend() {
  const gives = Object.entries(GIVES).map(([part, text]) =>
    make("span", { "data-part": part }, swatch(PARTS[part]), make("span", { text: ` ${text}` })),
  );
  const colors = row(
    make("span", { className: "hs-legend-weight" }),
    of("mask", hatched("later tokens, hidden by the mask")),
    of("sink", sign("hs-hatch hs-crossed", "first token, left out")),
    of("sink", sign("hs-dash", "almost nothing is left of the row")),
  );
  const bars = make(
    "div",
    { className: "hs-legend-bars", "data-of": "matrix" },
    make(
      "p",
      {},
      make("span", { text: "Bars under the matrix: what each token receives " }),
      swatch("--hs-faint"),
      make("span", { text: ", the mean over the tokens that can see it; longer means more, on the color scale." }),
    ),
    make(
      "p",
      {},
      make("span", { text: "Bars to its right: what each token gives: " }),
      ...gives.flatMap((one) => [one, " "]),
      make("span", { text: "– together the whole row." }),
    ),
  );
  const element = make("div", {}, colors, bars);
  return element;
}

/** Show only what the picture has. */
export function fitLegend(element, { draw, margins }, shown, dark) {
  if (element.dataset.dark !== String(dark)) {
    element.dataset.dark = dark;
    element.querySelector(".hs-legend-weight").replaceChildren(weightScale(dark));
  }
  element.hidden = draw === "flow" || draw === "neuron";
  const has = {
    matrix: draw === "matrix" && margins === "on",
    mask: draw === "matrix" && !shown.open,
    sink: draw === "matrix" && shown.hidden,
  };
  for (const one of element.querySelectorAll("[data-of]")) one.hidden = !has[one.dataset.of];
  element.querySelector('[data-part="first"]').hidden = shown.hidden;
  element.querySelector('[data-part="others"]').lastElementChild.textContent =
    ` ${shown.open ? "to other tokens" : GIVES.others}`;
}

/** A part that is shown only where the picture has what it explains. */
function of(what, part) {
  part.dataset.of = what;
  return part;
}
