// What the model predicts behind the chosen token: the likeliest tokens as bars, the rest as one number.

import { make } from "../base/dom.mjs";
import { actualNext, nextTokens } from "../base/payload.mjs";
import { grouped, label, pieceName, probability, quoted, visible } from "../base/text.mjs";
import { store } from "../state/store.mjs";
import { belowBars, tokenBar, topOf } from "../ui/token_bars.mjs";

const SHOWN = 12;

export function mount(element) {
  const heading = make("p", { className: "hs-after" });
  const bars = make("ol", { className: "hs-bars" });
  const scale = make("div", { className: "hs-scale" });
  const tail = make("p", { className: "hs-hint hs-rest" });
  const actual = make("p", { className: "hs-actual" });
  element.append(make("h2", { text: "Next token" }), heading, bars, scale, tail, actual);

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
      ? `Your text goes on with ${quoted(visible(next.text))}: probability ${probability(next.p)}, place ` +
        `${grouped(next.rank)} of ${grouped(payload.model.vocab_size)}.`
      : "This is the end of your text: the model would go on from here.";
  });
}
