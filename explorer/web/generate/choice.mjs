// How one token is chosen, as a table: the likeliest tokens with a bar after each step, struck where a step removes
// them, and the rest of the vocabulary as one exact bar.

import { make } from "../base/dom.mjs";
import { grouped, pieceName, probability } from "../base/text.mjs";
import { table } from "../ui/table.mjs";
import { round } from "./settings.mjs";
import { pick, sum, warp } from "./warp.mjs";
import { movesText, othersText, PAGE, removesText, TABLE, takeTitle } from "./words.mjs";

export const SHOWN = 50;
const LEAST_ROWS = 8; // of the likeliest; less likely ones than 0.001 are folded

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
  return table({
    label: PAGE.choiceTable,
    className: "hs-choice",
    columns: heads(choice),
    rows: choice.shown.map((i) => row(choice, i, pieceName(pieces[choice.ids[i]]), sums[i], onChoose)),
    foot: foot(choice),
  });
}

function heads({ settings, warped: { removed, left, isGreedy } }) {
  const removes = (step) => removesText(left[step - 1] - left[step], removed[step]);
  const step = (name, about, kind = "text") => ({
    name: [make("strong", { text: name }), make("span", { text: about })],
    kind,
  });
  return [
    step("Token", PAGE.take, "row"),
    step("1 Model", TABLE.model),
    step(`2 Temper\u00adature ${round(settings.temperature)}`, isGreedy ? removes(1) : movesText(removed[1])),
    step(`3 ${settings.top_k ? `Top-k ${settings.top_k}` : TABLE.noTopK}`, removes(2)),
    step(`4 ${settings.top_p < 1 ? `Top-p ${round(settings.top_p)}` : TABLE.noTopP}`, removes(3)),
    step("Sum", TABLE.sum, "number"),
  ];
}

function row(choice, i, name, total, onChoose) {
  const { ids, warped, chosen, drawn, top } = choice;
  const [id, place] = [ids[i], grouped(i + 1)];
  const isSpoken = id === chosen || drawn?.index === i || i >= SHOWN;
  const isMinor = i >= LEAST_ROWS && !isSpoken && warped.stages.every((stage) => stage[i] < 0.0005);
  const marks = [id === chosen && "hs-taken", drawn?.index === i && "hs-drawn", i >= SHOWN && "hs-apart"];
  if (isMinor) marks.push("hs-minor");
  const button = make("button", {
    type: "button",
    className: "hs-pick",
    dir: "auto",
    text: name,
    title: takeTitle(id, place),
    "data-id": id,
    onclick: () => onChoose(id),
  });
  const apart = make("span", { className: "hs-place", text: i >= SHOWN ? ` · rank ${place}` : "" });
  const cells = warped.stages.map((stage, s) => {
    const wasLeft = s > 0 && i < warped.left[s - 1];
    return cell(stage[i], s > 0 ? warped.stages[s - 1][i] : null, top, i < warped.left[s], wasLeft);
  });
  const sum = { content: i >= warped.left[3] ? "" : total.toFixed(4), className: "hs-sum" };
  return { cells: [[button, apart], ...cells, sum], className: marks.filter(Boolean).join(" "), "data-id": id };
}

/** `p` after a step, or struck what it was before the step that removed it. */
function cell(p, before, top, isLeft, wasLeft) {
  if (isLeft) return [bar(p / top, ""), make("span", { className: "hs-number", text: probability(p) })];
  if (!wasLeft) return { content: "–", className: "hs-out" };
  const struck = make("s", { className: "hs-number", text: probability(before), title: TABLE.removed });
  return { content: [bar(before / top, "hs-struck"), struck], className: "hs-out" };
}

function bar(share, more) {
  const fill = make("span", { className: `hs-fill ${more}`, style: `width: ${share * 100}%` });
  return make("span", { className: "hs-track" }, fill);
}

function foot({ rest, tail, top, warped: { left, removed } }) {
  const other = (mass, s) => {
    const wasLeft = s > 0 && left[s - 1] > SHOWN;
    return cell(mass, s > 0 ? tail[s - 1] : null, top, left[s] > SHOWN && mass > 0, wasLeft);
  };
  const count = (text, values) => ({
    cells: [text, ...values.map((content) => ({ content, className: "hs-number" })), ""],
    className: "hs-left",
  });
  const others = { cells: [othersText(rest), ...tail.map(other), ""], className: "hs-others" };
  const isUnsaid = (s) => s === 0 || (s === 1 && left[1] > 1); // a temperature moves, it removes nothing
  const masses = removed.map((mass, s) => (isUnsaid(s) ? "" : probability(mass)));
  return [...(rest === 0 ? [] : [others]), count(TABLE.left, left.map(grouped)), count(TABLE.mass, masses)];
}

function runningSums(probabilities, last) {
  let total = 0;
  return Array.from({ length: last + 1 }, (_, i) => {
    total += probabilities[i];
    return total;
  });
}
