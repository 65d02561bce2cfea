// A part of a page under its heading: open where there is room, folded on a phone until it is asked for.

import { make } from "../base/dom.mjs";

const PHONE = "(max-width: 720px)";

/** `heading` heads it; `redraw` draws what needs a width once it has one. */
export function folding(heading, attributes, redraw, ...content) {
  const open = matchMedia(PHONE).matches ? null : "";
  const summary = make("summary", {}, heading);
  return make("details", { open, ontoggle: redraw, ...attributes }, summary, ...content);
}
