// A colour scale under a picture: a bar with ticks, and what it measures.

import { make } from "../base/dom.mjs";

/** `ticks` [{at: 0..1, text}], `color(at)` a CSS colour, `label` and `note` what stands before and behind. */
export function scaleBar({ label, ticks, color, note = "" }) {
  const bar = make("span", { className: "hs-legend-bar" });
  const stops = Array.from({ length: 25 }, (_, i) => `${color(i / 24)} ${(i / 24) * 100}%`);
  bar.style.background = `linear-gradient(to right, ${stops})`;
  const marks = ticks.map(({ at, text }) => {
    const mark = make("span", { text });
    mark.style.left = `${at * 100}%`;
    return mark;
  });
  return make(
    "div",
    { className: "hs-legend" },
    make(
      "span",
      { className: "hs-legend-part" },
      make("span", { text: label }),
      make("span", { className: "hs-legend-scale" }, bar, make("span", { className: "hs-legend-ticks" }, ...marks)),
    ),
    make("span", { text: note }),
  );
}
