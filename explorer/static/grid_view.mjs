// All layers × heads as thumbnails: one button with a small canvas each.

import { paint, palette } from "./color.mjs";
import { make } from "./dom.mjs";
import { move } from "./focus.mjs";
import { headBlock } from "./payload.mjs";
import { isDark, store } from "./store.mjs";

export function mount(element) {
  const table = make("div", { className: "hs-grid", role: "grid", "aria-label": "All heads: one row for each layer" });
  element.append(
    make("h2", { text: "All heads" }),
    make("p", { className: "hs-hint", text: "Each picture is one head: a row for each token, dark where that token looks. Point to preview, click to keep." }),
    table,
  );
  let drawn = null;

  store.subscribe(element, (payload, focus) => {
    const [L, H, T] = payload.arrays.pattern.shape;
    if (table.dataset.shape !== `${L}x${H}`) build(table, L, H);
    const look = `${store.seq}/${isDark()}`;
    if (drawn !== look) {
      drawn = look;
      drawAll(table, payload, L, H, T);
    }
    for (const button of table.querySelectorAll("button")) {
      const { layer, head } = button.dataset;
      const { locked } = store.focus;
      button.classList.toggle("hs-shown", focus.draw === "flow" || (+layer === focus.layer && +head === focus.head));
      const kept = +layer === locked.layer && +head === locked.head;
      button.setAttribute("aria-pressed", kept && locked.draw !== "flow");
      button.tabIndex = kept ? 0 : -1;
    }
  });
}

function build(table, L, H) {
  table.dataset.shape = `${L}x${H}`;
  table.style.setProperty("--heads", H);
  const names = Array.from({ length: H }, (_, h) => make("span", { className: "hs-axis", text: `H${h + 1}` }));
  table.replaceChildren(make("span"), ...names);
  for (let layer = 0; layer < L; layer++) {
    table.append(make("span", { className: "hs-axis", text: `L${layer + 1}` }));
    for (let head = 0; head < H; head++) table.append(thumbnail(layer, head));
  }
  table.onkeydown = (event) => {
    const { layer, head } = store.focus.locked;
    const next = move(event.key, layer, head, L, H);
    if (!next) return;
    event.preventDefault();
    store.toggle(oneHead(next[0], next[1]));
    table.querySelector(`[data-layer="${next[0]}"][data-head="${next[1]}"]`).focus();
  };
}

function thumbnail(layer, head) {
  return make("button", {
    type: "button",
    "data-layer": layer,
    "data-head": head,
    "aria-label": `Layer ${layer + 1}, head ${head + 1}`,
    onmouseenter: () => store.preview(oneHead(layer, head)),
    onmouseleave: () => store.preview({}),
    onclick: () => store.toggle(oneHead(layer, head)),
  }, make("canvas"));
}

/** Who chooses a head wants to see it: the flow is of all heads. */
function oneHead(layer, head) {
  return { layer, head, ...(store.focus.locked.draw === "flow" && { draw: "matrix" }) };
}

function drawAll(table, payload, L, H, T) {
  const colors = palette(isDark());
  const image = new ImageData(T, T);
  const pixels = new Uint32Array(image.data.buffer);
  for (const canvas of table.querySelectorAll("canvas")) {
    const { layer, head } = canvas.parentElement.dataset;
    canvas.width = canvas.height = T;
    paint(headBlock(payload, +layer, +head), T, colors, pixels);
    canvas.getContext("2d").putImageData(image, 0, 0);
  }
}
