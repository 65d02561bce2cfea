// What the edits change in this text: attention of the chosen head, the next token, and the loss. Before and after.

import { make } from "../base/dom.mjs";
import { headBlock } from "../base/payload.mjs";
import { label, quoted } from "../base/text.mjs";
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

const LINES = 5; // leaks that are told at once

/** "+0.123", "−0.123", and what is rounded to nothing without a sign. */
export function signed(x, decimals = 3) {
  const size = Math.abs(x).toFixed(decimals);
  return Number(size) === 0 ? size : `${x < 0 ? "−" : "+"}${size}`;
}

export function lossCard() {
  const line = make("p", { className: "hs-loss-line" });
  const list = make("div", { className: "hs-loss-tokens", role: "group", "aria-label": "Change of each token's loss" });
  const hint = make("p", { className: "hs-hint" });
  const leak = make("div", { className: "hs-leaks", role: "status" });
  roving(list);
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
    rove(list, list.children[store.query(focus) - 1]);
    hint.textContent =
      "Under each token: how its own loss changed. + (teal): harder to predict than before; − (brown): " +
      "easier. Hover over one for both numbers.";
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
      title:
        `${quoted(label(token, 24))} at place ${i + 1}, predicted at place ${i}: loss ${before.toFixed(3)} ` +
        `before, ${after.toFixed(3)} after`,
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
  const legend = make("div", { className: "hs-surgery-legend" });
  const numbers = foldedTable("This row as a table", () => store.changed());
  const trio = make("div", { className: "hs-trio" }, ...figures);
  const why = make("p", { className: "hs-hint hs-why-same" });
  const element = make("section", {}, title, why, trio, words, legend, numbers);
  for (const map of maps) follow(map);
  const draw = (payload, focus) => {
    const { layer, head, key } = focus;
    const query = store.query(focus);
    const blocks = blocksOf(payload, layer, head);
    const limit = limitOf(blocks);
    title.textContent = `Attention of layer ${layer}, head ${head}${unchanged(blocks) ? ": the same as before" : ""}`;
    why.textContent = unchanged(blocks) ? whySame(layer) : "";
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
      map.canvas.setAttribute(
        "aria-label",
        `${title.textContent}, ${map.name}. A table has the numbers of the row of place ${query}.`,
      );
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

function blocksOf(payload, layer, head) {
  const before = headBlock(payload, layer, head);
  return { before, after: operation.result ? headBlock(operation.result, layer, head) : before };
}

function limitOf({ before, after }) {
  let most = 0;
  for (let i = 0; i < before.length; i++) most = Math.max(most, Math.abs(after[i] - before[i]));
  return Math.max(most / 65535, 0.001);
}

/** Why the pattern of a layer is as it was. */
function whySame(layer) {
  const first = Math.min(...operation.done.map((edit) => edit.layer ?? 0));
  if (layer < first) return "This layer comes before the first changed one: nothing that reaches it has changed.";
  if (layer === first)
    return (
      "All heads of a layer read the same input, and the change acts on what comes out: it reaches later layers " +
      "only."
    );
  return "";
}

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
  if (key === null) return ["Hover over a cell to read its three numbers."];
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

function legendOf(limit) {
  const part = (text, bar) => make("span", { className: "hs-legend-part" }, make("span", { text }), ...bar);
  return row(
    part("weight (root scale)", shortBar(sequential(isDark()), "0", "1")),
    part("difference", shortBar(diverging(limit, isDark()), `−${limit.toFixed(3)}`, `+${limit.toFixed(3)}`)),
    hatched("hidden by the mask"),
  );
}

function rowTable({ tokens }, { before, after }, query) {
  const rowOf = (token, key) => {
    const [was, now] = [before, after].map((block) => block[query * tokens.length + key] / 65535);
    return [String(key), label(token, 24), was.toFixed(4), now.toFixed(4), signed(now - was, 4)];
  };
  return table({
    label: "Weights of the chosen token, before and after",
    columns: [{ name: "place", kind: "text" }, { name: "key token", kind: "name" }, "before", "after", "difference"],
    rows: tokens.map(rowOf),
  });
}

const number = (text) => make("strong", { className: "hs-number", text });
