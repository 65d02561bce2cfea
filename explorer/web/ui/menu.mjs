// A button that opens a panel under it. Escape closes the panel, and so does a press elsewhere.

import { make } from "../base/dom.mjs";

const GAP = 4; // px between the two, and from the panel to the window's edge

/** @param {string} text @param {{[attribute: string]: any}} attributes of the button @param {...Node} content */
export function menu(text, attributes, ...content) {
  const panel = make("div", { className: "hs-menu", popover: "auto" }, ...content);
  const button = make("button", { type: "button", text, ...attributes });
  button.popoverTargetElement = panel;
  panel.addEventListener(
    "toggle",
    (/** @type {ToggleEvent} */ { newState }) => newState === "open" && place(panel, button),
  );
  return { button, panel };
}

function place({ style, offsetWidth, offsetHeight }, button) {
  const { left, right, bottom, top } = button.getBoundingClientRect();
  const fitsRight = left + offsetWidth + GAP <= innerWidth;
  const x = fitsRight ? left : Math.max(GAP, Math.min(right, innerWidth - GAP) - offsetWidth);
  const y = bottom + GAP + offsetHeight <= innerHeight ? bottom + GAP : Math.max(GAP, top - GAP - offsetHeight);
  Object.assign(style, { left: `${x}px`, top: `${y}px` });
}
