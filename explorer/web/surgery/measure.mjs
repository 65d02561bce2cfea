// What takes seconds: the effect on held-out sentences, and the sweep over all heads and MLPs. Both stream, one at a
// time, and can be cancelled.

import { make } from "../base/dom.mjs";
import { diverging } from "../color/scale.mjs";
import { ask, isAborted } from "../state/ask.mjs";
import { isDark, store } from "../state/store.mjs";
import { paintCell, table } from "../ui/table.mjs";
import { hint } from "../ui/terms.mjs";
import { placeName } from "./edits.mjs";
import { operation } from "./state.mjs";
import {
  doneSentence,
  effectHint,
  effectParts,
  intervalText,
  MEASURE,
  progressSentence,
  rankingCaption,
  signed,
  sweepTitle,
} from "./words.mjs";

export const measureCard = () => new Measurement();

class Measurement {
  kind = null; // "effect" or "sweep" while one is being measured
  started = 0;
  controller = null;
  found = { model: null, effect: null, edits: null, sweep: null };

  constructor() {
    const button = (text, name, onclick) =>
      make("button", { type: "button", className: "hs-button", text, "data-name": name, onclick });
    this.go = button(MEASURE.go, "effect", () => this.start("effect", { edits: operation.edits }));
    this.ranks = Object.entries(MEASURE.ranks).map(([how, text]) =>
      button(text, `sweep-${how}`, () => this.start("sweep", { how })),
    );
    this.bar = make("progress", { max: "1", value: "0" });
    this.state = make("span", { className: "hs-hint", role: "status" });
    const cancel = button("Cancel", "cancel", () => this.stop(MEASURE.cancelled));
    this.running = make("div", { className: "hs-job", hidden: "" }, this.bar, cancel);
    this.result = make("div", { className: "hs-effect" });
    this.grid = make("div", { className: "hs-sweep-grid", role: "group", "aria-label": MEASURE.effects });
    const labels = { tabindex: "0", role: "region", "aria-label": MEASURE.ranking };
    this.ranking = make("div", { className: "hs-sweep-table", ...labels });
    this.element = make(
      "section",
      { className: "hs-measure" },
      make("h3", { text: MEASURE.title }),
      hint(MEASURE.about),
      make("div", { className: "hs-cut-tools" }, this.go, ...this.ranks),
      this.running,
      this.state,
      this.result,
      make("div", { className: "hs-sweep" }, this.grid, this.ranking),
    );
  }

  async start(kind, question) {
    this.controller = new AbortController();
    this.kind = kind;
    this.started = performance.now();
    const { found, controller } = this;
    if (kind === "effect") found.edits = operation.edits;
    found[kind] = kind === "sweep" ? { how: question.how, list: [] } : null;
    this.state.textContent = MEASURE.waiting;
    this.update();
    const options = { onLine: (line) => this.hear(line), signal: controller.signal, quiet: true };
    try {
      await ask(`surgery_${kind}`, { ...question, model: found.model }, options);
    } catch (problem) {
      if (!isAborted(problem)) this.stop(problem.message);
    }
  }

  stop(why) {
    this.controller.abort();
    this.kind = null;
    this.state.textContent = why;
    this.update();
  }

  hear({ done, of, effect, one }) {
    const seconds = (performance.now() - this.started) / 1000;
    const isEffect = this.kind === "effect";
    this.bar.value = done / of;
    this.state.textContent = progressSentence(done, of, isEffect, seconds);
    if (one) this.found.sweep.list.push(one);
    if (effect) this.found.effect = effect;
    if (isEffect ? effect : done === of) this.stop(doneSentence(of, isEffect, seconds));
    else this.update();
  }

  update() {
    const { element, kind, found } = this;
    this.running.hidden = kind === null;
    if (kind === null) this.bar.value = 0;
    element.dataset.job = kind ?? "";
    element.dataset.found = String(found.sweep?.list.length ?? 0);
    store.changed();
  }

  /** What was measured on one model says nothing of another. */
  sees({ name }) {
    if (name === this.found.model) return;
    if (this.kind !== null) this.stop("");
    this.state.textContent = "";
    this.found = { model: name, effect: null, edits: null, sweep: null };
    this.element.dataset.found = "0";
  }

  draw = (payload, focus) => {
    this.sees(payload.model);
    this.go.disabled = this.kind !== null || !operation.edits.length;
    this.go.title = operation.edits.length ? "" : MEASURE.nothing;
    for (const button of this.ranks) button.disabled = this.kind !== null;
    this.result.replaceChildren(...effectWords(this.found));
    drawSweep(this.grid, this.ranking, this.found.sweep, payload, focus);
  };
}

function effectWords({ effect, edits }) {
  if (!effect) return [];
  const number = (text, i) => make(i === 1 ? "strong" : "span", { className: "hs-number", text });
  return [
    make("p", {}, ...effectParts(edits, effect).map((text, i) => (i % 2 ? number(text, i) : text))),
    interval(effect),
    hint(effectHint(effect.n)),
    ...(edits !== operation.edits ? [hint(MEASURE.stale)] : []),
  ];
}

/** The interval as a bar, 0 as a line. */
function interval({ mean, low, high }) {
  const [from, to] = [Math.min(0, low), Math.max(0, high)];
  const pad = (to - from) * 0.08 || 1;
  const at = (x) => `${((x - from + pad) / (to - from + 2 * pad)) * 100}%`;
  const zero = make("span", { className: "hs-interval-zero" }, make("span", { text: "0" }));
  const bar = make("span", { className: "hs-interval-range" });
  const dot = make("span", { className: "hs-interval-mean" });
  zero.style.left = at(0);
  dot.style.left = at(mean);
  Object.assign(bar.style, { left: at(low), width: `calc(${at(high)} - ${at(low)})` });
  return make("div", { className: "hs-interval", "aria-hidden": "true" }, zero, bar, dot);
}

function drawSweep(grid, ranking, sweep, payload, focus) {
  grid.hidden = ranking.hidden = !sweep?.list.length;
  if (grid.hidden) return;
  const look = `${sweep.how}/${sweep.list.length}/${isDark()}/${focus.layer}/${focus.head}`;
  if (grid.dataset.look === look) return;
  grid.dataset.look = look;
  const [L, H] = payload.arrays.pattern.shape;
  const limit = reasonable(sweep.list);
  const of = (layer, head) => sweep.list.find((one) => one.layer === layer && (one.head ?? H) === head);
  grid.style.setProperty("--heads", H + 1);
  const names = [...Array.from({ length: H }, (_, head) => `H${head}`), "MLP"].map((text) =>
    make("span", { className: "hs-axis", text }),
  );
  const rows = Array.from({ length: L }, (_, layer) => [
    make("span", { className: "hs-axis", text: `L${layer}` }),
    ...names.map((_, head) => sweepCell(of(layer, head), limit, focus, layer, head)),
  ]);
  grid.replaceChildren(make("span"), ...names, ...rows.flat());
  ranking.replaceChildren(rankingOf(sweep));
}

function rankingOf({ how, list }) {
  const ranked = [...list].sort((a, b) => b.mean - a.mean);
  return table({
    caption: rankingCaption(how),
    columns: [{ name: "", kind: "text" }, { name: "which", kind: "text" }, "change", MEASURE.interval],
    rows: ranked.map((one, i) => [String(i + 1), placeName(one), signed(one.mean), intervalText(one)]),
  });
}

/** The end of the colour scale: the largest effect of a head, for an MLP's can be fifty times as large. */
function reasonable(list) {
  return Math.max(0.001, ...list.filter(({ what }) => what === "head").map(({ mean }) => Math.abs(mean)));
}

function sweepCell(one, limit, focus, layer, head) {
  if (!one) return make("span", { className: "hs-sweep-cell" });
  const choose = one.what === "head" ? { layer, head } : { layer };
  const shown = one.what === "head" && layer === focus.layer && head === focus.head;
  const cell = make("button", {
    type: "button",
    className: `hs-sweep-cell hs-number${shown ? " hs-shown" : ""}`,
    text: short(one.mean),
    title: sweepTitle(one),
    onclick: () => store.toggle(choose),
  });
  paintCell(cell, diverging(limit, isDark()), one.mean);
  return cell;
}

const short = (x) => (Math.abs(x) < 0.9995 ? signed(x, 3).replace("0.", ".") : signed(x, 1));
