// What one new token looks at: its row of attention in the chosen layer and head, as colour behind the tokens.

import { label, visible } from "../base/text.mjs";
import { sequential } from "../color/scale.mjs";
import { html } from "../vendor/lit-html.mjs";
import { rowLabel, rowSentence, shareTitle } from "./words.mjs";

const NAMED = 4; // tokens that are named in the sentence

/** Shares of the tokens in the window, 0..1. */
export function rowOf(look, layer, head) {
  const { data, shape } = look.arrays.pattern; // (L, H, T)
  const [L, H, T] = shape;
  const start = (Math.min(layer, L - 1) * H + Math.min(head, H - 1)) * T;
  return Array.from(data.subarray(start, start + T), (unit) => unit / 65535);
}

export function attentionRow(look, focus, dark) {
  const [L, H] = look.arrays.pattern.shape;
  const [layer, head] = [Math.min(focus.layer, L - 1), Math.min(focus.head, H - 1)];
  const [shares, scale] = [rowOf(look, layer, head), sequential(dark)];
  return html`<p class="hs-row">${sentence(look.tokens, shares)}</p>
    <div class="hs-tokens" role="group" aria-label=${rowLabel(layer, head)}
      >${look.tokens.map((token, i) => chip(token, i, shares, scale))}</div>
    <p class="hs-number hs-hint">${look.names.pattern.replace("{layer}", layer)}[0, ${head}, -1]</p>`;
}

function sentence(tokens, shares) {
  const newest = shares.length - 1;
  const best = shares
    .map((share, i) => ({ share, i }))
    .sort((a, b) => b.share - a.share)
    .slice(0, NAMED);
  return rowSentence(
    tokens[newest],
    best.map(({ share, i }) => ({ token: tokens[i], share, isNewest: i === newest })),
  );
}

function chip(token, i, shares, scale) {
  const marks = [token.special && "hs-special", token.partial && "hs-partial", i + 1 === shares.length && "hs-query"];
  return html`<span
    class="hs-token ${marks.filter(Boolean).join(" ")}"
    dir="auto"
    title=${shareTitle(i, shares[i])}
    data-share=${shares[i].toFixed(5)}
    style="background-color: ${scale.css(shares[i])}; color: ${scale.ink(shares[i])}"
  >${token.special ? label(token) : visible(token.text)}</span>`;
}

/** A row of numbers, from 0, of which one is chosen: a layer, or a head. */
export function chooser(name, count, chosen, onChoose) {
  const press =
    (i) =>
    ({ key }) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
      if (step) onChoose((i + step + count) % count);
    };
  const button = (i) => html`<button
    type="button"
    role="radio"
    data-name=${name}
    data-index=${i}
    aria-checked=${String(i === chosen)}
    tabindex=${i === chosen ? 0 : -1}
    @click=${() => onChoose(i)}
    @keydown=${press(i)}
  >${i}</button>`;
  return html`<div class="hs-numbers" role="radiogroup" aria-label=${name}>
    <span>${name}</span>${Array.from({ length: count }, (_, i) => button(i))}
  </div>`;
}
