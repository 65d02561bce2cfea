// The token strip: every token of the text as a button, and how much of the model's window they use.

import { compared } from "../base/compared.mjs";
import { make } from "../base/dom.mjs";
import { label, visible } from "../base/text.mjs";
import { sequential } from "../color/scale.mjs";
import { wear } from "../color/worn.mjs";
import { drawn } from "../patterns/drawn.mjs";
import { reading, readsColumn } from "../patterns/reading.mjs";
import { patternsOf } from "../state/layers.mjs";
import { lookAgain } from "../state/run.mjs";
import { isDark, store } from "../state/store.mjs";
import { choiceOf } from "../ui/choice.mjs";
import { rove, roving } from "../ui/roving.mjs";
import { colorSentence, modelLine, PAGE, STACKS, tokenTitle, usedLine } from "./words.mjs";

export function mount(element) {
  const model = make("span", { className: "hs-model" });
  const used = make("span", { className: "hs-used" });
  const list = make("div", { className: "hs-tokens", role: "group", "aria-label": PAGE.tokenList });
  const hint = make("p", { className: "hs-hint" });
  const stacks = make("div", { className: "hs-stacks" });
  element.append(line(stacks, list, used), line(hint, model));
  element.setAttribute("role", "group");
  element.setAttribute("aria-label", PAGE.tokens);
  roving(list);
  let listed = null;
  const isOther = compared();

  const draw = (payload, focus) => {
    if (listed !== payload) {
      listed = payload;
      model.textContent = modelLine(payload.model);
      used.textContent = usedLine(payload);
      used.classList.toggle("hs-cut", payload.total > payload.tokens.length);
      list.replaceChildren(...payload.tokens.map(chip));
      stacks.replaceChildren(...stackSwitch(payload));
    }
    const read = payload.keys ? crossing(focus) : reading(payload, focus, drawn(payload, focus));
    hint.textContent = payload.keys ? PAGE.crossing : colorSentence(focus, read, drawn(payload, focus).title);
    const dark = isDark();
    const cells = new Map(read.others.map((cell) => [cell.place, cell]));
    const kept = store.focus.locked[readsColumn(focus) ? "key" : "query"];
    [...list.children].forEach((button, i) => {
      const chosen = i === read.token && (read.column ? "hs-key" : "hs-query");
      const look = lookOf(cells.get(i), dark, chosen, i === kept, Boolean(payload.keys));
      if (looks.get(button) !== String(look)) show(button, look);
    });
    if (!list.contains(document.activeElement)) rove(list, list.children[read.token]);
    if (isOther(payload, read.token, innerWidth)) bringIntoView(list, list.children[read.token]);
  };
  store.subscribe(element, draw, patternsOf);
}

/** Whose attention is shown, where a model has several. */
function stackSwitch({ stack, stacks = [] }) {
  if (stacks.length < 2) return [];
  const names = Object.fromEntries(stacks.map((name) => [name, STACKS[name]]));
  const one = choiceOf(names, PAGE.stack, (name) => lookAgain({ stack: name }));
  one.mark(stack);
  return [one];
}

/** Who looks at another text is read as a query, and the tokens here have no color. */
const crossing = (focus) => ({ column: false, token: store.query(focus), others: [] });

const line = (...parts) => make("div", { className: "hs-strip-line" }, ...parts);

/** The row is one line: it scrolls to the token that is spoken of. */
function bringIntoView(list, { offsetLeft, offsetWidth }) {
  const left = offsetLeft - list.offsetLeft;
  if (left < list.scrollLeft || left + offsetWidth > list.scrollLeft + list.clientWidth)
    list.scrollLeft = left - (list.clientWidth - offsetWidth) / 2;
}

const looks = new WeakMap(); // of the chips: only what changes is written, for a text may have many

function lookOf(cell, dark, chosen, pressed, crosses) {
  const seen = cell?.state === "seen";
  const scale = sequential(dark);
  return [seen ? scale.css(cell.p) : "", seen ? scale.ink(cell.p) : "", chosen || "", !seen && !crosses, pressed];
}

/** A share as a colour; none for what cannot be seen, or is left out. */
function show(button, look) {
  const [ground, letters, chosen, isLater, pressed] = look;
  wear(button, ground, letters);
  for (const name of ["hs-query", "hs-key"]) button.classList.toggle(name, name === chosen);
  button.classList.toggle("hs-later", isLater);
  button.setAttribute("aria-pressed", pressed);
  looks.set(button, String(look));
}

function chip(token, i) {
  return make("button", {
    className: `hs-token${token.special ? " hs-special" : ""}${token.partial ? " hs-partial" : ""}`,
    type: "button",
    dir: "auto",
    text: token.special ? label(token) : visible(token.text),
    title: tokenTitle(token, i),
    onmouseenter: () => store.preview(named(i)),
    onmouseleave: () => store.preview({}),
    onfocus: () => store.preview(named(i)),
    onblur: () => store.preview({}),
    onclick: () => store.toggle(named(i)),
  });
}

const named = (i) => (readsColumn(store.focus.locked) ? { key: i } : { query: i });
