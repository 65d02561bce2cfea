// The switch between the two parts of the Train page, and which of them is seen; the address says so.

import { onPage, page } from "../state/pages.mjs";
import { choiceOf } from "../ui/choice.mjs";

const PARTS = { live: "Train a tiny model now", timeline: "Watch a model learn" };
const [FIRST] = Object.keys(PARTS); // what anybody can do at once

export function mount(element) {
  const parts = choiceOf(PARTS, "What to see of training", (name) => show(name));
  element.append(parts);

  const show = (name) => {
    document.body.dataset.train = name;
    parts.mark(name);
    toAddress();
    document.dispatchEvent(new CustomEvent("hs-train", { detail: name }));
  };
  onPage(toAddress);
  show(partIn(location.search));
  element.dataset.ready = "true";
}

/** "?view=train&train=timeline" names a part; the first is the default. */
export function partIn(search) {
  const named = new URLSearchParams(search).get("train");
  return named in PARTS ? named : FIRST;
}

/** The address with the part that is shown, if it is not the default; without any on other pages. */
export function withPart(search, name) {
  const query = new URLSearchParams(search);
  query.delete("train");
  if (name in PARTS && name !== FIRST) query.set("train", name);
  return query.size ? `?${query}` : "";
}

function toAddress() {
  const search = withPart(location.search, page() === "train" ? document.body.dataset.train : null);
  if (search !== location.search) history.replaceState(null, "", `${location.pathname}${search}${location.hash}`);
}
