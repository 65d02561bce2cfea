// What the model predicts behind the chosen token, or an encoder at its place: the likeliest tokens as bars, the rest
// as one number.

import { make } from "../base/dom.mjs";
import { actualNext, nextTokens, predictsAt } from "../base/payload.mjs";
import { pieceName } from "../base/text.mjs";
import { lookAgain } from "../state/run.mjs";
import { store } from "../state/store.mjs";
import { foldedTable, table } from "../ui/table.mjs";
import { belowBars, tokenBar, topOf } from "../ui/token_bars.mjs";
import {
  actualSentence,
  endSentence,
  expectsAfter,
  expectsAt,
  expectsHidden,
  hideText,
  likeliest,
  ownSentence,
  PAGE,
  restSentence,
  unhideText,
} from "./words.mjs";

const SHOWN = 8;
const LISTED = 20;
const TITLES = { next: PAGE.next, own: PAGE.own };

export function mount(element) {
  const title = make("h2");
  const heading = make("p", { className: "hs-after" });
  const hide = make("button", { type: "button", className: "hs-hide" });
  const bars = make("ol", { className: "hs-bars" });
  const scale = make("div", { className: "hs-scale" });
  const tail = make("p", { className: "hs-hint hs-rest" });
  const actual = make("p", { className: "hs-actual" });
  const more = foldedTable(likeliest(LISTED), () => store.changed());
  const found = [bars, scale, tail, actual, more];
  element.append(title, heading, hide, ...found);

  store.subscribe(element, (payload, focus) => {
    const query = store.query(focus);
    const kind = predictsAt(payload, query);
    title.textContent = TITLES[payload.predicts === undefined ? "next" : payload.predicts] ?? PAGE.nothing;
    heading.textContent = headingOf(payload, kind, query);
    fitHiding(hide, payload, query);
    for (const one of found) one.hidden = !kind;
    if (!kind) return;
    const { best, rest, others } = nextTokens(payload, query, SHOWN);
    const top = topOf(best[0].p);
    const next = actualNext(payload, query);
    bars.replaceChildren(
      ...best.map(({ text, p }) => tokenBar(pieceName(text), p, top, next !== null && text === next.text)),
    );
    scale.replaceChildren(...belowBars(top));
    tail.textContent = restSentence(others, rest);
    actual.textContent = actualText(payload, kind, query, next);
    more.fill(() => listed(nextTokens(payload, query, LISTED).best));
  });
}

function headingOf(payload, kind, query) {
  if (kind === "next") return expectsAfter(payload.tokens[query]);
  if (kind === "own") return query === payload.masked ? expectsHidden(query) : expectsAt(payload.tokens[query]);
  return payload.prefix ? PAGE.inFront : (payload.without?.lens ?? "");
}

function actualText(payload, kind, query, next) {
  const V = payload.model.vocab_size;
  if (kind === "own") return ownSentence(next, V, query === payload.masked);
  return next ? actualSentence(next, V) : endSentence(payload);
}

/** A token of an encoder's text is hidden, or shown again. */
function fitHiding(button, { may_mask: may, masked, hidden, tokens }, query) {
  button.hidden = !may;
  if (!may) return;
  const isHidden = query === masked;
  button.textContent = isHidden ? unhideText(hidden) : hideText(tokens[query]);
  button.onclick = () => {
    if (!isHidden) Object.assign(store.focus.locked, { query });
    lookAgain({ masked: isHidden ? null : query });
  };
}

function listed(best) {
  const rows = best.map(({ text, p }, i) => [String(i + 1), pieceName(text), p.toFixed(6)]);
  const columns = [{ name: "", kind: "text" }, { name: "token", kind: "name" }, "probability"];
  return table({ label: PAGE.nextTable, columns, rows });
}
