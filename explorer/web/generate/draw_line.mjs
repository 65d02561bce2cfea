// The draw: the probabilities that are left, side by side on a line from 0 to 1, and where the random number falls.

import { pieceName, probability } from "../base/text.mjs";
import { html, nothing } from "../vendor/lit-html.mjs";
import { SHOWN } from "./choice.mjs";
import { sum } from "./warp.mjs";
import { drawnSentence, greedySentence, NO_NUMBER, othersText, PAGE } from "./words.mjs";

const NAMED = 0.035; // of the line's width: below, a name has no room

export function drawLine(choice, pieces) {
  const { u, warped } = choice;
  const side = u > 0.8 ? "hs-u hs-u-left" : "hs-u";
  const mark = html`<span class=${side} style="left: ${u * 100}%">u = ${u?.toFixed(4)}</span>`;
  return html`<div class="hs-draw">
    <div class="hs-draw-line" role="img" aria-label=${drawSentence(choice, pieces)}>${parts(choice, pieces)}</div>
    ${u === null || warped.isGreedy ? nothing : mark}
    <div class="hs-draw-ends"><span>0</span><span>${PAGE.line}</span><span>1</span></div>
  </div>`;
}

function parts({ ids, warped, shown, drawn }, pieces) {
  const [last, left] = [warped.stages[3], warped.left[3]];
  const kept = shown.filter((i) => i < Math.min(left, SHOWN));
  const named = kept.map((i) => part(last[i], pieceName(pieces[ids[i]]), i === drawn?.index ? "hs-hit" : ""));
  if (left === kept.length) return named;
  const isHit = drawn?.index >= kept.length;
  const others = othersText(left - kept.length);
  return [...named, part(sum(last, kept.length, left), others, `hs-rest-part${isHit ? " hs-hit" : ""}`)];
}

function part(width, text, className) {
  return html`<span class=${className} title="${text} ${probability(width)}" dir="auto" style="width: ${width * 100}%"
    >${width >= NAMED ? text : ""}</span>`;
}

export function drawSentence({ ids, warped, drawn, u }, pieces) {
  if (warped.isGreedy) return greedySentence(pieceName(pieces[ids[0]]));
  return drawn ? drawnSentence({ ...drawn, u, name: pieceName(pieces[ids[drawn.index]]) }) : NO_NUMBER;
}
