// What one new token looks at: its row of attention in the chosen layer and head, as colour behind the tokens.

import { make } from "../base/dom.mjs";
import { label, probability, quoted, visible } from "../base/text.mjs";
import { sequential } from "../color/scale.mjs";
import { store } from "../state/store.mjs";
import { paintCell } from "../ui/table.mjs";

const TOLD = 4; // tokens that are named in the sentence

/** Shares of the tokens in the window, 0..1. */
export function rowOf(look, layer, head) {
  const {
    data,
    shape: [L, H, T],
  } = look.arrays.pattern;
  const start = (Math.min(layer, L - 1) * H + Math.min(head, H - 1)) * T;
  return Array.from(data.subarray(start, start + T), (unit) => unit / 65535);
}

export function attentionRow(look, focus, dark) {
  const [L, H] = look.arrays.pattern.shape;
  const [layer, head] = [Math.min(focus.layer, L - 1), Math.min(focus.head, H - 1)];
  const shares = rowOf(look, layer, head);
  const chips = look.tokens.map((token, i) => {
    const text = token.special ? label(token) : visible(token.text);
    const chip = make("span", {
      className: `hs-token${token.special ? " hs-special" : ""}${token.partial ? " hs-partial" : ""}${i + 1 === shares.length ? " hs-query" : ""}`,
      dir: "auto",
      text,
      title: `place ${i}: ${probability(shares[i])}`,
      "data-share": shares[i].toFixed(5),
    });
    paintCell(chip, sequential(dark), shares[i]);
    return chip;
  });
  const best = shares
    .map((share, i) => ({ share, i }))
    .sort((a, b) => b.share - a.share)
    .slice(0, TOLD);
  const named = best
    .map(
      ({ share, i }) =>
        `${quoted(label(look.tokens[i]))}${i + 1 === shares.length ? " (itself)" : ""} ${probability(share)}`,
    )
    .join(", ");
  return [
    make("p", {
      className: "hs-row",
      text: `${quoted(label(look.tokens.at(-1), 24))} (outlined) looks most at ${named}.`,
    }),
    make(
      "div",
      {
        className: "hs-tokens",
        role: "group",
        "aria-label": `Attention of the newest token, layer ${layer + 1}, head ${head + 1}`,
      },
      ...chips,
    ),
    make("p", {
      className: "hs-number hs-hint",
      text: `${look.names.pattern.replace("{layer}", layer)}[0, ${head}, -1]`,
    }),
  ];
}

/** A row of numbers, from 1, of which one is chosen; for layer and head of the shared focus. */
export function chooser(name, count, chosen) {
  const group = make(
    "div",
    { className: "hs-numbers", role: "radiogroup", "aria-label": name },
    make("span", { text: name }),
  );
  const choose = (value) => store.toggle({ [name]: value });
  for (let i = 0; i < count; i++) {
    const button = make("button", {
      type: "button",
      role: "radio",
      text: i + 1,
      "data-name": name,
      "data-index": i,
      "aria-checked": String(i === chosen),
      tabindex: i === chosen ? 0 : -1,
      onclick: () => choose(i),
    });
    button.addEventListener("keydown", ({ key }) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
      if (step) choose((i + step + count) % count);
    });
    group.append(button);
  }
  return group;
}
