// What the edits change in this text: attention of the chosen head, the next token, and the loss. Before and after.

import { make } from "../base/dom.mjs";
import { headBlock } from "../base/payload.mjs";
import { label } from "../base/text.mjs";
import { hatched, legend as row, shortBar } from "../color/legend.mjs";
import { diverging, sequential } from "../color/scale.mjs";
import { pairOf, sidesOf } from "../matrix/channels.mjs";
import { cellAt } from "../matrix/layout.mjs";
import { listen } from "../matrix/listen.mjs";
import { drawMatrix } from "../matrix/matrix.mjs";
import { isDark, store } from "../state/store.mjs";
import { rove, roving } from "../ui/roving.mjs";
import { foldedTable, paintCell, table } from "../ui/table.mjs";
import { counting, sees } from "./edits.mjs";
import { leaks } from "./leaks.mjs";
import { operation } from "./state.mjs";
import {
  attentionTitle,
  cellParts,
  changeOf,
  lossParts,
  MAPS,
  mapLabel,
  moreLines,
  NO_CELL,
  PAGE,
  signed,
  tokenLoss,
  whySame,
} from "./words.mjs";

const LINES = 5; // leaks that are told at once

export function lossCard() {
  const line = make("p", { className: "hs-loss-line" });
  const list = make("div", { className: "hs-loss-tokens", role: "group", "aria-label": PAGE.losses });
  const hint = make("p", { className: "hs-hint" });
  const leak = make("div", { className: "hs-leaks", role: "status" });
  roving(list);
  const element = make("section", {}, make("h3", { text: PAGE.loss }), line, list, hint, leak);
  let drawn = null;
  const draw = (payload, focus) => {
    const look = `${isDark()}/${store.query(focus)}`;
    if (drawn?.[0] === operation.result && drawn[1] === payload && drawn[2] === look) return;
    drawn = [operation.result, payload, look];
    const [before, after] = lossesOf(payload);
    const T = payload.tokens.length;
    if (T < 2) return line.replaceChildren(PAGE.noLoss);
    const [was, now] = [before, after].map((losses) => losses.reduce((sum, loss) => sum + loss, 0) / (T - 1));
    line.replaceChildren(...lossParts(was, now).map(numbered));
    const limit = Math.max(0.1, ...before.map((loss, i) => Math.abs(after[i] - loss)));
    list.replaceChildren(
      ...payload.tokens.slice(1).map((token, i) => chip(token, i, before[i], after[i], limit, focus)),
    );
    rove(list, list.children[store.query(focus) - 1]);
    hint.textContent = PAGE.lossHint;
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
  const delta = make("span", { className: "hs-number", text: signed(change, 2) });
  paintCell(delta, diverging(limit, isDark()), change);
  return make(
    "button",
    {
      type: "button",
      className: `hs-loss-token${i === store.query(focus) ? " hs-query" : ""}`,
      title: tokenLoss(token, i + 1, before, after),
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
  const { swapped_places: places, swapped_losses: swaps } = operation.result.arrays;
  const swapped = { places: places.data, losses: swaps.data };
  const { summary, lines } = leaks(payload.tokens, reach, before, after, swapped);
  const item = (text) => make("li", { text });
  const more =
    lines.length > LINES
      ? [
          make(
            "details",
            {},
            make("summary", { text: moreLines(lines.length - LINES) }),
            make("ul", {}, ...lines.slice(LINES).map(item)),
          ),
        ]
      : [];
  return [
    make("h3", { text: PAGE.leaked }),
    make("p", { text: summary }),
    make("ul", {}, ...lines.slice(0, LINES).map(item)),
    ...more,
  ];
}

/** Attention of the chosen head three times, and the chosen row as a table. */
export function attentionCard() {
  const title = make("h3");
  const maps = Object.keys(MAPS).map((name) => ({
    name,
    canvas: make("canvas", { role: "img" }),
    layout: null,
  }));
  const figures = maps.map(({ name, canvas }) => make("figure", {}, make("figcaption", { text: MAPS[name] }), canvas));
  const words = make("p", { className: "hs-cell", "aria-live": "polite" });
  const legend = make("div", { className: "hs-surgery-legend" });
  const numbers = foldedTable(PAGE.row, () => store.changed());
  const trio = make("div", { className: "hs-trio" }, ...figures);
  const why = make("p", { className: "hs-hint hs-why-same" });
  const element = make("section", {}, title, why, trio, words, legend, numbers);
  for (const map of maps) follow(map);
  const draw = (payload, focus) => {
    const { layer, head, key } = focus;
    const query = store.query(focus);
    element.hidden = !isHere(payload, layer);
    if (element.hidden) return;
    const blocks = blocksOf(payload, layer, head);
    const limit = limitOf(blocks);
    title.textContent = attentionTitle(layer, head, unchanged(blocks));
    why.textContent = unchanged(blocks) ? whySame(layer, firstChanged()) : "";
    const width = Math.max(220, figures[0].clientWidth);
    const sides = sidesOf({
      T: payload.tokens.length,
      S: payload.tokens.length,
      queries: payload.tokens,
      keys: payload.tokens,
    });
    for (const map of maps) {
      map.layout = drawMatrix(map.canvas, {
        ...sides,
        ...channelsOf(map.name, blocks, counting(operation.done, layer, head).mask, limit),
        width,
        focus: { row: query, column: key },
        cells: { largest: 34 },
      });
      map.canvas.setAttribute("aria-label", mapLabel(title.textContent, map.name, query));
    }
    words.replaceChildren(...cellWords(payload, blocks, query, key, layer, head));
    legend.replaceChildren(legendOf(limit));
    numbers.fill(() => rowTable(payload, blocks, query));
  };
  return { element, draw };
}

function follow(map) {
  listen(map.canvas, {
    at: (x, y) => map.layout && cellAt(map.layout, x, y),
    point: (cell) => store.preview(pairOf(cell) ?? {}),
    choose: (cell) => store.toggle(pairOf(cell)),
  });
}

/** Whether the patterns before and after are here; of a large model they come when they are looked at. */
const isHere = (payload, layer) =>
  [payload, operation.result ?? payload].every(
    (one) => !one.arrays.pattern.layers || Boolean(store.layer(one, layer).value),
  );

function blocksOf(payload, layer, head) {
  const before = headBlock(payload, layer, head);
  return { before, after: operation.result ? headBlock(operation.result, layer, head) : before };
}

function limitOf({ before, after }) {
  let most = 0;
  for (let i = 0; i < before.length; i++) most = Math.max(most, Math.abs(after[i] - before[i]));
  return Math.max(most / 65535, 0.001);
}

const firstChanged = () => Math.min(...operation.done.map((edit) => edit.layer ?? 0));

const unchanged = ({ before, after }) => before === after || before.every((unit, i) => unit === after[i]);

function channelsOf(name, { before, after }, mask, limit) {
  const T = Math.sqrt(before.length);
  const seen = { before: (q, k) => k <= q, after: (q, k) => sees(mask, q, k) };
  seen.difference = (q, k) => seen.before(q, k) || seen.after(q, k);
  const units = { before, after }[name];
  return {
    value: (q, k) => (units ? units[q * T + k] : after[q * T + k] - before[q * T + k]) / 65535,
    scale: units ? sequential(isDark()) : diverging(limit, isDark()),
    hidden: (q, k) => !seen[name](q, k),
  };
}

function cellWords(payload, { before, after }, query, key, layer, head) {
  if (key === null) return [NO_CELL];
  const [was, now] = [before, after].map((block) => block[query * payload.tokens.length + key] / 65535);
  return [
    ...cellParts(payload.tokens[query], payload.tokens[key], was, now).map(numbered),
    make("code", { text: `blocks.${layer}.attn.pattern[0, ${head}, ${query}, ${key}]` }),
  ];
}

function legendOf(limit) {
  const part = (text, bar) => make("span", { className: "hs-legend-part" }, make("span", { text }), ...bar);
  return row(
    part(PAGE.weight, shortBar(sequential(isDark()), "0", "1")),
    part("difference", shortBar(diverging(limit, isDark()), `−${limit.toFixed(3)}`, `+${limit.toFixed(3)}`)),
    hatched(PAGE.hidden),
  );
}

function rowTable({ tokens }, { before, after }, query) {
  const rowOf = (token, key) => {
    const [was, now] = [before, after].map((block) => block[query * tokens.length + key] / 65535);
    return [String(key), label(token, 24), was.toFixed(4), now.toFixed(4), changeOf(was, now)];
  };
  return table({
    label: PAGE.rowTable,
    columns: [{ name: "position", kind: "text" }, { name: "key token", kind: "name" }, "before", "after", "difference"],
    rows: tokens.map(rowOf),
  });
}

const numbered = (text, i) => (i % 2 ? make("strong", { className: "hs-number", text }) : text);
