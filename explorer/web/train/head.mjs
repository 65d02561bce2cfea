// One head, large, at one step: what each token looks at.

import { TICKS, css, position } from "../color/color.mjs";
import { cellAt, drawCells, patternPicture } from "../matrix/compare_matrix.mjs";
import { make } from "../base/dom.mjs";
import { move } from "../state/focus.mjs";
import { label, probability, quoted } from "../base/text.mjs";

const NAMED = 3; // tokens in the sentence

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
    this.table = make("details", { className: "hs-table" }, make("summary", { text: "This row as a table" }));
    this.element = make(
      "section",
      { className: "hs-tl-head" },
      this.title,
      make("p", {
        className: "hs-hint",
        text: "A row for each token that looks, a column for each that is looked at. Point at a cell to read it; press a row to keep that token.",
      }),
      this.picture,
      this.readout,
      this.legend,
      this.table,
    );
    this.listen();
  }

  listen() {
    const at = (event) => this.layout && cellAt(this.layout, event.offsetX, event.offsetY);
    this.canvas.addEventListener("mousemove", (event) => this.point(at(event)));
    this.canvas.addEventListener("mouseleave", () => this.point(null));
    this.canvas.addEventListener("click", (event) => {
      const cell = at(event);
      if (cell) this.choose(cell.query);
    });
    this.canvas.addEventListener("keydown", (event) => {
      const { T, S } = this.given.part;
      const next = move(event.key, this.given.query, this.pointed?.key ?? 0, T, S);
      if (!next) return;
      event.preventDefault();
      this.pointed = { query: next[0], key: next[1] };
      this.choose(next[0]);
    });
    this.table.addEventListener("toggle", () => this.tell());
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
    const names = (tokens) => tokens.map((token) => label(token, 12));
    const block = part.block(layer, head);
    const width = Math.max(240, this.picture.clientWidth);
    this.layout = drawCells(
      this.canvas,
      width,
      patternPicture({
        T,
        S,
        block,
        mask: part.mask,
        prefix: part.prefix,
        queries: names(part.queries),
        keys: names(part.keys),
        dark,
        focus,
      }),
    );
    this.block = block;
    this.title.textContent = `Layer ${layer + 1}, head ${head + 1}, step ${step}`;
    this.legend.paint(dark);
    this.tell(focus);
    this.canvas.setAttribute(
      "aria-label",
      `${this.title.textContent}, ${part.title}: attention of ${T} tokens to ${S}. ${this.readout.textContent}`,
    );
  }

  tell(focus = this.told) {
    this.told = focus;
    const { part, query } = this.given;
    this.readout.replaceChildren(...readout(this.given, this.block, focus));
    this.table.querySelector("table")?.remove();
    if (this.table.open) this.table.append(rowTable(part, this.block, query));
  }
}

function readout({ part, layer, head }, block, { query, key }) {
  const { S, mask, queries, keys } = part;
  const from = quoted(label(queries[query], 24));
  if (key === null) {
    const row = Array.from({ length: S }, (_, k) => ({ k, p: block[query * S + k] / 65535 })).filter(
      ({ k }) => mask[query * S + k],
    );
    const best = row
      .sort((a, b) => b.p - a.p)
      .slice(0, NAMED)
      .map(({ k, p }) => `${quoted(label(keys[k], 24))} ${probability(p)}`);
    return [make("span", { text: `${from} looks most at ${best.join(", ")}.` })];
  }
  const to = quoted(label(keys[key], 24));
  if (!mask[query * S + key]) return [make("span", { text: `${from} cannot see ${to}: the mask hides it.` })];
  return [
    make("span", { text: `${from} looks at ${to} with weight ` }),
    make("strong", { className: "hs-number", text: probability(block[query * S + key] / 65535) }),
    make("code", {
      text: `${part.tensor.replace("{layer}", layer)}[0, ${head}, ${query}, ${key}]`,
      title: "the tensor and index that this number is; code counts from 0",
    }),
  ];
}

function rowTable({ S, mask, keys }, block, query) {
  const row = (k) =>
    make(
      "tr",
      {},
      make("td", { text: String(k) }),
      make("td", { dir: "auto", text: label(keys[k], 24) }),
      make("td", {
        className: "hs-number",
        text: mask[query * S + k] ? probability(block[query * S + k] / 65535) : "masked",
      }),
    );
  return make(
    "table",
    {},
    make("tr", {}, ...["place", "key token", "weight"].map((text) => make("th", { scope: "col", text }))),
    ...Array.from({ length: S }, (_, k) => row(k)),
  );
}

/** The scale of the weights, 0 to 1, in the square root. */
function weightLegend() {
  const bar = make("span", { className: "hs-legend-bar" });
  const ticks = TICKS.map((tick) => make("span", { text: String(tick), style: `left: ${position(tick) * 100}%` }));
  const legend = make(
    "div",
    { className: "hs-legend" },
    make(
      "span",
      { className: "hs-legend-part" },
      make("span", { text: "weight" }),
      make("span", { className: "hs-legend-scale" }, bar, make("span", { className: "hs-legend-ticks" }, ...ticks)),
    ),
    make(
      "span",
      { className: "hs-legend-part" },
      make("span", { className: "hs-hatch" }),
      make("span", { text: "hidden by the mask" }),
    ),
  );
  legend.paint = (dark) => {
    bar.style.background = `linear-gradient(to right, ${Array.from({ length: 17 }, (_, i) => css((i / 16) ** 2, dark)).join()})`;
  };
  return legend;
}
