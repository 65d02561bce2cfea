// The Compare page: one text through several models, or two texts through one. Columns are models, rows are stages.
// The server is asked once for a text, its models and the hidden token; layer, head and cells are looked at here alone.

import { make } from "../base/dom.mjs";
import { weightLegend } from "../color/legend.mjs";
import { mask } from "../matrix/channels.mjs";
import { drawMatrix } from "../matrix/matrix.mjs";
import { ask } from "../state/ask.mjs";
import { address } from "../state/history.mjs";
import { models, refreshModels } from "../state/models.mjs";
import { runText } from "../state/run.mjs";
import { stale } from "../state/stale.mjs";
import { isDark, store } from "../state/store.mjs";
import { choiceOf } from "../ui/choice.mjs";
import { table } from "../ui/table.mjs";
import { withTerms } from "../ui/terms.mjs";
import { topOf } from "../ui/token_bars.mjs";
import { placePicker } from "./choice.mjs";
import { Column } from "./column.mjs";
import { Difference } from "./difference.mjs";
import { CellFocus } from "./focus.mjs";
import { FIRST, MOST, setupOf, toldOf } from "./setup.mjs";
import { CompareSource } from "./source.mjs";
import { inColumns, MASKS, PAGE, STAGES, tooMany, whatToLookAt } from "./words.mjs";

const ATTENTION = 2; // of the stages

export function mount(element, { props }) {
  new Compare(element, JSON.parse(props.choices), new CompareSource());
}

class Compare {
  constructor(element, choices, source) {
    this.element = element;
    this.choices = choices;
    this.source = source;
    this.columns = [];
    this.payload = null;
    this.cells = new CellFocus();
    this.setup = setupOf(address.of("compare"));
    this.on = {
      mask: (place) => this.change({ masked: place }),
      show: (part, cell) => this.show(part, cell),
      toggle: (part, cell, stays) => this.toggle(part, cell, stays),
      tab: () => this.redraw(),
      draw: () => this.redraw(),
    };
    source.onResult = (payload) => this.arrived(payload);
    source.onProblem = (problem) => this.say(problem);
    this.build();
    this.drawControls();
    address.speak(
      ["compare"],
      () => toldOf(this.setup),
      (_, values) => this.return(values),
    );
    this.askRights();
    document.addEventListener("hs-models", () => this.listed(models()));
    if (models().length) this.listed(models());
    store.subscribe(element, (payload, focus) => this.draw(payload, focus), null, false);
  }

  build() {
    this.mode = choiceOf(PAGE.modes, PAGE.what, (mode) => this.changeMode(mode));
    this.chips = make("div", { className: "hs-compare-chips", role: "group", "aria-label": PAGE.models });
    this.second = make("textarea", { rows: 2, "aria-label": PAGE.second, placeholder: PAGE.second });
    this.second.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault(); // as in the main text: Shift+Enter begins a line
      this.texts.requestSubmit();
    });
    const send = make("button", { type: "submit", className: "hs-compare-button", text: PAGE.compare });
    this.texts = make("form", { className: "hs-compare-second" }, this.second, send);
    this.texts.addEventListener("submit", (event) => {
      event.preventDefault();
      this.change({ second: this.second.value });
    });
    this.path = make("input", { type: "text", "aria-label": PAGE.folder, placeholder: PAGE.folderExample });
    this.folder = make(
      "form",
      { className: "hs-compare-second", hidden: "" },
      this.path,
      make("button", { type: "submit", className: "hs-compare-button", text: PAGE.add }),
    );
    this.folder.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.path.value.trim()) this.choose(this.path.value.trim(), true);
    });
    this.problem = make("p", { className: "hs-problem", role: "alert", hidden: "" });
    this.link = choiceOf(PAGE.links, PAGE.place, (how) => this.changeLink(how));
    this.picker = make("div");
    this.walk = make("div", { className: "hs-compare-walk" }); // on a phone one column is in sight
    this.intro = make("p");
    this.words = make("p", { className: "hs-compare-words", text: PAGE.running });
    this.lines = make("p", { className: "hs-hint" });
    this.board = make("div", { className: "hs-compare-board" });
    this.difference = new Difference(this.on);
    this.legend = weightLegend();
    this.element.append(
      make("h2", { text: PAGE.title }),
      this.intro,
      make("div", { className: "hs-compare-controls" }, this.mode, this.chips),
      this.texts,
      this.folder,
      this.problem,
      make("div", { className: "hs-compare-focus" }, make("span", { text: `${PAGE.place}:` }), this.link, this.picker),
      make("h3", { text: PAGE.look }),
      this.words,
      this.lines,
      this.walk,
      this.board,
      this.difference.element,
      maskTable((canvases) => (this.examples = canvases)),
    );
  }

  // what is chosen

  change(part) {
    this.setup = { ...this.setup, ...part };
    address.changed();
    this.drawControls();
    this.ask();
  }

  /** Back or Forward led here. */
  return(values) {
    this.setup = setupOf(values);
    this.drawControls();
    this.ask();
    if (this.payload) this.drawPickers();
  }

  changeMode(mode) {
    const { models } = this.setup;
    if (mode === "models")
      return this.setup.second !== null && this.change({ second: null, models: [...FIRST.models], own: null });
    if (this.setup.second === null)
      this.change({
        second: this.second.value || (store.payload ? changedText(store.payload) : ""),
        models: [models.includes("decoder") ? "decoder" : models[0]],
        own: null,
      });
  }

  choose(name, adds = false) {
    const { models, second } = this.setup;
    if (second !== null) return this.change({ models: [name] });
    if (!models.includes(name)) {
      if (models.length === MOST) return this.say(tooMany(MOST));
      return this.change({ models: [...models, name], own: this.setup.own && [...this.setup.own, this.shared()] });
    }
    if (adds || models.length === 1) return;
    const at = models.indexOf(name);
    const without = (list) => list.filter((_, i) => i !== at);
    this.change({ models: without(models), own: this.setup.own && without(this.setup.own) });
  }

  changeLink(how) {
    if ((how === "own") === Boolean(this.setup.own)) return;
    this.setup.own = how === "own" ? this.columns.map(() => this.shared()) : null;
    address.changed();
    this.drawControls();
    this.drawPickers();
    this.redraw();
  }

  shared() {
    const { layer, head } = store.focus.locked;
    return { layer, head };
  }

  /** Layer and head of a column. */
  place(column) {
    const { layer, head } = this.focus;
    return this.setup.own?.[column.index] ?? { layer, head };
  }

  /** The query and key of a picture: those of the whole app's focus where the picture is of the app's text. */
  cell(part) {
    const T = store.payload.tokens.length;
    if (part.T !== T) return this.cells.at(part.T, part.S);
    return { query: this.focus.query, key: part.S === T ? this.focus.key : this.cells.at(part.T, part.S).key };
  }

  show(part, cell) {
    if (this.isOfTheText(part)) return store.preview(cell ?? {});
    this.cells.show(part.T, part.S, cell);
    this.redraw();
  }

  /** `stays`: what is kept already is not let go, as arrow keys want it. */
  toggle(part, cell, stays = false) {
    const kept = this.isOfTheText(part) ? store.focus.locked : this.cells.at(part.T, part.S);
    if (stays && Object.entries(cell).every(([name, value]) => kept[name] === value)) return;
    if (this.isOfTheText(part)) return store.toggle(cell);
    this.cells.toggle(part.T, part.S, cell);
    this.redraw();
  }

  isOfTheText({ T, S }) {
    return T === store.payload.tokens.length && S === T;
  }

  // the server

  draw(_payload, focus) {
    this.focus = focus;
    this.ask();
    this.paint();
  }

  ask() {
    if (!store.payload || store.asked) return; // the text that the address names is still on its way
    const { models, masked, second } = this.setup;
    this.source.ask({ text: store.payload.text, models, masked, second });
    this.element.dataset.asked = this.source.seq;
    this.dim(this.source.waiting !== null);
  }

  /** The comparison that is shown is not the one that is asked for. */
  dim(isOld) {
    const { payload, columns } = this;
    const of = payload && isOld ? inColumns(payload.text, columns.length) : null;
    stale(this.board, of);
    this.difference.element.toggleAttribute("data-dim", of !== null);
  }

  /** Only the owner of the machine may name any of its folders. */
  async askRights() {
    const { any_folder } = await ask("rights", {}, { quiet: true });
    this.folder.hidden = !any_folder;
  }

  /** What can be chosen, of now. */
  listed(choices) {
    this.choices = choices;
    this.drawControls();
  }

  arrived(payload) {
    this.say(null);
    this.payload = payload;
    this.dim(false);
    refreshModels();
    this.columns = payload.columns.map((header, i) => new Column(header, i, payload, this.on, this.columns[i]));
    if (this.setup.own) this.setup.own = this.columns.map((_, i) => this.setup.own[i] ?? this.shared());
    this.drawControls();
    keepingFocus(this.board, () => this.drawBoard());
    this.paint();
    Object.assign(this.element.dataset, { compared: String(this.source.seq) });
  }

  say(problem) {
    this.problem.hidden = !problem;
    this.problem.textContent = problem ?? "";
  }

  // drawing

  redraw() {
    store.changed();
  }

  drawControls() {
    const { models, second, own } = this.setup;
    const listed = [
      ...this.choices,
      ...models
        .filter((name) => !this.choices.some((choice) => choice.name === name))
        .map((name) => ({ name, title: name })),
    ];
    const mode = second === null ? "models" : "texts";
    this.mode.mark(mode);
    this.intro.textContent = PAGE.intros[mode];
    this.link.mark(own ? "own" : "linked");
    this.texts.hidden = second === null;
    if (second !== null) this.second.value = second;
    const chip = ({ name, title }) =>
      make(
        "button",
        {
          type: "button",
          "data-name": name,
          "aria-pressed": String(models.includes(name)),
          onclick: () => this.choose(name),
        },
        make("span", { text: title }),
      );
    keepingFocus(this.chips, () => this.chips.replaceChildren(...listed.map(chip)));
  }

  drawBoard() {
    const { columns } = this;
    this.board.style.setProperty("--columns", columns.length);
    const rows = STAGES.flatMap(([name, about], i) => [
      make(
        "div",
        { className: "hs-compare-stage" },
        make("h3", { text: name }),
        ...(about ? [make("p", { className: "hs-hint" }, ...withTerms(about))] : []),
        ...(i === ATTENTION ? [this.legend] : []),
      ),
      ...columns.map((column) => this.cellOf(column, i)),
    ]);
    this.board.replaceChildren(...rows);
    this.drawWalk();
    this.words.textContent = whatToLookAt(columns, this.payload.second_text !== null);
    this.offerTwoLines();
    this.drawPickers();
    this.difference.offer(columns);
  }

  drawWalk() {
    const names = Object.fromEntries(this.columns.map(({ title, name }, i) => [i, title ?? name]));
    const left = (i) => this.columns[i].cells[0].offsetLeft - this.board.offsetLeft;
    const walk = choiceOf(names, PAGE.inSight, (i) => this.board.scrollTo({ left: left(i) }));
    const mark = () => walk.mark(Math.round(this.board.scrollLeft / (this.board.clientWidth || 1)));
    this.board.onscroll = mark;
    mark();
    this.walk.replaceChildren(walk);
  }

  cellOf(column, stage) {
    const cell = column.cells[stage];
    cell.classList.add("hs-compare-cell");
    Object.assign(cell.dataset, { column: column.index, stage });
    return cell;
  }

  /** An encoder-decoder has little to show for a title alone. */
  offerTwoLines() {
    const alone =
      this.columns.some(({ architecture }) => architecture?.startsWith("encoder-decoder")) &&
      !this.payload.text.trim().includes("\n");
    this.lines.replaceChildren(
      ...(alone
        ? [
            make("span", { text: PAGE.oneLine }),
            make("button", {
              type: "button",
              className: "hs-link",
              text: PAGE.twoLines,
              onclick: () => runText(store.firstText("compare")),
            }),
          ]
        : []),
    );
  }

  drawPickers() {
    const most = (axis, columns) =>
      Math.max(1, ...columns.flatMap(({ patterns }) => patterns.map(({ shape }) => shape[axis])));
    const picker = (columns, choose) => placePicker(most(0, columns), most(1, columns), choose);
    this.pickers = [];
    if (!this.setup.own) {
      this.pickers = [picker(this.columns, (part) => store.toggle(part))];
      this.picker.replaceChildren(...this.pickers);
    } else this.picker.replaceChildren();
    for (const column of this.columns.filter(({ error }) => !error)) {
      const own = this.setup.own ? [picker([column], (part) => this.chooseOwn(column, part))] : [];
      column.pickers.replaceChildren(...own);
      this.pickers.push(...own);
    }
  }

  chooseOwn(column, part) {
    this.setup.own[column.index] = { ...this.setup.own[column.index], ...part };
    address.changed();
    this.redraw();
  }

  paint() {
    const dark = isDark();
    for (const [canvas, { shape, sees }] of this.examples) drawExample(canvas, shape, sees, dark);
    if (!this.payload) return;
    const shown = this.columns.filter(({ error }) => !error);
    this.legend.paint(dark);
    for (const [i, picker] of this.pickers.entries()) {
      picker.mark(this.setup.own ? this.place(shown[i]) : this.shared());
    }
    const cellOf = (part) => this.cell(part);
    const top = topOf(Math.max(...shown.map((column) => column.best(cellOf)[0].p)), 0.0005);
    for (const column of shown) {
      column.paint(this.place(column), cellOf, dark);
      column.paintPrediction(cellOf, top);
    }
    this.difference.paint((column) => this.place(column), cellOf, dark);
    this.element.dataset.painted = String(Number(this.element.dataset.painted ?? 0) + 1);
  }
}

/** Build the inside of `root` anew; the button in the same place gets the keyboard's focus back. */
function keepingFocus(root, build) {
  const at = [...root.querySelectorAll("button")].indexOf(document.activeElement);
  build();
  if (at >= 0) root.querySelectorAll("button")[at]?.focus({ preventScroll: true });
}

/** Which mask is used where, and why. */
function maskTable(keep) {
  const canvases = [];
  const rows = MASKS.map((one) => {
    const canvas = make("canvas", { role: "img", "aria-label": `${one.where}: ${one.mask}` });
    canvases.push([canvas, one]);
    return [one.where, canvas, one.mask, one.why];
  });
  keep(canvases);
  const columns = [{ name: "where", kind: "row" }, ...["", "mask", "why"].map((name) => ({ name, kind: "text" }))];
  return make(
    "details",
    { className: "hs-compare-table" },
    make("summary", { text: PAGE.masks }),
    make("p", { className: "hs-hint", text: PAGE.masksHint }),
    make("div", { className: "hs-compare-scroll" }, table({ label: PAGE.masks, columns, rows })),
  );
}

function drawExample(canvas, { T, S, prefix }, sees, dark) {
  if (canvas.dataset.look === String(dark)) return;
  canvas.dataset.look = String(dark);
  const cells = Uint8Array.from({ length: T * S }, (_, i) => Number(sees(Math.floor(i / S), i % S)));
  drawMatrix(canvas, {
    ...mask({ T, S, prefix, mask: cells }, dark),
    width: 120,
    cells: { largest: 14 },
    names: "none",
  });
}

/** The text with another word, to begin with. The last word that is one token becomes one that is, too. */
function changedText({ text, tokens }) {
  const isWord = (i) => /^ \p{L}{3,}$/u.test(tokens[i].text) && !/^\p{L}/u.test(tokens[i + 1]?.text ?? "");
  const at = tokens.findLastIndex((_, i) => isWord(i));
  const before = tokens.slice(0, Math.max(at, 0)).filter(({ special }) => !special);
  const start = before.map((token) => token.text).join("");
  const word = tokens[at]?.text;
  return word && text.startsWith(start + word)
    ? `${start}${word === " water" ? " paper" : " water"}${text.slice(start.length + word.length)}`
    : `${text} water`;
}
