// Sentences with nouns: what stands between backticks is a name, and lights up the tensor of that name.

import { make } from "../base/dom.mjs";
import { withTerms } from "../ui/terms.mjs";

/** "`q` times `k`" -> elements and text nodes. */
export function withNouns(text) {
  return parts(text, (part) => [part]);
}

/** The same, with the terms of the glossary marked, each where it first appears. */
export function withNounsAndTerms(text) {
  const known = new Set();
  return parts(text, (part) => withTerms(part, known));
}

function parts(text, plain) {
  const noun = (part) => [make("code", { className: "hs-noun", text: part, "data-name": part })];
  return text.split("`").flatMap((part, i) => (i % 2 ? noun(part) : plain(part)));
}

/** Light everything of `name` inside `root`, and nothing else. */
export function light(root, name) {
  for (const other of root.querySelectorAll(".hs-lit")) other.classList.remove("hs-lit");
  if (name)
    for (const element of root.querySelectorAll("[data-name]"))
      if (element.dataset.name === name) element.classList.add("hs-lit");
}

/** The pointer over a name, anywhere inside `root`, lights that name everywhere inside it. */
export function lightOnHover(root) {
  const nameAt = (event) => event.target.closest?.("[data-name]")?.dataset.name;
  let lit;
  root.addEventListener("pointerover", (event) => {
    const name = nameAt(event);
    if (name === lit) return;
    lit = name;
    light(root, lit);
  });
  root.addEventListener("pointerleave", () => {
    lit = undefined;
    light(root, lit);
  });
}
