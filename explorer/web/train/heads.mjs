// All heads of a stack at one step as thumbnails, with the badges that they wear at that step.

import { make } from "../base/dom.mjs";
import { sequential } from "../color/scale.mjs";
import { drawThumbnail } from "../matrix/matrix.mjs";
import { move } from "../state/focus.mjs";
import { sign, worn } from "../ui/badges.mjs";
import { badgesLabel, HEADS, headsHint, headsLabel } from "./words.mjs";

export class HeadsAtStep {
  /** `choose(layer, head)` is called when one is pressed; `advice` says what to do then. */
  constructor(choose, advice = HEADS.advice) {
    this.choose = choose;
    this.table = make("div", { className: "hs-grid", role: "group" });
    this.marks = make("p", { className: "hs-hint hs-badges" });
    this.element = make(
      "section",
      { className: "hs-tl-heads" },
      make("h3", { text: HEADS.title }),
      make("p", { className: "hs-hint", text: headsHint(advice) }),
      this.table,
      this.marks,
    );
    this.table.addEventListener("keydown", (event) => this.key(event));
  }

  /** `part` is a stack at the step, `roles` what its heads score there, `chosen` = {layer, head}. */
  draw(part, roles, chosen, dark) {
    const [L, H] = part.shape;
    const layout = `${part.name}/${L}/${H}`;
    if (this.layout !== layout) this.build(part, layout);
    this.size = [L, H];
    const scale = sequential(dark);
    for (const button of this.table.querySelectorAll("button")) {
      const [layer, head] = [Number(button.dataset.layer), Number(button.dataset.head)];
      const block = part.block(layer, head);
      drawThumbnail(button.querySelector("canvas"), {
        rows: part.T,
        columns: part.S,
        value: (query, key) => block[query * part.S + key] / 65535,
        scale,
        hidden: (query, key) => part.mask[query * part.S + key] === 0,
      });
      this.dress(button, layer, head, worn(roles, layer, head));
      const isChosen = layer === chosen.layer && head === chosen.head;
      button.setAttribute("aria-pressed", String(isChosen));
      button.tabIndex = isChosen ? 0 : -1;
    }
    this.marks.replaceChildren(...legend(roles, L, H));
  }

  build(part, layout) {
    this.layout = layout;
    const [L, H] = part.shape;
    const axis = (text) => make("span", { className: "hs-axis", text });
    const button = (layer, head) =>
      make(
        "button",
        { type: "button", "data-layer": layer, "data-head": head, onclick: () => this.choose(layer, head) },
        make("canvas"),
        make("span", { className: "hs-marks" }),
      );
    const row = (layer) => [axis(`L${layer}`), ...range(H).map((head) => button(layer, head))];
    this.table.style.setProperty("--heads", H);
    this.table.setAttribute("aria-label", headsLabel(part.title));
    this.table.replaceChildren(make("span"), ...range(H).map((head) => axis(`H${head}`)), ...range(L).flatMap(row));
  }

  dress(button, layer, head, roles) {
    const names = roles.map(({ name }) => name);
    const badges = names.map((name) =>
      make("span", { className: "hs-mark", "aria-hidden": "true", "data-sign": sign(name) }),
    );
    const said = badgesLabel(layer, head, names);
    button.querySelector(".hs-marks").replaceChildren(...badges);
    button.setAttribute("aria-label", said);
    button.title = said;
  }

  key(event) {
    const { layer, head } = event.target.dataset; // not what is drawn: a second key may come before the next frame
    const next = move(event.key, Number(layer), Number(head), ...this.size);
    if (!next) return;
    event.preventDefault();
    this.choose(...next);
    this.table.querySelector(`[data-layer="${next[0]}"][data-head="${next[1]}"]`).focus();
  }
}

/** What the signs mean: those that heads wear at this step. */
function legend(roles, L, H) {
  const names = roles
    .filter(({ lifts, threshold }) => range(L).some((l) => range(H).some((h) => lifts[l][h] >= threshold)))
    .map(({ name }) => name);
  if (!roles.length) return [];
  if (!names.length) return [make("span", { text: HEADS.noBadge })];
  return [
    make("span", { text: HEADS.badges }),
    ...names.map((name) =>
      make("span", { className: "hs-badge" }, make("span", { className: "hs-mark", text: sign(name) }), ` ${name}`),
    ),
  ];
}

const range = (count) => Array.from({ length: count }, (_, i) => i);
