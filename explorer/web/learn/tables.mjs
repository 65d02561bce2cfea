// The tensors of a picture as tables of numbers, for those who read rather than see.

import { table } from "../ui/table.mjs";
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
  return Array.from({ length: count }, (_, b) => tableOf(payload, panel, data, shape, indexOf(b, outer)));
}

function tableOf(payload, panel, data, shape, block) {
  const rows = shape.length > 1 ? shape.at(-2) : 1;
  const columns = shape.at(-1);
  const [tall, wide] = [Math.min(rows, MOST), Math.min(columns, MOST)];
  const hidden = panel.hidden && read(payload, panel.hidden).data;
  const cell = (row, column) => {
    const flat = flatOf(shape.length > 1 ? [...block, row, column] : [column], shape);
    return { content: hidden?.[flat] ? "hidden" : number(data[flat], panel.decimals === 0 ? 0 : 4), "data-flat": flat };
  };
  const head = (column) => ({
    name: { content: panel.columns[column] ?? String(column), dir: "auto" },
    kind: "number",
  });
  const place = block.length ? ` [${block.join(", ")}]` : "";
  const cut = rows > MOST || columns > MOST ? `; the first ${tall} × ${wide} numbers` : "";
  return table({
    caption: `${panel.name}${place} ${shapeText(panel, shape)}${cut}`,
    columns: [{ name: "", kind: "row" }, ...range(wide).map(head)],
    rows: range(tall).map((row) => [panel.rows[row] ?? String(row), ...range(wide).map((column) => cell(row, column))]),
    "data-panel": panel.name,
    "data-block": block.join(","),
  });
}

const range = (count) => Array.from({ length: count }, (_, i) => i);
