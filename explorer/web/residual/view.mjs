// The residual stream at the chosen place: the logit of a token as a sum of what every part of the model adds, by layer
// and by head, and how long the vectors are.

import { compared } from "../base/compared.mjs";
import { make } from "../base/dom.mjs";
import { grouped, label, pieceName, probability, quoted } from "../base/text.mjs";
import { legend as legendOf, scaleBar } from "../color/legend.mjs";
import { diverging } from "../color/scale.mjs";
import { move } from "../state/focus.mjs";
import { isDark, store } from "../state/store.mjs";
import { fillTable, paintCell, table } from "../ui/table.mjs";
import { TypedToken } from "./ask.mjs";
import { choices, largest, lengths, minus, partsOf, sharesAt, signed, waterfall } from "./residual.mjs";

const ABOUT =
  "Every head and every MLP adds a vector to one running sum, the residual stream. The score (logit) of a " +
  "token is read off the end of that sum, so it is itself a sum: here is what each part adds to it. Choose " +
  "the token whose score is to be explained.";
const FIXED =
  "The final norm divides by the length of the whole stream; that is held at the value it had. What a part " +
  "did by changing what later parts write is counted with them (direct logit attribution, Elhage et al. " +
  "2021).";
const HEADS = "Hover over a head to see its attention; click to pin it.";
const LENGTHS =
  "Length (Euclidean norm) of what each part adds, and of the stream after it. A long vector need not point at your " +
  "token.";

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
  const grid = { label: "What each head adds: a row for each layer", className: "hs-shares", role: "grid" };
  const parts = {
    target: tokenSelect("target"),
    against: tokenSelect("against"),
    field: typedField(typed),
    summary: make("p", { "aria-live": "polite" }),
    sum: table({ label: "What each part adds", className: "hs-waterfall", ...empty }),
    heads: table({ ...grid, tabindex: "0", ...empty }),
    legend: make("div"),
    readout: make("p", { className: "hs-cell", "aria-live": "polite" }),
    norms: table({ label: "Vector norms", className: "hs-lengths", ...empty }),
    isOther: compared(),
  };
  const { target, against, field, summary, sum, heads, legend, readout, norms } = parts;
  const hint = (text) => make("p", { className: "hs-hint", text });
  const title = (text) => make("h3", { text });
  const [explain, compare] = [labelled("Explain", target), labelled("compared with", against)];
  const left = make("section", {}, title("The sum, from the embedding to the end"), sum, hint(FIXED));
  const scroll = make("div", { className: "hs-shares-scroll" }, heads);
  const right = make("section", {}, title("Head by head"), hint(HEADS), scroll, legend, readout);
  right.append(title("Vector norms"), hint(LENGTHS), norms);
  element.append(
    make("h2", { text: "Residual stream" }),
    hint(ABOUT),
    make("div", { className: "hs-residual-ask" }, explain, compare, field.element),
    field.note,
    summary,
    make("div", { className: "hs-residual-both" }, left, right),
  );
  return parts;
}

function draw(
  { target, against, field, summary, sum, heads, legend, readout, norms, isOther },
  typed,
  payload,
  focus,
  part,
) {
  const place = store.query(focus);
  const options = choices(payload, part, place, typedShares(typed, focus));
  const explained = options.find(({ choice }) => choice === focus.target) ?? options[0];
  const other = options.find(({ choice }) => choice === focus.against) ?? null;
  fill(target, options, explained.choice, []);
  fill(against, options, other?.choice ?? "none", [["none", "nothing: just the logit"]]);
  field.say();
  const shares = of(place, explained, other);
  const names = [explained, other].map((token) => token && quoted(pieceName(token.text)));
  if (isOther(place, isDark(), explained.source, explained.k, other?.source, other?.k)) {
    summary.replaceChildren(...sumUp(payload, place, shares, names));
    fillTable(sum, waterfallOf(shares, names));
    legend.replaceChildren(scaleLegend(drawHeads(heads, shares)));
    fillTable(norms, lengthsOf(part, place));
  }
  markHead(heads, focus);
  readout.replaceChildren(...headWords(shares, focus, place, names));
}

/** The shares of the token that was typed, if it is spoken of, or is known at least. */
function typedShares(typed, focus) {
  if ([focus.target, focus.against].includes("typed")) return typed.shares(focus.typed);
  return typed.answer?.of === store.seq ? typed.answer.part : null;
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

function fill(select, options, chosen, first) {
  const entries = [...first, ...options.map(({ choice, text, p }) => [choice, optionText(choice, text, p)])];
  const is = JSON.stringify(entries);
  if (select.dataset.entries !== is) {
    select.dataset.entries = is;
    select.replaceChildren(...entries.map(([value, text]) => make("option", { value, text })));
  }
  select.value = chosen;
}

function optionText(choice, text, p) {
  const how = { next: "your text continues with", typed: "typed:" }[choice] ?? `${choice}.`;
  return `${how} ${quoted(pieceName(text))}${p === null ? "" : `  ${probability(p)}`}`;
}

function typedField(typed) {
  const input = make("input", {
    type: "text",
    maxlength: "200",
    placeholder: "e.g. water",
    "aria-label": "Any token, typed",
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
    labelled("or type one", input),
    make("button", { type: "submit", text: "Explain" }),
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
  const parts = partsOf(shares).sort((a, b) => b.value - a.value);
  const list = (some) => some.map((part) => `${part.name} ${signed(part.value, 2)}`).join(", ");
  const up = parts.filter(({ value }) => value > 0).slice(0, 3);
  const down = parts
    .filter(({ value }) => value < 0)
    .slice(-3)
    .reverse();
  const total = make("strong", {
    className: "hs-number hs-total",
    text: signed(parts.reduce((sum, { value }) => sum + value, 0)),
  });
  const computed = make("strong", { className: "hs-number hs-logit", text: signed(shares.logit) });
  const behind = `After ${quoted(label(payload.tokens[place], 24))}, `;
  const what = other ? `the logit of ${name} minus that of ${other} is ` : `the logit of ${name} is `;
  const ratio = other
    ? ` So ${name} is ${times(shares.logit)} ${other}.`
    : " Only differences between logits matter: compare with another token to see what decides.";
  return [
    behind,
    what,
    computed,
    `; the ${parts.length} parts add up to `,
    total,
    `. Most for it: ${list(up) || "nothing"}. Against it: ${list(down) || "nothing"}.`,
    ratio,
  ];
}

/** A difference of logits in words: e to its power is the ratio of the probabilities. */
function times(difference) {
  const factor = Number(Math.exp(Math.abs(difference)).toPrecision(3));
  const written = factor < 1000 ? String(factor) : grouped(factor);
  return difference < 0 ? `${written} times less likely than` : `${written} times as likely as`;
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
  const { L, H, heads, biases, mlps } = shares;
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
    { title: "the bias of the output projection: it belongs to no head" },
    { title: "the whole MLP of this layer" },
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
  const bar = scaleBar(diverging(limit, isDark()), { label: "adds, logits", ticks });
  return legendOf(bar, make("span", { text: "teal raises the score, brown lowers it" }));
}

function headWords({ H, heads }, { layer, head }, place, /** @type {string[]} */ [name, other]) {
  const of = other ? `the difference between ${name} and ${other}` : `the logit of ${name}`;
  return [
    make("span", { text: `Layer ${layer}, head ${head} adds ` }),
    make("strong", { className: "hs-number", text: signed(heads[layer * H + head], 4) }),
    make("span", { text: ` to ${of}.` }),
    make("code", {
      text: `blocks.${layer}.attn.z[0, ${head}, ${place}]`,
      title: "the tensor that this head wrote with, through its columns of out_proj",
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
