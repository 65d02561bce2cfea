// Draws nothing: carries the work of the Generate page to the server, and its lines back.

import { work } from "./server.mjs";

export function mount(element, { props, watch, trigger }) {
  work.trigger = trigger;
  watch("value", () => work.hear(props.value));
  element.dataset.ready = "true";
}
