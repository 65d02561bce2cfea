// The examples as a list to choose from: shell/prompt.mjs opens what is chosen.

import { make } from "../base/dom.mjs";

const NONE = "Examples";

export function mount(element, { props }) {
  const select = make("select", {
    "aria-label": "Example texts",
    onchange: () => setTimeout(() => (select.value = NONE)),
  });
  select.append(make("option", { value: NONE, text: NONE, hidden: "" }));
  select.append(...JSON.parse(props.given).map((text, value) => make("option", { value, text })));
  element.append(select);
  element.dataset.ready = "true";
}
