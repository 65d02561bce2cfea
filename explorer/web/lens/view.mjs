// The logit lens: a row for the embedding and after each layer, a column for each token of the text; beside it the
// chosen cell, and how the prediction came about along the column.

import { make } from "../base/dom.mjs";
import { actualNext, trueToken } from "../base/payload.mjs";
import { grouped, label, pieceName, probability } from "../base/text.mjs";
import { legend as legendOf, scaleBar } from "../color/legend.mjs";
import { sequential } from "../color/scale.mjs";
import { move } from "../state/focus.mjs";
import { isDark, store } from "../state/store.mjs";
import { choice } from "../ui/choice.mjs";
import { fillTable, paintCell, table } from "../ui/table.mjs";
import { hint } from "../ui/terms.mjs";
import { belowBars, tokenBar, topOf } from "../ui/token_bars.mjs";
import { along, firstSentence, layerName, lensCell, MEASURES, measured, rowsOf } from "./lens.mjs";
import { cellTitle, choiceSentence, columnTitle, comesAfter, PAGE, sureParts } from "./words.mjs";

export function mount(element) {
  const grid = table({
    label: PAGE.table,
    className: "hs-lens",
    role: "grid",
    tabindex: "0",
    columns: [],
    rows: [],
  });
  const scroller = make("div", { className: "hs-lens-scroll" }, grid);
  const legend = make("div");
  const opened = make("section", { className: "hs-lens-cell", "aria-live": "polite" });
  const way = make("section", { className: "hs-lens-column" });
  element.append(
    make(
      "div",
      { className: "hs-view-head" },
      make("h2", { text: PAGE.title }),
      choice("lens", PAGE.coloredBy, PAGE.colors),
    ),
    hint(PAGE.about),
    make(
      "div",
      { className: "hs-lens-both" },
      make("div", { className: "hs-lens-left" }, scroller, legend, hint(PAGE.key)),
      opened,
      way,
    ),
  );
  listen(grid);
  const drawn = { table: null, colors: "", kept: null };

  store.subscribe(
    element,
    (payload, focus, part) => {
      const place = store.query(focus);
      const row = rowOf(focus);
      if (drawn.table !== part) {
        drawn.table = part;
        fillTable(grid, cellsOf(payload, part));
        drawn.colors = "";
      }
      const colors = `${focus.lens}/${isDark()}`;
      if (drawn.colors !== colors) {
        drawn.colors = colors;
        paint(grid, payload, part, focus.lens);
        legend.replaceChildren(scaleLegend(payload, part, focus.lens));
      }
      mark(grid, row, place);
      if (drawn.kept !== place && !Object.keys(store.focus.preview).length) bringIntoView(scroller, grid, place);
      drawn.kept = place;
      opened.replaceChildren(...cell(payload, part, row, place));
      way.replaceChildren(...development(payload, part, row, place));
    },
    "stream",
  );
}

/** The row that the focus speaks of: the embedding, or that after the chosen layer. */
export const rowOf = ({ layer, depth }) => (depth === "embedding" ? 0 : layer + 1);

const focusOf = (row) => (row === 0 ? { depth: "embedding" } : { depth: "layer", layer: row - 1 });

function listen(table) {
  const at = (event) => {
    const cell = event.target.closest("[data-place]");
    return cell && { query: +cell.dataset.place, ...(cell.dataset.row && focusOf(+cell.dataset.row)) };
  };
  table.addEventListener("mouseover", (event) => store.preview(at(event) ?? {}));
  table.addEventListener("mouseleave", () => store.preview({}));
  table.addEventListener("click", (event) => at(event) && store.toggle(at(event)));
  table.addEventListener("keydown", (event) => {
    const { locked } = store.focus;
    const [L, , T] = store.payload.arrays.pattern.shape;
    const next = move(event.key, rowOf(locked), store.query(locked), L + 1, T);
    if (!next) return;
    event.preventDefault();
    Object.assign(locked, { query: next[1], ...focusOf(next[0]) });
    store.preview({});
  });
}

function cellsOf(payload, part) {
  const rows = rowsOf(part);
  const tokens = payload.tokens.map((token, place) => ({
    name: {
      content: label(token, 12),
      dir: "auto",
      "data-place": place,
      title: columnTitle(payload, token, place),
    },
    kind: "text",
  }));
  const corner = { content: make("span", { className: "hs-long", text: PAGE.text }), className: "hs-lens-name" };
  return {
    columns: [{ name: corner, kind: "row" }, ...tokens],
    rows: Array.from({ length: rows }, (_, row) => [
      rowName(row, rows - 1),
      ...payload.tokens.map((_, place) => lensTd(payload, part, row, place)),
    ]),
  };
}

/** "layer 3"; on a phone "L3". */
function rowName(row, L) {
  const [long, short] = row === 0 ? ["embedding", "emb"] : [`layer ${row - 1}`, `L${row - 1}`];
  const content = [
    make("span", { className: "hs-long", text: long }),
    make("span", { className: "hs-short", text: short, "aria-hidden": "true" }),
    ...(row === L ? [make("small", { text: PAGE.last })] : []),
  ];
  return { content, className: "hs-lens-name", title: layerName(row, L) };
}

function lensTd(payload, part, row, place) {
  const { id, text } = lensCell(part, row, place).best[0];
  const isFinal = id === lensCell(part, rowsOf(part) - 1, place).best[0].id;
  const isNext = id === trueToken(payload, place)?.id;
  const name = `${isNext ? "✓ " : ""}${pieceName(text).trim() || "␣"}`;
  return {
    content: [
      make("span", { className: "hs-lens-token", dir: "auto", text: name }),
      make("span", { className: "hs-number", text: " " }),
    ],
    "data-row": row,
    "data-place": place,
    id: `hs-lens-${row}-${place}`,
    className: isFinal ? "hs-final" : "",
    "data-value": saved(part, row, place, text),
  };
}

/** A cell of the table that is saved: all that is known of it. */
function saved(part, row, place, text) {
  const numbers = Object.keys(MEASURES).map((name) => `${name} ${measured(part, name, row, place)}`);
  return [pieceName(text), ...numbers].join("; ");
}

function paint(table, payload, part, name) {
  const { write } = MEASURES[name];
  const scale = scaleOf(payload, part, name);
  const T = payload.tokens.length;
  table.tBodies[0].querySelectorAll("td").forEach((td, i) => {
    const value = measured(part, name, Math.floor(i / T), i % T);
    paintCell(td, scale, value);
    td.lastChild.firstChild.data = write(value);
  });
}

function scaleOf(payload, part, name) {
  const { limit, root } = MEASURES[name];
  return sequential(isDark(), { limit: limit(part, payload), root });
}

function scaleLegend(payload, part, name) {
  const { limit, ticks, label, note } = MEASURES[name];
  const marks = ticks(limit(part, payload)).map((value) => ({ value, text: String(Number(value.toFixed(2))) }));
  return legendOf(scaleBar(scaleOf(payload, part, name), { label, ticks: marks }), make("span", { text: note }));
}

function mark(table, row, place) {
  for (const cell of table.querySelectorAll(".hs-query, .hs-lens-open"))
    cell.classList.remove("hs-query", "hs-lens-open");
  for (const cell of table.querySelectorAll(`[data-place="${place}"]`)) cell.classList.add("hs-query");
  const open = table.querySelector(`td[data-row="${row}"][data-place="${place}"]`);
  open.classList.add("hs-lens-open");
  table.setAttribute("aria-activedescendant", open.id);
}

/** Scroll sideways, and only within the table. */
function bringIntoView(scroller, table, place) {
  const { offsetLeft: left, offsetWidth: width } = table.rows[0].cells[place + 1];
  const [first, last] = [
    scroller.scrollLeft + table.rows[0].cells[0].offsetWidth,
    scroller.scrollLeft + scroller.clientWidth,
  ];
  if (left < first || left + width > last) scroller.scrollLeft = left - scroller.clientWidth / 2;
}

/** The ten likeliest tokens of the cell, and how sure it is. */
function cell(payload, part, row, place) {
  const { best, entropy, kl } = lensCell(part, row, place);
  const L = rowsOf(part) - 1;
  const next = trueToken(payload, place)?.id;
  const top = topOf(best[0].p);
  return [
    make("h3", { text: cellTitle(row, L) }),
    make("p", { className: "hs-hint", text: comesAfter(payload, place) }),
    make(
      "ol",
      { className: "hs-bars" },
      ...best.map(({ id, text, p }) => tokenBar(pieceName(text), p, top, id === next)),
    ),
    make("div", { className: "hs-scale" }, ...belowBars(top)),
    make("p", {}, ...sureParts(entropy, kl, payload.model.vocab_size, row === L).map(numbered)),
  ];
}

const numbered = (text, i) =>
  i % 2 ? make("strong", { className: `hs-number hs-${i === 1 ? "entropy" : "kl"}`, text }) : text;

/** Along the column: the token that the model ends with, and the one that the text goes on with. */
function development(payload, part, row, place) {
  const L = rowsOf(part) - 1;
  const choice = lensCell(part, L, place).best[0];
  const next = actualNext(payload, place);
  const followed = [["final", pieceName(choice.text), PAGE.choice]];
  if (next && next.text !== choice.text) followed.push(["next", pieceName(next.text), PAGE.text]);
  const ways = followed.map(([kind]) => along(part, kind, place));
  const heads = followed.map(([, text, whose]) => ({
    name: [make("span", { className: "hs-bar-name", dir: "auto", text }), make("small", { text: whose })],
    kind: "text",
  }));
  const rows = ways[0].map((_, at) => ({
    cells: [at ? `layer ${at - 1}` : "embedding", ...ways.map((way) => wayCell(way[at]))],
    className: at === row ? "hs-lens-open" : "",
  }));
  return [
    make("h3", { text: PAGE.forms }),
    make("p", {}, choiceSentence(pieceName(choice.text), firstSentence(part, place))),
    table({
      label: PAGE.both,
      className: "hs-lens-way",
      columns: [{ name: "after", kind: "row" }, ...heads],
      rows,
    }),
  ];
}

function wayCell({ p, rank }) {
  const fill = make("span", { className: "hs-fill", style: `width: ${p * 100}%` });
  return [
    make("span", { className: "hs-track" }, fill),
    make("span", { className: "hs-number", text: probability(p) }),
    make("span", { className: "hs-rank", text: `rank ${grouped(rank)}` }),
  ];
}
