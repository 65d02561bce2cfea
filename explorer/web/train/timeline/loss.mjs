// The loss over the steps, with the cursor on it and a mark where heads take up a task. Pressing the curve moves there.

import { make } from "../../base/dom.mjs";
import { nearest, rangeOf } from "../../charts/axis.mjs";
import { keyPart, lineChart } from "../../charts/line_chart.mjs";
import { sign } from "../../ui/badges.mjs";
import { choiceOf } from "../../ui/choice.mjs";
import { eventText, guessText, LOSS, lossLabel, markText, moreText, NO_EVENTS, nearestText, RISES } from "./words.mjs";

const HEIGHT = 230;
const HELD_OUT = { color: "--hs-ink" };
const TRAINING = { color: "--hs-faint", thin: true };
const LISTED = 3; // events in sight; the others open

export class LossCurve {
  /** `on` = {show(index), setLog(whether), open(event)}. */
  constructor(on) {
    this.on = on;
    this.scale = choiceOf(LOSS.scales, LOSS.scale, (name) => on.setLog(name === "log"));
    this.chart = make("div", { className: "hs-tl-chart hs-tl-loss-chart" });
    this.key = make("p", { className: "hs-hint hs-tl-key" });
    this.events = make("div", { className: "hs-tl-events" });
    this.element = make(
      "section",
      { className: "hs-tl-loss" },
      make("div", { className: "hs-view-head" }, make("h3", { text: LOSS.title }), this.scale),
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
      levels: [{ value: even, text: guessText(even) }],
      cursor: model.steps[i],
      steps: model.steps,
      restarts: model.restarts,
      marks: model.events.map((event) => ({
        step: event.step,
        text: sign(event.role),
        name: eventText(event, titleOf(event.stack)),
        choose: () => this.on.open(event),
      })),
      label: lossLabel(model.steps.at(-1), model.steps[i], loss),
    });
    this.chart.replaceChildren(svg);
    this.svg = svg;
    this.tell(model);
    this.list(model, i, titleOf);
  }

  tell(model) {
    if (this.told === model) return;
    this.told = model;
    const marked = [...new Set(model.events.map(({ role }) => role))];
    const signs = marked.flatMap((role) => [
      make("span", { className: "hs-mark", text: sign(role) }),
      markText(role),
      " ",
    ]);
    const marks = signs.length ? [make("span", { className: "hs-tl-key-part" }, LOSS.marks, " ", ...signs)] : [];
    const rises = model.restarts.length ? [keyPart("restart", RISES)] : [];
    this.key.replaceChildren(keyPart(HELD_OUT, LOSS.heldOut), keyPart(TRAINING, LOSS.training), ...rises, ...marks);
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
        ...(rest.length ? [make("details", {}, make("summary", { text: moreText(rest.length) }), ...rest)] : []),
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
