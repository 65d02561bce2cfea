// Loss and accuracy of all runs on one picture, and a legend that says what differs between them.

import { make } from "../../base/dom.mjs";
import { grouped } from "../../base/text.mjs";
import { lastStep, lossRange } from "../../charts/axis.mjs";
import { lineChart } from "../../charts/line_chart.mjs";
import { upTo } from "../../charts/points.mjs";
import { lineStyle } from "../../color/heads.mjs";
import { sign } from "../../ui/badges.mjs";
import { foldedTable, table } from "../../ui/table.mjs";
import { runNames } from "./names.mjs";
import {
  accuracyLabel,
  cursorText,
  eventName,
  guessText,
  lastText,
  lossLabel,
  lossWords,
  measuredText,
  PLOT,
  percent,
  removeLabel,
  runText,
  showLabel,
  stepWord,
} from "./words.mjs";

const HEIGHT = 260;
export const styleOf = ({ number }) => lineStyle((number - 1) % 24);

export class RunsPlot {
  /** `choose(record)` looks at a run, `remove(record)` takes it off, `openHead(event)` shows the head of an event. */
  constructor({ choose, remove, openHead }) {
    this.choose = choose;
    this.remove = remove;
    this.openHead = openHead;
    this.cursor = null;
    this.loss = make("div", { className: "hs-live-chart" });
    this.accuracy = make("div", { className: "hs-live-chart" });
    this.readout = make("p", { className: "hs-hint hs-live-readout" });
    this.legend = make("ul", { className: "hs-live-legend", "aria-label": PLOT.runs });
    this.events = make("ul", { className: "hs-live-events", "aria-label": PLOT.events, "aria-live": "polite" });
    this.table = foldedTable(PLOT.curves, () => this.fillTable());
    this.element = make(
      "section",
      { className: "hs-live-plot" },
      make(
        "div",
        { className: "hs-live-charts" },
        make("div", {}, make("h3", { text: PLOT.loss }), this.loss),
        make("div", {}, make("h3", { text: PLOT.accuracy }), this.accuracy),
      ),
      this.readout,
      this.legend,
      this.events,
      this.table,
    );
    for (const box of [this.loss, this.accuracy]) {
      box.addEventListener("pointermove", (event) => this.point(this.stepAt(box, event.clientX)));
      box.addEventListener("pointerleave", () => this.point(null));
    }
  }

  /** The step under a pointer, null beside the picture. */
  stepAt(box, clientX) {
    const share = box.firstElementChild?.shareAt(clientX) ?? -1;
    return share >= 0 && share <= 1 ? Math.round(share * this.last) : null;
  }

  point(cursor) {
    if (cursor === this.cursor) return;
    this.cursor = cursor;
    if (this.given) this.draw(this.given);
  }

  draw(given) {
    this.given = given;
    const { records, chosen, described } = given;
    const names = runNames(records, described);
    const shown = records.filter(({ isShown }) => isShown);
    this.charts(
      shown,
      names.filter((_, i) => records[i].isShown),
      chosen,
    );
    this.read(shown);
    this.legendOf(records, names, chosen);
    this.eventsOf(chosen);
    this.fillTable();
  }

  charts(shown, names, chosen) {
    const uniform = shown.find(({ facts }) => facts)?.facts.uniform_loss ?? null;
    const last = lastStep(shown.map(({ step }) => step));
    this.last = last;
    const series = shown.map((record, i) => ({
      record,
      name: `run ${record.number}, ${names[i]}`,
      ...styleOf(record),
    }));
    const raw = series.map(({ record, ...style }) => ({
      ...style,
      thin: true,
      points: record.points.step.map((step, at) => [step, record.points.loss[at]]),
    }));
    const of = (what) =>
      series.map(({ record, ...style }) => ({ ...style, points: record.fresh.map((one) => [one.step, one[what]]) }));
    const [losses, accuracies] = [of("loss"), of("accuracy")];
    const values = [...losses, ...raw].flatMap(({ points }) => points.map(([, value]) => value));
    const levels = uniform === null ? [] : [{ value: uniform, text: guessText(uniform) }];
    const marks = shown.includes(chosen) ? this.marks(chosen) : [];
    const common = { last, cursor: this.cursor, marks };
    this.put(this.loss, {
      ...common,
      height: HEIGHT,
      range: lossRange(values, uniform ?? 5.56),
      yLabel: PLOT.lossAxis,
      levels,
      series: [...raw, ...losses],
      label: lossLabel(losses),
    });
    this.put(this.accuracy, {
      ...common,
      marks: [],
      height: HEIGHT,
      range: [0, 1],
      yLabel: PLOT.accuracyAxis,
      series: accuracies,
      label: accuracyLabel(accuracies),
    });
  }

  put(box, given) {
    box.replaceChildren(lineChart({ width: Math.max(280, box.clientWidth), ...given }));
  }

  marks({ events }) {
    const heads = events.filter(({ what }) => what === "head becomes");
    return heads.map((event) => ({
      step: event.step,
      text: sign(event.role),
      name: eventName(event),
      choose: () => this.openHead(event),
    }));
  }

  /** The numbers under the pointer, else the newest. */
  read(shown) {
    const at = this.cursor ?? Infinity;
    const parts = shown
      .map(({ number, fresh }) => {
        const step = upTo(
          fresh.map((one) => [one.step, one]),
          at,
        );
        return step && measuredText(number, step[1], step[0]);
      })
      .filter(Boolean);
    this.readout.textContent = this.cursor === null ? PLOT.lines : cursorText(this.cursor, parts);
  }

  legendOf(records, names, chosen) {
    const key = JSON.stringify([names, records.map(({ number, isShown }) => [number, isShown]), chosen?.number]);
    if (this.legend.dataset.key !== key) {
      this.legend.dataset.key = key;
      this.legend.replaceChildren(
        ...records.map((record, i) => this.legendItem(record, names[i], record === chosen, records.length > 1)),
      );
    }
    records.forEach(({ fresh, state }, i) => {
      const last = fresh.at(-1);
      const text = last ? lastText(last) : state === "failed" ? PLOT.broke : "…";
      const place = this.legend.children[i].querySelector(".hs-number");
      if (place.textContent !== text) place.textContent = text;
    });
  }

  legendItem(record, name, isChosen, canHide) {
    const { color, dash } = styleOf(record);
    const sample = make("span", {
      className: "hs-live-sample",
      style: `border-top: 3px ${["solid", "dashed", "dotted"][dash.length ? (dash[0] > 2 ? 1 : 2) : 0]} var(${color})`,
    });
    const box = make("input", {
      type: "checkbox",
      "aria-label": showLabel(record.number),
      onchange: () => {
        record.isShown = box.checked;
        this.draw(this.given);
      },
    });
    box.checked = record.isShown;
    const look = make(
      "button",
      {
        type: "button",
        className: "hs-live-name",
        "aria-pressed": String(isChosen),
        title: PLOT.look,
        onclick: () => this.choose(record),
      },
      make("strong", { text: runText(record.number) }),
      ` ${name}`,
    );
    const off = make("button", {
      type: "button",
      className: "hs-live-remove",
      text: "×",
      "aria-label": removeLabel(record.number),
      title: PLOT.remove,
      onclick: () => this.remove(record),
    });
    return make(
      "li",
      { "data-run": record.number },
      ...(canHide ? [box] : []),
      sample,
      look,
      make("span", { className: "hs-number" }),
      off,
    );
  }

  eventsOf(chosen) {
    const events = chosen?.events ?? [];
    const key = `${chosen?.number}/${events.length}`;
    if (this.events.dataset.key === key) return;
    this.events.dataset.key = key;
    const told = new Set(); // what is said of one head need not be said of the next
    this.events.replaceChildren(
      ...events.map((event) => {
        const step =
          event.step === null || event.step === undefined
            ? []
            : [make("span", { className: "hs-number", text: stepWord(event.step) }), " "];
        const show =
          event.what === "head becomes"
            ? [
                " ",
                make("button", {
                  type: "button",
                  className: "hs-live-show",
                  text: PLOT.head,
                  onclick: () => this.openHead(event),
                }),
              ]
            : [];
        return make(
          "li",
          { "data-what": event.what },
          ...step,
          make("strong", { text: event.title }),
          told.has(event.sentence) ? "" : ` ${event.sentence}`,
          ...show,
          told.add(event.sentence) && "",
        );
      }),
    );
  }

  fillTable() {
    if (!this.given) return;
    const { records } = this.given;
    this.table.fill(() =>
      table({
        label: PLOT.table,
        columns: [{ name: "run", kind: "text" }, "step", PLOT.fresh, "accuracy"],
        rows: records.flatMap(({ number, fresh }) =>
          fresh.map(({ step, loss, accuracy }) => [runText(number), grouped(step), lossWords(loss), percent(accuracy)]),
        ),
      }),
    );
  }
}
