// The loss over the steps, with the cursor on it and a mark where heads take up a task. Pressing the curve moves there.

import { make } from "../../base/dom.mjs";
import { grouped } from "../../base/text.mjs";
import { nearest, rangeOf } from "../../charts/axis.mjs";
import { keyPart, lineChart } from "../../charts/line_chart.mjs";
import { sign } from "../../ui/badges.mjs";
import { choiceOf } from "../../ui/choice.mjs";
import { eventText, NO_EVENTS, nearestText, RISES } from "./words.mjs";

const HEIGHT = 230;
const SCALES = { log: "Early steps widened", even: "Even steps" };
const HELD_OUT = { color: "--hs-ink" };
const TRAINING = { color: "--hs-faint", thin: true };
const LISTED = 6; // events in sight; the others open

export class LossCurve {
  /** `on` = {show(index), setLog(whether), open(event)}. */
  constructor(on) {
    this.on = on;
    this.scale = choiceOf(SCALES, "How the steps are spaced", (name) => on.setLog(name === "log"));
    this.chart = make("div", { className: "hs-tl-chart hs-tl-loss-chart" });
    this.key = make("p", { className: "hs-hint hs-tl-key" });
    this.events = make("div", { className: "hs-tl-events" });
    this.element = make(
      "section",
      { className: "hs-tl-loss" },
      make(
        "div",
        { className: "hs-view-head" },
        make("h3", { text: "Loss: how wrong its predictions are" }),
        this.scale,
      ),
      this.chart,
      this.key,
      this.events,
    );
    this.chart.addEventListener("pointerdown", (event) => this.drag(event));
  }

  draw({ model, i, log }) {
    this.given = { model, log };
    const titleOf = (stack) => (model.stacks.length > 1 ? model.stacks.find(({ name }) => name === stack).title : "");
    this.scale.mark(log ? "log" : "even");
    const even = Math.log(model.vocabulary);
    const values = [...model.train, ...model.heldOut].map(([, loss]) => loss);
    const loss = model.heldOutAt(i);
    const width = Math.max(280, this.chart.clientWidth);
    const svg = lineChart({
      width,
      height: HEIGHT,
      last: model.steps.at(-1),
      log,
      range: rangeOf([...values, even]),
      yLabel: "loss",
      series: [
        { ...TRAINING, name: "training", points: model.train },
        { ...HELD_OUT, name: "held out", points: model.heldOut, dots: true },
      ],
      levels: [{ value: even, text: `uniform guess: ${even.toFixed(2)}` }],
      cursor: model.steps[i],
      steps: model.steps,
      restarts: model.restarts,
      marks: model.events.map((event) => ({
        step: event.step,
        text: sign(event.role),
        name: eventText(event, titleOf(event.stack)),
        choose: () => this.on.open(event),
      })),
      label:
        `Loss over ${grouped(model.steps.at(-1))} steps. At step ${grouped(model.steps[i])} the held-out ` +
        `loss is ${loss === undefined ? "not measured" : loss.toFixed(3)}.`,
    });
    this.chart.replaceChildren(svg);
    this.svg = svg;
    this.tell(model);
    this.list(model, i, titleOf);
  }

  tell(model) {
    if (this.told === model) return;
    this.told = model;
    const signs = model.events.length
      ? [
          make(
            "span",
            { className: "hs-tl-key-part" },
            make("span", { className: "hs-mark", text: "P" }),
            " a head becomes a previous-token head, ",
            make("span", { className: "hs-mark", text: "I" }),
            " an induction head: press to go there",
          ),
        ]
      : [];
    const rises = model.restarts.length ? [keyPart("restart", RISES)] : [];
    this.key.replaceChildren(
      keyPart(HELD_OUT, "held out: articles it never trains on"),
      keyPart(TRAINING, "training: the articles it trains on"),
      ...rises,
      ...signs,
    );
  }

  /** Every event as a button: what a mark says, and goes there. */
  list(model, i, titleOf) {
    if (this.listed !== model) {
      this.listed = model;
      const buttons = model.events.map((event) =>
        make("button", {
          type: "button",
          className: "hs-tl-event",
          "data-step": event.step,
          text: eventText(event, titleOf(event.stack)),
          onclick: () => this.on.open(event),
        }),
      );
      const rest = buttons.slice(LISTED);
      this.events.replaceChildren(
        ...buttons.slice(0, LISTED),
        ...(rest.length ? [make("details", {}, make("summary", { text: `${rest.length} more` }), ...rest)] : []),
      );
      if (!buttons.length)
        this.events.replaceChildren(
          make("p", { className: "hs-hint", text: NO_EVENTS }),
          ...this.nearestTo(model, titleOf),
        );
    }
    for (const button of this.events.querySelectorAll("button"))
      button.classList.toggle("hs-tl-here", Number(button.dataset.step) === model.steps[i]);
  }

  nearestTo({ nearest }, titleOf) {
    return nearest
      ? [
          make("button", {
            type: "button",
            className: "hs-tl-event",
            text: nearestText(nearest, titleOf(nearest.stack)),
            onclick: () => this.on.open(nearest),
          }),
        ]
      : [];
  }

  drag(event) {
    if (event.target.closest(".hs-curve-mark")) return;
    this.go(event);
    const move = (moved) => this.go(moved);
    addEventListener("pointermove", move);
    for (const end of ["pointerup", "pointercancel"])
      addEventListener(end, () => removeEventListener("pointermove", move), { once: true });
  }

  go({ clientX }) {
    const { model, log } = this.given;
    this.on.show(nearest(model.steps, this.svg.shareAt(clientX), log));
  }
}
