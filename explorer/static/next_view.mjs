// What the model predicts behind the chosen token: the likeliest tokens as bars, the rest as one number.

import { make } from "./dom.mjs";
import { actualNext, nextTokens } from "./payload.mjs";
import { store } from "./store.mjs";
import { grouped, label, pieceName, probability, quoted, visible } from "./text.mjs";

const SHOWN = 12;
const SCALES = [0.05, 0.1, 0.25, 0.5, 1];

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
    const top = SCALES.find((limit) => best[0].p <= limit);
    heading.textContent = `What the model expects after ${quoted(label(payload.tokens[query], 24))}`;
    const next = actualNext(payload, query);
    bars.replaceChildren(
      ...best.map(({ text, p }) => bar(pieceName(text), p, top, next !== null && text === next.text)),
    );
    scale.replaceChildren(make("span", { text: "0" }), make("span", { text: "probability" }), make("span", { text: String(top) }));
    tail.textContent = `The other ${grouped(others)} tokens of the vocabulary share ${probability(rest)}.`;
    actual.textContent = next ? `Your text goes on with ${quoted(visible(next.text))}: probability ${probability(next.p)}, place ${grouped(next.rank)} of ${grouped(payload.model.vocab_size)}.` : "This is the end of your text: the model would go on from here.";
  });
}

/** One bar; `top` is the probability at full width. */
function bar(text, p, top, marked) {
  const fill = make("span", { className: "hs-fill" });
  fill.style.width = `${(p / top) * 100}%`;
  return make("li", { className: marked ? "hs-marked" : "" },
    make("span", { className: "hs-bar-name", dir: "auto", text }),
    make("span", { className: "hs-track" }, fill),
    make("span", { className: "hs-number", text: probability(p) }),
  );
}
