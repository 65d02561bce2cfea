// Attention of one sequence to another, of one head: a row for each query, a column for each key. Of the payload the
// tokens are the queries; its `keys` are other tokens.

import { make } from "../base/dom.mjs";
import { cellName, headBlock } from "../base/payload.mjs";
import { label, labels } from "../base/text.mjs";
import { openLegend } from "../color/legend.mjs";
import { sequential, UNITS } from "../color/scale.mjs";
import { cellAt } from "../matrix/layout.mjs";
import { listen } from "../matrix/listen.mjs";
import { drawMatrix } from "../matrix/matrix.mjs";
import { titleOf } from "../patterns/aggregate.mjs";
import { patternOf } from "../state/layers.mjs";
import { isDark, store } from "../state/store.mjs";
import { foldedTable, table } from "../ui/table.mjs";
import { looksAt, looksMost, PAGE } from "./words.mjs";

const [LARGEST, NUMBERS_FROM] = [44, 34]; // px: the side of a cell, and from which it holds its number
const HEIGHT = 560; // px of all rows, if they can be read then
const NAMED = 4; // keys in the sentence

export function mount(element) {
  const canvas = make("canvas", { tabindex: "0", role: "img" });
  const parts = {
    title: make("h2"),
    picture: make("div", { className: "hs-picture" }, canvas),
    cell: make("p", { className: "hs-cell", "aria-live": "polite" }),
    row: make("p", { className: "hs-row" }),
    scale: openLegend(),
    table: foldedTable(PAGE.row, () => store.changed()),
  };
  element.append(...Object.values(parts));
  let layout = null;
  listen(canvas, {
    at: (x, y) => pairOf(layout && cellAt(layout, x, y)),
    point: (pair) => store.preview(pair ?? {}),
    choose: ({ row, column, ...pair }) => store.toggle(row === undefined ? pair : pairOf({ row, column })),
    place: () => {
      const { query, key } = at(store.payload, store.focus.locked);
      const { tokens, keys } = store.payload;
      return { row: query, column: key ?? 0, rows: tokens.length, columns: keys.length };
    },
    go: ({ row, column }) => {
      Object.assign(store.focus.locked, { query: row, key: column });
      store.preview({});
    },
  });
  new ResizeObserver(() => store.changed()).observe(parts.picture);
  element.numbers = () => rowsOf(store.payload, store.focus.locked);
  const show = (payload, focus) => {
    layout = draw(canvas, Math.max(280, parts.picture.clientWidth), payload, focus, isDark());
    say(parts, payload, focus);
    canvas.setAttribute("aria-label", `${parts.title.textContent}. ${parts.row.textContent}`);
  };
  store.subscribe(element, show, patternOf);
}

const pairOf = (cell) => cell && { query: cell.row, key: cell.column };

/** The query and the key that are spoken of: without a choice the last query, and no key. */
function at({ tokens, keys }, { query, key }) {
  return { query: query ?? tokens.length - 1, key: key !== null && key < keys.length ? key : null };
}

/** A pure function of what is given; returns the layout. */
function draw(canvas, width, payload, focus, dark) {
  const { tokens, keys } = payload;
  const [block, S] = [headBlock(payload, focus.layer, focus.head), keys.length];
  const { query, key } = at(payload, focus);
  return drawMatrix(canvas, {
    width,
    rows: { count: tokens.length, labels: labels(tokens), name: "queries" },
    columns: { count: S, labels: labels(keys), name: "keys" },
    value: (row, column) => block[row * S + column],
    row: (row) => block.subarray(row * S, (row + 1) * S),
    scale: sequential(dark, { limit: UNITS }),
    numbers: {
      write: (row, column) => (block[row * S + column] / UNITS).toFixed(2).replace(/^0/, ""),
      from: NUMBERS_FROM,
    },
    focus: { row: query, column: key },
    cells: { largest: LARGEST, within: HEIGHT },
  });
}

function say({ title, cell, row, scale, table: folded }, payload, focus) {
  const { query, key } = at(payload, focus);
  const { layer, head } = focus;
  const share = (k) => headBlock(payload, layer, head)[query * payload.keys.length + k] / UNITS;
  const from = label(payload.tokens[query], 24);
  const to = (k) => label(payload.keys[k], 24);
  const places = payload.keys.map((_, k) => k);
  const best = [...places].sort((a, b) => share(b) - share(a)).slice(0, NAMED);
  title.textContent = titleOf(payload, { ...focus, by: "one" });
  row.textContent = looksMost(
    from,
    best.map((k) => ({ name: to(k), p: share(k) })),
  );
  cell.replaceChildren(
    ...(key === null
      ? [make("span", { text: PAGE.hoverCell })]
      : [
          make("span", { text: looksAt(from, to(key)) }),
          make("strong", { className: "hs-number", text: share(key).toFixed(4) }),
          make("code", { text: cellName(payload, layer, head, query, key) }),
        ]),
  );
  scale.paint(isDark());
  folded.fill(() =>
    table({
      label: PAGE.weights,
      columns: [{ name: "position", kind: "text" }, { name: "key token", kind: "name" }, "weight"],
      rows: places.map((k) => [String(k), label(payload.keys[k], 24), share(k).toFixed(4)]),
    }),
  );
}

/** For a spreadsheet. */
function rowsOf(payload, { layer, head }) {
  const { tokens, keys } = payload;
  const [block, S] = [headBlock(payload, layer, head), keys.length];
  const name = (token, i) => `${i} ${label(token)}`;
  return [
    ["query \\ key", ...keys.map(name)],
    ...tokens.map((token, q) => [
      name(token, q),
      ...Array.from(block.subarray(q * S, (q + 1) * S), (unit) => (unit / UNITS).toFixed(4)),
    ]),
  ];
}
