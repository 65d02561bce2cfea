// All layers × heads as thumbnails: one button with a small canvas each, by place or by what the heads do.

import { make } from "../base/dom.mjs";
import { headOf, layerOf, thumbnailOf } from "../base/payload.mjs";
import { COUNTED } from "../base/text.mjs";
import { shareUnits } from "../color/scale.mjs";
import { drawThumbnail } from "../matrix/matrix.mjs";
import { headsOf } from "../patterns/aggregate.mjs";
import { CHOICES, move } from "../state/focus.mjs";
import { isDark, store } from "../state/store.mjs";
import { sign, sorted, worn } from "../ui/badges.mjs";
import { byRole, headTitle, PAGE, roleOption } from "./words.mjs";

export function mount(element) {
  const table = make("div", { className: "hs-grid", role: "group", "aria-label": PAGE.heads });
  const order = sorting();
  const marks = make("p", { className: "hs-hint hs-badges" });
  const several = make("p", { className: "hs-hint", text: PAGE.several });
  element.append(
    make("div", { className: "hs-view-head" }, make("h2", { text: PAGE.heads }), order),
    make("p", { className: "hs-hint", text: PAGE.headsHint }),
    table,
    marks,
    several,
  );
  let [drawn, built] = [null, null];

  store.subscribe(element, (payload, focus) => {
    const { roles } = payload;
    const [L, H] = payload.arrays.pattern.shape;
    const sort = roles.some(({ name }) => name === focus.sort) ? focus.sort : CHOICES.sort[0];
    const layout = `${store.seq}/${sort}`;
    const look = `${layout}/${isDark()}`;
    if (built !== layout) {
      built = layout;
      build(table, payload, sort, L, H);
      offer(order, roles);
      marks.replaceChildren(...legend(roles, L, H));
    }
    order.querySelector("select").value = sort;
    if (drawn !== look) {
      drawn = look;
      drawAll(table, payload);
    }
    mark(table, payload, focus);
    several.hidden = focus.by === "one" || focus.draw === "flow";
  });
}

/** The order of the heads, as a list to choose from. */
function sorting() {
  const select = make("select", {
    "aria-label": PAGE.order,
    onchange: () => store.toggle({ sort: select.value }),
  });
  return make("label", { className: "hs-sort", title: PAGE.order }, select);
}

function offer(order, roles) {
  const select = order.querySelector("select");
  const names = [CHOICES.sort[0], ...roles.map(({ name }) => name)];
  select.replaceChildren(
    ...names.map((name, i) => make("option", { value: name, text: i ? roleOption(name) : PAGE.usual })),
  );
  order.hidden = !roles.length;
}

function build(table, payload, sort, L, H) {
  const { roles } = payload;
  const byPlace = sort === CHOICES.sort[0];
  const heads = sorted(roles, sort, L, H);
  const role = roles.find(({ name }) => name === sort);
  const buttons = heads.map(([layer, head]) => thumbnail(payload, layer, head, worn(roles, layer, head)));
  table.style.setProperty("--heads", H);
  table.classList.toggle("hs-sorted", !byPlace);
  table.dataset.sort = sort;
  table.setAttribute("aria-label", byPlace ? PAGE.byPlace : byRole(sort));
  if (byPlace) {
    const axis = (text) => make("span", { className: "hs-axis", text, title: COUNTED });
    const rows = Array.from({ length: L }, (_, layer) => [
      axis(`L${layerOf(payload, layer)}`),
      ...buttons.slice(layer * H, (layer + 1) * H),
    ]);
    const names = Array.from({ length: H }, (_, head) => axis(`H${headOf(payload, head)}`));
    table.replaceChildren(make("span"), ...names, ...rows.flat());
  } else {
    table.replaceChildren(...buttons.map((button, i) => captioned(button, heads[i], role)));
  }
  table.onkeydown = (event) => onKey(event, table, heads, L, H);
}

/** In the order of a role, each head says where it is and what it scores. */
function captioned(button, /** @type {number[]} */ [layer, head], role) {
  const name = make("span", { className: "hs-axis", text: `L${layer} H${head}` });
  const score = make("span", { className: "hs-axis hs-number", text: role.scores[layer][head].toFixed(2) });
  return make("span", { className: "hs-captioned" }, button, name, score);
}

/** Arrows lead through the heads as they stand there, H in a row. */
function onKey(event, table, heads, L, H) {
  const { layer, head } = store.focus.locked;
  const index = heads.findIndex(([l, h]) => l === layer && h === head);
  const next = move(event.key, Math.floor(index / H), index % H, L, H);
  if (!next) return;
  event.preventDefault();
  const [nextLayer, nextHead] = heads[next[0] * H + next[1]];
  store.toggle(oneHead(nextLayer, nextHead));
  buttonOf(table, nextLayer, nextHead).focus();
}

function thumbnail(payload, layer, head, roles) {
  const names = roles.map(({ name }) => name);
  const title = headTitle(layerOf(payload, layer), headOf(payload, head));
  const badges = roles.map(({ name }) =>
    make("span", { className: "hs-mark", "aria-hidden": "true", "data-sign": sign(name) }),
  );
  return make(
    "button",
    {
      type: "button",
      "data-layer": layer,
      "data-head": head,
      "aria-label": title,
      title: names.length ? `${title}: ${names.join(", ")}` : null,
      onmouseenter: () => store.preview(oneHead(layer, head)),
      onmouseleave: () => store.preview({}),
      onclick: () => store.toggle(oneHead(layer, head)),
    },
    make("canvas"),
    ...(badges.length ? [make("span", { className: "hs-marks" }, ...badges)] : []),
  );
}

/** Who chooses a head wants to see it: what is drawn of all heads at once gives way. */
function oneHead(layer, head) {
  const { draw, by, over } = store.focus.locked;
  return {
    layer,
    head,
    ...(draw === "flow" && { draw: "matrix" }),
    ...(by !== "one" && over === "all" && { by: "one" }),
  };
}

const buttonOf = (table, layer, head) => table.querySelector(`[data-layer="${layer}"][data-head="${head}"]`);

/** Which heads are shown, and which one is kept. */
function mark(table, payload, focus) {
  const { locked } = store.focus;
  const everything = locked.draw === "flow";
  const shown = new Set((focus.draw === "neuron" ? [[focus.layer, focus.head]] : headsOf(payload, focus)).map(String));
  for (const button of table.querySelectorAll("button")) {
    const { layer, head } = button.dataset;
    const kept = +layer === locked.layer && +head === locked.head;
    button.classList.toggle("hs-shown", focus.draw === "flow" || shown.has(`${layer},${head}`));
    button.setAttribute("aria-pressed", String(kept && !everything));
    button.tabIndex = kept ? 0 : -1;
  }
}

/** What the signs mean: those that heads of this model wear. */
function legend(roles, L, H) {
  const heads = sorted(roles, null, L, H).flatMap(([layer, head]) => worn(roles, layer, head));
  const names = roles.filter((role) => heads.includes(role)).map(({ name }) => name);
  if (!names.length) return [];
  return [
    make("span", { text: PAGE.badges }),
    ...names.map((name) =>
      make("span", { className: "hs-badge" }, make("span", { className: "hs-mark", text: sign(name) }), ` ${name}`),
    ),
  ];
}

function drawAll(table, payload) {
  const scale = shareUnits(isDark());
  for (const button of table.querySelectorAll("button")) {
    const { layer, head } = button.dataset;
    drawThumbnail(button.querySelector("canvas"), { ...thumbnailOf(payload, +layer, +head), scale });
  }
}
