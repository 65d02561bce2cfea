// The losses of all recorded runs in one chart: zoom, smoothing, logarithmic axes, and a legend that hides a run.

import { make } from "../../base/dom.mjs";
import { grouped } from "../../base/text.mjs";
import { plain } from "../../charts/ink.mjs";
import { Plot } from "../../charts/plot.mjs";
import { choiceOf } from "../../ui/choice.mjs";
import { table } from "../../ui/table.mjs";
import { smoothed } from "./smooth.mjs";
import { lossText3, OFF_LOSS, RUNS, runsLabel, smoothText } from "./words.mjs";

export class AllRuns {
  /** `load()` gives every recorded model, as `modelOf` makes it. */
  constructor(load) {
    this.load = load;
    this.runs = null; // once they are loaded
    this.set = { steps: "linear", loss: "linear", width: 1 };
    this.problem = make("p", { className: "hs-problem", role: "alert", hidden: "" });
    this.plot = new Plot();
    this.steps = choiceOf(RUNS.scales, RUNS.steps, (steps) => this.change({ steps }));
    this.loss = choiceOf(RUNS.scales, RUNS.loss, (loss) => this.change({ loss }));
    this.said = make("output", { className: "hs-number" });
    const slider = make("input", {
      type: "range",
      min: 1,
      max: 41,
      step: 2,
      value: 1,
      "aria-label": RUNS.smooth,
      oninput: () => this.change({ width: Number(slider.value) }),
    });
    const controls = [
      [RUNS.steps, this.steps],
      [RUNS.loss, this.loss],
      [RUNS.smooth, slider, this.said],
    ].map(([text, ...parts]) => make("div", { className: "hs-control" }, make("span", { text }), ...parts));
    this.element = make(
      "details",
      { className: "hs-tl-runs", ontoggle: () => this.open() },
      make("summary", {}, make("h3", { text: RUNS.title })),
      make("p", { className: "hs-hint", text: RUNS.hint }),
      make("div", { className: "hs-controls" }, ...controls),
      this.problem,
      this.plot.element,
    );
  }

  async open() {
    if (!this.element.open) return;
    try {
      this.runs ??= await this.load();
    } catch ({ message }) {
      this.problem.hidden = false;
      this.problem.textContent = message;
      return;
    }
    this.problem.hidden = true;
    this.draw();
  }

  change(change) {
    this.set = { ...this.set, ...change };
    this.draw();
  }

  draw() {
    const { runs, set } = this;
    this.steps.mark(set.steps);
    this.loss.mark(set.loss);
    this.said.textContent = smoothText(set.width);
    if (!runs) return;
    this.plot.draw({
      label: runsLabel(runs),
      traces: (ink) => runs.flatMap((run, i) => tracesOf(run, ink.category(i), set.width)),
      layout: () => ({
        dragmode: "zoom",
        hovermode: "x unified",
        xaxis: { title: { text: RUNS.across }, type: set.steps, uirevision: set.steps },
        yaxis: { title: { text: RUNS.up }, type: set.loss, uirevision: set.loss },
      }),
      table: () => tableOf(runs),
    });
  }
}

/** Held out with points, drawn as measured; training thin, and smoothed. One press on the legend hides both. */
function tracesOf({ title, train, heldOut }, color, width) {
  const common = { type: "scatter", legendgroup: title, name: plain(title) };
  const held = columns(heldOut, OFF_LOSS.heldOut);
  const hover = (what) => `%{hovertext}<extra>${plain(title)}, ${what}</extra>`;
  return [
    {
      ...common,
      ...held,
      mode: "lines+markers",
      line: { color, width: 2 },
      marker: { color, size: 5 },
      hovertemplate: hover(RUNS.heldOut),
    },
    {
      ...common,
      ...columns(smoothed(train, width), OFF_LOSS.training),
      mode: "lines",
      opacity: 0.55,
      showlegend: false,
      line: { color, width: 1 },
      hovertemplate: hover(RUNS.training),
    },
  ];
}

const columns = (points, off) => ({
  x: points.map(([step]) => step),
  y: points.map(([, loss]) => loss),
  hovertext: points.map(([, loss]) => lossText3(loss, off)),
});

function tableOf(runs) {
  return table({
    label: RUNS.title,
    columns: [{ name: RUNS.run, kind: "text" }, RUNS.step, RUNS.lossHeldOut],
    rows: runs.flatMap(({ title, heldOut }) => heldOut.map(([step, loss]) => [title, grouped(step), lossText3(loss)])),
  });
}
