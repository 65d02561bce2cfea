// The Generate page as it looks: a template of what `view.mjs` knows.

import { label, visible } from "../base/text.mjs";
import { hatched, legend, sign } from "../color/legend.mjs";
import { staleText } from "../state/stale.mjs";
import { html, nothing } from "../vendor/lit-html.mjs";
import { timesChart } from "./cache.mjs";
import { choiceTable } from "./choice.mjs";
import { drawLine } from "./draw_line.mjs";
import { attentionRow, chooser } from "./row.mjs";
import { card } from "./strategies.mjs";
import { isFork, treeList, treePicture } from "./tree_view.mjs";
import { MEASURES, modeWords, PAGE, writtenTitle } from "./words.mjs";

const BEFORE = 160; // letters of the text that are shown in front of what was written
const CACHE_LEGEND = legend(
  hatched(PAGE.reused),
  sign("hs-swatch hs-k", PAGE.keys),
  sign("hs-swatch hs-v", PAGE.values),
);

/** `shown` is what there is to draw, `act` what the reader can do; `controls` is the element of the settings. */
export function pageTemplate(shown, act, controls) {
  return html`<h2>${PAGE.title}</h2>
    <p>${PAGE.intro}</p>
    ${controls} ${buttons(shown, act)}
    <div class="hs-written" role="log" aria-label=${PAGE.written}
      ><span class="hs-before" dir="auto">${beginning(shown.text)}</span
      ><span class="hs-written-tokens">${shown.written.map((node) => writtenToken(node, shown, act))}</span></div>
    <p class="hs-hint hs-state" aria-live="polite">${shown.state}</p>
    <p class="hs-problem" role="alert" ?hidden=${!shown.problem}>${shown.problem}</p>
    ${section("choice", PAGE.choice, choicePart(shown, act))}
    ${section("looks", PAGE.looks, looksPart(shown, act))}
    ${section("tree", PAGE.tree, treePart(shown, act))}
    ${section("kv", PAGE.cache, cachePart(shown, act))}
    ${section("strategies", PAGE.strategies, strategiesPart(shown, act))}`;
}

/** While the model writes, or a token is being looked at, the pictures are of one before. */
const old = (isOld) => (isOld ? staleText(PAGE.old) : nothing);

function section(name, title, parts) {
  return html`<section id="generate-${name}" class="hs-part"><h3>${title}</h3>${parts}</section>`;
}

function buttons({ isWorking, depth }, act) {
  const button = (id, onClick, { title = nothing, disabled = false, primary = false } = {}) => html`<button
    id=${id}
    type="button"
    class="hs-button${primary ? " hs-primary" : ""}"
    title=${title}
    ?disabled=${disabled}
    @click=${onClick}
  >${PAGE.buttons[id]}</button>`;
  return html`<div class="hs-buttons">
    ${button("step", () => act.write(1), { title: PAGE.step, disabled: isWorking, primary: true })}
    ${button("write", () => act.write(), { title: PAGE.write, disabled: isWorking })}
    ${button("stop", act.stop, { disabled: !isWorking })}
    ${button("undo", act.undo, { title: PAGE.undo, disabled: isWorking || depth === 0 })}
    ${button("clear", act.clear, { title: PAGE.clear })}
    ${button("use", act.use, { title: PAGE.use })}
  </div>`;
}

function beginning(text) {
  const letters = [...text];
  return letters.length > BEFORE ? `…${letters.slice(-BEFORE).join("")}` : text;
}

function writtenToken(node, { at, depth }, act) {
  const { token, logprob, how } = node;
  const p = logprob === null ? null : Math.exp(logprob);
  const marks = [
    token.partial && "hs-partial",
    token.special && "hs-special",
    node.depth > depth && "hs-ahead",
    node === at && "hs-here",
    how === "hand" && "hs-by-hand",
  ];
  return html`<button
    type="button"
    dir="auto"
    data-node=${node.number}
    class="hs-token ${marks.filter(Boolean).join(" ")}"
    style=${p === null ? nothing : `--sure: ${p.toFixed(3)}`}
    title=${writtenTitle(p, node.rank, how)}
    @click=${() => act.go(node)}
  >${token.special ? label(token) : visible(token.text)}</button>${token.text.includes("\n") ? html`<br />` : nothing}`;
}

/** The section itself keeps whether its minor rows are shown: tables come and go. */
const fold = ({ target }) => target.closest("section").classList.toggle("hs-all");

function choicePart({ mode, takenName, choice, pieces, said, isOld }, act) {
  const switchTo = (to) => html`<button
    type="button"
    role="radio"
    data-mode=${to}
    aria-checked=${String(to === mode)}
    ?disabled=${to === "chosen" && takenName === null}
    @click=${() => act.show(to)}
  >${modeWords(to, takenName)}</button>`;
  return html`<div class="hs-switch" role="radiogroup" aria-label=${PAGE.which}>
      ${["chosen", "next"].map(switchTo)}
    </div>
    <div class="hs-choice-box" data-stale=${old(isOld)}>${choice && choiceTable(choice, pieces, act.take)}</div>
    <button type="button" class="hs-link" @click=${fold}>${PAGE.minor}</button>
    <div data-stale=${old(isOld)}>${choice && drawLine(choice, pieces)}</div>
    <p class="hs-row hs-said" aria-live="polite">${said}</p>`;
}

function looksPart({ own, focus, isDark, isOld }, act) {
  if (!own) return html`<div class="hs-choosers"></div><div class="hs-attention-row"></div>`;
  const [L, H] = own.arrays.pattern.shape;
  return html`<div class="hs-choosers">
      ${chooser("layer", L, focus.layer, (layer) => act.focus({ layer }))}
      ${chooser("head", H, focus.head, (head) => act.focus({ head }))}
    </div>
    <div class="hs-attention-row" data-stale=${old(isOld)}>${attentionRow(own, focus, isDark)}</div>`;
}

function treePart({ tree, isListed }, act) {
  const hasForks = tree.nodes().some(isFork);
  return html`<p class="hs-hint">${hasForks ? PAGE.treeHint : PAGE.treeStart}</p>
    ${hasForks ? html`<div class="hs-tree-box">${treePicture(tree, act.go)}</div>` : nothing}
    <details class="hs-table" @toggle=${({ target }) => act.list(target.open)}>
      <summary>${PAGE.treeList}</summary>
      ${isListed ? treeList(tree) : nothing}
    </details>`;
}

function cachePart({ cacheSaid, times, timesSaid, isMeasuring, width }, act) {
  return html`<p>${cacheSaid}</p>
    <canvas class="hs-cache" role="img" aria-label=${cacheSaid}></canvas>
    ${CACHE_LEGEND}
    <p class="hs-hint">${PAGE.cacheHint}</p>
    <button type="button" class="hs-button" id="time-cache" ?disabled=${isMeasuring} @click=${act.measure}
      >${PAGE.measure}</button>
    <p class="hs-times" aria-live="polite">${timesSaid}</p>
    <div class="hs-times-chart">${times ? timesChart(Math.min(560, width), times) : nothing}</div>`;
}

function strategiesPart({ strategies, found, strategiesSaid, isWorking }, act) {
  const cards = strategiesSaid
    ? strategies.map((name) => card(name, found.get(name), () => act.walk(found.get(name))))
    : nothing;
  const about = MEASURES.map(([word, text]) => html`<dt>${word}</dt><dd>${text}</dd>`);
  return html`<p>${PAGE.strategiesHint}</p>
    <button type="button" class="hs-button" id="compare-strategies" ?disabled=${isWorking} @click=${act.compare}
      >${PAGE.compare}</button>
    <p class="hs-hint" ?hidden=${!strategiesSaid}>${strategiesSaid}</p>
    <ol class="hs-strategies">${cards}</ol>
    <details class="hs-role-words"><summary>${PAGE.numbers}</summary><dl>${about}</dl></details>`;
}
