// Activation patching: two texts, the map of what brings the clean answer back, and the next tokens behind one cell.

import { compared } from "../base/compared.mjs";
import { make } from "../base/dom.mjs";
import { label, pieceName } from "../base/text.mjs";
import { legend as legendOf, scaleBar } from "../color/legend.mjs";
import { diverging } from "../color/scale.mjs";
import { move } from "../state/focus.mjs";
import { runText } from "../state/run.mjs";
import { isDark, store } from "../state/store.mjs";
import { choice } from "../ui/choice.mjs";
import { experimentButtons } from "../ui/experiments.mjs";
import { fillTable, paintCell, table } from "../ui/table.mjs";
import { hint } from "../ui/terms.mjs";
import { experiment, recovered, valueAt } from "./experiment.mjs";
import {
  cellParts,
  columnName,
  columnTitle,
  isOfHeads,
  METRICS,
  metricParts,
  PAGE,
  percent,
  placeName,
  progress,
  SITE_ABOUT,
  SITES,
  written,
} from "./words.mjs";

export function mount(element, { props }) {
  const { model, experiments } = JSON.parse(props.given);
  const parts = build(element, experiments);
  listen(parts.grid);
  const isOther = compared();
  store.subscribe(element, (payload, focus) => {
    const { locked } = store.focus;
    parts.ready.hidden = payload.model.name !== model; // its answers are meant
    parts.form.show(payload, locked);
    const map = experiment.map(payload, locked);
    parts.begin.hidden = map !== null;
    parts.problem.textContent = map?.problem ?? "";
    parts.problem.hidden = !map?.problem;
    const isSame = map?.facts && map.facts.clean === map.facts.corrupted;
    parts.pair.hidden = !map?.tokens;
    parts.found.hidden = !map?.facts || isSame;
    parts.same.hidden = !isSame;
    if (map?.tokens && isOther(map.tokens)) fillTable(parts.pairTable, pairOf(map));
    if (!parts.found.hidden) drawMap(parts, payload, map, focus);
    element.dataset.done = String(map ? map.problem !== "" || map.rows.length === layersOf(payload) : true);
  });
}

const layersOf = (payload) => payload.arrays.pattern.shape[0];

/** The elements, from top to bottom. */
function build(element, experiments) {
  const empty = { columns: [], rows: [] };
  const grid = table({ label: PAGE.map, className: "hs-patch-map", role: "grid", tabindex: "0", ...empty });
  const parts = {
    ready: experimentButtons(experiments, PAGE.experiments, begin),
    form: textForm(),
    begin: hint(PAGE.begin),
    problem: make("p", { className: "hs-problem", role: "alert", hidden: "" }),
    same: hint(PAGE.same),
    pairTable: table({ label: PAGE.pair, className: "hs-patch-pair", ...empty }),
    grid,
    summary: make("p", {}),
    about: hint(""),
    legend: make("div"),
    progress: make("p", { className: "hs-hint", role: "status" }),
    readout: make("p", { className: "hs-cell", "aria-live": "polite" }),
    next: table({ label: PAGE.next, className: "hs-patch-next", ...empty }),
    nextProblem: make("p", { className: "hs-problem", hidden: "" }),
  };
  const scroll = (inner) => make("div", { className: "hs-patch-scroll" }, inner);
  parts.pair = scroll(parts.pairTable);
  const choices = [choice("site", SITES, PAGE.site), choice("metric", METRICS, PAGE.metric)];
  const left = make("section", {}, scroll(grid), parts.legend, parts.progress, parts.readout);
  const right = make("section", {}, make("h3", { text: PAGE.next }), hint(PAGE.nextAbout), parts.next);
  right.append(parts.nextProblem);
  parts.found = make(
    "div",
    {},
    parts.summary,
    make("div", { className: "hs-controls" }, ...choices),
    parts.about,
    make("div", { className: "hs-patch-both" }, left, right),
  );
  element.append(make("h2", { text: PAGE.title }), hint(PAGE.about), parts.ready, parts.form.element);
  element.append(parts.begin, parts.problem, parts.pair, parts.same, parts.found);
  return parts;
}

// what is asked

/** Each is two texts, and the tokens that they lead to. */
async function begin({ text, corrupted, answer, other }) {
  if (store.payload.text !== text) await runText(text);
  keep({ corrupted, answer, other, metric: "difference", query: null });
}

function keep(part) {
  store.focus.locked = { ...store.focus.locked, ...part };
  store.preview({});
}

/** The corrupted text and both tokens; what is typed is asked for when Patch is pressed. */
function textForm() {
  const named = (text, title, control) => make("label", { title }, make("span", { text }), control);
  const field = (name) =>
    make("input", { type: "text", maxlength: "40", placeholder: PAGE.auto, dir: "auto", "data-name": name });
  const corrupted = make("textarea", { rows: "2", maxlength: "2000", dir: "auto", "data-name": "corrupted" });
  const [answer, other] = [field("answer"), field("other")];
  const send = (event) => {
    event.preventDefault();
    keep({ corrupted: corrupted.value, answer: answer.value, other: other.value });
  };
  corrupted.addEventListener("keydown", (event) => event.key === "Enter" && !event.shiftKey && send(event));
  const element = make(
    "form",
    { className: "hs-patch-form", onsubmit: send },
    named(PAGE.corrupted, "", corrupted),
    named(PAGE.answer, PAGE.answerTitle, answer),
    named(PAGE.other, PAGE.otherTitle, other),
    make("button", { type: "submit", className: "hs-button", text: PAGE.run }),
  );
  const isOther = compared();
  const show = (payload, locked) => {
    if (!isOther(payload.text, locked.corrupted, locked.answer, locked.other)) return;
    corrupted.value = locked.corrupted || payload.text;
    answer.value = locked.answer;
    other.value = locked.other;
  };
  return { element, show };
}

// what is drawn

/** The two texts, a column for each place; what differs is marked. */
function pairOf({ tokens, corrupted }) {
  const T = Math.max(tokens.length, corrupted.length);
  const places = Array.from({ length: T }, (_, place) => place);
  const cell = (list, place) => ({
    content: list[place] ? label(list[place], 14) : "",
    className: tokens[place]?.id === corrupted[place]?.id ? "" : "hs-differs",
  });
  const row = (name, list) => [name, ...places.map((place) => cell(list, place))];
  const columns = [{ kind: "row" }, ...places.map(() => ({ kind: "name" }))];
  return { columns, rows: [row("clean", tokens), row("corrupted", corrupted)] };
}

function drawMap(parts, payload, map, focus) {
  const { grid } = parts;
  const { site, metric } = store.focus.locked;
  const at = columnOf(site, focus);
  parts.summary.replaceChildren(...numbered(metricParts(metric, map.facts)));
  parts.about.replaceChildren(...hint(SITE_ABOUT[site]).childNodes);
  const shape = `${site}/${map.estimated.length}x${map.estimated[0].length}`;
  if (grid.dataset.shape !== shape || grid.map !== map) {
    grid.dataset.shape = shape;
    grid.map = map;
    fillTable(grid, cellsOf(map, site));
    grid.painted = "";
  }
  const look = `${map.rows.length}/${isDark()}`;
  if (grid.painted !== look) {
    grid.painted = look;
    paint(grid, map);
    parts.legend.replaceChildren(scaleLegend());
  }
  const L = layersOf(payload);
  parts.progress.textContent = progress(map.rows.length, L);
  parts.progress.title = PAGE.estimate;
  mark(grid, focus.layer, at);
  const { value, isExact } = valueAt(map, focus.layer, at);
  const name = placeName(site, focus, map.tokens[at], at);
  parts.readout.replaceChildren(...numbered(cellParts(name, value, recovered(map, value), isExact)));
  drawNext(parts, payload, map);
}

/** The column of the cell that the focus speaks of. */
const columnOf = (site, focus) => (isOfHeads(site) ? focus.head : store.query(focus));

const numbered = (texts) =>
  texts.map((text, i) => make(i % 2 ? "strong" : "span", { className: i % 2 ? "hs-number" : "", text }));

function cellsOf({ estimated, tokens, corrupted }, site) {
  const names = isOfHeads(site)
    ? estimated[0].map((_, head) => ({ content: `H${head}` }))
    : tokens.map((token, place) => ({
        content: columnName(token, corrupted[place]),
        className: token.id === corrupted[place].id ? "" : "hs-differs",
        title: columnTitle(token, corrupted[place], place),
        dir: "auto",
      }));
  const cell = (layer, column) => ({
    "data-layer": layer,
    "data-column": column,
    id: `hs-patch-${layer}-${column}`,
  });
  return {
    columns: [{ name: "", kind: "row" }, ...names.map((name) => ({ name, kind: "number" }))],
    rows: estimated.map((row, layer) => [`L${layer}`, ...row.map((_, column) => cell(layer, column))]),
  };
}

function paint(grid, map) {
  const scale = diverging(1, isDark());
  for (const cell of grid.querySelectorAll("td[data-layer]")) {
    const { value, isExact } = valueAt(map, +cell.dataset.layer, +cell.dataset.column);
    const share = recovered(map, value);
    cell.textContent = percent(share);
    cell.dataset.value = share;
    cell.classList.toggle("hs-estimated", !isExact);
    paintCell(cell, scale, share);
  }
}

function mark(grid, layer, column) {
  const id = `hs-patch-${layer}-${column}`;
  grid.querySelector(".hs-patch-open")?.classList.remove("hs-patch-open");
  grid.querySelector(`#${id}`)?.classList.add("hs-patch-open");
  grid.setAttribute("aria-activedescendant", id);
}

function scaleLegend() {
  const ticks = [-1, -0.5, 0, 0.5, 1].map((value) => ({ value, text: percent(value) }));
  return legendOf(
    scaleBar(diverging(1, isDark()), { label: PAGE.scale, ticks }),
    make("span", { text: PAGE.estimate }),
  );
}

/** The likeliest next tokens of the three runs, for the cell that is kept. */
function drawNext({ next, nextProblem }, payload, map) {
  const { tokens, problem = "" } = experiment.cell(payload, store.focus.locked);
  nextProblem.hidden = problem === "";
  nextProblem.textContent = problem;
  if (!tokens || next.shown === tokens) return;
  next.shown = tokens;
  const isCompared = ({ id }) => id === map.facts.answer.id || id === map.facts.other.id;
  const share = (p) => {
    const fill = make("span", { className: "hs-fill", style: `width: ${p * 100}%` });
    const bar = make("span", { className: "hs-track" }, fill);
    return { content: [bar, make("span", { className: "hs-number", text: written(p) })], "data-value": p };
  };
  fillTable(next, {
    columns: [
      { name: "token", kind: "name" },
      ...["clean", "corrupted", "patched"].map((name) => ({ name, kind: "text" })),
    ],
    rows: [...tokens]
      .sort((a, b) => b.patched - a.patched)
      .map((token) => ({
        cells: [pieceName(token.text), ...[token.clean, token.corrupted, token.patched].map(share)],
        className: isCompared(token) ? "hs-marked" : "",
      })),
  });
}

// pointing and keys

function listen(grid) {
  const part = (layer, column) => ({ layer, [isOfHeads(store.focus.locked.site) ? "head" : "query"]: column });
  const at = (event) => {
    const cell = event.target.closest("td[data-layer]");
    return cell && part(+cell.dataset.layer, +cell.dataset.column);
  };
  grid.addEventListener("mouseover", (event) => store.preview(at(event) ?? {}));
  grid.addEventListener("mouseleave", () => store.preview({}));
  grid.addEventListener("click", (event) => at(event) && keep(at(event)));
  grid.addEventListener("keydown", (event) => {
    const { locked } = store.focus;
    const [L, columns] = [grid.tBodies[0].rows.length, grid.tBodies[0].rows[0].cells.length - 1];
    const next = move(event.key, locked.layer, columnOf(locked.site, locked), L, columns);
    if (!next) return;
    event.preventDefault();
    keep(part(...next));
  });
}
