// What can be cut: a button for every head, each layer's attention and its MLP; and the edits that were made.

import { make } from "../base/dom.mjs";
import { move } from "../state/focus.mjs";
import { store } from "../state/store.mjs";
import { counting, editName, fitsMlp, HOWS, placeName, toggle } from "./edits.mjs";
import { operation } from "./state.mjs";

const WHOLE = { what: "everywhere" };

export function board() {
  const about = make("p", { className: "hs-hint" });
  const grid = make("div", {
    className: "hs-cut-grid",
    role: "group",
    "aria-label": "Heads, attention and MLP of every layer",
  });
  const all = make("button", {
    type: "button",
    className: "hs-cut-all",
    text: "All heads of all layers",
    onclick: () => press(WHOLE),
  });
  const chips = make("ul", { className: "hs-cut-chips", "aria-label": "What is changed" });
  const tools = make(
    "div",
    { className: "hs-cut-tools" },
    ...[
      ["Undo", "undo"],
      ["Redo", "redo"],
      ["Reset", "reset"],
    ].map(([text, name]) =>
      make("button", {
        type: "button",
        className: "hs-button",
        text,
        "data-name": name,
        onclick: () => operation[name](),
      }),
    ),
  );
  const element = make("div", {}, about, grid, all, chips, tools);
  grid.addEventListener("keydown", (event) => walk(event, grid));

  const draw = (payload, focus) => {
    const [L, H] = payload.arrays.pattern.shape;
    if (grid.dataset.shape !== `${L}x${H}`) build(grid, L, H);
    about.textContent = HOWS[focus.tool].about;
    for (const button of grid.querySelectorAll("button")) paint(button, focus);
    chips.replaceChildren(...operation.edits.map(chip));
    if (!operation.edits.length)
      chips.append(
        make("li", {
          className: "hs-hint",
          text: "Nothing is changed yet: press a head, for example H1 in the row L1.",
        }),
      );
    const [undo, redo, reset] = tools.children;
    undo.disabled = !operation.past.length;
    redo.disabled = !operation.future.length;
    reset.disabled = !operation.edits.length;
  };
  return { element, draw };
}

function build(grid, L, H) {
  grid.dataset.shape = `${L}x${H}`;
  grid.style.setProperty("--heads", H);
  const heads = Array.from({ length: H }, (_, head) => head);
  const names = [...heads.map((head) => `H${head + 1}`), "All", "MLP"];
  grid.replaceChildren(make("span"), ...names.map((text) => make("span", { className: "hs-axis", text })));
  for (let layer = 0; layer < L; layer++) {
    const places = [
      ...heads.map((head) => ({ what: "head", layer, head })),
      { what: "attention", layer },
      { what: "mlp", layer },
    ];
    grid.append(
      make("span", { className: "hs-axis", text: `L${layer + 1}` }),
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
    onclick: () => press(place),
  });
  button.place = place;
  return button;
}

/** Its sign, and whether the tool can be used on it. */
function paint(button, focus) {
  const { what, layer, head } = button.place;
  const { change, mask } =
    what === "attention" ? ofLayer(layer) : counting(operation.edits, layer, what === "mlp" ? null : head);
  const signs = [change && HOWS[change.how].sign, mask && HOWS.mask.sign].filter(Boolean);
  button.textContent = signs.join("");
  button.disabled = what === "mlp" && !fitsMlp(focus.tool);
  button.classList.toggle("hs-cut", signs.length > 0);
  button.classList.toggle("hs-shown", what === "head" && layer === focus.layer && head === focus.head);
  button.setAttribute("aria-pressed", signs.length > 0);
  const state = [change, mask]
    .filter(Boolean)
    .map((edit) => editName(edit).split(": ")[1])
    .join(", ");
  button.setAttribute("aria-label", `${placeName(button.place)}: ${state || "as it is"}`);
  button.title = button.getAttribute("aria-label");
}

function ofLayer(layer) {
  const wide = operation.edits.filter((edit) => edit.what !== "head");
  return counting(wide, layer, 0);
}

function press(place) {
  const { tool } = store.focus.locked;
  const { layer, head } = place;
  store.focus.preview = {};
  Object.assign(store.focus.locked, layer !== undefined && { layer }, head !== undefined && { head });
  if (tool === "mask") store.focus.locked.scope = place.what;
  else
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
    "aria-label": `Undo: ${editName(edit)}`,
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
