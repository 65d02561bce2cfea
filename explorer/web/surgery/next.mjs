// What the model expects next, before and after what was changed in it.

import { make } from "../base/dom.mjs";
import { pieceName, probability } from "../base/text.mjs";
import { store } from "../state/store.mjs";
import { operation } from "./state.mjs";
import { expectsAfter, PAGE, scaleSentence } from "./words.mjs";

const SHOWN = 8; // next tokens of each side

export function mount(element) {
  const heading = make("p", { className: "hs-after" });
  const bars = make("ol", { className: "hs-bars hs-pairs" });
  const scale = make("p", { className: "hs-hint" });
  element.append(make("h2", { text: PAGE.next }), heading, bars, scale);
  store.subscribe(element, (shown, focus) => {
    operation.sees(shown, focus);
    const payload = operation.base;
    const query = store.query(focus);
    heading.textContent = expectsAfter(payload.tokens[query]);
    const rows = nextRows(payload, operation.result, query);
    const top = Math.max(...rows.map(({ was, now }) => Math.max(was, now)));
    const next = payload.tokens[query + 1]?.text;
    bars.replaceChildren(...rows.map((row) => bar(row, top, row.text === next)));
    scale.textContent = scaleSentence(top, operation.result !== null, next);
  });
}

/** The likeliest of both sides, with both probabilities: those of after first. */
export function nextRows(base, result, query) {
  const rows = new Map();
  const add = (payload, was, now) => {
    const K = payload.arrays.next_ids.shape[1];
    for (let i = query * K; i < query * K + Math.min(SHOWN, K); i++) {
      const id = payload.arrays.next_ids.data[i];
      rows.set(id, { text: payload.pieces[id], was: was.data[i], now: now.data[i] });
    }
  };
  add(base, base.arrays.next_probs, (result ?? base).arrays[result ? "after_probs" : "next_probs"]);
  if (result) add(result, result.arrays.before_probs, result.arrays.next_probs);
  return [...rows.values()].sort((a, b) => b.now - a.now);
}

function bar({ text, was, now }, top, marked) {
  const track = (p, className) => {
    const fill = make("span", { className: `hs-fill ${className}` });
    fill.style.width = `${(p / top) * 100}%`;
    return make("span", { className: "hs-track" }, fill);
  };
  return make(
    "li",
    { className: marked ? "hs-marked" : "" },
    make("span", { className: "hs-bar-name", dir: "auto", text: pieceName(text) }),
    make("span", { className: "hs-pair" }, track(was, "hs-was"), track(now, "")),
    make("span", { className: "hs-number", text: `${probability(was)} → ${probability(now)}` }),
  );
}
