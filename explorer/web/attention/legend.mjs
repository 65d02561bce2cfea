// What the colours, marks and bars of a matrix mean.

import { TICKS, css, position } from "../color/color.mjs";
import { make } from "../base/dom.mjs";
import { PARTS } from "../matrix/margin_bars.mjs";

const GIVES = { first: "to the first token", others: "to other earlier tokens", itself: "to itself" };

export function legend() {
  const bar = make("span", { className: "hs-legend-bar" });
  const ticks = TICKS.map((tick) => {
    const mark = make("span", { text: String(tick) });
    mark.style.left = `${position(tick) * 100}%`;
    return mark;
  });
  const scale = make(
    "span",
    { className: "hs-legend-scale" },
    bar,
    make("span", { className: "hs-legend-ticks" }, ...ticks),
  );
  const gives = Object.entries(GIVES).map(([part, text]) =>
    make("span", { "data-part": part }, swatch(PARTS[part]), make("span", { text: ` ${text}` })),
  );
  const colors = make(
    "div",
    { className: "hs-legend" },
    part({}, make("span", { text: "weight" }), scale),
    part(
      { "data-of": "mask" },
      make("span", { className: "hs-hatch" }),
      make("span", { text: "later tokens, hidden by the mask" }),
    ),
    part(
      { "data-of": "sink" },
      make("span", { className: "hs-hatch hs-crossed" }),
      make("span", { text: "first token, left out" }),
    ),
    part(
      { "data-of": "sink" },
      make("span", { className: "hs-dash" }),
      make("span", { text: "almost nothing is left of the row" }),
    ),
  );
  const bars = make(
    "div",
    { className: "hs-legend-bars", "data-of": "matrix" },
    make(
      "p",
      {},
      make("span", { text: "Bars below: what each token receives " }),
      swatch("--hs-key"),
      make("span", { text: ", the mean over the tokens that can see it; long is much, on the scale of the colours." }),
    ),
    make(
      "p",
      {},
      make("span", { text: "Bars right: what each token gives: " }),
      ...gives.flatMap((one) => [one, " "]),
      make("span", { text: "– together the whole row." }),
    ),
  );
  const element = make("div", {}, colors, bars);
  return element;
}

/** Show only what the picture has. */
export function fitLegend(element, { draw }, shown, dark) {
  if (element.dataset.dark !== String(dark)) {
    element.dataset.dark = dark;
    const stops = Array.from({ length: 17 }, (_, i) => `${css((i / 16) ** 2, dark)} ${(i / 16) * 100}%`);
    element.querySelector(".hs-legend-bar").style.background = `linear-gradient(to right, ${stops})`;
  }
  element.hidden = draw === "flow" || draw === "neuron";
  const has = {
    matrix: draw === "matrix",
    mask: draw === "matrix" && !shown.open,
    sink: draw === "matrix" && shown.hidden,
  };
  for (const one of element.querySelectorAll("[data-of]")) one.hidden = !has[one.dataset.of];
  element.querySelector('[data-part="first"]').hidden = shown.hidden;
  element.querySelector('[data-part="others"]').lastElementChild.textContent =
    ` ${shown.open ? "to other tokens" : GIVES.others}`;
}

function part(options, ...children) {
  return make("span", { className: "hs-legend-part", ...options }, ...children);
}

function swatch(color) {
  const square = make("span", { className: "hs-legend-swatch" });
  square.style.background = `var(${color})`;
  return square;
}
