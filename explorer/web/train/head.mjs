// One head, large, at one step: what each token looks at.

import { make } from "../base/dom.mjs";
import { OFF_NEAREST } from "../base/payload.mjs";
import { label, probability } from "../base/text.mjs";
import { weightLegend } from "../color/legend.mjs";
import { pairOf, pattern } from "../matrix/channels.mjs";
import { cellAt } from "../matrix/layout.mjs";
import { listen } from "../matrix/listen.mjs";
import { drawMatrix } from "../matrix/matrix.mjs";
import { foldedTable, table } from "../ui/table.mjs";
import { cannotSee, HEAD, headLabel, headTitle, looksAt, looksMost } from "./words.mjs";

const NAMED = 3; // tokens in the sentence
const CELLS = { largest: 40, tallest: 640 };

export class HeadAtStep {
  /** `choose(place)` is called with the query token that is pressed. */
  constructor(choose) {
    this.choose = choose;
    this.pointed = null;
    this.title = make("h3");
    this.canvas = make("canvas", { tabindex: "0", role: "img" });
    this.picture = make("div", { className: "hs-tl-picture" }, this.canvas);
    this.readout = make("p", { className: "hs-cell", "aria-live": "polite" });
    this.legend = weightLegend();
    this.table = foldedTable(HEAD.row, () => this.tell());
    this.element = make(
      "section",
      { className: "hs-tl-head" },
      this.title,
      make("p", { className: "hs-hint", text: HEAD.hint }),
      this.picture,
      this.readout,
      this.legend,
      this.table,
    );
    this.listen();
  }

  listen() {
    listen(this.canvas, {
      at: (x, y) => this.layout && cellAt(this.layout, x, y),
      point: (cell) => this.point(pairOf(cell)),
      choose: ({ row }) => this.choose(row),
      place: () => {
        const { part, query } = this.given;
        return { row: query, column: this.pointed?.key ?? 0, rows: part.T, columns: part.S };
      },
      go: ({ row, column }) => {
        this.pointed = { query: row, key: column };
        this.choose(row);
      },
    });
  }

  point(cell) {
    if (String(cell?.query) === String(this.pointed?.query) && String(cell?.key) === String(this.pointed?.key)) return;
    this.pointed = cell;
    if (this.given) this.paint();
  }

  /** `part` is a stack at a step, `query` the chosen place among its queries, `tensor` the name of the numbers. */
  draw(given) {
    this.given = given;
    this.paint();
  }

  paint() {
    const { part, layer, head, query, step, dark } = this.given;
    const { T, S } = part;
    const inside = this.pointed && this.pointed.query < T && this.pointed.key < S;
    const focus = inside ? this.pointed : { query, key: null };
    const block = part.block(layer, head);
    const width = Math.max(240, this.picture.clientWidth);
    this.layout = drawMatrix(this.canvas, {
      ...pattern(part, block, dark, OFF_NEAREST),
      width,
      focus: { row: focus.query, column: focus.key },
      cells: CELLS,
    });
    this.block = block;
    this.title.textContent = headTitle(layer, head, step);
    this.legend.paint(dark);
    this.tell(focus);
    this.canvas.setAttribute("aria-label", headLabel(this.title.textContent, part, this.readout.textContent));
  }

  tell(focus = this.told) {
    this.told = focus;
    const { part, query } = this.given;
    this.readout.replaceChildren(...readout(this.given, this.block, focus));
    this.table.fill(() => rowTable(part, this.block, query));
  }
}

function readout({ part, layer, head }, block, { query, key }) {
  const { S, mask, queries, keys } = part;
  const from = queries[query];
  if (key === null) {
    const row = Array.from({ length: S }, (_, k) => ({ k, p: block[query * S + k] / 65535 })).filter(
      ({ k }) => mask[query * S + k],
    );
    const best = row
      .sort((a, b) => b.p - a.p)
      .slice(0, NAMED)
      .map(({ k, p }) => ({ token: keys[k], p }));
    return [make("span", { text: looksMost(from, best) })];
  }
  const to = keys[key];
  if (!mask[query * S + key]) return [make("span", { text: cannotSee(from, to) })];
  return [
    make("span", { text: looksAt(from, to) }),
    make("strong", { className: "hs-number", text: probability(block[query * S + key] / 65535, OFF_NEAREST) }),
    make("code", {
      text: `${part.tensor.replace("{layer}", layer)}[0, ${head}, ${query}, ${key}]`,
      title: HEAD.tensor,
    }),
  ];
}

function rowTable({ S, mask, keys }, block, query) {
  const weight = (key) => (mask[query * S + key] ? probability(block[query * S + key] / 65535, OFF_NEAREST) : "masked");
  return table({
    label: HEAD.table,
    columns: [{ name: "position", kind: "text" }, { name: "key token", kind: "name" }, "weight"],
    rows: keys.map((token, key) => [String(key), label(token, 24), weight(key)]),
  });
}
