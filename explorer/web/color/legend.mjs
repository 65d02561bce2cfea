// What colours mean, under a picture: a scale with its ticks, marks and swatches with their words.

import { make } from "../base/dom.mjs";
import { isDark } from "../state/store.mjs";
import { sequential, TICKS } from "./scale.mjs";

const STOPS = 24;

/** A row of parts; each is an element, or null. */
export function legend(...parts) {
  return make("div", { className: "hs-legend" }, ...parts.filter(Boolean));
}

/** A scale as a bar with `ticks` [{value, text}] and what it measures. */
export function scaleBar(scale, { label, ticks }) {
  const marks = ticks.map(({ value, text }) => make("span", { text, style: `left: ${scale.at(value) * 100}%` }));
  const bar = make(
    "span",
    { className: "hs-legend-scale" },
    make("span", { className: "hs-legend-bar", style: `background: ${gradient(scale)}` }),
    make("span", { className: "hs-legend-ticks" }, ...marks),
  );
  return make("span", { className: "hs-legend-part" }, make("span", { text: label }), bar);
}

/** A short bar with its two ends written beside it. */
export function shortBar(scale, low, high) {
  const bar = make("span", { className: "hs-scale-bar", style: `background: ${gradient(scale)}` });
  return [
    make("span", { className: "hs-number", text: low }),
    bar,
    make("span", { className: "hs-number", text: high }),
  ];
}

/** The scale of weights, 0 to 1, and what is hatched; `paint(dark)` follows the theme. */
export function weightLegend(...more) {
  return repainted((dark) => [weightScale(dark), hatched("hidden by the mask"), ...more]);
}

/** The scale alone, where no mask hides anything. */
export const openLegend = () => repainted((dark) => [weightScale(dark)]);

function repainted(partsIn) {
  const element = legend();
  element.paint = (dark) => {
    if (element.dataset.dark === String(dark)) return;
    element.dataset.dark = dark;
    element.replaceChildren(...partsIn(dark));
  };
  element.paint(isDark());
  return element;
}

export function weightScale(dark, label = "weight") {
  return scaleBar(sequential(dark), { label, ticks: TICKS.map((value) => ({ value, text: String(value) })) });
}

/** A mark and what it means; `className` is that of hatching, or of what a view draws. */
export function sign(className, text) {
  return make("span", { className: "hs-legend-part" }, make("span", { className }), make("span", { text }));
}

export const hatched = (text) => sign("hs-hatch", text);

/** A square of a colour by its name in CSS. */
export function swatch(color) {
  return make("span", { className: "hs-legend-swatch", style: `background: var(${color})` });
}

function gradient(scale) {
  const stops = Array.from({ length: STOPS + 1 }, (_, i) => scale.css(scale.value(i / STOPS)));
  return `linear-gradient(to right, ${stops.join(", ")})`;
}
