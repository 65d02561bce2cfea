// A mask, painted by hand: a row for each query, a column for each key. Dragging paints, arrows move, space flips.

import { choice } from "../ui/choice.mjs";
import { make } from "../base/dom.mjs";
import { move } from "../state/focus.mjs";
import { isMask, counting, isCausal, placeName, put, rowsOf, sees } from "./edits.mjs";
import { cellIn, drawMap } from "../matrix/surgery_map.mjs";
import { operation } from "./state.mjs";
import { isDark, store } from "../state/store.mjs";
import { label, quoted } from "../base/text.mjs";

const SCOPES = { head: "This head", attention: "This layer", everywhere: "All heads" };
const LARGEST = 460; // px
const MARKS_FROM = 8; // px: cells at least this wide carry a sign where they leak
// as little-endian RGBA, of surgery.css: a token that may be seen, and one that comes later and may be seen
const SEEN = { false: 0xffd9a58f, true: 0xff8a4a63 };
const LEAK = { false: 0xff1c6fe8, true: 0xff3c92fb };

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
  const legend = make(
    "div",
    { className: "hs-legend" },
    key("hs-mask-seen", "may be looked at"),
    key("hs-mask-leak", "! comes later, and may be looked at: a leak"),
    key("hs-hatch", "hidden"),
  );
  const element = make(
    "div",
    { className: "hs-mask-editor" },
    title,
    choice("scope", SCOPES, "Whose mask"),
    presets,
    make("p", {
      className: "hs-hint",
      text: "Row: the token that looks. Column: the token that is looked at. Press or drag to hide or let through; with the keyboard, arrows move and space flips.",
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
    paint(cellIn(at.layout, event.offsetX, event.offsetY));
  });
  canvas.addEventListener("pointermove", (event) => {
    const cell = cellIn(at.layout, event.offsetX, event.offsetY);
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
    at.layout = drawMap(canvas, Math.min(LARGEST, element.clientWidth || LARGEST), payload.tokens, pixels(mask, T), at);
    markLeaks(canvas.getContext("2d"), at.layout, mask);
    const [from, to] = [at.query, at.key].map((i) => quoted(label(payload.tokens[i], 24)));
    const seen = sees(mask, at.query, at.key);
    words.textContent = `${from} (place ${at.query}) ${seen ? "sees" : "does not see"} ${to} (place ${at.key})${seen && at.key > at.query ? ", which comes later: a leak" : ""}.`;
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

function pixels(mask, T) {
  const [seen, leak] = [SEEN[isDark()], LEAK[isDark()]];
  return Uint32Array.from({ length: T * T }, (_, i) => {
    const [query, key] = [Math.floor(i / T), i % T];
    return sees(mask, query, key) ? (key > query ? leak : seen) : 0;
  });
}

/** A sign on what leaks: colour is not the only cue. */
function markLeaks(context, { left, top, cell, T }, mask) {
  if (cell < MARKS_FROM) return;
  context.font = `bold ${Math.min(14, cell - 2)}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillStyle = "#000";
  for (let query = 0; query < T; query++) {
    for (let key = query + 1; key < T; key++)
      if (sees(mask, query, key)) context.fillText("!", left + (key + 0.5) * cell, top + (query + 0.5) * cell);
  }
}

function key(className, text) {
  return make("span", { className: "hs-legend-part" }, make("span", { className }), make("span", { text }));
}
