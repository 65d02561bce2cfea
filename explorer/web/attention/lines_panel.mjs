// What belongs to the lines beside their picture: which heads are shown, from which weight on, on which sides; and
// the same in words and as a table.

import { make } from "../base/dom.mjs";
import { headOf } from "../base/payload.mjs";
import { certain, label } from "../base/text.mjs";
import { chosen, everyHead, headsShown, lineStyle, withIsolated, withToggled } from "../color/heads.mjs";
import { reading } from "../patterns/reading.mjs";
import { store } from "../state/store.mjs";
import { patternsOf } from "../state/layers.mjs";
import { whenDrawn } from "../state/when_drawn.mjs";
import { choice } from "../ui/choice.mjs";
import { foldedTable, table } from "../ui/table.mjs";
import { hint } from "../ui/terms.mjs";
import { counted, LEAST, seriesOf } from "./line_series.mjs";
import { lineWidth } from "./lines.mjs";
import { countText, headLabel, LINES, lineTable, lineText } from "./words.mjs";

const WIDTHS = [0.05, 0.25, 0.5, 1];

/** Above the picture. */
export function linesControls() {
  const chips = make("div", { className: "hs-chips", role: "toolbar", "aria-label": LINES.heads });
  const all = make("button", {
    type: "button",
    className: "hs-chip-all",
    text: "all",
    onclick: () => choose(chosen(store.focus.locked.head, everyHead(heads()))),
  });
  const one = make("button", {
    type: "button",
    className: "hs-chip-all",
    text: "one",
    onclick: () => choose(chosen(store.focus.locked.head, [])),
  });
  const pick = make(
    "div",
    {},
    make(
      "div",
      { className: "hs-lines-row" },
      make("span", { className: "hs-lines-name", text: "heads" }),
      chips,
      all,
      one,
    ),
    hint(LINES.hint),
  );
  const slider = make("input", { type: "range", min: "0", max: String(LEAST.length - 1), step: "1", id: "hs-least" });
  const least = make("output", { className: "hs-number", for: "hs-least" });
  const count = make("p", { className: "hs-lines-count", "aria-live": "polite" });
  slider.addEventListener("input", () => choose({ least: LEAST[slider.value] }));
  chips.addEventListener("keydown", onChipKey);
  const element = make(
    "div",
    { className: "hs-lines" },
    pick,
    make(
      "div",
      { className: "hs-lines-row" },
      make("label", { for: "hs-least", className: "hs-lines-name", text: LINES.least }),
      slider,
      least,
      choice("sides", LINES.sides, LINES.sidesLabel),
    ),
    count,
  );

  const draw = (payload, focus) => {
    if (chips.children.length !== heads()) chips.replaceChildren(...everyHead(heads()).map(chip));
    pick.hidden = focus.by !== "one"; // a mean or maximum is of no single head
    const shown = headsShown(store.focus.locked, heads());
    [...chips.children].forEach((button, head) => {
      button.setAttribute("aria-pressed", String(shown.includes(head)));
      button.tabIndex = head === store.focus.locked.head ? 0 : -1;
    });
    const stop = LEAST.findLastIndex((value) => value <= focus.least);
    slider.value = String(Math.max(0, stop));
    least.textContent = (focus.least / 1000).toFixed(3);
    slider.setAttribute("aria-valuetext", least.textContent);
    count.textContent = countText(counted(seriesOf(payload, focus), focus, payload.tokens.length), focus);
  };
  return whenDrawn("lines", element, draw, patternsOf);
}

/** Below the picture, where there are several heads: each in words, and all as a table. */
export function linesText() {
  const list = make("ul", { className: "hs-lines-said" });
  const details = foldedTable("", () => store.changed(), "hs-lines-table");
  const element = make("div", {}, widths(), list, details);
  const draw = (payload, focus) => {
    const series = seriesOf(payload, focus);
    list.hidden = details.hidden = series.length === 1;
    if (details.hidden) return;
    const readings = series.map(({ shown }) => reading(payload, focus, shown));
    list.replaceChildren(...series.map((one, i) => said(payload, one, readings[i])));
    details.rename(lineTable(readings[0].column));
    details.fill(() => tableOf(payload, series, readings));
  };
  return whenDrawn("lines", element, draw, patternsOf);
}

const heads = () => store.payload.arrays.pattern.shape[1];
const choose = (part) => store.toggle(part);

/** Keeps only the lines of a token, and again lets all come back; `read` is how the token is read then. */
export function isolateToken({ query = null, key = null, read }) {
  const { locked } = store.focus;
  const isAlone = locked.query === query && locked.key === key;
  store.toggle(isAlone ? { query: null, key: null, read } : { query, key, read });
}

function chip(head) {
  return make(
    "button",
    {
      type: "button",
      className: "hs-chip",
      "data-head": head,
      title: headLabel(headOf(store.payload, head)),
      onmouseenter: () => store.preview({ head, also: "" }),
      onmouseleave: () => store.preview({}),
      onclick: () => choose(withToggled(store.focus.locked, head, heads())),
      ondblclick: () => choose(withIsolated(store.focus.locked, head, heads())),
    },
    swatch(lineStyle(head)),
    make("span", { text: `H${headOf(store.payload, head)}` }),
  );
}

/** One Tab stop for all heads: arrows lead from one to the next. */
function onChipKey(event) {
  const head = Number(event.target.dataset.head);
  const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
  if (step) event.currentTarget.children[(head + step + heads()) % heads()].focus();
  else if (event.key === "Enter" && event.shiftKey) choose(withIsolated(store.focus.locked, head, heads()));
  else return;
  event.preventDefault();
}

const said = (payload, one, read) =>
  make("li", {}, swatch(one), make("span", { text: lineText(payload, one.name, read) }));

function swatch({ color, dash }) {
  const line = make("span", { className: dash.length ? "hs-chip-line hs-dashed" : "hs-chip-line" });
  line.style.color = `var(${color})`;
  return line;
}

/** What the width of a line means. */
function widths() {
  const marks = WIDTHS.map((p) => {
    const line = make("span", { className: "hs-width" });
    line.style.borderTopWidth = `${lineWidth(p)}px`;
    return make("span", { className: "hs-legend-part" }, line, make("span", { text: String(p) }));
  });
  return make("div", { className: "hs-widths" }, make("span", { text: "weight" }), ...marks);
}

function tableOf(payload, series, readings) {
  const [{ column, others }] = readings;
  return table({
    label: LINES.table,
    columns: [
      { name: "position", kind: "text" },
      { name: column ? "query token" : "key token", kind: "name" },
      ...series.map(({ name }) => name),
    ],
    rows: others.map(({ place }, i) => [
      String(place),
      label(payload.tokens[place], 24),
      ...readings.map((one) => numberOf(one.others[i])),
    ]),
  });
}

function numberOf({ p, state, off }) {
  return LINES.unseen[state] ?? certain(p, off);
}
