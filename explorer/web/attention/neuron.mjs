// Why a head looks where it looks: q and k of a pair of tokens, their products, their sum, and what softmax makes of
// it; and the products of every key of the query under each other.

import { make } from "../base/dom.mjs";
import { lastSeen } from "../base/payload.mjs";
import { label } from "../base/text.mjs";
import { move } from "../state/focus.mjs";
import { layered } from "../state/layers.mjs";
import { isDark, store } from "../state/store.mjs";
import { whenDrawn } from "../state/when_drawn.mjs";
import { choice } from "../ui/choice.mjs";
import { foldedTable, table } from "../ui/table.mjs";
import { neuronKeys } from "./neuron_keys.mjs";
import { largest, orderOf, rowOf, strongest } from "./neuron_math.mjs";
import { strip, stripScale } from "./neuron_strip.mjs";
import { dimensionText, firstText, signed, steps } from "./neuron_words.mjs";
import { NEURON, pairLabel } from "./words.mjs";

/** Seen while focus.draw is "neuron"; only then q and k are fetched. */
export function neuronView() {
  const element = make("div", { className: "hs-view hs-neuron", "data-view": "neuron_view" });
  let view = null; // built when there is something to show: until then the page says that it is being computed
  return whenDrawn(
    "neuron",
    element,
    (payload, focus, part) => {
      view ??= build(element);
      draw(view, payload, focus, part);
    },
    layered("neurons"),
  );
}

function build(element) {
  const tools = { pointed: (dim) => store.preview({ dim }), clicked: (dim) => store.toggle({ dim }) };
  const view = /** @type {any} */ ({ element, q: strip(tools), k: strip(tools), product: strip(tools) });
  view.about = make("p", { className: "hs-neuron-about" });
  view.steps = Array.from({ length: 5 }, () => make("div", { className: "hs-step-words" }));
  view.names = { q: make("span"), k: make("span") };
  view.sum = make("span", { className: "hs-number" });
  view.ends = [make("span"), make("span")];
  view.pair = make("div", {
    className: "hs-neuron-pair",
    tabindex: "0",
    role: "img",
    onmouseleave: () => store.preview({}),
    onkeydown: (event) => onKey(event, view),
  });
  const line = (name, one, end = "") => make("div", { className: "hs-neuron-row" }, name, one.element, end);
  view.pair.append(
    line(view.names.q, view.q),
    line(view.names.k, view.k),
    line(make("span", { text: "q × k" }), view.product, view.sum),
    make(
      "div",
      { className: "hs-neuron-row hs-neuron-ends" },
      make("span", { text: "dimension" }),
      make("span", {}, ...view.ends),
    ),
  );
  view.dimension = make("p", { className: "hs-dim-read", "aria-live": "polite" });
  view.scales = make("div", { className: "hs-neuron-scales" });
  view.keys = neuronKeys();
  view.table = foldedTable(NEURON.pair, () => store.changed(), "hs-dim-table");
  const list = make("ol", { className: "hs-steps-list" }, ...view.steps.map((words) => make("li", {}, words)));
  const sort = make(
    "div",
    { className: "hs-lines-row" },
    make("span", { className: "hs-lines-name", text: "dimensions" }),
    choice("dims", NEURON.orders, NEURON.order),
  );
  element.append(view.about, sort, view.pair, view.dimension, view.scales, list, view.table, view.keys.element);
  return view;
}

function draw(view, payload, focus, part) {
  const query = store.query(focus);
  const row = rowOf(part, focus, query);
  const { locked } = store.focus;
  const key = focus.key ?? strongest(row);
  const pair = row.keys[key];
  const kept = row.keys[locked.key ?? strongest(row)]; // its order stays while others are pointed at
  const order = orderOf(kept.products, focus.dims);
  const dim = focus.dim !== null && focus.dim < row.D ? focus.dim : null;
  const at = { payload, part, focus, query, key, row, pair, dim, order };

  view.state = at;
  view.about.textContent = firstText(at);
  for (const [i, parts] of steps(at).entries()) view.steps[i].replaceChildren(...parts);
  paintPair(view, at);
  view.dimension.replaceChildren(...dimensionText(at));
  markDimension(view.element, order, dim);
  view.keys.draw(at);
  view.table.fill(() => tableOf(at));
}

function paintPair(view, { payload, focus, row, pair, order, query, key }) {
  const vectors = largest([row.q, ...row.keys.map(({ k }) => k)]);
  const products = largest(row.keys.map((one) => one.products));
  view.q.paint(row.q, order, vectors);
  view.k.paint(pair.k, order, vectors);
  view.product.paint(pair.products, order, products);
  view.names.q.replaceChildren(...nameOf("q", payload.tokens[query]));
  view.names.k.replaceChildren(...nameOf("k", payload.tokens[key]));
  view.sum.textContent = `Σ = ${signed(pair.dot)}`;
  const ends = focus.dims === "size" ? NEURON.ends : ["0", String(row.D - 1)];
  for (const [i, end] of view.ends.entries()) end.textContent = ends[i];
  view.pair.setAttribute("aria-label", pairLabel(row.D, signed(pair.dot)));
  const look = [store.seq, focus.layer, focus.head, query, isDark()].join();
  if (view.look === look) return;
  view.look = look;
  view.scales.replaceChildren(stripScale("q, k", vectors), stripScale("q × k", products));
}

function nameOf(letter, token) {
  return [
    make("b", { className: `hs-is-${letter}`, text: letter }),
    make("span", { text: " of " }),
    make("span", { dir: "auto", text: label(token, 10) }),
  ];
}

/** Outlines the chosen dimension in every strip. */
function markDimension(element, order, dim) {
  element.classList.toggle("hs-has-dim", dim !== null);
  element.style.setProperty("--dim-at", `${(order.indexOf(dim) / order.length) * 100}%`);
  element.style.setProperty("--dim-wide", `${100 / order.length}%`);
}

/**
 * Left and right read one dimension after the other, up and down one key after the other; Enter lets go of the
 * dimension.
 */
function onKey(event, { state: { order, key, query } }) {
  const { locked } = store.focus;
  if (event.key === "Enter" && locked.dim !== null) store.toggle({ dim: locked.dim });
  const last = lastSeen(store.payload, query);
  const next = move(event.key, Math.min(key, last), order.indexOf(locked.dim), last + 1, order.length);
  if (!next) return;
  event.preventDefault();
  Object.assign(
    locked,
    event.key === "ArrowUp" || event.key === "ArrowDown" ? { key: next[0] } : { dim: order[Math.max(next[1], 0)] },
  );
  store.preview({});
}

function tableOf({ row, pair, order }) {
  const numbers = (d) => [row.q[d], pair.k[d], pair.products[d]].map(signed);
  return table({
    label: NEURON.pairTable,
    columns: ["dimension", "q", "k", "q × k"],
    rows: order.map((d) => [String(d), ...numbers(d)]),
  });
}
