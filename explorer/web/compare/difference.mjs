// Two patterns of the board subtracted, cell by cell: teal where the first looks more, brown where the second does.

import { make } from "../base/dom.mjs";
import { label } from "../base/text.mjs";
import { shortBar } from "../color/legend.mjs";
import { diverging } from "../color/scale.mjs";
import { difference, pairOf } from "../matrix/channels.mjs";
import { cellAt } from "../matrix/layout.mjs";
import { listen } from "../matrix/listen.mjs";
import { drawMatrix } from "../matrix/matrix.mjs";
import { folding } from "../ui/fold.mjs";
import { foldedTable, table } from "../ui/table.mjs";
import { topOf } from "../ui/token_bars.mjs";
import { blockOf, CELLS } from "./column.mjs";
import {
  DIFFERENCE,
  differenceLabel,
  differenceSentence,
  largestDifference,
  patternLabel,
  patternOption,
  scaleEnds,
  signed,
  whyNoDifference,
} from "./words.mjs";

export class Difference {
  /** `on` = {show(part, cell), toggle(part, cell), draw()}. */
  constructor(on) {
    this.on = on;
    this.selects = ["first", "second"].map((name) =>
      make("select", { "aria-label": patternLabel(name), onchange: () => on.draw() }),
    );
    const [first, second] = this.selects;
    this.canvas = make("canvas", { role: "img" });
    this.why = make("p", { className: "hs-hint" });
    this.scale = make("div", { className: "hs-compare-diverging" });
    this.readout = make("p", { className: "hs-compare-readout", "aria-live": "polite" });
    this.table = foldedTable(DIFFERENCE.row, () => on.draw());
    this.picture = make("div", { className: "hs-compare-picture" }, this.canvas);
    listen(this.canvas, {
      at: (x, y) => cellAt(this.layout, x, y),
      point: (cell) => on.show(this.first, pairOf(cell)),
      choose: (cell) => on.toggle(this.first, pairOf(cell)),
    });
    this.element = folding(
      make("h3", { text: DIFFERENCE.title }),
      { className: "hs-compare-difference", hidden: "" },
      () => on.draw(),
      make("p", { className: "hs-hint", text: DIFFERENCE.about }),
      make("div", { className: "hs-compare-pair" }, first, make("span", { text: DIFFERENCE.minus }), second),
      this.why,
      this.picture,
      this.scale,
      this.readout,
      this.table,
    );
  }

  /** Offer the patterns of the columns; at first two of one size, if there are. */
  offer(columns) {
    this.patterns = columns.flatMap((column) => column.patterns.map((part) => ({ part, column })));
    const kept = this.selects.map(({ value }) => value);
    const options = () =>
      this.patterns.map(({ part, column }, i) => make("option", { value: i, text: patternOption(column, part) }));
    for (const select of this.selects) select.replaceChildren(...options());
    const [first, second] =
      kept.every((value) => value !== "" && value < this.patterns.length) && this.count === this.patterns.length
        ? kept
        : this.twoOfOneSize();
    this.count = this.patterns.length;
    this.selects[0].value = first;
    this.selects[1].value = second;
    this.element.hidden = this.patterns.length < 2;
  }

  twoOfOneSize() {
    const all = this.patterns;
    for (let a = 0; a < all.length; a++) {
      for (let b = a + 1; b < all.length; b++) {
        if (all[a].column !== all[b].column && !whyNoDifference(all[a].part, all[b].part)) return [a, b];
      }
    }
    return [0, Math.min(1, all.length - 1)];
  }

  paint(placeOf, cellOf, dark) {
    if (this.element.hidden) return;
    const [a, b] = this.selects.map(({ value }) => this.patterns[value]);
    const why = whyNoDifference(a?.part, b?.part);
    this.why.textContent = why ?? "";
    for (const element of [this.picture, this.scale, this.readout, this.table]) element.hidden = Boolean(why);
    if (why) return;
    const blocks = [a, b].map(({ part, column }) => blockAt(part, placeOf(column)));
    const part = a.part;
    this.first = part;
    const most = blocks[0].reduce((top, value, i) => Math.max(top, Math.abs(value - blocks[1][i])), 0) / 65535;
    const top = topOf(most, 0.01);
    const chosen = cellOf(part);
    const focus = { query: chosen.query ?? part.T - 1, key: chosen.key };
    this.layout = drawMatrix(this.canvas, {
      ...difference(part, blocks, [a.part.mask, b.part.mask], top, dark),
      width: Math.max(240, Math.min(760, this.picture.clientWidth)),
      focus: { row: focus.query, column: focus.key },
      cells: CELLS,
    });
    const [low, high] = scaleEnds(top);
    this.scale.replaceChildren(...shortBar(diverging(top, dark), low, high));
    this.readout.textContent = said(part, blocks, focus, most);
    this.canvas.setAttribute("aria-label", differenceLabel(this.readout.textContent));
    this.table.fill(() => rowTable(part, blocks, focus.query));
  }
}

function rowTable({ S, keys }, blocks, query) {
  const rowOf = (token, key) => {
    const [first, second] = blocks.map((block) => block[query * S + key] / 65535);
    return [label(token), first.toFixed(4), second.toFixed(4), signed(first - second)];
  };
  return table({
    label: DIFFERENCE.table,
    columns: [{ name: "key token", kind: "row" }, "first", "second", "difference"],
    rows: keys.map(rowOf),
  });
}

function blockAt(part, { layer, head }) {
  const [L, H] = part.shape;
  return blockOf(part, Math.min(layer, L - 1), Math.min(head, H - 1));
}

function said(part, /** @type {any[]} */ [first, second], { query, key }, most) {
  if (most === 0) return DIFFERENCE.equal;
  if (key === null) return largestDifference(most);
  const i = query * part.S + key;
  return differenceSentence(part.queries[query], part.keys[key], first[i] / 65535, second[i] / 65535);
}
