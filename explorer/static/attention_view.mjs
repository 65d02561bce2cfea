// One head, large. Matrix: a row for each query token, a column for each key. Lines: queries left, keys right.
// Flow: not one head, but attention rollout over all layers for the chosen token.

import { choice } from "./choice.mjs";
import { TICKS, css, position } from "./color.mjs";
import { make } from "./dom.mjs";
import { drawn } from "./drawn.mjs";
import { drawFlow, flowAt } from "./flow.mjs";
import { drawLines, lineAt } from "./lines.mjs";
import { cellAt, drawMatrix } from "./matrix.mjs";
import { move } from "./focus.mjs";
import { isDark, store } from "./store.mjs";
import { label, probability, quoted } from "./text.mjs";

const VIEWS = { matrix: "Matrix", lines: "Lines", flow: "Flow" };
const DRAW = { matrix: drawMatrix, lines: drawLines, flow: drawFlow };
const AT = { matrix: cellAt, lines: lineAt, flow: flowAt };
const ROLLOUT = "Rollout asks how much of each token of the text is in the chosen one after the last layer. Every layer counts as (mean over its heads + identity) / 2: half is attention, half is the way around it. The layers are multiplied, last · … · 1. It is an estimate from attention alone: values and MLPs do not count (Abnar and Zuidema 2020).";

export function mount(element) {
  const state = { view: "matrix", layout: null };
  const title = make("h2");
  const switches = choice("draw", VIEWS, "How to draw it");
  const canvas = make("canvas", { tabindex: "0", role: "img" });
  const picture = make("div", { className: "hs-picture" }, canvas);
  const about = make("p", { className: "hs-hint", text: ROLLOUT });
  const scale = legend();
  const cell = make("p", { className: "hs-cell", "aria-live": "polite" });
  const row = make("p", { className: "hs-row" });
  const table = make("details", { className: "hs-table" }, make("summary", { text: "This row as a table" }));
  element.append(make("div", { className: "hs-view-head" }, title, switches), picture, scale, about, cell, row, table);

  canvas.addEventListener("mousemove", (event) => store.preview(at(event, state) ?? {}));
  canvas.addEventListener("mouseleave", () => store.preview({}));
  canvas.addEventListener("click", (event) => {
    const place = at(event, state);
    if (place) store.toggle(place);
  });
  canvas.addEventListener("keydown", (event) => onKey(event));
  table.addEventListener("toggle", () => store.changed());

  store.subscribe(element, (payload, focus) => {
    const width = Math.max(280, picture.clientWidth);
    const shown = drawn(payload, focus);
    title.textContent = shown.title;
    state.view = focus.draw;
    state.layout = DRAW[state.view](canvas, width, payload, focus, store.query(focus), isDark());
    element.dataset.drawing = state.view;
    scale.hidden = state.view === "flow";
    about.hidden = state.view !== "flow";
    row.textContent = rowText(payload, focus, shown);
    canvas.setAttribute("aria-label", `${shown.title}: attention of ${payload.tokens.length} tokens. ${row.textContent}`);
    cell.replaceChildren(...cellText(payload, focus, shown));
    if (table.open) fillTable(table, payload, focus, shown);
  });
}

const VERBS = { looks: ["looks at", "looks most at"], draws: ["draws on", "draws most on"] };

function at(event, { view, layout }) {
  if (!layout) return null;
  return AT[view](layout, event.offsetX, event.offsetY);
}

function onKey(event) {
  const T = store.payload.tokens.length;
  const { query, key } = store.focus.locked;
  const cell = { query: query ?? T - 1, key: key ?? 0 };
  const next = move(event.key, cell.query, cell.key, T, T);
  if (!next && event.key !== "Enter") return;
  event.preventDefault();
  if (!next) return store.toggle(cell);
  Object.assign(store.focus.locked, { query: next[0], key: Math.min(next[1], next[0]) });
  store.preview({});
}

function legend() {
  const bar = make("span", { className: "hs-legend-bar" });
  const paint = () => {
    const stops = Array.from({ length: 17 }, (_, i) => `${css((i / 16) ** 2, isDark())} ${(i / 16) * 100}%`);
    bar.style.background = `linear-gradient(to right, ${stops})`;
  };
  const ticks = TICKS.map((tick) => {
    const mark = make("span", { text: String(tick) });
    mark.style.left = `${position(tick) * 100}%`;
    return mark;
  });
  const scale = make("span", { className: "hs-legend-scale" }, bar, make("span", { className: "hs-legend-ticks" }, ...ticks));
  const element = make("div", { className: "hs-legend" },
    make("span", { className: "hs-legend-part" }, make("span", { text: "weight" }), scale),
    make("span", { className: "hs-legend-part" }, make("span", { className: "hs-hatch" }), make("span", { text: "later tokens, hidden by the mask" })));
  store.subscribe(bar, paint);
  return element;
}

/** The cell under the focus in words, with the tensor's name and index. */
function cellText(payload, focus, shown) {
  const { key } = focus;
  const query = store.query(focus);
  if (key === null) return [make("span", { text: "Point at a cell or a token to read its number." })];
  const from = quoted(label(payload.tokens[query], 24));
  const to = quoted(label(payload.tokens[key], 24));
  if (key > query) return [make("span", { text: `${from} cannot see ${to}: it comes later, so the mask hides it.` })];
  return [
    make("span", { text: `${from} ${VERBS[shown.verb][0]} ${to} with weight ` }),
    make("strong", { className: "hs-number", text: shown.row(query)[key].toFixed(4) }),
    make("code", { text: shown.name(query, key), title: focus.draw === "flow" ? "computed from all patterns as said above; code counts from 0" : "the tensor and index that this number is; code counts from 0" }),
  ];
}

/** Where the chosen token looks most, in one sentence: the picture's text equivalent. */
function rowText(payload, focus, shown) {
  const query = store.query(focus);
  const best = rowWeights(shown, query).sort((a, b) => b.p - a.p).slice(0, 4);
  const places = best.map(({ key, p }) => `${quoted(label(payload.tokens[key], 24))} ${probability(p)}`);
  return `${quoted(label(payload.tokens[query], 24))} ${VERBS[shown.verb][1]} ${places.join(", ")}.`;
}

function rowWeights(shown, query) {
  return Array.from(shown.row(query), (p, key) => ({ key, p }));
}

function fillTable(table, payload, focus, shown) {
  const rows = rowWeights(shown, store.query(focus)).map(({ key, p }) =>
    make("tr", {}, make("td", { text: String(key) }), make("td", { dir: "auto", text: label(payload.tokens[key], 24) }), make("td", { className: "hs-number", text: p.toFixed(4) })),
  );
  const head = make("tr", {}, ...["place", "key token", "weight"].map((text) => make("th", { text })));
  table.querySelector("table")?.remove();
  table.append(make("table", {}, head, ...rows));
}
