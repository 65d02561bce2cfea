// The numbers that a view shows, as the rows of a table, and a table as CSV.

import { headBlock, headOf, layerOf, nextTokens } from "../base/payload.mjs";
import { certain, visible } from "../base/text.mjs";
import { drawn } from "../patterns/drawn.mjs";

const places = ({ tokens }) => tokens.map(({ text }, i) => `${i} ${visible(text)}`);
const exact = (unit) => (unit / 65535).toFixed(4); // those that are the tensor's

/**
 * By view: (payload, focus, query, part) -> rows, the first of them names; part(name) is one of parts.py, if it is
 * here. A view that is not here has `numbers()` on its element, or shows them in tables and bars.
 */
const NUMBERS = {
  tokens_view: ({ tokens }) => [
    ["position", "token", "id"],
    ...tokens.map(({ text, id }, i) => [i, visible(text), id]),
  ],
  attention_view: (payload, focus) => {
    const shown = drawn(payload, focus);
    return [
      ["query \\ key", ...places(payload)],
      ...places(payload).map((name, q) => [name, ...Array.from(shown.row(q), (p, k) => certain(p, shown.off(q, k)))]),
    ];
  },
  grid_view: (payload) => {
    const [L, H, , S] = payload.arrays.pattern.shape;
    const keys = places({ tokens: payload.keys ?? payload.tokens });
    const rows = [["layer", "head", "query \\ key", ...keys]];
    const { layers } = payload.arrays.pattern; // of a large model those that were looked at
    for (let layer = 0; layer < L; layer++) {
      if (layers && !layers.get(layer)) continue;
      for (let head = 0; head < H; head++) {
        const block = headBlock(payload, layer, head);
        for (const [q, name] of places(payload).entries()) {
          const row = block.subarray(q * S, q * S + S);
          rows.push([layerOf(payload, layer), headOf(payload, head), name, ...Array.from(row, exact)]);
        }
      }
    }
    return rows;
  },
  roles_view: ({ roles }) => [
    ["layer", "head", ...roles.map(({ name }) => name)],
    ...(roles[0]?.scores ?? []).flatMap((heads, layer) =>
      heads.map((_, head) => [layer, head, ...roles.map(({ scores }) => scores[layer][head])]),
    ),
  ],
  lens_view: lensRows,
  next_view: (payload, _, query) => [
    ["after", "token", "id", "probability"],
    ...nextTokens(payload, query, payload.arrays.next_ids.shape[1]).best.map(({ text, id, p }) => [
      places(payload)[query],
      visible(text),
      id,
      p,
    ]),
  ],
};

/** Rows of the numbers that the view `element` shows now; null if it shows none. */
export function numbersOf(element, payload, focus, query, part) {
  const rows =
    element.numbers?.() ??
    NUMBERS[element.dataset.view]?.(payload, focus, query, part) ??
    [...element.querySelectorAll("table, .hs-bars")].flatMap(shownIn);
  return rows.length ? rows : null;
}

function shownIn(list) {
  const text = (cell) => (cell.dataset.value ?? cell.textContent).trim().replace(/\s+/g, " ");
  if (list.rows) return [...list.rows].map((row) => [...row.cells].map(text));
  return [...list.children].map((bar) => [...bar.querySelectorAll(".hs-bar-name, .hs-number")].map(text));
}

/** After the embedding (layer 0) and each layer, at every place: the likeliest tokens, entropy, distance to the end. */
function lensRows(payload, _focus, _query, part) {
  const found = part("stream");
  if (!found) return [];
  const { lens_ids: ids, lens_probs: probs, entropy, kl } = found.arrays;
  const [layers, T, K] = ids.shape;
  const ranks = Array.from({ length: K }, (_, i) => i);
  const rows = [
    [
      "layer",
      "position",
      "entropy (nats)",
      "KL(final || this layer) (nats)",
      ...ranks.flatMap((i) => [`token ${i + 1}`, `probability ${i + 1}`]),
    ],
  ];
  for (let at = 0; at < layers * T; at++) {
    const best = ranks.flatMap((i) => [visible(found.pieces[ids.data[at * K + i]]), probs.data[at * K + i]]);
    rows.push([Math.floor(at / T), places(payload)[at % T], entropy.data[at], kl.data[at], ...best]);
  }
  return rows;
}

/** Text that a spreadsheet would compute, as a token "=" is, gets an apostrophe; a number stays one. */
const harmless = (text) => (/^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text);

/** RFC 4180: what holds a comma, a quote or a line end stands in quotes. */
export function csv(rows) {
  const quoted = (text) => (/[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const cell = (value) => quoted(harmless(String(value)));
  return rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}
