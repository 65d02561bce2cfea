// What belongs to one way of drawing a head, and is seen only with it.

import { make } from "../base/dom.mjs";
import { store } from "./store.mjs";

/**
 * `element` in a box that hides it unless focus.draw is `name`; `draw` and `part` are as store.subscribe takes them.
 */
export function whenDrawn(name, element, draw, part = null) {
  const box = make("div", {}, element);
  queueMicrotask(() => {
    // when it stands on the page
    store.subscribe(box, (_, focus) => (element.hidden = focus.draw !== name));
    store.subscribe(element, draw, part);
  });
  return box;
}
