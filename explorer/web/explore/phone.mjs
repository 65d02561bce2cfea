// On a phone the picture comes first: the text and the heads are sheets that open over it, and a bar at the bottom
// leads from head to head.

import { make } from "../base/dom.mjs";
import { onPage, page } from "../state/pages.mjs";
import { store } from "../state/store.mjs";
import { openText, PAGE, stepperText } from "./words.mjs";

const PHONE = matchMedia("(max-width: 720px)");
const SHEETS = ["ask", "heads"];

export function mount(element) {
  const open = make("button", { type: "button", className: "hs-open-text" });
  const heads = make("button", { type: "button", className: "hs-open-heads", title: PAGE.heads });
  const bar = make(
    "div",
    { className: "hs-stepper" },
    step("‹", -1, PAGE.headBefore),
    heads,
    step("›", 1, PAGE.headNext),
  );
  element.append(open, bar);
  const lay = () => fold(PHONE.matches && page() === "explore", [open, heads]);
  PHONE.addEventListener("change", lay);
  onPage(lay);
  lay();
  document.addEventListener("hs-ran", () => close("ask"));
  document.getElementById("heads")?.addEventListener("click", ({ target }) => {
    if (target instanceof Element && target.closest(".hs-grid button")) close("heads");
  });
  store.subscribe(element, (payload, { layer, head }) => {
    open.textContent = openText(payload.text);
    open.setAttribute("aria-label", PAGE.change);
    heads.textContent = stepperText(layer, head);
  });
}

/** What was a part of the page is a sheet, and the other way round. */
function fold(isFolded, buttons) {
  for (const [i, id] of SHEETS.entries()) {
    const sheet = document.getElementById(id);
    if (!sheet) continue; // in the gallery each view is alone
    sheet.popover = isFolded ? "auto" : null;
    sheet.ontoggle = () => store.changed(); // what is not seen is not drawn
    buttons[i].popoverTargetElement = isFolded ? sheet : null;
  }
}

function close(id) {
  const sheet = document.getElementById(id);
  if (sheet?.matches(":popover-open")) sheet.hidePopover();
}

function step(text, by, label) {
  const go = () => {
    const [L, H] = store.payload.arrays.pattern.shape;
    const { layer, head } = store.focus.locked;
    const next = (layer * H + head + by + L * H) % (L * H);
    store.toggle({ layer: Math.floor(next / H), head: next % H });
  };
  return make("button", { type: "button", text, "aria-label": label, onclick: go });
}
