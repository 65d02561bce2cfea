// One column of the Compare page: a model with a text. Five cells, one for each stage; they are drawn again when
// layer, head or the cell that is pointed at changes.

import { make } from "../base/dom.mjs";
import { fineProbability, label, pieceName, visible } from "../base/text.mjs";
import { mask, pairOf, pattern } from "../matrix/channels.mjs";
import { cellAt } from "../matrix/layout.mjs";
import { listen } from "../matrix/listen.mjs";
import { drawMatrix } from "../matrix/matrix.mjs";
import { choiceOf } from "../ui/choice.mjs";
import { foldedTable, table } from "../ui/table.mjs";
import { belowBars, tokenBar } from "../ui/token_bars.mjs";
import {
  COLUMN,
  cannotSee,
  chipLabel,
  continuation,
  expectsAfter,
  expectsHidden,
  headCaption,
  inputLine,
  KINDS,
  looksAt,
  looksMost,
  lossSentence,
  maskLabel,
  maskLine,
  restSentence,
  savedHere,
  sharesText,
  short,
  sum,
  timeSentence,
  truthSentence,
} from "./words.mjs";

const MASK = 150; // px that a mask is wide and high at most
export const CELLS = { largest: 40, tallest: 640 }; // px: of a cell, and of all rows
const MOST_CELLS = 3000; // of the table: above, it holds the chosen row only

export class Column {
  /** `on` = {mask(place), show(part, cell), toggle(part, cell, stays), tab()}; what stood there `before` stays open. */
  constructor(header, index, payload, on, before = null) {
    this.index = index;
    this.on = on;
    this.name = header.name;
    this.title = header.title;
    this.architecture = header.architecture;
    this.error = header.error;
    this.prediction = header.prediction;
    this.written = header.written;
    this.patterns = (header.parts ?? []).map((part) => withArrays(part, index, payload));
    const last = this.patterns.at(-1); // what tells most: the decoder, or its look at the title
    this.open = this.patterns.find(({ name }) => before?.name === header.name && name === before.open?.name) ?? last;
    if (header.error) this.cells = failedCells(header);
    else {
      this.arrays = Object.fromEntries(
        ["ids", "probs", "actual_probs", "actual_ranks"].map((name) => [name, payload.arrays[`${index}.${name}`]]),
      );
      this.cells = [
        headCell({ ...header, index }, payload),
        this.maskCell(),
        this.attentionCell(before?.table?.open ?? false),
        this.predictionCell(),
        costCell(header),
      ];
    }
  }

  // what there is

  maskCell() {
    this.masks = this.patterns.map((part) => ({ part, canvas: make("canvas", { role: "img" }) }));
    return make(
      "div",
      { className: "hs-compare-masks" },
      ...this.masks.map(({ part, canvas }) =>
        make(
          "figure",
          {},
          ...(this.patterns.length > 1 ? [make("figcaption", { text: KINDS[part.name] })] : []),
          canvas,
          make("p", { className: "hs-hint", text: maskLine(part) }),
        ),
      ),
    );
  }

  attentionCell(wasOpen) {
    this.pickers = make("div", { className: "hs-compare-own" });
    this.caption = make("p", { className: "hs-compare-title" });
    this.canvas = make("canvas", { tabindex: "0", role: "img" });
    this.readout = make("p", { className: "hs-compare-readout", "aria-live": "polite" });
    this.table = foldedTable(COLUMN.numbers, () => this.on.tab());
    this.table.open = wasOpen;
    listen(this.canvas, {
      at: (x, y) => cellAt(this.layout, x, y),
      point: (cell) => this.on.show(this.open, pairOf(cell)),
      choose: (cell) => this.on.toggle(this.open, pairOf(cell)),
      place: () => {
        const { part, focus } = this.current;
        return { row: focus.query, column: focus.key ?? 0, rows: part.T, columns: part.S };
      },
      go: (cell) => this.on.toggle(this.current.part, pairOf(cell), true),
    });
    const tabs = this.patterns.length > 1 ? [this.tabs()] : [];
    return make(
      "div",
      { className: "hs-compare-attention" },
      this.pickers,
      make("div", { className: "hs-compare-tabs" }, ...tabs),
      this.caption,
      make("div", { className: "hs-compare-picture" }, this.canvas),
      this.readout,
      this.table,
    );
  }

  tabs() {
    const names = Object.fromEntries(this.patterns.map(({ name }) => [name, COLUMN.tabs[name]]));
    const tabs = choiceOf(names, COLUMN.which, (name) => {
      this.open = this.patterns.find((part) => part.name === name);
      tabs.mark(name);
      this.on.tab();
    });
    tabs.mark(this.open.name);
    return tabs;
  }

  predictionCell() {
    this.chips = make("div", { className: "hs-tokens", role: "group" });
    this.heading = make("p", { className: "hs-after" });
    this.bars = make("ol", { className: "hs-bars" });
    this.scale = make("div", { className: "hs-scale" });
    this.rest = make("p", { className: "hs-hint" });
    this.actual = make("p");
    return make(
      "div",
      {},
      this.chipsHint(),
      this.chips,
      this.heading,
      this.bars,
      this.scale,
      this.rest,
      this.actual,
      ...this.writtenLines(),
    );
  }

  chipsHint() {
    const masks = this.prediction.kind === "masked";
    const own = this.ownTokens();
    this.chips.replaceChildren(
      ...own.map((token, place) =>
        make("button", {
          type: "button",
          className: `hs-token${token.special ? " hs-special" : ""}${token.partial ? " hs-partial" : ""}`,
          dir: "auto",
          text: token.special ? label(token) : visible(token.text),
          "aria-label": chipLabel(masks, place, token),
          onclick: () =>
            masks ? this.on.mask(place) : this.on.toggle(this.ownPart(), { query: place + this.ownPart().prefix }),
        }),
      ),
    );
    return make("p", { className: "hs-hint", text: masks ? COLUMN.hide : COLUMN.after });
  }

  /** The attention whose queries are the tokens that predict. */
  ownPart() {
    return this.patterns.find(({ name }) => name === "decoder") ?? this.patterns[0];
  }

  ownTokens() {
    const { queries, prefix } = this.ownPart();
    return queries.slice(prefix);
  }

  writtenLines() {
    if (!this.written) return [];
    const { text, ids } = this.written;
    if (!ids.length) return [make("p", { className: "hs-hint", text: COLUMN.full })];
    return [
      make("p", { className: "hs-compare-label", text: continuation(this.written) }),
      make("blockquote", { dir: "auto", text: text.trim() || COLUMN.blank }),
    ];
  }

  // what is drawn

  /** `place` = {layer, head}; `cellOf(part)` = {query, key} of the focus. */
  paint(place, cellOf, dark) {
    if (this.error) return;
    for (const { part, canvas } of this.masks) {
      const look = `${this.width(canvas)}/${dark}`; // a mask is the same in all layers and heads
      if (canvas.dataset.look === look) continue;
      canvas.dataset.look = look;
      drawMatrix(canvas, {
        ...mask(part, dark),
        width: this.width(canvas),
        cells: { largest: Math.min(14, MASK / Math.max(part.T, part.S)) },
        names: "axes",
      });
      canvas.setAttribute("aria-label", maskLabel(part));
    }
    this.paintAttention(place, cellOf(this.open), dark);
  }

  width(canvas) {
    return Math.max(160, canvas.parentElement.clientWidth);
  }

  paintAttention(place, cell, dark) {
    const part = this.open;
    const [L, H] = part.shape;
    const layer = Math.min(place.layer, L - 1);
    const head = Math.min(place.head, H - 1);
    const focus = { query: cell.query ?? part.T - 1, key: cell.key };
    const block = blockOf(part, layer, head);
    const isClipped = layer !== place.layer || head !== place.head;
    this.caption.textContent = headCaption(part.name, layer, head, part.shape, isClipped);
    this.layout = drawMatrix(this.canvas, {
      ...pattern(part, block, dark),
      width: this.width(this.canvas),
      focus: { row: focus.query, column: focus.key },
      cells: CELLS,
    });
    this.readout.replaceChildren(...readout(part, block, layer, head, focus));
    this.canvas.setAttribute("aria-label", `${this.caption.textContent}. ${this.readout.textContent}`);
    this.current = { part, focus };
    this.table.fill(() => make("div", {}, patternTable(part, block, focus.query)));
  }

  /** The place of its text at which it predicts: the masked one, or that of the focus, else the last. */
  predictsAt(cellOf) {
    if (this.prediction.kind === "masked") return this.prediction.place;
    const { prefix, T } = this.ownPart();
    const { query } = cellOf(this.ownPart());
    return Math.max(0, (query === null || query < prefix ? T - 1 : query) - prefix);
  }

  /** Which of its predictions that is: of a masked text it has one. */
  predictionAt(cellOf) {
    return this.prediction.kind === "masked" ? 0 : this.predictsAt(cellOf);
  }

  /** The tokens that it finds likeliest there, and their probabilities. */
  best(cellOf) {
    const n = this.predictionAt(cellOf);
    const { ids, probs } = this.arrays;
    const K = ids.shape[1];
    return Array.from({ length: K }, (_, i) => ({
      text: this.prediction.pieces[ids.data[n * K + i]],
      p: probs.data[n * K + i],
    }));
  }

  /** `top`: where the bars of all columns end, so that they compare. */
  paintPrediction(cellOf, top) {
    const { kind, place, actual, vocab_size } = this.prediction;
    const { prefix, T } = this.ownPart();
    const own = this.ownTokens();
    const at = this.predictsAt(cellOf);
    const n = this.predictionAt(cellOf);
    const best = this.best(cellOf);
    [...this.chips.children].forEach((chip, i) => {
      chip.classList.toggle("hs-query", i === at);
      chip.setAttribute("aria-pressed", String(i === at));
    });
    this.heading.textContent = kind === "masked" ? expectsHidden(place) : expectsAfter(own[at], at === T - prefix - 1);
    const truth = n < actual.length ? actual[n] : null;
    this.bars.replaceChildren(
      ...best.map(({ text, p }) => tokenBar(pieceName(text), p, top, text === truth, fineProbability(p))),
    );
    this.scale.replaceChildren(...belowBars(top));
    const rest = 1 - best.reduce((all, { p }) => all + p, 0);
    this.rest.textContent = restSentence(vocab_size - best.length, Math.max(0, rest));
    const { actual_probs: probs, actual_ranks: ranks } = this.arrays;
    this.actual.textContent =
      truth === null ? COLUMN.end : truthSentence(truth, probs.data[n], ranks.data[n], vocab_size);
  }
}

/** The pattern of one head, T·S numbers 0..65535. */
export function blockOf({ pattern, shape: [, H, T, S] }, layer, head) {
  const start = (layer * H + head) * T * S;
  return pattern.subarray(start, start + T * S);
}

function withArrays(part, index, payload) {
  const { data, shape } = payload.arrays[`${index}.${part.name}.pattern`];
  return {
    ...part,
    pattern: data,
    shape,
    mask: payload.arrays[`${index}.${part.name}.mask`].data,
    T: shape[2],
    S: shape[3],
  };
}

function patternTable(part, block, query) {
  const { T, S, mask: sees, queries, keys } = part;
  const rows = T * S <= MOST_CELLS ? Array.from({ length: T }, (_, q) => q) : [query];
  const number = (i) => (sees[i] ? (block[i] / 65535).toFixed(4) : "hidden");
  return table({
    label: COLUMN.numbersTable,
    columns: [
      { name: "", kind: "row" },
      ...keys.map((token) => ({ name: { content: label(token), dir: "auto" }, kind: "number" })),
    ],
    rows: rows.map((q) => ({
      cells: [label(queries[q]), ...Array.from({ length: S }, (_, k) => number(q * S + k))],
      "data-query": q,
    })),
  });
}

function headCell(column, payload) {
  const { title, architecture_title: architecture } = column;
  const kind = title === architecture ? [] : [make("p", { text: savedHere(architecture) })];
  const text =
    payload.second_text === null
      ? []
      : [
          make("blockquote", {
            dir: "auto",
            text: [...(column.index ? payload.second_text : payload.text)].slice(0, 160).join("") || COLUMN.empty,
          }),
        ];
  return make(
    "div",
    {},
    make("h3", { text: title }),
    ...kind,
    make("p", { text: column.sentence }),
    ...text,
    make("p", { className: "hs-hint", text: inputLine(column) }),
  );
}

function failedCells({ name, error }) {
  const rest = Array.from({ length: 4 }, () => make("div", {}, make("p", { className: "hs-hint", text: "—" })));
  return [
    make("div", {}, make("h3", { text: name }), make("p", { className: "hs-problem", role: "alert", text: error })),
    ...rest,
  ];
}

function costCell({ parameters, flops, time, held_out }) {
  const line = (name, value, more, cost) => ({
    cells: [
      name,
      [make("span", { className: "hs-number", text: value }), make("span", { className: "hs-hint", text: ` ${more}` })],
    ],
    "data-cost": cost,
  });
  const counted = (name, parts) => line(name, short(sum(parts)), sharesText(parts), name.toLowerCase());
  const costs = table({
    label: COLUMN.costs,
    className: "hs-compare-costs",
    columns: [{ kind: "row" }, { kind: "text" }],
    rows: [
      counted("Parameters", parameters),
      counted("FLOPs", flops),
      line("Time", `${time.milliseconds.toFixed(1)} ms`, timeSentence(time), "time"),
      held_out
        ? line(COLUMN.loss, held_out.loss.toFixed(4), lossSentence(held_out), "loss")
        : line(COLUMN.loss, COLUMN.noLoss, "", "loss"),
    ],
  });
  return make("div", {}, costs);
}

function readout(part, block, layer, head, { query, key }) {
  const from = part.queries[query];
  if (key === null) {
    const row = Array.from({ length: part.S }, (_, k) => ({ k, p: block[query * part.S + k] / 65535 })).filter(
      ({ k }) => part.mask[query * part.S + k],
    );
    const best = row
      .sort((a, b) => b.p - a.p)
      .slice(0, 3)
      .map(({ k, p }) => ({ token: part.keys[k], p }));
    return [make("span", { text: looksMost(from, best) })];
  }
  const to = part.keys[key];
  if (!part.mask[query * part.S + key]) return [make("span", { text: cannotSee(from, to) })];
  return [
    make("span", { text: looksAt(from, to) }),
    make("strong", { className: "hs-number", text: (block[query * part.S + key] / 65535).toFixed(4) }),
    make("code", {
      text: `${part.tensor.replace("{layer}", layer)}[0, ${head}, ${query}, ${key}]`,
      title: COLUMN.tensor,
    }),
  ];
}
