// What the edits change in this text: attention of the chosen head, the next token, and the loss. Before and after.

import { palette } from "../color/color.mjs";
import { make } from "../base/dom.mjs";
import { divergingColor, inkOn } from "../color/hues.mjs";
import { headBlock } from "../base/payload.mjs";
import { counting, sees } from "./edits.mjs";
import { leaks } from "./leaks.mjs";
import { cellIn, drawMap } from "../matrix/surgery_map.mjs";
import { operation } from "./state.mjs";
import { isDark, store } from "../state/store.mjs";
import { label, pieceName, probability, quoted, visible } from "../base/text.mjs";

const SHOWN = 8; // next tokens of each side
const LINES = 5; // leaks that are told at once

/** "+0.123", "−0.123", and what is rounded to nothing without a sign. */
export function signed(x, decimals = 3) {
  const size = Math.abs(x).toFixed(decimals);
  return Number(size) === 0 ? size : `${x < 0 ? "−" : "+"}${size}`;
}

export function lossCard() {
  const line = make("p", { className: "hs-loss-line" });
  const list = make("div", { className: "hs-loss-tokens", role: "list", "aria-label": "Change of each token's loss" });
  const hint = make("p", { className: "hs-hint" });
  const leak = make("div", { className: "hs-leaks", role: "status" });
  const element = make(
    "section",
    {},
    make("h3", { text: "Loss: how surprised the model is by your text" }),
    line,
    list,
    hint,
    leak,
  );
  let drawn = null;
  const draw = (payload, focus) => {
    const look = `${isDark()}/${store.query(focus)}`;
    if (drawn?.[0] === operation.result && drawn[1] === payload && drawn[2] === look) return;
    drawn = [operation.result, payload, look];
    const [before, after] = lossesOf(payload);
    const T = payload.tokens.length;
    if (T < 2) return line.replaceChildren("A text of one token has nothing to predict.");
    const [was, now] = [before, after].map((losses) => losses.reduce((sum, loss) => sum + loss, 0) / (T - 1));
    line.replaceChildren(
      "before ",
      number(was.toFixed(3)),
      " → after ",
      number(now.toFixed(3)),
      " nats per token, a change of ",
      number(signed(now - was)),
    );
    line.append(
      Math.abs(now - was) < 0.0005
        ? ": nothing changed."
        : now > was
          ? ": the model predicts your text worse."
          : ": the model predicts your text better.",
    );
    const limit = Math.max(0.1, ...before.map((loss, i) => Math.abs(after[i] - loss)));
    list.replaceChildren(
      ...payload.tokens.slice(1).map((token, i) => chip(token, i, before[i], after[i], limit, focus)),
    );
    hint.textContent =
      "Under each token: how its own loss changed. + (blue): harder to predict than before; − (orange): easier. Point at one for both numbers.";
    leak.replaceChildren(...leakWords(payload, before, after));
  };
  return { element, draw };
}

export function lossesOf(payload) {
  const { result } = operation;
  const before = result
    ? result.arrays.loss_before.data
    : Float32Array.from(payload.arrays.actual_probs.data, (p) => -Math.log(p));
  return [[...before], [...(result ? result.arrays.loss_after.data : before)]];
}

function chip(token, i, before, after, limit, focus) {
  const change = after - before;
  const color = divergingColor(change, limit, isDark());
  const delta = make("span", { className: "hs-number", text: signed(change, 2) });
  Object.assign(delta.style, { backgroundColor: `rgb(${color.join(" ")})`, color: inkOn(color) });
  return make(
    "button",
    {
      type: "button",
      role: "listitem",
      className: `hs-loss-token${i === store.query(focus) ? " hs-query" : ""}`,
      title: `${quoted(label(token, 24))} at place ${i + 1}, predicted at place ${i}: loss ${before.toFixed(3)} before, ${after.toFixed(3)} after`,
      onclick: () => store.toggle({ query: i }),
      onmouseenter: () => store.preview({ query: i }),
      onmouseleave: () => store.preview({}),
    },
    make("span", { dir: "auto", text: label(token) }),
    delta,
  );
}

function leakWords(payload, before, after) {
  const reach = operation.result?.arrays.reach?.data;
  if (!reach) return [];
  const { summary, lines } = leaks(payload.tokens, reach, before, after);
  const item = (text) => make("li", { text });
  const more =
    lines.length > LINES
      ? [
          make(
            "details",
            {},
            make("summary", { text: `${lines.length - LINES} more` }),
            make("ul", {}, ...lines.slice(LINES).map(item)),
          ),
        ]
      : [];
  return [
    make("h3", { text: "What leaked" }),
    make("p", { text: summary }),
    make("ul", {}, ...lines.slice(0, LINES).map(item)),
    ...more,
  ];
}

/** Attention of the chosen head three times, and the chosen row as a table. */
export function attentionCard() {
  const title = make("h3");
  const maps = ["before", "after", "difference"].map((name) => ({
    name,
    canvas: make("canvas", { role: "img" }),
    layout: null,
  }));
  const figures = maps.map(({ name, canvas }) =>
    make(
      "figure",
      {},
      make("figcaption", { text: { before: "before", after: "after", difference: "after − before" }[name] }),
      canvas,
    ),
  );
  const words = make("p", { className: "hs-cell", "aria-live": "polite" });
  const legend = make("div", { className: "hs-legend hs-surgery-legend" });
  const table = make("details", { className: "hs-table" }, make("summary", { text: "This row as a table" }));
  table.addEventListener("toggle", () => store.changed());
  const trio = make("div", { className: "hs-trio" }, ...figures);
  const element = make("section", {}, title, trio, words, legend, table);
  for (const map of maps) listen(map);
  const draw = (payload, focus) => {
    const { layer, head, key } = focus;
    const query = store.query(focus);
    const blocks = blocksOf(payload, layer, head);
    const limit = limitOf(blocks);
    title.textContent = `Attention of layer ${layer + 1}, head ${head + 1}${unchanged(blocks) ? ": the same as before" : ""}`;
    const width = Math.max(220, figures[0].clientWidth);
    for (const map of maps) {
      map.layout = drawMap(map.canvas, width, payload.tokens, pixelsOf(map.name, blocks, payload, layer, head, limit), {
        query,
        key,
      });
      map.canvas.setAttribute(
        "aria-label",
        `${title.textContent}, ${map.name}. The table below has the numbers of the row of place ${query}.`,
      );
    }
    words.replaceChildren(...cellWords(payload, blocks, query, key, layer, head));
    legend.replaceChildren(...legendParts(limit));
    if (table.open) fillTable(table, payload, blocks, query);
  };
  return { element, draw };
}

function listen(map) {
  const at = (event) => map.layout && cellIn(map.layout, event.offsetX, event.offsetY);
  map.canvas.addEventListener("mousemove", (event) => store.preview(at(event) ?? {}));
  map.canvas.addEventListener("mouseleave", () => store.preview({}));
  map.canvas.addEventListener("click", (event) => at(event) && store.toggle(at(event)));
}

function blocksOf(payload, layer, head) {
  const before = headBlock(payload, layer, head);
  return { before, after: operation.result ? headBlock(operation.result, layer, head) : before };
}

function limitOf({ before, after }) {
  let most = 0;
  for (let i = 0; i < before.length; i++) most = Math.max(most, Math.abs(after[i] - before[i]));
  return Math.max(most / 65535, 0.001);
}

const unchanged = ({ before, after }) => before === after || before.every((unit, i) => unit === after[i]);

function pixelsOf(name, { before, after }, payload, layer, head, limit) {
  const T = payload.tokens.length;
  const dark = isDark();
  const colors = palette(dark);
  const mask = counting(operation.done, layer, head).mask;
  const shown = {
    before: (q, k) => k <= q,
    after: (q, k) => sees(mask, q, k),
    difference: (q, k) => k <= q || sees(mask, q, k),
  }[name];
  const unit = { before, after }[name];
  const color = unit
    ? (i) => colors[(Math.sqrt(unit[i] / 65535) * 255 + 0.5) | 0]
    : (i) => packed(divergingColor((after[i] - before[i]) / 65535, limit, dark));
  return Uint32Array.from({ length: T * T }, (_, i) => (shown(Math.floor(i / T), i % T) ? color(i) : 0));
}

const packed = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;

function cellWords(payload, { before, after }, query, key, layer, head) {
  if (key === null) return ["Point at a cell to read its three numbers."];
  const [was, now] = [before, after].map((block) => block[query * payload.tokens.length + key] / 65535);
  const [from, to] = [query, key].map((i) => quoted(label(payload.tokens[i], 24)));
  return [
    `${from} → ${to}: `,
    number(was.toFixed(4)),
    " before, ",
    number(now.toFixed(4)),
    " after, ",
    number(signed(now - was, 4)),
    make("code", { text: `blocks.${layer}.attn.pattern[0, ${head}, ${query}, ${key}]` }),
  ];
}

function legendParts(limit) {
  const dark = isDark();
  const part = (text, stops, ends) => {
    const bar = make("span", { className: "hs-strip" });
    bar.style.background = `linear-gradient(to right, ${stops})`;
    return make(
      "span",
      { className: "hs-legend-part" },
      make("span", { text }),
      make("span", { text: ends[0] }),
      bar,
      make("span", { text: ends[1] }),
    );
  };
  const colors = palette(dark);
  const weight = Array.from(
    { length: 9 },
    (_, i) => `#${[0, 8, 16].map((shift) => ((colors[i * 31] >> shift) & 255).toString(16).padStart(2, "0")).join("")}`,
  );
  const change = Array.from({ length: 9 }, (_, i) => `rgb(${divergingColor(i - 4, 4, dark).join(" ")})`);
  return [
    part("weight (root scale)", weight, ["0", "1"]),
    part("difference", change, [`−${limit.toFixed(3)}`, `+${limit.toFixed(3)}`]),
    make(
      "span",
      { className: "hs-legend-part" },
      make("span", { className: "hs-hatch" }),
      make("span", { text: "hidden by the mask" }),
    ),
  ];
}

function fillTable(table, payload, { before, after }, query) {
  const T = payload.tokens.length;
  const rows = payload.tokens.map((token, key) => {
    const [was, now] = [before, after].map((block) => block[query * T + key] / 65535);
    return make(
      "tr",
      {},
      make("td", { text: String(key) }),
      make("td", { dir: "auto", text: label(token, 24) }),
      ...[was.toFixed(4), now.toFixed(4), signed(now - was, 4)].map((text) =>
        make("td", { className: "hs-number", text }),
      ),
    );
  });
  const head = make(
    "tr",
    {},
    ...["place", "key token", "before", "after", "difference"].map((text) => make("th", { text })),
  );
  table.querySelector("table")?.remove();
  table.append(make("table", {}, head, ...rows));
}

/** The likeliest next tokens of both sides, with both probabilities. */
export function nextCard() {
  const title = make("h3");
  const bars = make("ol", { className: "hs-bars hs-pairs" });
  const scale = make("p", { className: "hs-hint" });
  const element = make("section", {}, title, bars, scale);
  const draw = (payload, focus) => {
    const query = store.query(focus);
    title.textContent = `Next token after ${quoted(label(payload.tokens[query], 24))}`;
    const rows = nextRows(payload, operation.result, query);
    const top = Math.max(...rows.map(({ was, now }) => Math.max(was, now)));
    const next = payload.tokens[query + 1]?.text;
    bars.replaceChildren(...rows.map((row) => bar(row, top, row.text === next)));
    const answer =
      next === undefined ? "" : ` Blue and bold: the token that your text goes on with, ${quoted(visible(next))}.`;
    scale.textContent = `Probability from 0 to ${probability(top)}: grey before, violet after.${answer}`;
  };
  return { element, draw };
}

export function nextRows(base, result, query) {
  const rows = new Map();
  const add = (payload, was, now) => {
    const K = payload.arrays.next_ids.shape[1];
    for (let i = query * K; i < query * K + Math.min(SHOWN, K); i++) {
      const id = payload.arrays.next_ids.data[i];
      rows.set(id, { text: payload.pieces[id], was: was.data[i], now: now.data[i] });
    }
  };
  add(base, base.arrays.next_probs, (result ?? base).arrays[result ? "after_probs" : "next_probs"]);
  if (result) add(result, result.arrays.before_probs, result.arrays.next_probs);
  return [...rows.values()].sort((a, b) => Math.max(b.was, b.now) - Math.max(a.was, a.now));
}

function bar({ text, was, now }, top, marked) {
  const track = (p, className) => {
    const fill = make("span", { className: `hs-fill ${className}` });
    fill.style.width = `${(p / top) * 100}%`;
    return make("span", { className: "hs-track" }, fill);
  };
  return make(
    "li",
    { className: marked ? "hs-marked" : "" },
    make("span", { className: "hs-bar-name", dir: "auto", text: pieceName(text) }),
    make("span", { className: "hs-pair" }, track(was, "hs-was"), track(now, "")),
    make("span", { className: "hs-number", text: `${probability(was)} → ${probability(now)}` }),
  );
}

const number = (text) => make("strong", { className: "hs-number", text });
