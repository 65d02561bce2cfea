// The residual stream at the chosen place: the logit of a token as a sum of what every part of the model adds, by layer
// and by head, and how long the vectors are.

import { compared } from "../base/compared.mjs";
import { make } from "../base/dom.mjs";
import { patternName } from "../base/payload.mjs";
import { pieceName, quoted } from "../base/text.mjs";
import { legend as legendOf, scaleBar } from "../color/legend.mjs";
import { diverging } from "../color/scale.mjs";
import { move } from "../state/focus.mjs";
import { isDark, store } from "../state/store.mjs";
import { fillTable, paintCell, table } from "../ui/table.mjs";
import { hint } from "../ui/terms.mjs";
import { TypedToken } from "./ask.mjs";
import { choices, largest, lengths, minus, sharesAt, signed, waterfall } from "./residual.mjs";
import { headParts, heldSentence, optionText, PAGE, sumParts } from "./words.mjs";

export function mount(element) {
  const typed = new TypedToken((answer) => {
    if (answer) keepTyped(answer.id);
    store.changed();
  });
  const parts = build(element, typed);
  listen(parts.heads);
  store.subscribe(element, (payload, focus, part) => draw(parts, typed, payload, focus, part), "stream");
}

/** The elements, from top to bottom. */
function build(element, typed) {
  const empty = { columns: [], rows: [] };
  const grid = { label: PAGE.headsTable, className: "hs-shares", role: "grid" };
  const parts = {
    target: tokenSelect("target"),
    against: tokenSelect("against"),
    field: typedField(typed),
    summary: make("p", { "aria-live": "polite" }),
    about: make("p", { className: "hs-hint" }),
    sum: table({ label: PAGE.sumTable, className: "hs-waterfall", ...empty }),
    heads: table({ ...grid, tabindex: "0", ...empty }),
    legend: make("div"),
    readout: make("p", { className: "hs-cell", "aria-live": "polite" }),
    held: make("p", { className: "hs-hint" }),
    norms: table({ label: PAGE.norms, className: "hs-lengths", ...empty }),
    isOther: compared(),
  };
  const { target, against, field, summary, sum, heads, legend, readout, norms, about } = parts;
  const title = (text) => make("h3", { text });
  const [explain, compare] = [labelled(PAGE.explain, target), labelled(PAGE.against, against)];
  const left = make("section", {}, title(PAGE.sum), sum, parts.held);
  const scroll = make("div", { className: "hs-shares-scroll" }, heads);
  const right = make("section", {}, title(PAGE.heads), hint(PAGE.headsHint), about, scroll, legend, readout);
  right.append(title(PAGE.norms), hint(PAGE.normsHint), norms);
  element.append(
    make("h2", { text: PAGE.title }),
    hint(PAGE.about),
    make("div", { className: "hs-residual-ask" }, explain, compare, field.element),
    field.note,
    summary,
    make("div", { className: "hs-residual-both" }, left, right),
  );
  return parts;
}

function draw(
  { target, against, field, summary, sum, held, heads, legend, readout, norms, about, isOther },
  typed,
  payload,
  focus,
  part,
) {
  const place = store.query(focus);
  const options = choices(payload, part, place, typedShares(typed, focus));
  const explained = options.find(({ choice }) => choice === focus.target) ?? options[0];
  const other = options.find(({ choice }) => choice === focus.against) ?? null;
  fill(target, payload, options, explained.choice, []);
  fill(against, payload, options, other?.choice ?? "none", [["none", PAGE.nothing]]);
  field.say();
  const shares = turnedTo(payload, of(place, explained, other));
  const names = [explained, other].map((token) => token && quoted(pieceName(token.text)));
  if (isOther(place, isDark(), explained.source, explained.k, other?.source, other?.k)) {
    summary.replaceChildren(...sumUp(payload, place, shares, names));
    fillTable(sum, waterfallOf(shares, names));
    legend.replaceChildren(scaleLegend(drawHeads(heads, shares)));
    about.textContent = payload.keys ? PAGE.crossing : "";
    fillTable(norms, lengthsOf(part, place));
    held.textContent = heldSentence(payload.model);
  }
  markHead(heads, focus);
  readout.replaceChildren(...headWords(payload, shares, focus, place, names));
}

/** The shares of the token that was typed, if it is spoken of, or is known at least. */
function typedShares(typed, focus) {
  if ([focus.target, focus.against].includes("typed")) return typed.shares(focus.typed);
  return typed.answer?.of === store.seq ? typed.answer.part : null;
}

/** The heads that are shown: where cross-attention is looked at, its own. */
function turnedTo({ keys }, shares) {
  return keys
    ? { ...shares, seenHeads: shares.crossHeads, seenBiases: shares.crossBiases }
    : { ...shares, seenHeads: shares.heads, seenBiases: shares.biases };
}

function of(place, explained, other) {
  const shares = sharesAt(explained.source, place, explained.k);
  return other ? minus(shares, sharesAt(other.source, place, other.k)) : shares;
}

// choosing the token

function keepTyped(id) {
  const { locked } = store.focus;
  if (locked.typed !== id) Object.assign(locked, { typed: id });
  if (locked.target !== "typed" && locked.against !== "typed") locked.target = "typed";
}

const labelled = (text, control) => make("label", {}, make("span", { text }), control);

function tokenSelect(name) {
  return make("select", { "data-name": name, onchange: ({ target: { value } }) => store.toggle({ [name]: value }) });
}

function fill(select, payload, options, chosen, first) {
  const entries = [...first, ...options.map(({ choice, text, p }) => [choice, optionText(payload, choice, text, p)])];
  const is = JSON.stringify(entries);
  if (select.dataset.entries !== is) {
    select.dataset.entries = is;
    select.replaceChildren(...entries.map(([value, text]) => make("option", { value, text })));
  }
  select.value = chosen;
}

function typedField(typed) {
  const input = make("input", {
    type: "text",
    maxlength: "200",
    placeholder: PAGE.example,
    "aria-label": PAGE.typed,
    dir: "auto",
  });
  const form = make(
    "form",
    {
      onsubmit: (event) => {
        event.preventDefault();
        typed.ask(input.value);
      },
    },
    labelled(PAGE.type, input),
    make("button", { type: "submit", text: PAGE.explain }),
  );
  const note = make("p", { className: "hs-problem", role: "alert", hidden: "" });
  const say = () => {
    form.dataset.busy = String(Boolean(typed.waiting));
    note.textContent = typed.problem;
    note.hidden = typed.problem === "";
  };
  return { element: form, note, say };
}

// what is drawn

function sumUp(payload, place, shares, /** @type {string[]} */ [name, other]) {
  const strong = (text, i) => make("strong", { className: `hs-number hs-${i === 1 ? "logit" : "total"}`, text });
  return sumParts(payload, place, shares, name, other).map((text, i) => (i % 2 ? strong(text, i) : text));
}

function waterfallOf(shares, /** @type {string[]} */ [, other]) {
  const steps = waterfall(shares);
  const ends = steps.flatMap(({ from, to }) => [from, to]);
  const [low, high] = [Math.min(0, ...ends), Math.max(0, ...ends)];
  const x = (value) => ((value - low) / (high - low || 1)) * 100;
  const rows = steps.map(({ name, value, from, to }) => [
    name,
    floating(x(Math.min(from, to)), x(Math.max(from, to)), x(0), value),
    exact(value),
    exact(to),
  ]);
  const bar = floating(x(Math.min(0, shares.logit)), x(Math.max(0, shares.logit)), x(0), 0);
  const last = { cells: [other ? "difference" : "logit", bar, "", exact(shares.logit)], className: "hs-end" };
  return {
    columns: [{ name: "part", kind: "row" }, { name: "", kind: "text" }, "adds", "sum so far"],
    rows: [...rows, last],
  };
}

/** `data-value`: what is saved as a table is exact, and no typographic minus. */
const exact = (value) => ({ content: signed(value), "data-value": value });

/** A bar from `left` to `right` (percent) with the line of zero; teal adds, ochre takes away, the result is grey. */
function floating(left, right, zero, value) {
  const bar = make("span", { className: `hs-sum-step ${value > 0 ? "hs-up" : value < 0 ? "hs-down" : ""}` });
  Object.assign(bar.style, { left: `${left}%`, width: `${right - left}%` });
  const line = make("span", { className: "hs-sum-zero" });
  line.style.left = `${zero}%`;
  return make("span", { className: "hs-floating" }, line, bar);
}

/** Cells stay as long as their number does: one that is replaced under the pointer would be pointed at anew. */
function drawHeads(table, shares) {
  const { L, H, seenHeads: heads, seenBiases: biases, mlps } = shares;
  if (table.dataset.shape !== `${L}x${H}`) buildHeads(table, L, H);
  const limit = largest(shares);
  const scale = diverging(limit, isDark());
  table.tBodies[0].querySelectorAll("td").forEach((cell, i) => {
    const [row, column] = [Math.floor(i / (H + 2)), i % (H + 2)];
    const value = column < H ? heads[row * H + column] : (column === H ? biases : mlps)[row];
    cell.textContent = signed(value, 2);
    cell.dataset.value = value;
    paintCell(cell, scale, value);
  });
  return limit;
}

function markHead(table, { layer, head }) {
  const id = `hs-share-${layer}-${head}`;
  table.querySelector(".hs-share-open")?.classList.remove("hs-share-open");
  table.querySelector(`#${id}`).classList.add("hs-share-open");
  table.setAttribute("aria-activedescendant", id);
}

function buildHeads(table, L, H) {
  table.dataset.shape = `${L}x${H}`;
  const heads = Array.from({ length: H }, (_, head) => head);
  const row = (layer) => [
    `L${layer}`,
    ...heads.map((head) => ({ "data-layer": layer, "data-head": head, id: `hs-share-${layer}-${head}` })),
    { title: PAGE.bias },
    { title: PAGE.mlp },
  ];
  fillTable(table, {
    columns: [{ name: "", kind: "row" }, ...heads.map((head) => `H${head}`), "bias", "MLP"],
    rows: Array.from({ length: L }, (_, layer) => row(layer)),
  });
}

function listen(table) {
  const at = (event) => {
    const cell = event.target.closest("[data-head]");
    return cell && { layer: +cell.dataset.layer, head: +cell.dataset.head };
  };
  table.addEventListener("mouseover", (event) => store.preview(at(event) ?? {}));
  table.addEventListener("mouseleave", () => store.preview({}));
  table.addEventListener("click", (event) => at(event) && store.toggle(at(event)));
  table.addEventListener("keydown", (event) => {
    const { locked } = store.focus;
    const [L, H] = store.payload.arrays.pattern.shape;
    const next = move(event.key, locked.layer, locked.head, L, H);
    if (!next) return;
    event.preventDefault();
    Object.assign(locked, { layer: next[0], head: next[1] });
    store.preview({});
  });
}

function scaleLegend(limit) {
  const ticks = [-limit, -limit / 2, 0, limit / 2, limit].map((value) => ({ value, text: signed(value, 2) }));
  const bar = scaleBar(diverging(limit, isDark()), { label: PAGE.scale, ticks });
  return legendOf(bar, make("span", { text: PAGE.colors }));
}

function headWords(payload, { H, seenHeads: heads }, { layer, head }, place, /** @type {string[]} */ [name, other]) {
  const said = (text, i) => make(i % 2 ? "strong" : "span", { className: i % 2 ? "hs-number" : "", text });
  return [
    ...headParts(layer, head, heads[layer * H + head], name, other).map(said),
    make("code", {
      text: `${patternName(payload, layer).replace("pattern", "z")}[0, ${head}, ${place}]`,
      title: PAGE.tensor,
    }),
  ];
}

function lengthsOf(part, place) {
  const rows = lengths(part, place);
  const most = Math.max(...rows.flatMap(({ added, stream }) => [added, stream ?? 0]));
  const bar = (value, className) => {
    if (value === null) return "";
    const fill = make("span", { className: `hs-fill ${className}`, style: `width: ${(value / most) * 100}%` });
    const number = make("span", { className: "hs-number", text: value.toFixed(2) });
    return { content: [make("span", { className: "hs-track" }, fill), number], "data-value": value };
  };
  return {
    columns: [
      { name: "part", kind: "row" },
      { name: "adds", kind: "text" },
      { name: "stream after it", kind: "text" },
    ],
    rows: rows.map(({ name, added, stream }) => [name, bar(added, "hs-added"), bar(stream, "")]),
  };
}
