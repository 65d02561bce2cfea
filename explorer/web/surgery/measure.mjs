// What takes seconds: the effect on held-out sentences, and the sweep over all heads and MLPs. Both stream, one at a
// time, and can be cancelled.

import { make } from "../base/dom.mjs";
import { diverging } from "../color/scale.mjs";
import { ask, isAborted } from "../state/ask.mjs";
import { isDark, store } from "../state/store.mjs";
import { paintCell, table } from "../ui/table.mjs";
import { signed } from "./change.mjs";
import { editName, placeName } from "./edits.mjs";
import { operation } from "./state.mjs";

const SENTENCES =
  "The sentences are from our own sample articles, which no model was trained on. Each is read where it stands in its article.";

export function measureCard() {
  const job = { kind: null, started: 0, controller: null };
  const found = { model: null, effect: null, edits: null, sweep: null };
  const go = make("button", {
    type: "button",
    className: "hs-button",
    text: "Measure on 100 sentences",
    "data-name": "effect",
    onclick: () => start("effect", { edits: operation.edits }),
  });
  const ranks = ["zero", "mean"].map((how) =>
    make("button", {
      type: "button",
      className: "hs-button",
      text: how === "zero" ? "Rank by switching off" : "Rank by mean",
      "data-name": `sweep-${how}`,
      onclick: () => start("sweep", { how }),
    }),
  );
  const bar = make("progress", { max: "1", value: "0" });
  const state = make("span", { className: "hs-hint", role: "status" });
  const cancel = make("button", {
    type: "button",
    className: "hs-button",
    text: "Cancel",
    "data-name": "cancel",
    onclick: () => stop("Cancelled."),
  });
  const running = make("div", { className: "hs-job", hidden: "" }, bar, cancel);
  const result = make("div", { className: "hs-effect" });
  const grid = make("div", { className: "hs-sweep-grid", role: "group", "aria-label": "Effect of every head and MLP" });
  const ranking = make("div", {
    className: "hs-sweep-table",
    tabindex: "0",
    role: "region",
    "aria-label": "Heads and MLPs by effect",
  });
  const element = make(
    "section",
    { className: "hs-measure" },
    make("h3", { text: "Is it true in general?" }),
    make("p", {
      className: "hs-hint",
      text: `One text proves little. Measure what your changes do to the loss of 100 sentences, or switch off every head and MLP, one after the other, and see which matter most. ${SENTENCES}`,
    }),
    make("div", { className: "hs-cut-tools" }, go, ...ranks),
    running,
    state,
    result,
    make("div", { className: "hs-sweep" }, grid, ranking),
  );

  async function start(kind, question) {
    const controller = new AbortController();
    job.controller = controller;
    job.kind = kind;
    job.started = performance.now();
    if (kind === "effect") found.edits = operation.edits;
    found[kind] = kind === "sweep" ? { how: question.how, list: [] } : null;
    state.textContent = "Waiting for its turn …";
    update();
    try {
      await ask(
        `surgery_${kind}`,
        { ...question, model: found.model },
        { onLine: hear, signal: controller.signal, quiet: true },
      );
    } catch (problem) {
      if (!isAborted(problem)) stop(problem.message);
    }
  }

  function stop(why) {
    job.controller.abort();
    job.kind = null;
    state.textContent = why;
    update();
  }

  function hear({ done, of, effect, one }) {
    const seconds = (performance.now() - job.started) / 1000;
    const left = done ? ` · about ${Math.ceil((seconds / done) * (of - done))} s left` : "";
    bar.value = done / of;
    state.textContent = `${done}/${of} ${job.kind === "effect" ? "sentences" : "heads and MLPs"}${left}`;
    if (one) found.sweep.list.push(one);
    if (effect) found.effect = effect;
    const isDone = job.kind === "effect" ? Boolean(effect) : done === of;
    if (isDone)
      stop(`Done: ${of} ${job.kind === "effect" ? "sentences" : "heads and MLPs"} in ${seconds.toFixed(1)} s.`);
    else update();
  }

  function update() {
    running.hidden = job.kind === null;
    if (job.kind === null || !bar.value) bar.value = job.kind === null ? 0 : bar.value;
    element.dataset.job = job.kind ?? "";
    element.dataset.found = String(found.sweep?.list.length ?? 0);
    store.changed();
  }

  /** What was measured on one model says nothing of another. */
  function sees({ name }) {
    if (name === found.model) return;
    if (job.kind !== null) stop("");
    state.textContent = "";
    Object.assign(found, { model: name, effect: null, edits: null, sweep: null });
    element.dataset.found = "0";
  }

  const draw = (payload, focus) => {
    sees(payload.model);
    go.disabled = job.kind !== null || !operation.edits.length;
    go.title = operation.edits.length ? "" : "Change something first";
    for (const button of ranks) button.disabled = job.kind !== null;
    result.replaceChildren(...effectWords(found));
    drawSweep(grid, ranking, found.sweep, payload, focus);
  };
  return { element, draw };
}

function effectWords({ effect, edits }) {
  if (!effect) return [];
  const { mean, low, high, before, n } = effect;
  const verdict =
    low > 0
      ? "The changes do harm."
      : high < 0
        ? "The changes help."
        : "The interval holds 0: these sentences cannot tell whether it matters.";
  const stale =
    edits !== operation.edits
      ? [make("p", { className: "hs-hint", text: "Measured for other changes than those above: measure again." })]
      : [];
  return [
    make(
      "p",
      {},
      `${edits.map(editName).join("; ")}: `,
      make("strong", { className: "hs-number", text: signed(mean) }),
      " nats per token ",
      make("span", { className: "hs-number", text: `(95 % interval ${signed(low)} to ${signed(high)})` }),
      `, from a loss of ${before.toFixed(3)}. ${verdict}`,
    ),
    interval(effect),
    make("p", {
      className: "hs-hint",
      text: `Mean of ${n} differences, each sentence compared with itself; Student's t interval. A painted mask acts on the first places of each article.`,
    }),
    ...stale,
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
  const names = [...Array.from({ length: H }, (_, head) => `H${head + 1}`), "MLP"].map((text) =>
    make("span", { className: "hs-axis", text }),
  );
  const rows = Array.from({ length: L }, (_, layer) => [
    make("span", { className: "hs-axis", text: `L${layer + 1}` }),
    ...names.map((_, head) => sweepCell(of(layer, head), limit, focus, layer, head)),
  ]);
  grid.replaceChildren(make("span"), ...names, ...rows.flat());
  ranking.replaceChildren(rankingOf(sweep));
}

function rankingOf({ how, list }) {
  const ranked = [...list].sort((a, b) => b.mean - a.mean);
  return table({
    caption: `${how === "zero" ? "Switched off" : "Set to its mean"}, each on its own: change of the loss in nats per token. + does harm. The colours end at the largest effect of a head.`,
    columns: [{ name: "", kind: "text" }, { name: "which", kind: "text" }, "change", "95 % interval"],
    rows: ranked.map((one, i) => [
      String(i + 1),
      placeName(one),
      signed(one.mean),
      `${signed(one.low)} to ${signed(one.high)}`,
    ]),
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
    title: `${placeName(one)}: ${signed(one.mean)} (${signed(one.low)} to ${signed(one.high)})`,
    onclick: () => store.toggle(choose),
  });
  paintCell(cell, diverging(limit, isDark()), one.mean);
  return cell;
}

const short = (x) => (Math.abs(x) < 0.9995 ? signed(x, 3).replace("0.", ".") : signed(x, 1));
