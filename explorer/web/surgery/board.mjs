// The head grid as what can be cut: a button for every head, each layer's attention and its MLP; and the edits made.

import { make } from "../base/dom.mjs";
import { thumbnailOf } from "../base/payload.mjs";
import { shareUnits } from "../color/scale.mjs";
import { drawThumbnail } from "../matrix/matrix.mjs";
import { move } from "../state/focus.mjs";
import { isDark, store } from "../state/store.mjs";
import { counting, editName, fits, HOWS, toggle } from "./edits.mjs";
import { operation } from "./state.mjs";
import { cutLabel, PAGE, undoLabel } from "./words.mjs";

const WHOLE = { what: "everywhere" };
const TOOLS = [
  ["Undo", "undo"],
  ["Redo", "redo"],
  ["Reset", "reset"],
];

/** The heads, while they are what is changed. */
export function mount(element) {
  const grid = make("div", { className: "hs-cut-grid", role: "group", "aria-label": PAGE.board });
  const all = make("button", {
    type: "button",
    className: "hs-cut-all",
    text: PAGE.everywhere,
    onclick: () => press(WHOLE),
  });
  element.append(
    make("h2", { text: PAGE.heads }),
    make("p", { className: "hs-hint", text: PAGE.headsHint }),
    grid,
    all,
  );
  grid.addEventListener("keydown", (event) => walk(event, grid));
  let drawn = "";

  store.subscribe(element, (payload, focus) => {
    operation.sees(payload, focus);
    const [L, H] = payload.arrays.pattern.shape;
    if (grid.dataset.shape !== `${L}x${H}`) build(grid, L, H);
    for (const button of grid.querySelectorAll("button")) paint(button, focus);
    const shown = operation.result ?? operation.base;
    const look = `${store.seq}/${isDark()}/${grid.dataset.shape}/${operation.arrivals}`;
    if (look !== drawn) for (const canvas of grid.querySelectorAll("canvas")) drawHead(canvas, shown);
    drawn = look;
  });
}

/** What is changed, as chips, and the way back. */
export function changes() {
  const chips = make("ul", { className: "hs-cut-chips", "aria-label": PAGE.changes });
  const tool = ([text, name]) =>
    make("button", {
      type: "button",
      className: "hs-button",
      text,
      "data-name": name,
      onclick: () => operation[name](),
    });
  const tools = make("div", { className: "hs-cut-tools" }, ...TOOLS.map(tool));
  const element = make("div", {}, chips, tools);
  const draw = () => {
    chips.replaceChildren(...operation.edits.map(chip));
    const [undo, redo, reset] = tools.children;
    undo.disabled = !operation.past.length;
    redo.disabled = !operation.future.length;
    reset.disabled = !operation.edits.length;
  };
  return { element, draw };
}

function drawHead(canvas, payload) {
  const { layer, head } = canvas.parentElement.place;
  const seen = payload.arrays.reach ? { ...payload, mask: "none" } : payload; // a mask may let the future through
  drawThumbnail(canvas, { ...thumbnailOf(seen, layer, head), scale: shareUnits(isDark()) });
}

function build(grid, L, H) {
  grid.dataset.shape = `${L}x${H}`;
  grid.style.setProperty("--heads", H);
  const heads = Array.from({ length: H }, (_, head) => head);
  const names = [...heads.map((head) => `H${head}`), "All", "MLP"];
  grid.replaceChildren(make("span"), ...names.map((text) => make("span", { className: "hs-axis", text })));
  for (let layer = 0; layer < L; layer++) {
    const places = [
      ...heads.map((head) => ({ what: "head", layer, head })),
      { what: "attention", layer },
      { what: "mlp", layer },
    ];
    grid.append(
      make("span", { className: "hs-axis", text: `L${layer}` }),
      ...places.map((place, column) => cell(place, layer, column)),
    );
  }
}

function cell(place, row, column) {
  const button = make("button", {
    type: "button",
    "data-row": row,
    "data-column": column,
    tabindex: row + column ? "-1" : "0",
    onclick: (event) => (event.shiftKey && place.what === "head" ? watch(place) : press(place)),
  });
  const { layer, head } = place;
  if (place.what === "head") {
    button.append(make("canvas"));
    button.addEventListener("mouseenter", () => store.preview({ layer, head }));
    button.addEventListener("mouseleave", () => store.preview({}));
  }
  button.append(make("span", { className: "hs-cut-sign", "aria-hidden": "true" }));
  button.place = place;
  return button;
}

const watch = ({ layer, head }) => store.toggle({ layer, head });

/** Its sign, and whether the tool can be used on it. */
function paint(button, focus) {
  const { what, layer, head } = button.place;
  const { change, mask } =
    what === "attention" ? ofLayer(layer) : counting(operation.edits, layer, what === "mlp" ? null : head);
  const signs = [change && HOWS[change.how].sign, mask && HOWS.mask.sign].filter(Boolean);
  button.lastElementChild.textContent = signs.join("");
  button.disabled = !fits(focus.tool, what);
  button.classList.toggle("hs-cut", signs.length > 0);
  button.classList.toggle("hs-shown", what === "head" && layer === focus.layer && head === focus.head);
  button.setAttribute("aria-pressed", signs.length > 0);
  const state = [change, mask]
    .filter(Boolean)
    .map((edit) => editName(edit).split(": ")[1])
    .join(", ");
  button.setAttribute("aria-label", cutLabel(button.place, state, signs));
  button.title = button.getAttribute("aria-label");
}

function ofLayer(layer) {
  const wide = operation.edits.filter((edit) => edit.what !== "head");
  return counting(wide, layer, 0);
}

function press(place) {
  const { tool } = store.focus.locked;
  const { layer, head } = place;
  if (tool === "mask") {
    store.focus.preview = {};
    Object.assign(store.focus.locked, layer !== undefined && { layer }, head !== undefined && { head });
    store.focus.locked.scope = place.what;
  } else
    operation.set(
      toggle(operation.edits, {
        what: place.what,
        how: tool,
        ...(layer !== undefined && { layer }),
        ...(head !== undefined && { head }),
      }),
    );
  store.changed();
}

function chip(edit) {
  const remove = make("button", {
    type: "button",
    text: "×",
    "aria-label": undoLabel(edit),
    onclick: () => operation.set(operation.edits.filter((other) => other !== edit)),
  });
  return make("li", { className: "hs-cut-chip" }, make("span", { text: editName(edit) }), remove);
}

function walk(event, grid) {
  const { row, column } = event.target.dataset;
  const [L, H] = grid.dataset.shape.split("x").map(Number);
  const next = move(event.key, Number(row), Number(column), L, H + 2);
  if (!next) return;
  event.preventDefault();
  const button = grid.querySelector(`[data-row="${next[0]}"][data-column="${next[1]}"]`);
  event.target.tabIndex = -1;
  button.tabIndex = 0;
  button.focus();
}
