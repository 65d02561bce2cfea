// What the model predicts behind the chosen token: the likeliest tokens as bars, the rest as one number.

import { make } from "../base/dom.mjs";
import { actualNext, nextTokens } from "../base/payload.mjs";
import { pieceName } from "../base/text.mjs";
import { store } from "../state/store.mjs";
import { foldedTable, table } from "../ui/table.mjs";
import { belowBars, tokenBar, topOf } from "../ui/token_bars.mjs";
import { actualSentence, endSentence, expectsAfter, likeliest, PAGE, restSentence } from "./words.mjs";

const SHOWN = 8;
const LISTED = 20;

export function mount(element) {
  const heading = make("p", { className: "hs-after" });
  const bars = make("ol", { className: "hs-bars" });
  const scale = make("div", { className: "hs-scale" });
  const tail = make("p", { className: "hs-hint hs-rest" });
  const actual = make("p", { className: "hs-actual" });
  const more = foldedTable(likeliest(LISTED), () => store.changed());
  element.append(make("h2", { text: PAGE.next }), heading, bars, scale, tail, actual, more);

  store.subscribe(element, (payload, focus) => {
    const query = store.query(focus);
    const { best, rest, others } = nextTokens(payload, query, SHOWN);
    const top = topOf(best[0].p);
    heading.textContent = expectsAfter(payload.tokens[query]);
    const next = actualNext(payload, query);
    bars.replaceChildren(
      ...best.map(({ text, p }) => tokenBar(pieceName(text), p, top, next !== null && text === next.text)),
    );
    scale.replaceChildren(...belowBars(top));
    tail.textContent = restSentence(others, rest);
    actual.textContent = next ? actualSentence(next, payload.model.vocab_size) : endSentence(payload);
    more.fill(() => listed(nextTokens(payload, query, LISTED).best));
  });
}

function listed(best) {
  const rows = best.map(({ text, p }, i) => [String(i + 1), pieceName(text), p.toFixed(6)]);
  const columns = [{ name: "", kind: "text" }, { name: "token", kind: "name" }, "probability"];
  return table({ label: PAGE.nextTable, columns, rows });
}
