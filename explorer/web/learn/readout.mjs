// What is known of one cell: its value, its tensor and index, and how it was computed, with the real numbers.

import { byHand } from "../base/hand.mjs";
import { make } from "../base/dom.mjs";
import { rewritten, table } from "../ui/table.mjs";
import { number } from "./formula.mjs";

export function readout(told) {
  if (!told)
    return [
      make("p", {
        className: "hs-hint",
        text: byHand("Hover over a cell to read its number; click to pin it and see how it was computed."),
      }),
    ];
  const value = told.hidden ? "hidden by the mask" : number(told.value, told.decimals);
  const head = make(
    "p",
    { className: "hs-cell" },
    make("code", { text: `${told.name}[${told.index.join(", ")}]` }),
    " = ",
    make("strong", { className: "hs-number", text: value }),
    ...(told.where && told.where !== told.name
      ? [
          make("code", {
            className: "hs-where",
            text: told.where,
            title: "the recorded tensor and the index of this number",
          }),
        ]
      : []),
  );
  const lines = told.lines.map((text) => make("p", { className: "hs-formula hs-number", text }));
  return [head, ...lines];
}

/** Every term of the sum behind a cell that is kept, in `element`. */
export function showWorking(element, told) {
  if (!told?.terms) return element.replaceChildren();
  const { head, rows } = told.terms;
  const label = `${told.name}[${told.index.join(", ")}], term by term`;
  const before = element.querySelector("table");
  if (before && rewritten(before, { label, columns: head, rows })) element.firstChild.textContent = label;
  else {
    const terms = make("div", { className: "hs-terms", tabindex: "0" }, table({ label, columns: head, rows }));
    element.replaceChildren(make("h3", { text: label }), terms);
  }
}
