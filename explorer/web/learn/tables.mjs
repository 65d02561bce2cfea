// The tensors of a picture as tables of numbers, for those who read rather than see.

import { make } from "../base/dom.mjs";
import { number, read } from "./formula.mjs";
import { flatOf, indexOf } from "./geometry.mjs";
import { shapeText } from "./words.mjs";

const MOST = 64; // rows, and columns, of one table

export function tablesOf(payload, items) {
  return items.filter(({ kind }) => kind === "panel").flatMap((panel) => tables(payload, panel));
}

function tables(payload, panel) {
  const { data, shape } = read(payload, panel.values);
  const outer = shape.slice(0, -2);
  const count = outer.reduce((a, b) => a * b, 1);
  return Array.from({ length: count }, (_, b) => table(payload, panel, data, shape, indexOf(b, outer)));
}

function table(payload, panel, data, shape, block) {
  const rows = shape.length > 1 ? shape.at(-2) : 1;
  const columns = shape.at(-1);
  const hidden = panel.hidden && read(payload, panel.hidden).data;
  const cell = (r, c) => {
    const flat = flatOf(shape.length > 1 ? [...block, r, c] : [c], shape);
    return make("td", {
      className: "hs-number",
      "data-flat": flat,
      text: hidden?.[flat] ? "hidden" : number(data[flat], panel.decimals === 0 ? 0 : 4),
    });
  };
  const head = make(
    "tr",
    {},
    make("td"),
    ...Array.from({ length: Math.min(columns, MOST) }, (_, c) =>
      make("th", { scope: "col", dir: "auto", text: panel.columns[c] ?? String(c) }),
    ),
  );
  const body = Array.from({ length: Math.min(rows, MOST) }, (_, r) =>
    make(
      "tr",
      {},
      make("th", { scope: "row", dir: "auto", text: panel.rows[r] ?? String(r) }),
      ...Array.from({ length: Math.min(columns, MOST) }, (_, c) => cell(r, c)),
    ),
  );
  const place = block.length ? ` [${block.join(", ")}]` : "";
  const cut =
    rows > MOST || columns > MOST ? `; the first ${Math.min(rows, MOST)} × ${Math.min(columns, MOST)} numbers` : "";
  return make(
    "table",
    { "data-panel": panel.name, "data-block": block.join(",") },
    make("caption", { text: `${panel.name}${place} ${shapeText(panel, shape)}${cut}` }),
    head,
    ...body,
  );
}
