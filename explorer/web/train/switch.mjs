// The switch between the two parts of the Train page, and which of them is seen; the address says so.

import { address } from "../state/history.mjs";
import { choiceOf } from "../ui/choice.mjs";
import { PARTS, SWITCH } from "./words.mjs";

export function mount(element) {
  const parts = choiceOf(PARTS, SWITCH, (name) => show(name));
  element.append(parts);

  const show = (name) => {
    document.body.dataset.train = name;
    parts.mark(name);
    address.changed();
    document.dispatchEvent(new CustomEvent("hs-train", { detail: name }));
  };
  address.speak(
    ["train"],
    () => ({ train: document.body.dataset.train }),
    (_, { train }) => show(train),
  );
  show(address.of("train").train);
  element.dataset.ready = "true";
}
