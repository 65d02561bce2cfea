// Attention, large: of one head, or of several as one. Matrix: a row for each query token, a column for each key.
// Lines: queries left, keys right. Flow: attention rollout over all layers for the chosen token.

import { computeAhead } from "../patterns/ahead.mjs";
import { attentionControls } from "./controls.mjs";
import { fitLegend, legend } from "./legend.mjs";
import { cellText, marginTable, marginText, readingTable, readingText, sinkText } from "./words.mjs";
import { choice } from "../ui/choice.mjs";
import { make } from "../base/dom.mjs";
import { drawn } from "../patterns/drawn.mjs";
import { drawFlow, flowAt } from "./flow.mjs";
import { drawLines, lineAt } from "./lines.mjs";
import { isolateToken, linesControls, linesText } from "./lines_panel.mjs";
import { cellAt, drawMatrix, edgeAt } from "../matrix/matrix.mjs";
import { move } from "../state/focus.mjs";
import { neuronView } from "./neuron.mjs";
import { lastSeen } from "../base/payload.mjs";
import { reading } from "../patterns/reading.mjs";
import { isDark, store } from "../state/store.mjs";

const VIEWS = { matrix: "Matrix", lines: "Lines", flow: "Flow", neuron: "Neuron" };
const DRAW = { matrix: drawMatrix, lines: drawLines, flow: drawFlow, neuron: () => null };
const AT = { matrix: (...place) => cellAt(...place) ?? edgeAt(...place), lines: lineAt, flow: flowAt };
const ROLLOUT =
  "Rollout asks how much of each token of the text is in the chosen one after the last layer. Every layer counts as (mean over its heads + identity) / 2: half is attention, half is the way around it. The layers are multiplied, last · … · 1. It is an estimate from attention alone: values and MLPs do not count (Abnar and Zuidema 2020). It counts the first token, too: a part of the text cannot be left out of a sum over all of it.";

export function mount(element) {
  const state = { view: "matrix", layout: null };
  const title = make("h2");
  const switches = choice("draw", VIEWS, "How to draw it");
  const canvas = make("canvas", { tabindex: "0", role: "img" });
  const picture = make("div", { className: "hs-picture" }, canvas);
  const about = make("p", { className: "hs-hint hs-rollout", text: ROLLOUT });
  const scale = legend();
  const cell = make("p", { className: "hs-cell", "aria-live": "polite" });
  const row = make("p", { className: "hs-row" });
  const sink = make("p", { className: "hs-sink" });
  const margins = make("p", { className: "hs-margins" });
  const table = make("details", { className: "hs-table" }, make("summary"));
  const marginals = make(
    "details",
    { className: "hs-margin-table" },
    make("summary", { text: "What every token receives and gives, as a table" }),
  );
  element.append(
    make("div", { className: "hs-view-head" }, title, switches),
    attentionControls(),
    linesControls(),
    sink,
    neuronView(),
    picture,
    cell,
    row,
    margins,
    scale,
    about,
    linesText(),
    table,
    marginals,
  );

  canvas.addEventListener("mousemove", (event) => store.preview(at(event, state) ?? {}));
  canvas.addEventListener("mouseleave", () => store.preview({}));
  canvas.addEventListener("click", (event) => {
    const place = at(event, state);
    if (place) store.toggle(place);
  });
  canvas.addEventListener("dblclick", (event) => {
    const place = at(event, state);
    if (place && state.view === "lines") isolateToken(place);
  });
  canvas.addEventListener("keydown", (event) => onKey(event));
  for (const details of [table, marginals]) details.addEventListener("toggle", () => store.changed());

  store.subscribe(element, (payload, focus) => {
    if (state.payload !== payload) {
      state.payload = payload;
      computeAhead(payload, () => state.payload === payload);
    }
    const width = Math.max(280, picture.clientWidth);
    const shown = drawn(payload, focus);
    title.textContent = shown.title;
    state.view = focus.draw;
    state.layout = DRAW[state.view](canvas, width, payload, focus, store.query(focus), isDark());
    element.dataset.drawing = state.view;
    element.dataset.by = focus.by;
    fitLegend(scale, focus, shown, isDark());
    about.hidden = state.view !== "flow";
    const read = reading(payload, focus, shown);
    row.textContent = readingText(payload, shown, read);
    sink.hidden = !shown.hidden;
    sink.textContent = shown.hidden ? sinkText(payload, shown, read) : "";
    margins.hidden = marginals.hidden = state.view !== "matrix";
    if (!margins.hidden) margins.textContent = marginText(payload, shown, read.token);
    canvas.setAttribute(
      "aria-label",
      `${shown.title}: attention of ${payload.tokens.length} tokens. ${row.textContent}`,
    );
    cell.replaceChildren(
      ...cellText(payload, shown, ...cellOf(focus, read), state.view === "flow" ? OF_FLOW : OF_TENSOR),
    );
    table.querySelector("summary").textContent = read.column ? "This column as a table" : "This row as a table";
    if (table.open) fill(table, readingTable(payload, read));
    if (marginals.open && !marginals.hidden) fill(marginals, marginTable(payload, shown));
  });
}

const OF_FLOW = "computed from all patterns as said above; code counts from 0";
const OF_TENSOR = "the tensors and the index that this number comes from; code counts from 0";

/** The [query, key] that is spoken of. */
function cellOf(focus, { column, token }) {
  return column ? [focus.query, token] : [token, focus.key];
}

function fill(details, table) {
  details.querySelector("table")?.remove();
  details.append(table);
}

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
  Object.assign(store.focus.locked, { query: next[0], key: Math.min(next[1], lastSeen(store.payload, next[0])) });
  store.preview({});
}
