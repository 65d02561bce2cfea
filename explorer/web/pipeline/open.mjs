// The stage that is open: what it does, and its whole tensor, a row for each token. Every number can be read with
// its name, and how it follows from the stage before.

import { byHand } from "../base/hand.mjs";
import { make } from "../base/dom.mjs";
import { label, labels, quoted, visible } from "../base/text.mjs";
import { hatched, shortBar } from "../color/legend.mjs";
import { cellAt, layoutOf, scrollTo } from "../matrix/layout.mjs";
import { listen } from "../matrix/listen.mjs";
import { drawMatrix } from "../matrix/matrix.mjs";
import { drawSmall } from "../matrix/shrink.mjs";
import { isDark, store } from "../state/store.mjs";
import { choice } from "../ui/choice.mjs";
import { rove, roving } from "../ui/roving.mjs";
import { foldedTable } from "../ui/table.mjs";
import { explain } from "./explain.mjs";
import { dimensions, sizes } from "./shape.mjs";
import { nameOf, neighbour, STAGES, stagesOf } from "./stages.mjs";
import { limitOf, scaleOf, tensorOf, three, writer } from "./tensor.mjs";
import { rowText, tableOf } from "./words.mjs";

const NUMBERS = { width: 60, height: 22 }; // px of a cell that holds its number
const NAMED = { width: 124, height: 22 }; // with the text of a token before the number
const HEIGHT = 480; // px of the window onto a map
const COLUMN = { dim: "column", key: "key", rank: "column" }; // the part of the focus that chooses a column

export class OpenStage {
  constructor() {
    this.back = make("button", {
      type: "button",
      className: "hs-step-button",
      text: "◂ Back",
      onclick: () => this.walk(-1),
    });
    this.next = make("button", {
      type: "button",
      className: "hs-step-button hs-next",
      text: "Next ▸",
      onclick: () => this.walk(1),
    });
    this.title = make("h3");
    this.shape = make("p", { className: "hs-stage-shape" });
    this.says = make("p");
    this.formula = make("p", { className: "hs-formula" });
    this.row = make("p", { className: "hs-row" });
    this.heads = make("div", { className: "hs-head-strip", role: "group", "aria-label": "Heads" });
    this.cell = make("p", { className: "hs-cell", "aria-live": "polite" });
    this.how = make("p", { className: "hs-formula hs-how" });
    this.canvas = make("canvas", { tabindex: "0", role: "img" });
    this.sheet = make("div", { className: "hs-map-sheet" }, this.canvas);
    this.scroller = make("div", { className: "hs-map" }, this.sheet);
    this.tokens = make("ol", { className: "hs-token-list" });
    roving(this.tokens);
    this.legend = make("p", { className: "hs-map-legend" });
    this.switch = choice("cells", { map: "Colors", numbers: "Numbers" }, "How to show the tensor");
    this.table = foldedTable("", () => store.changed());
    const words = make(
      "div",
      { className: "hs-open-words" },
      make("div", { className: "hs-open-walk" }, this.back, this.next),
      this.title,
      this.shape,
      this.says,
      this.formula,
      this.row,
      this.cell,
      this.how,
    );
    const picture = make(
      "div",
      { className: "hs-open-picture" },
      this.heads,
      make("div", { className: "hs-map-head" }, this.legend, this.switch),
      this.scroller,
      this.tokens,
      this.table,
    );
    this.element = make("section", { className: "hs-open", "aria-label": "The open stage" }, words, picture);
    this.listen();
  }

  listen() {
    listen(this.canvas, {
      at: (x, y) => this.layout && cellAt(this.layout, x, y, this.scroll()),
      point: (cell) => store.preview(cell ? this.part(cell) : {}),
      choose: (cell) => store.toggle(this.part(cell)),
      place: () => ({ row: this.marks.row, column: this.marks.column ?? 0, ...sizeOf(this.tensor) }),
      go: (cell) => this.go(this.marks.column === null ? { ...cell, column: 0 } : cell),
    });
    this.scroller.addEventListener("scroll", () => this.drawMap());
  }

  walk(step) {
    const { locked } = store.focus;
    const next = neighbour(locked, step, store.payload.model);
    if (next) store.toggle(next);
  }

  /** A cell of the map as a part of the focus. */
  part({ row, column }) {
    return { query: row, [COLUMN[STAGES[this.stage].columns]]: column };
  }

  scroll() {
    return { x: this.scroller.scrollLeft, y: this.scroller.scrollTop };
  }

  go(cell) {
    Object.assign(store.focus.locked, this.part(cell));
    this.scroller.scrollTo(this.scrolled(cell));
    store.preview({});
  }

  scrolled(cell) {
    const { x, y } = scrollTo(
      this.layout,
      { ...this.scroll(), width: this.scroller.clientWidth, height: this.scroller.clientHeight },
      cell,
    );
    return { left: x, top: y };
  }

  draw(payload, focus, part) {
    const { stage } = focus;
    const isList = stage === "tokens";
    this.say(payload, focus);
    for (const element of [this.scroller, this.legend, this.table, this.row, this.cell, this.how])
      element.hidden = isList;
    this.tokens.hidden = !isList;
    this.switch.hidden = isList || STAGES[stage].columns === "rank";
    this.heads.hidden = STAGES[stage].letters.length < 3;
    this.stage = stage;
    if (isList) return this.drawTokens(payload, focus);
    this.tensor = tensorOf(stage, payload, part, focus);
    this.drawTensor(payload, focus, part);
    if (!this.heads.hidden) this.drawHeads(payload, focus, part);
  }

  say(payload, { stage, layer }) {
    const { title, letters, says, formula, part } = stagesOf(payload.model)[stage];
    const size = sizes(payload);
    this.back.disabled = !neighbour({ stage, layer }, -1, payload.model);
    this.next.disabled = !neighbour({ stage, layer }, 1, payload.model);
    this.title.textContent = part === "block" ? `${title}, block ${layer}` : title;
    this.shape.replaceChildren(
      make("span", { className: "hs-shape" }, ...dimensions(letters)),
      " = ",
      make(
        "span",
        { className: "hs-shape" },
        ...dimensions(
          letters,
          letters.map((letter) => size[letter]),
        ),
      ),
      make("code", { text: nameOf(stage, layer) }),
    );
    this.says.textContent = says;
    this.formula.textContent = formula;
  }

  drawTokens({ tokens }, focus) {
    const query = store.query(focus);
    this.tokens.replaceChildren(
      ...tokens.map((token, i) => {
        const text = token.special ? label(token) : visible(token.text);
        const button = make(
          "button",
          {
            type: "button",
            className: `hs-id${i === query ? " hs-query" : ""}`,
            "aria-pressed": String(i === store.focus.locked.query),
            "aria-label": `${text} ${token.id}: position ${i}`,
            onclick: () => store.toggle({ query: i }),
          },
          make("span", { dir: "auto", className: "hs-pipe-text", text }),
          " ",
          make("span", { className: "hs-number", text: String(token.id) }),
        );
        return make("li", {}, button);
      }),
    );
    rove(this.tokens, this.tokens.querySelector(".hs-query"));
  }

  drawTensor(payload, focus, part) {
    const { stage } = focus;
    const { kind, columns } = STAGES[stage];
    const column = focus[COLUMN[columns]];
    const row = store.query(focus);
    const limit = kind === "weights" ? 1 : limitOf(stage, payload, part, focus);
    const { tensor } = this;
    this.marks = { row, column: column !== null && column < tensor.columns ? column : null };
    const head = { dim: String, key: (i) => label(payload.tokens[i], 6), rank: (i) => `${i + 1}.` }[columns];
    const withNumbers = columns === "rank" || focus.cells === "numbers";
    const write = writer(stage);
    const value = (r, c) => tensor.values[r * tensor.columns + c];
    const said = (r, c) => (tensor.text ? `${tensor.text(r, c)}  ${write(value(r, c))}` : write(value(r, c)));
    this.look = {
      rows: { count: tensor.rows, labels: labels(payload.tokens) },
      columns: { count: tensor.columns, head },
      names: "heads",
      value,
      scale: scaleOf(stage, payload, part, focus, isDark()),
      numbers: withNumbers ? { write: said } : null,
      focus: { row, cell: this.marks.column === null ? null : this.marks },
    };
    this.measure(withNumbers);
    this.follow(focus);
    this.drawMap();
    this.canvas.setAttribute(
      "aria-label",
      `${this.shape.textContent}: ${this.tensor.rows} rows of ${this.tensor.columns} numbers. Arrow keys ` +
        "go from number to number; the chosen row is also shown as a table.",
    );
    this.drawLegend(kind, limit);
    this.row.textContent = rowText(stage, payload, part, focus, row);
    this.drawCell(payload, focus, part);
    this.fillTable(payload, part, focus, row);
  }

  measure(withNumbers) {
    const size = this.tensor.text ? NAMED : NUMBERS;
    this.layout = layoutOf({
      ...this.look,
      width: Math.max(280, this.scroller.clientWidth),
      cells: withNumbers ? { size } : { room: HEIGHT, isSquare: STAGES[this.stage].columns === "key" },
    });
    Object.assign(this.sheet.style, { width: `${this.layout.width}px`, height: `${this.layout.height}px` });
  }

  /** Another stage, way to draw or kept cell: what is chosen comes into sight. */
  follow({ stage, cells, head }) {
    const { query, key, column } = store.focus.locked;
    const kept = JSON.stringify([store.seq, stage, cells, head, query, key, column]);
    if (kept === this.kept) return;
    this.kept = kept;
    this.scroller.scrollTo(this.scrolled({ row: this.marks.row, column: this.marks.column ?? 0 }));
  }

  drawMap() {
    if (!this.look || this.scroller.hidden) return;
    const window = { ...this.scroll(), width: this.scroller.clientWidth, height: this.scroller.clientHeight };
    drawMatrix(this.canvas, { ...this.look, layout: this.layout, window });
  }

  drawLegend(kind, limit) {
    const [low, high] = kind === "weights" ? ["0", "1"] : [three(-limit), three(limit)];
    const words =
      kind === "weights"
        ? this.stage === "softmax"
          ? "probability"
          : "weight, 0 to 1"
        : "brown below 0, teal above; 1 in 100 numbers lies beyond the scale";
    const masked = STAGES[this.stage].columns === "key" ? [hatched("hidden by the mask")] : [];
    this.legend.replaceChildren(...shortBar(this.look.scale, low, high), make("span", { text: words }), ...masked);
  }

  drawCell(payload, focus, part) {
    const { row, column } = this.marks;
    if (column === null) {
      this.cell.textContent = byHand("Hover over a cell to read its number; click to pin it.");
      this.how.textContent = "";
      return;
    }
    const value = this.tensor.values[row * this.tensor.columns + column];
    const name = make("code", {
      text: this.tensor.name(row, column),
      title: "the tensor and the index of this number",
    });
    const hidden = Number.isNaN(value);
    this.cell.replaceChildren(
      make("strong", {
        className: "hs-number",
        text: hidden ? (this.stage === "scores" ? "-∞" : "0") : writer(this.stage)(value),
      }),
      name,
      ...(hidden ? [" hidden by the mask: this key comes later"] : []),
    );
    this.how.textContent = hidden ? "" : (explain(focus.stage, payload, part, focus, row, column) ?? "");
  }

  drawHeads(payload, focus, part) {
    const H = payload.model.n_head;
    const look = `${store.seq}/${isDark()}/${focus.stage}/${focus.layer}`;
    if (this.headsLook !== look) {
      this.headsLook = look;
      const scale = scaleOf(focus.stage, payload, part, focus, isDark());
      this.heads.replaceChildren(
        ...Array.from({ length: H }, (_, head) =>
          headButton(head, tensorOf(focus.stage, payload, part, { ...focus, head }), scale),
        ),
      );
    }
    for (const [head, button] of [...this.heads.children].entries()) {
      button.setAttribute("aria-pressed", String(head === focus.head));
    }
  }

  fillTable(payload, part, focus, row) {
    this.table.rename(`The row of ${quoted(label(payload.tokens[row], 20))} as a table`);
    this.table.fill(() => tableOf(focus.stage, payload, part, this.tensor, row));
  }
}

const sizeOf = ({ rows, columns }) => ({ rows, columns });

function headButton(head, tensor, scale) {
  const canvas = make("canvas");
  drawSmall(canvas, tensor, scale);
  return make(
    "button",
    {
      type: "button",
      className: "hs-head-pick",
      "aria-label": `Head ${head}`,
      onclick: () => store.toggle({ head }),
    },
    canvas,
    make("span", { text: String(head) }),
  );
}
