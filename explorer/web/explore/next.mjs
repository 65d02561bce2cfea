// What the model predicts behind the chosen token: the likeliest tokens as bars, the rest as one number.

import { make } from "../base/dom.mjs";
import { actualNext, nextTokens } from "../base/payload.mjs";
import { grouped, label, pieceName, probability, quoted, visible } from "../base/text.mjs";
import { store } from "../state/store.mjs";
import { foldedTable, table } from "../ui/table.mjs";
import { belowBars, tokenBar, topOf } from "../ui/token_bars.mjs";

const SHOWN = 8;
const LISTED = 20;

export function mount(element) {
  const heading = make("p", { className: "hs-after" });
  const bars = make("ol", { className: "hs-bars" });
  const scale = make("div", { className: "hs-scale" });
  const tail = make("p", { className: "hs-hint hs-rest" });
  const actual = make("p", { className: "hs-actual" });
  const more = foldedTable(`The ${LISTED} likeliest as a table`, () => store.changed());
  element.append(make("h2", { text: "Next token" }), heading, bars, scale, tail, actual, more);

  store.subscribe(element, (payload, focus) => {
    const query = store.query(focus);
    const { best, rest, others } = nextTokens(payload, query, SHOWN);
    const top = topOf(best[0].p);
    heading.textContent = `What the model expects after ${quoted(label(payload.tokens[query], 24))}`;
    const next = actualNext(payload, query);
    bars.replaceChildren(
      ...best.map(({ text, p }) => tokenBar(pieceName(text), p, top, next !== null && text === next.text)),
    );
    scale.replaceChildren(...belowBars(top));
    tail.textContent = `The other ${grouped(others)} tokens of the vocabulary share ${probability(rest)}.`;
    actual.textContent = next
      ? `Your text continues with ${quoted(visible(next.text))}: probability ${probability(next.p)}, place ` +
        `${grouped(next.rank)} of ${grouped(payload.model.vocab_size)}.`
      : "This is the end of your text: the model would continue from here.";
    more.fill(() => listed(nextTokens(payload, query, LISTED).best));
  });
}

function listed(best) {
  const rows = best.map(({ text, p }, i) => [String(i + 1), pieceName(text), p.toFixed(6)]);
  const columns = [{ name: "", kind: "text" }, { name: "token", kind: "name" }, "probability"];
  return table({ label: "The likeliest next tokens", columns, rows });
}
