// The examples as a list to choose from: shell/prompt.mjs opens what is chosen.

import { make } from "../base/dom.mjs";
import { PAGE } from "./words.mjs";

export function mount(element, { props }) {
  const select = make("select", {
    "aria-label": PAGE.exampleList,
    onchange: () => setTimeout(() => (select.value = PAGE.examples)),
  });
  select.append(make("option", { value: PAGE.examples, text: PAGE.examples, hidden: "" }));
  select.append(...JSON.parse(props.given).map((text, value) => make("option", { value, text })));
  element.append(select);
  element.dataset.ready = "true";
}
