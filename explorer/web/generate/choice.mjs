// How one token is chosen, as a table: the likeliest tokens with a bar after each step, struck where a step removes
// them, and the rest of the vocabulary as one exact bar.

import { grouped, pieceName, probability } from "../base/text.mjs";
import { html, nothing } from "../vendor/lit-html.mjs";
import { round } from "./settings.mjs";
import { pick, sum, warp } from "./warp.mjs";
import { PAGE } from "./words.mjs";

export const SHOWN = 50;

/**
 * What the picture shows. `look` has ids and logits of the vocabulary, likeliest first; `settings` are the model's,
 * `u` the random number or null, `chosen` the id of the token that was taken, or null before it is.
 */
export function choiceOf(look, settings, u, chosen) {
  const ids = look.arrays.ids.data;
  const warped = warp(look.arrays.logits.data, settings);
  const drawn = warped.isGreedy ? { index: 0, from: 0, to: 1 } : u === null ? null : pick(warped.stages[3], u);
  const shown = Array.from({ length: Math.min(SHOWN, ids.length) }, (_, i) => i);
  for (const index of [chosen === null ? -1 : ids.indexOf(chosen), drawn?.index ?? -1]) {
    if (index >= shown.length && !shown.includes(index)) shown.push(index);
  }
  const rest = ids.length - shown.length;
  const apart = shown.slice(SHOWN); // rows of their own, though not among the likeliest
  const tail = warped.stages.map((stage) =>
    Math.max(0, sum(stage, SHOWN, stage.length) - apart.reduce((total, i) => total + stage[i], 0)),
  );
  const top = Math.max(...shown.flatMap((i) => warped.stages.map((stage) => stage[i])), ...tail);
  return { ids, warped, drawn, shown, rest, tail, top, settings, u, chosen };
}

export function choiceTable(choice, pieces, onChoose) {
  const sums = runningSums(choice.warped.stages[3], choice.shown.at(-1) ?? 0);
  return html`<table class="hs-choice">
    <thead>${heads(choice)}</thead>
    <tbody>${choice.shown.map((i) => row(choice, i, pieceName(pieces[choice.ids[i]]), sums[i], onChoose))}</tbody>
    <tfoot>${foot(choice)}</tfoot>
  </table>`;
}

function heads({ settings, warped: { removed, left, isGreedy } }) {
  const removes = (step) => {
    const gone = left[step - 1] - left[step];
    return gone === 0 ? "removes nothing" : `removes ${grouped(gone)}: ${probability(removed[step])}`;
  };
  const moves = removed[1] < 0.0005 ? "moves nothing" : `moves ${probability(removed[1])}`;
  const columns = [
    ["Token", PAGE.take],
    ["1 Model", "as it predicts"],
    [`2 Temper\u00adature ${round(settings.temperature)}`, isGreedy ? removes(1) : moves],
    [`3 ${settings.top_k ? `Top-k ${settings.top_k}` : "No top-k"}`, removes(2)],
    [`4 ${settings.top_p < 1 ? `Top-p ${round(settings.top_p)}` : "No top-p"}`, removes(3)],
    ["Sum", "down to here"],
  ];
  return html`<tr>${columns.map(
    ([name, about]) => html`<th scope="col"><strong>${name}</strong><span>${about}</span></th>`,
  )}</tr>`;
}

function row(choice, i, name, total, onChoose) {
  const { ids, warped, chosen, drawn, top } = choice;
  const [id, place] = [ids[i], grouped(i + 1)];
  const marks = [id === chosen && "hs-taken", drawn?.index === i && "hs-drawn", i >= SHOWN && "hs-apart"];
  const cells = warped.stages.map((stage, s) => {
    const wasLeft = s > 0 && i < warped.left[s - 1];
    return cell(stage[i], s > 0 ? warped.stages[s - 1][i] : null, top, i < warped.left[s], wasLeft);
  });
  return html`<tr class=${marks.filter(Boolean).join(" ")} data-id=${id}>
    <th scope="row"><button
      type="button"
      class="hs-pick"
      dir="auto"
      title=${`token ${id}, place ${place}: take it and continue from there`}
      data-id=${id}
      @click=${() => onChoose(id)}
    >${name}</button><span class="hs-place">${i >= SHOWN ? ` · place ${place}` : ""}</span></th>
    ${cells}
    <td class="hs-number hs-sum">${i >= warped.left[3] ? "" : total.toFixed(4)}</td>
  </tr>`;
}

/** `p` after a step, or struck what it was before the step that removed it. */
function cell(p, before, top, isLeft, wasLeft) {
  if (isLeft) return html`<td>${bar(p / top, "")}<span class="hs-number">${probability(p)}</span></td>`;
  if (!wasLeft) return html`<td class="hs-out">–</td>`;
  const struck = html`<s class="hs-number" title="removed by this step">${probability(before)}</s>`;
  return html`<td class="hs-out">${bar(before / top, "hs-struck")}${struck}</td>`;
}

function bar(share, more) {
  return html`<span class="hs-track"><span class="hs-fill ${more}" style="width: ${share * 100}%"></span></span>`;
}

function foot({ rest, tail, top, warped: { left, removed } }) {
  const other = (mass, s) => {
    const wasLeft = s > 0 && left[s - 1] > SHOWN;
    return cell(mass, s > 0 ? tail[s - 1] : null, top, left[s] > SHOWN && mass > 0, wasLeft);
  };
  const count = (text, values) => html`<tr class="hs-left">
    <th scope="row">${text}</th>${values.map((value) => html`<td class="hs-number">${value}</td>`)}<td></td>
  </tr>`;
  const others = html`<tr class="hs-others">
    <th scope="row">${grouped(rest)} others</th>${tail.map(other)}<td></td>
  </tr>`;
  const isUnsaid = (s) => s === 0 || (s === 1 && left[1] > 1); // a temperature moves, it removes nothing
  const masses = removed.map((mass, s) => (isUnsaid(s) ? "" : probability(mass)));
  return [rest === 0 ? nothing : others, count("Tokens left", left.map(grouped)), count("Mass removed", masses)];
}

function runningSums(probabilities, last) {
  let total = 0;
  return Array.from({ length: last + 1 }, (_, i) => {
    total += probabilities[i];
    return total;
  });
}
