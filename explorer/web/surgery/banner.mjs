// Above everything: that it is the changed model that is shown, and a way back.

import { make } from "../base/dom.mjs";
import { store } from "../state/store.mjs";
import { editName } from "./edits.mjs";
import { operation } from "./state.mjs";

const NAMED = 3; // edits
const FUTURE = " Later tokens that it may look at are drawn in the Surgery tab only; the other views hatch them.";

export function mount(element) {
  const words = make("span");
  const back = make("button", {
    type: "button",
    className: "hs-button",
    text: "Show the model as it is",
    onclick: () => store.toggle({ changed: "here" }),
  });
  const banner = make("div", { className: "hs-changed", role: "status", hidden: "" }, words, back);
  element.append(banner);
  store.subscribe(element, (payload, focus) => {
    operation.sees(payload, focus);
    banner.hidden = !store.payload.edits;
    words.textContent = store.payload.edits ? said(store.payload) : "";
  });
}

function said({ arrays }) {
  const names = operation.done.slice(0, NAMED).map(editName);
  const more = operation.done.length - names.length;
  if (more > 0) names.push(`${more} more`);
  return `Every view shows a changed model: ${names.join("; ")}.${arrays.reach ? FUTURE : ""}`;
}
