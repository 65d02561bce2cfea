// What the colours, marks and bars of a matrix mean.

import { make } from "../base/dom.mjs";
import { hatched, legend as row, sign, swatch, weightScale } from "../color/legend.mjs";
import { PARTS } from "./weights.mjs";
import { LEGEND } from "./words.mjs";

export function legend() {
  const gives = Object.entries(LEGEND.parts).map(([part, text]) =>
    make("span", { "data-part": part }, swatch(PARTS[part]), make("span", { text: ` ${text}` })),
  );
  const colors = row(
    make("span", { className: "hs-legend-weight" }),
    of("mask", hatched(LEGEND.mask)),
    of("sink", sign("hs-hatch hs-crossed", LEGEND.out)),
    of("sink", sign("hs-dash", LEGEND.faint)),
  );
  const bars = make(
    "div",
    { className: "hs-legend-bars", "data-of": "matrix" },
    between(LEGEND.receives, swatch("--hs-faint")),
    between(LEGEND.gives, ...gives.flatMap((one) => [one, " "])),
  );
  const element = make("div", {}, colors, bars);
  return element;
}

const between = (/** @type {string[]} */ [before, after], ...signs) =>
  make("p", {}, make("span", { text: before }), ...signs, make("span", { text: after }));

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
    ` ${shown.open ? LEGEND.open : LEGEND.parts.others}`;
}

/** A part that is shown only where the picture has what it explains. */
function of(what, part) {
  part.dataset.of = what;
  return part;
}
