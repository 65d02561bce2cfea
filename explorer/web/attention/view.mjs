// Attention, large: of one head, or of several as one. Matrix: a row for each query token, a column for each key.
// Lines: queries left, keys right. Flow: attention rollout over all layers for the chosen token.

import { make } from "../base/dom.mjs";
import { lastSeen } from "../base/payload.mjs";
import { COUNTED } from "../base/text.mjs";
import { cellAt, edgeAt } from "../matrix/layout.mjs";
import { listen } from "../matrix/listen.mjs";
import { computeAhead } from "../patterns/ahead.mjs";
import { drawn } from "../patterns/drawn.mjs";
import { reading } from "../patterns/reading.mjs";
import { patternsOf } from "../state/layers.mjs";
import { isDark, store } from "../state/store.mjs";
import { choice } from "../ui/choice.mjs";
import { foldedTable } from "../ui/table.mjs";
import { hint } from "../ui/terms.mjs";
import * as between from "./between.mjs";
import { Brushed } from "./brushed.mjs";
import { attentionSettings } from "./controls.mjs";
import { drawFlow, flowAt } from "./flow.mjs";
import { fitLegend, legend } from "./legend.mjs";
import { drawLines, lineAt } from "./lines.mjs";
import { isolateToken, linesControls, linesText } from "./lines_panel.mjs";
import { neuronView } from "./neuron.mjs";
import { cellText, marginTable, readingTable } from "./said.mjs";
import { drawWeights } from "./weights.mjs";
import { marginText, PAGE, pictureLabel, readingText, sinkText } from "./words.mjs";

const DRAW = { matrix: drawWeights, lines: drawLines, flow: drawFlow, neuron: () => null };
const AT = { matrix: weightAt, lines: lineAt, flow: flowAt };

export function mount(element) {
  const state = { view: "matrix", layout: null, payload: null };
  const parts = build(element);
  element.numbers = () => element.querySelector(".hs-crossing")?.numbers();
  listenTo(parts, state);
  new ResizeObserver(() => store.changed()).observe(parts.picture);
  const draw = (payload, focus) => {
    fitCrossing(element, Boolean(payload.keys));
    if (payload.keys) return;
    if (state.payload !== payload) {
      state.payload = payload;
      computeAhead(payload, () => state.payload === payload);
    }
    const shown = drawn(payload, focus);
    state.view = focus.draw;
    parts.brushed.lay(payload, focus);
    const room = roomIn(parts.picture);
    const seen = parts.brushed.follow(payload, focus, room);
    state.layout = DRAW[state.view](parts.canvas, room, payload, seen, store.query(focus), isDark());
    parts.brushed.drawMinimap(shown);
    element.dataset.drawing = state.view;
    element.dataset.by = focus.by;
    element.dataset.brush = seen.brush;
    say(parts, payload, focus, shown);
  };
  store.subscribe(element, draw, patternsOf);
}

/** Attention to another text is a view of its own, in the place of this one. */
function fitCrossing(element, crosses) {
  element.dataset.crosses = String(crosses);
  const there = element.querySelector(":scope > .hs-crossing");
  if (!crosses) return there?.remove();
  if (there) return;
  const crossing = make("div", { className: "hs-view hs-crossing", "data-view": "between_view" });
  element.append(crossing);
  between.mount(crossing);
}

/** The px there are for a picture; Infinity where a column goes on as far as what is in it. */
function roomIn(picture) {
  const isBound = getComputedStyle(picture).flexGrow === "1";
  return { width: Math.max(280, picture.clientWidth), height: isBound ? picture.clientHeight : Infinity };
}

/** The elements, from top to bottom. */
function build(element) {
  const canvas = make("canvas", { tabindex: "0", role: "img" });
  const picture = make("div", { className: "hs-picture" }, canvas);
  const redraw = () => store.changed();
  const parts = {
    title: make("h2", { title: COUNTED }),
    canvas,
    picture,
    brushed: new Brushed(picture),
    about: make("div", { className: "hs-rollout" }, hint(PAGE.rollout)),
    scale: legend(),
    cell: make("p", { className: "hs-cell", "aria-live": "polite" }),
    row: make("p", { className: "hs-row" }),
    sink: make("p", { className: "hs-sink" }),
    margins: make("p", { className: "hs-margins" }),
    table: foldedTable("", redraw),
    marginals: foldedTable(PAGE.marginTable, redraw, "hs-margin-table"),
  };
  const { title, sink, brushed, cell, row, margins, scale, about, table, marginals } = parts;
  const how = make("div", { className: "hs-how" }, choice("draw", PAGE.views, PAGE.how), ...attentionSettings());
  element.append(make("div", { className: "hs-view-head" }, title, how), linesControls(), sink, neuronView());
  element.append(brushed.element, cell, row, margins, scale, about, linesText(), table, marginals);
  return parts;
}

function listenTo({ canvas, brushed }, state) {
  listen(canvas, {
    at: (...place) => (state.layout ? AT[state.view](state.layout, ...place) : null),
    point: (place) => store.preview(place ?? {}),
    choose: (place) => store.toggle(place.row === undefined ? place : { query: place.row, key: place.column }),
    place: () => kept(brushed.seen),
    go: ({ row, column }) => {
      Object.assign(store.focus.locked, { query: row, key: Math.min(column, lastSeen(store.payload, row)) });
      store.preview({});
    },
  });
  canvas.addEventListener("dblclick", ({ offsetX, offsetY }) => {
    const place = state.view === "lines" && state.layout && lineAt(state.layout, offsetX, offsetY);
    if (place) isolateToken(place);
  });
}

/** The words and tables around the picture. */
function say(parts, payload, focus, shown) {
  const { title, canvas, brushed, about, scale, cell, row, sink, margins, table, marginals } = parts;
  const read = reading(payload, focus, shown);
  const isFlow = focus.draw === "flow";
  title.textContent = shown.title;
  fitLegend(scale, focus, shown, isDark());
  about.hidden = !isFlow;
  row.textContent = readingText(payload, shown, read);
  sink.hidden = !shown.hidden;
  sink.textContent = shown.hidden ? sinkText(payload, shown, read) : "";
  margins.hidden = marginals.hidden = focus.draw !== "matrix" || focus.margins === "off";
  if (!margins.hidden) margins.textContent = marginText(payload, shown, read.token);
  const spoken = pictureLabel(shown.title, payload.tokens.length, brushed.said, row.textContent);
  canvas.setAttribute("aria-label", spoken);
  cell.replaceChildren(...cellText(payload, shown, ...cellOf(focus, read), isFlow ? PAGE.ofFlow : PAGE.ofTensor));
  table.rename(read.column ? PAGE.column : PAGE.row);
  table.fill(() => readingTable(payload, read));
  if (!marginals.hidden) marginals.fill(() => marginTable(payload, shown));
}

/** The [query, key] that is spoken of. */
function cellOf(focus, { column, token }) {
  return column ? [focus.query, token] : [token, focus.key];
}

/**
 * A cell; or beside the cells a key's name or bar, which asks who looks at it, or a query's, which asks where it
 * looks.
 */
export function weightAt(layout, x, y) {
  const cell = cellAt(layout, x, y);
  if (cell) return { query: cell.row, key: cell.column };
  const edge = edgeAt(layout, x, y);
  if (!edge) return null;
  return edge.row === undefined ? { key: edge.column, read: "column" } : { query: edge.row, read: "row" };
}

/** Where the keyboard is: in what is shown, as long as nothing is chosen. */
function kept({ T, square }) {
  const { query, key } = store.focus.locked;
  return { row: query ?? square.row + square.count - 1, column: key ?? square.column, rows: T, columns: T };
}
