// A mask, painted by hand: a row for each query, a column for each key. Dragging paints, arrows move, space flips.

import { make } from "../base/dom.mjs";
import { label, quoted } from "../base/text.mjs";
import { hatched, legend as row, sign } from "../color/legend.mjs";
import { named } from "../color/scale.mjs";
import { pairOf, sidesOf } from "../matrix/channels.mjs";
import { cellAt } from "../matrix/layout.mjs";
import { drawMatrix } from "../matrix/matrix.mjs";
import { move } from "../state/focus.mjs";
import { isDark, store } from "../state/store.mjs";
import { choice } from "../ui/choice.mjs";
import { counting, isCausal, isMask, placeName, put, rowsOf, sees } from "./edits.mjs";
import { operation } from "./state.mjs";

const SCOPES = { head: "This head", attention: "This layer", everywhere: "All heads" };
const LARGEST = 460; // px
const MARKS_FROM = 8; // px: cells at least this wide carry a sign where they leak

export function maskEditor() {
  const at = { query: 0, key: 0, painting: null, layout: null, began: false };
  const title = make("h3");
  const size = make("input", {
    type: "number",
    min: "1",
    max: "256",
    value: "3",
    "aria-label": "How many tokens the window has",
    oninput: () => windowOf(size),
  });
  const presets = make(
    "div",
    { className: "hs-mask-presets", role: "group", "aria-label": "Masks to start from" },
    preset("Causal (normal)", "causal"),
    preset("Let the future through", "open"),
    preset("First token only", "first"),
    make(
      "span",
      {},
      make("button", {
        type: "button",
        className: "hs-button",
        text: "Window of",
        "data-name": "window",
        onclick: () => windowOf(size),
      }),
      size,
    ),
  );
  const canvas = make("canvas", { tabindex: "0", role: "application" });
  const words = make("p", { className: "hs-cell", "aria-live": "polite" });
  const legend = row(
    sign("hs-mask-seen", "may be looked at"),
    sign("hs-mask-leak", "! comes later, and may be looked at: a leak"),
    hatched("hidden"),
  );
  const element = make(
    "div",
    { className: "hs-mask-editor" },
    title,
    choice("scope", SCOPES, "Whose mask"),
    presets,
    make("p", {
      className: "hs-hint",
      text:
        "Row: the token that looks. Column: the token that is looked at. Press or drag to hide or let " +
        "through; with the keyboard, arrows move and space flips.",
    }),
    canvas,
    words,
    legend,
  );

  const paint = (cell) => {
    if (!cell) return;
    Object.assign(at, cell);
    if (at.painting === null) at.painting = !sees(maskNow(), cell.query, cell.key);
    if (sees(maskNow(), cell.query, cell.key) !== at.painting) flip(cell, at.began);
    else store.changed();
    at.began = true;
  };
  canvas.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    canvas.focus();
    canvas.setPointerCapture(event.pointerId);
    Object.assign(at, { painting: null, began: false });
    paint(pairOf(cellAt(at.layout, event.offsetX, event.offsetY)));
  });
  canvas.addEventListener("pointermove", (event) => {
    const cell = pairOf(cellAt(at.layout, event.offsetX, event.offsetY));
    if (event.buttons && at.began) paint(cell);
    else if (cell && (cell.query !== at.query || cell.key !== at.key)) {
      Object.assign(at, cell);
      store.changed();
    }
  });
  canvas.addEventListener("keydown", (event) => {
    const T = operation.base.tokens.length;
    const next = move(event.key, at.query, at.key, T, T);
    if (!next && event.key !== " ") return;
    event.preventDefault();
    if (next) [at.query, at.key] = next;
    else flip(at, false);
    store.changed();
  });

  const draw = (payload, focus) => {
    element.hidden = focus.tool !== "mask";
    if (element.hidden) return;
    const T = payload.tokens.length;
    Object.assign(at, { query: Math.min(at.query, T - 1), key: Math.min(at.key, T - 1) });
    const mask = maskNow();
    title.textContent = `Mask of ${placeName(place()).toLowerCase()}`;
    for (const button of presets.querySelectorAll("[data-name]"))
      button.setAttribute("aria-pressed", String(button.dataset.name === (mask?.how ?? "causal")));
    at.layout = drawMask(canvas, Math.min(LARGEST, element.clientWidth || LARGEST), payload.tokens, mask, at);
    const [from, to] = [at.query, at.key].map((i) => quoted(label(payload.tokens[i], 24)));
    const seen = sees(mask, at.query, at.key);
    words.textContent =
      `${from} (place ${at.query}) ${seen ? "sees" : "does not see"} ${to} (place ` +
      `${at.key})${seen && at.key > at.query ? ", which comes later: a leak" : ""}.`;
    canvas.setAttribute("aria-label", `Mask for ${T} tokens. ${words.textContent}`);
  };
  return { element, draw };
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

function preset(text, name) {
  return make("button", {
    type: "button",
    className: "hs-button",
    text,
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
