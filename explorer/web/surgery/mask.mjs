// A mask, painted by hand: a row for each query, a column for each key. Dragging paints, arrows move, space flips.

import { make } from "../base/dom.mjs";
import { hatched, legend as row, sign } from "../color/legend.mjs";
import { named } from "../color/scale.mjs";
import { pairOf, sidesOf } from "../matrix/channels.mjs";
import { cellAt } from "../matrix/layout.mjs";
import { drawMatrix } from "../matrix/matrix.mjs";
import { move } from "../state/focus.mjs";
import { isDark, store } from "../state/store.mjs";
import { choice } from "../ui/choice.mjs";
import { counting, isCausal, isMask, put, rowsOf, sees } from "./edits.mjs";
import { operation } from "./state.mjs";
import { MASK, maskLabel, maskSentence, maskTitle } from "./words.mjs";

const LARGEST = 460; // px
const MARKS_FROM = 8; // px: cells at least this wide carry a sign where they leak

export const maskEditor = () => new MaskEditor();

class MaskEditor {
  query = 0; // the cell that is spoken of
  key = 0;
  painting = null; // whether a drag lets through or hides; null before it has begun
  began = false;
  layout = null;

  constructor() {
    this.title = make("h3");
    this.presets = presets();
    this.canvas = make("canvas", { tabindex: "0", role: "application" });
    this.words = make("p", { className: "hs-cell", "aria-live": "polite" });
    const legend = row(sign("hs-mask-seen", MASK.seen), sign("hs-mask-leak", MASK.leak), hatched(MASK.hidden));
    const scope = choice("scope", MASK.scopes, MASK.scope);
    const about = make("p", { className: "hs-hint", text: MASK.about });
    const parts = [this.title, scope, this.presets, about, this.canvas, this.words, legend];
    this.element = make("div", { className: "hs-mask-editor" }, ...parts);
    this.listen();
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      canvas.focus();
      canvas.setPointerCapture(event.pointerId);
      this.painting = null;
      this.began = false;
      this.paint(this.cellAt(event));
    });
    canvas.addEventListener("pointermove", (event) => {
      const cell = this.cellAt(event);
      if (event.buttons && this.began) this.paint(cell);
      else if (cell && (cell.query !== this.query || cell.key !== this.key)) this.speakOf(cell);
    });
    canvas.addEventListener("keydown", (event) => {
      const T = operation.base.tokens.length;
      const next = move(event.key, this.query, this.key, T, T);
      if (!next && event.key !== " ") return;
      event.preventDefault();
      if (next) [this.query, this.key] = next;
      else flip(this, false);
      store.changed();
    });
  }

  cellAt({ offsetX, offsetY }) {
    return pairOf(cellAt(this.layout, offsetX, offsetY));
  }

  speakOf({ query, key }) {
    this.query = query;
    this.key = key;
    store.changed();
  }

  /** The first cell of a drag says whether it lets through or hides. */
  paint(cell) {
    if (!cell) return;
    const isSeen = sees(maskNow(), cell.query, cell.key);
    this.painting ??= !isSeen;
    this.query = cell.query;
    this.key = cell.key;
    if (isSeen !== this.painting) flip(cell, this.began);
    else store.changed();
    this.began = true;
  }

  draw = (payload, focus) => {
    const { element, canvas } = this;
    element.hidden = focus.tool !== "mask";
    if (element.hidden) return;
    const T = payload.tokens.length;
    this.query = Math.min(this.query, T - 1);
    this.key = Math.min(this.key, T - 1);
    const mask = maskNow();
    this.title.textContent = maskTitle(place());
    for (const button of this.presets.querySelectorAll("[data-name]"))
      button.setAttribute("aria-pressed", String(button.getAttribute("data-name") === (mask?.how ?? "causal")));
    this.layout = drawMask(canvas, Math.min(LARGEST, element.clientWidth || LARGEST), payload.tokens, mask, this);
    const isSeen = sees(mask, this.query, this.key);
    this.words.textContent = maskSentence(payload.tokens, this.query, this.key, isSeen);
    canvas.setAttribute("aria-label", maskLabel(T, this.words.textContent));
  };
}

/** Masks to start from. */
function presets() {
  const field = { type: "number", min: "1", max: "256", value: "3", "aria-label": MASK.size };
  const size = make("input", { ...field, oninput: () => windowOf(size) });
  const button = { type: "button", className: "hs-button", text: MASK.window, "data-name": "window" };
  return make(
    "div",
    { className: "hs-mask-presets", role: "group", "aria-label": MASK.presets },
    ...["causal", "open", "first"].map(preset),
    make("span", {}, make("button", { ...button, onclick: () => windowOf(size) }), size),
  );
}

function place() {
  const { scope, layer, head } = store.focus.locked;
  return { what: scope, ...(scope !== "everywhere" && { layer }), ...(scope === "head" && { head }) };
}

/** The mask edit that counts where the editor stands. */
function maskNow() {
  const { scope, layer, head } = store.focus.locked;
  if (scope === "head") return counting(operation.edits, layer, head).mask;
  const wide = operation.edits.filter(
    (edit) =>
      isMask(edit) &&
      (edit.what === "everywhere" || (scope === "attention" && edit.what === "attention" && edit.layer === layer)),
  );
  return wide.at(-1);
}

/** Take a mask of that place away, or put one. */
function use(mask, isContinued = false) {
  const edit = { ...place(), how: "open", ...mask };
  const without = put(operation.edits, edit).slice(0, -1);
  const stays = mask || without.some(isMask); // a causal mask must be said where a wider one would count
  const T = operation.base.tokens.length;
  operation.set(
    stays ? [...without, mask ? edit : { ...edit, how: "painted", rows: rowsOf(null, T) }] : without,
    isContinued,
  );
}

function flip({ query, key }, isContinued) {
  const rows = rowsOf(maskNow(), operation.base.tokens.length);
  const cells = [...rows[query]];
  cells[key] = cells[key] === "1" ? "0" : "1";
  rows[query] = cells.join("");
  use(isCausal(rows) ? null : { how: "painted", rows }, isContinued);
}

function preset(name) {
  return make("button", {
    type: "button",
    className: "hs-button",
    text: MASK[name],
    "data-name": name,
    onclick: () => use(name === "causal" ? null : { how: name }),
  });
}

function windowOf(input) {
  const n = Math.floor(Number(input.value));
  if (n >= 1 && n <= 999) use({ how: "window", n });
}

/** What a mask lets through, and a sign on what leaks: colour is not the only cue. Returns the layout. */
export function drawMask(canvas, width, tokens, mask, { query, key }) {
  const leaks = (row, column) => Number(column > row);
  return drawMatrix(canvas, {
    ...sidesOf({ T: tokens.length, S: tokens.length, queries: tokens, keys: tokens }),
    width,
    value: leaks,
    scale: named(["seen", "bad"], isDark()),
    hidden: (row, column) => !sees(mask, row, column),
    numbers: { write: (...cell) => (leaks(...cell) ? "!" : ""), from: MARKS_FROM },
    focus: { row: query, column: key },
    cells: { largest: 34 },
  });
}
