// How one token is chosen, as a table: the likeliest tokens with a bar after each step, struck where a step removes
// them, and the rest of the vocabulary as one exact bar. Below it the draw: the sums on a line, and where u falls.

import { make } from "../base/dom.mjs";
import { grouped, pieceName, probability, quoted } from "../base/text.mjs";
import { table } from "../ui/table.mjs";
import { round } from "./settings.mjs";
import { pick, sum, warp } from "./warp.mjs";

export const SHOWN = 50;
const NAMED = 0.035; // of the line's width: below, a name has no room

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
  return { ids, warped, drawn, shown, rest, tail, settings, u, chosen };
}

export function choiceTable(choice, pieces, onChoose) {
  const { ids, warped, shown } = choice;
  const top = Math.max(...shown.flatMap((i) => warped.stages.map((stage) => stage[i])), ...choice.tail);
  const sums = runningSums(warped.stages[3], shown.at(-1) ?? 0);
  const rows = shown.map((i) => row(choice, i, pieces[ids[i]], top, sums[i], onChoose));
  const element = table({
    label: "How the token is chosen, step by step",
    className: "hs-choice",
    columns: heads(choice),
    rows,
    foot: foot(choice, top),
  });
  return { table: element, scale: `A full bar is ${probability(top)}.` };
}

function heads({ settings, warped }) {
  const { removed, left, isGreedy } = warped;
  const step = (name, text) => ({ name: [make("strong", { text: name }), make("span", { text })], kind: "text" });
  const taken = (from, to, mass) =>
    from === to ? "removes nothing" : `removes ${grouped(from - to)}: ${probability(mass)}`;
  return [
    { ...step("Token", "press one to take it"), kind: "row" },
    step("1 Model", "as it predicts"),
    step(
      `2 Temper\u00adature ${round(settings.temperature)}`,
      isGreedy
        ? taken(left[0], left[1], removed[1])
        : removed[1] < 0.0005
          ? "moves nothing"
          : `moves ${probability(removed[1])}`,
    ),
    step(`3 ${settings.top_k ? `Top-k ${settings.top_k}` : "No top-k"}`, taken(left[1], left[2], removed[2])),
    step(
      `4 ${settings.top_p < 1 ? `Top-p ${round(settings.top_p)}` : "No top-p"}`,
      taken(left[2], left[3], removed[3]),
    ),
    { ...step("Sum", "down to here"), kind: "number" },
  ];
}

function row(choice, i, piece, top, total, onChoose) {
  const { ids, warped, chosen, drawn } = choice;
  const id = ids[i];
  const name = pieceName(piece);
  const marks = [id === chosen ? "hs-taken" : "", drawn?.index === i ? "hs-drawn" : "", i >= SHOWN ? "hs-apart" : ""]
    .filter(Boolean)
    .join(" ");
  const place = i >= SHOWN ? ` · place ${grouped(i + 1)}` : "";
  const button = make("button", {
    type: "button",
    className: "hs-pick",
    dir: "auto",
    text: name,
    title: `token ${id}, place ${grouped(i + 1)}: take it and go on from there`,
    "data-id": id,
    onclick: () => onChoose(id),
  });
  const cells = warped.stages.map((stage, s) =>
    cell(stage[i], s > 0 ? warped.stages[s - 1][i] : null, top, i < warped.left[s], s > 0 && i < warped.left[s - 1]),
  );
  const gone = i >= warped.left[3];
  const sum = { content: gone ? "" : total.toFixed(4), className: "hs-sum" };
  return {
    cells: [[button, make("span", { className: "hs-place", text: place })], ...cells, sum],
    className: marks,
    "data-id": id,
  };
}

/** `p` after a step, or struck what it was before the step that removed it. */
function cell(p, before, top, isLeft, wasLeft) {
  const bar = (value, more) => {
    const fill = make("span", { className: `hs-fill ${more}` });
    fill.style.width = `${(value / top) * 100}%`;
    return make("span", { className: "hs-track" }, fill);
  };
  if (isLeft) return [bar(p, ""), make("span", { className: "hs-number", text: probability(p) })];
  if (!wasLeft) return { content: "–", className: "hs-out" };
  const removed = make("s", { className: "hs-number", text: probability(before), title: "removed by this step" });
  return { content: [bar(before, "hs-struck"), removed], className: "hs-out" };
}

function foot({ rest, tail, warped }, top) {
  const { left, removed } = warped;
  const others = tail.map((mass, s) =>
    cell(mass, s > 0 ? tail[s - 1] : null, top, left[s] > SHOWN && mass > 0, s > 0 && left[s - 1] > SHOWN),
  );
  const count = (text, values) => ({
    cells: [text, ...values.map((content) => ({ content, className: "hs-number" })), ""],
    className: "hs-left",
  });
  return [
    ...(rest === 0 ? [] : [{ cells: [`${grouped(rest)} others`, ...others, ""], className: "hs-others" }]),
    count("Tokens left", left.map(grouped)),
    count(
      "Mass removed",
      removed.map((mass, s) => (s === 0 || (s === 1 && left[1] > 1) ? "" : probability(mass))),
    ),
  ];
}

function runningSums(probabilities, last) {
  const sums = [];
  let total = 0;
  for (let i = 0; i <= last; i++) {
    total += probabilities[i];
    sums.push(total);
  }
  return sums;
}

/** The line from 0 to 1 on which u falls. */
export function drawLine(choice, pieces) {
  const { ids, warped, shown, drawn, u } = choice;
  const left = warped.left[3];
  const kept = shown.filter((i) => i < Math.min(left, SHOWN));
  const line = make("div", { className: "hs-draw-line", role: "img", "aria-label": drawSentence(choice, pieces) });
  const part = (width, text, className) => {
    const span = make("span", {
      className,
      text: width >= NAMED ? text : "",
      title: `${text} ${probability(width)}`,
      dir: "auto",
    });
    span.style.width = `${width * 100}%`;
    return span;
  };
  for (const i of kept)
    line.append(part(warped.stages[3][i], pieceName(pieces[ids[i]]), i === drawn?.index ? "hs-hit" : ""));
  if (left > kept.length)
    line.append(
      part(
        sum(warped.stages[3], kept.length, left),
        `${grouped(left - kept.length)} others`,
        drawn?.index >= kept.length ? "hs-rest-part hs-hit" : "hs-rest-part",
      ),
    );
  const box = make("div", { className: "hs-draw" }, line);
  if (u !== null && !warped.isGreedy) {
    const mark = make("span", { className: `hs-u${u > 0.8 ? " hs-u-left" : ""}`, text: `u = ${u.toFixed(4)}` });
    mark.style.left = `${u * 100}%`;
    box.append(mark);
  }
  box.append(
    make(
      "div",
      { className: "hs-draw-ends" },
      make("span", { text: "0" }),
      make("span", { text: "what is left, likeliest first" }),
      make("span", { text: "1" }),
    ),
  );
  return box;
}

export function drawSentence({ ids, warped, drawn, u }, pieces) {
  if (warped.isGreedy)
    return `Temperature 0: nothing is drawn, the likeliest token ${quoted(pieceName(pieces[ids[0]]))} is taken.`;
  if (!drawn) return "There is no random number yet: the seed must be a whole number.";
  const name = quoted(pieceName(pieces[ids[drawn.index]]));
  return `The random number u = ${u.toFixed(4)} falls on ${name}, which has the line from ${drawn.from.toFixed(4)} to ${drawn.to.toFixed(4)}.`;
}
