// Above everything: that it is the changed model that is shown, and a way back.

import { make } from "../base/dom.mjs";
import { store } from "../state/store.mjs";
import { operation } from "./state.mjs";
import { bannerSentence, PAGE } from "./words.mjs";

export function mount(element) {
  const words = make("span");
  const back = make("button", {
    type: "button",
    className: "hs-button",
    text: PAGE.back,
    onclick: () => store.toggle({ changed: "here" }),
  });
  const banner = make("div", { className: "hs-changed", role: "status", hidden: "" }, words, back);
  element.append(banner);
  store.subscribe(element, (payload, focus) => {
    operation.sees(payload, focus);
    banner.hidden = !store.payload.edits;
    words.textContent = store.payload.edits ? bannerSentence(operation.done, store.payload.arrays.reach) : "";
  });
}
