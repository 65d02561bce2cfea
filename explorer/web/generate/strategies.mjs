// Several strategies next to each other: what each wrote, how likely the model finds it, and how much it repeats.

import { visible } from "../base/text.mjs";
import { html } from "../vendor/lit-html.mjs";
import { PAGE, seconds } from "./words.mjs";

/** One strategy's card; `onWalk` puts its text into the tree. Without `found` it is being written. */
export function card(name, found, onWalk) {
  if (!found) return html`<li class="hs-strategy hs-waits"><h3>${name}</h3><p class="hs-hint">${PAGE.waiting}</p></li>`;
  const text = found.text.trim() === "" ? visible(found.text) || PAGE.ended : found.text;
  const measures = [
    ["Log-prob.", found.logprob.toFixed(2)],
    ["per token", found.logprob_per_token.toFixed(3)],
    ["Repeated", share(found.repeated)],
    ["Distinct", share(found.distinct)],
    ["Time", seconds(found.seconds * 1000)],
    ["Tokens", `${found.tokens.length}${found.ended ? ", ended" : ""}`],
  ];
  const measure = ([what, number]) => html`<div><dt>${what}</dt><dd class="hs-number">${number}</dd></div>`;
  return html`<li class="hs-strategy" data-name=${name}>
    <h3>${name}</h3>
    <p class="hs-hint">${found.about}</p>
    <p class="hs-strategy-text" dir="auto">${text}</p>
    <dl>${measures.map(measure)}</dl>
    <button type="button" @click=${onWalk}>${PAGE.walk}</button>
  </li>`;
}

function share(value) {
  return value === null ? "–" : `${Math.round(value * 1000) / 10}%`;
}
