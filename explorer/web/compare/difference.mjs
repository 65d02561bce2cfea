// Two patterns of the board subtracted, cell by cell: blue where the first looks more, orange where the second does.

import { blockOf, labelled } from "./column.mjs";
import { cellAt, cssOf, differencePicture, diverging, drawCells } from "../matrix/compare_matrix.mjs";
import { KINDS, whyNoDifference } from "./words.mjs";
import { make } from "../base/dom.mjs";
import { label, quoted } from "../base/text.mjs";
import { topOf } from "../ui/token_bars.mjs";

export class Difference {
  /** `on` = {show(part, cell), toggle(part, cell), draw()}. */
  constructor(on) {
    this.on = on;
    this.selects = ["first", "second"].map((name) =>
      make("select", { "aria-label": `The ${name} pattern`, onchange: () => on.draw() }),
    );
    this.canvas = make("canvas", { role: "img" });
    this.why = make("p", { className: "hs-hint" });
    this.scale = make("div", { className: "hs-compare-diverging" });
    this.readout = make("p", { className: "hs-compare-readout", "aria-live": "polite" });
    this.table = make("details", { className: "hs-table" }, make("summary", { text: "This row as a table" }));
    this.table.addEventListener("toggle", () => on.draw());
    this.picture = make("div", { className: "hs-compare-picture" }, this.canvas);
    const event =
      (does) =>
      ({ offsetX, offsetY }) =>
        does(this.first, cellAt(this.layout, offsetX, offsetY));
    this.canvas.addEventListener("mousemove", event(on.show));
    this.canvas.addEventListener("mouseleave", () => on.show(this.first, null));
    this.canvas.addEventListener(
      "click",
      event((part, cell) => cell && on.toggle(part, cell)),
    );
    this.element = make(
      "section",
      { className: "hs-compare-difference", hidden: "" },
      make("h3", { text: "Difference of two patterns" }),
      make("p", {
        className: "hs-hint",
        text: "The first pattern minus the second, for the layer and head that each column shows.",
      }),
      make("div", { className: "hs-compare-pair" }, this.selects[0], make("span", { text: "minus" }), this.selects[1]),
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
      this.patterns.map(({ part, column }, i) =>
        make("option", { value: i, text: `${column.index + 1} ${column.title ?? column.name} · ${KINDS[part.name]}` }),
      );
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
    const picture = {
      ...labelled(part),
      first: blocks[0],
      second: blocks[1],
      masks: [a.part.mask, b.part.mask],
      top,
      dark,
      focus,
    };
    this.layout = drawCells(
      this.canvas,
      Math.max(240, Math.min(760, this.picture.clientWidth)),
      differencePicture(picture),
    );
    this.scale.replaceChildren(...legend(top, dark));
    this.readout.textContent = said(part, blocks, focus, most);
    this.canvas.setAttribute("aria-label", `Difference of two patterns. ${this.readout.textContent}`);
    if (this.table.open) this.fillTable(part, blocks, focus.query);
  }

  fillTable(part, blocks, query) {
    const value = (i, k) => (blocks[i][query * part.S + k] / 65535).toFixed(4);
    const head = make("tr", {}, ...["key token", "first", "second", "difference"].map((text) => make("th", { text })));
    const rows = part.keys.map((token, k) =>
      make(
        "tr",
        {},
        make("th", { scope: "row", dir: "auto", text: label(token) }),
        ...[
          value(0, k),
          value(1, k),
          signed((blocks[0][query * part.S + k] - blocks[1][query * part.S + k]) / 65535),
        ].map((text) => make("td", { className: "hs-number", text })),
      ),
    );
    this.table.querySelector("table")?.remove();
    this.table.append(make("table", {}, head, ...rows));
  }
}

function blockAt(part, { layer, head }) {
  const [L, H] = part.shape;
  return blockOf(part, Math.min(layer, L - 1), Math.min(head, H - 1));
}

function signed(number) {
  return `${number > 0 ? "+" : ""}${number.toFixed(4)}`;
}

function said(part, /** @type {any[]} */ [first, second], { query, key }, most) {
  if (most === 0) return "The two are equal in every cell.";
  if (key === null) return `The largest difference is ${most.toFixed(4)}. Point at a cell to read its number.`;
  const i = query * part.S + key;
  return `${quoted(label(part.queries[query], 24))} to ${quoted(label(part.keys[key], 24))}: ${(first[i] / 65535).toFixed(4)} − ${(second[i] / 65535).toFixed(4)} = ${signed((first[i] - second[i]) / 65535)}`;
}

function legend(top, dark) {
  const bar = make("span", { className: "hs-legend-bar" });
  const stops = [-1, -0.5, 0, 0.5, 1].map((t) => cssOf(diverging(t, dark)));
  bar.style.background = `linear-gradient(to right, ${stops.join()})`;
  return [
    make("span", { text: `−${top} the second looks more` }),
    bar,
    make("span", { text: `the first looks more +${top}` }),
  ];
}
