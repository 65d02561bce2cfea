// Terms in sentences: where one is pointed at, focused or tapped, a tooltip has its sentence of the glossary.

import { make } from "../base/dom.mjs";
import { GLOSSARY, idOf } from "./glossary.mjs";

const LONG = Object.keys(GLOSSARY).filter((term) => term.length > 1);
const NAMES = LONG.sort((a, b) => b.length - a.length).join("|");
const FOUND = new RegExp(`(?<!“)\\b(${NAMES})\\b(?!”)`, "i"); // in quotes a word is a token of a text
const EVERYDAY = ["token", "attention", "head"];
const GAP = 6; // px between a term and its tooltip

/** A term with its sentence; `name` as the glossary has it. */
export function term(name, text = name) {
  return make("dfn", { className: "hs-term", tabindex: "0", "data-term": name, "aria-describedby": idOf(name), text });
}

/** Text with each term marked where it first appears: strings and elements. `known` are terms to leave alone. */
export function withTerms(text, known = new Set()) {
  const [found] = FOUND.exec(text) ?? [];
  if (!found) return [text];
  const at = text.indexOf(found);
  const name = LONG.find((one) => one.toLowerCase() === found.toLowerCase());
  const here = known.has(name) ? found : term(name, found);
  known.add(name);
  return [text.slice(0, at), here, ...withTerms(text.slice(at + found.length), known)];
}

/** A sentence under a heading, with its terms marked; what the first screen has shown needs no more words. */
export function hint(text) {
  return make("p", { className: "hs-hint" }, ...withTerms(text, new Set(EVERYDAY)));
}

/** All terms, with the ids that marked ones refer to. */
export function glossaryList() {
  const entries = Object.entries(GLOSSARY).flatMap(([name, sentence]) => [
    make("dt", { text: name }),
    make("dd", { id: idOf(name), text: sentence }),
  ]);
  return make("dl", { className: "hs-glossary" }, ...entries);
}

/** The header's dialog, at a term. */
export function openGlossary(name) {
  const sentence = document.getElementById(idOf(name));
  sentence.closest("dialog").showModal();
  sentence.previousElementSibling.scrollIntoView({ block: "start" });
}

/** One tooltip for all terms of the page, and for the letters of shapes. */
export function wireTerms() {
  const tip = make("div", { className: "hs-term-tip", popover: "manual", "aria-hidden": "true" });
  document.body.append(tip);
  const show = ({ target }) => {
    const on = target.closest?.(".hs-term, .hs-dimension");
    const sentence = on && GLOSSARY[on.dataset.term ?? on.dataset.letter];
    if (!sentence) return tip.hidePopover();
    tip.textContent = sentence;
    tip.showPopover();
    const { left, bottom, top } = on.getBoundingClientRect();
    const below = bottom + GAP + tip.offsetHeight < innerHeight;
    tip.style.left = `${Math.max(GAP, Math.min(left, innerWidth - tip.offsetWidth - GAP))}px`;
    tip.style.top = `${below ? bottom + GAP : top - GAP - tip.offsetHeight}px`;
  };
  for (const kind of ["pointerover", "focusin", "click"]) document.addEventListener(kind, show);
  document.addEventListener("keydown", ({ key }) => key === "Escape" && tip.hidePopover());
  document.addEventListener("scroll", () => tip.hidePopover(), { capture: true, passive: true });
}
