// A chart that zooms, with a legend and a selection: plotly's, always on the same element. A new one at each change
// would leave its WebGL contexts behind, until the browser takes them from the others.

import { make } from "../base/dom.mjs";
import { onceAFrame } from "../base/once_a_frame.mjs";
import { foldedTable } from "../ui/table.mjs";
import { inkOfTheme, layoutOf, merged } from "./ink.mjs";
import { keyed, pressed } from "./keys.mjs";
import { plotly } from "./library.mjs";
import { CHART } from "./words.mjs";

const CONFIG = {
  displayModeBar: false, // its buttons are no part of the app, and one sends the numbers to another host
  showSendToCloud: false,
  displaylogo: false,
  showTips: false,
  doubleClick: "reset",
  plotGlPixelRatio: Math.max(1, devicePixelRatio), // at twice that, points cost four times as much
};

/**
 * @typedef {object} Drawing
 * @property {string} label  what a screen reader says of it
 * @property {(ink: import("./ink.mjs").Ink) => object[]} traces  plotly's, in the colors of the theme
 * @property {(ink: import("./ink.mjs").Ink) => object} [layout]  what is otherwise than in `layoutOf`
 * @property {object} [config]  plotly's
 * @property {() => Node} table  the same numbers
 *
 * @typedef {{trace: number, index: number, data: any}} Point  which one of which trace; `data` is its `customdata`
 */

export class Plot {
  /** @param {{choose?: (point: Point) => void, select?: (points: Point[]) => void}} [on]  a press, and a region */
  constructor({ choose = () => {}, select = null } = {}) {
    this.choose = choose;
    this.select = select;
    this.area = make("div", {
      className: "hs-plot-area",
      tabindex: "0",
      role: "group",
      "aria-description": CHART.keys,
    });
    this.said = make("p", { className: "hs-hint", role: "status", text: CHART.loading });
    this.table = foldedTable(CHART.table, () => this.fill());
    this.element = make("figure", { className: "hs-plot" }, this.said, buttons(this.area), this.area, this.table);
    this.soon = onceAFrame(() => this.put());
    keyed(this.area);
    new ResizeObserver(() => this.resized()).observe(this.area);
  }

  /** @param {Drawing} drawing */
  async draw(drawing) {
    this.drawing = drawing;
    this.area.setAttribute("aria-label", drawing.label);
    this.fill();
    try {
      this.plotly = await plotly();
    } catch {
      this.said.textContent = CHART.failed;
      this.said.className = "hs-problem";
      return;
    }
    this.said.hidden = true;
    this.put();
  }

  put() {
    const { area, drawing, plotly } = this;
    if (!plotly || !area.clientWidth) return; // drawn once it has a place
    const ink = inkOfTheme();
    const own = { dragmode: this.select ? "lasso" : "zoom", ...drawing.layout?.(ink) };
    const layout = merged(layoutOf(ink, { width: area.clientWidth, height: area.clientHeight }), own);
    plotly.react(area, drawing.traces(ink), layout, { ...CONFIG, ...drawing.config });
    if (!shown.has(this)) this.listen();
    this.element.dataset.drawn = String(Number(this.element.dataset.drawn ?? 0) + 1);
  }

  /** plotly hears for this element until it is purged. */
  listen() {
    shown.add(this);
    const { area } = this;
    area.on("plotly_click", ({ points }) => this.choose(pointOf(points[0])));
    if (!this.select) return;
    area.on("plotly_selected", (found) => found && this.select(found.points.map(pointOf)));
    area.on("plotly_deselect", () => this.select([]));
  }

  resized() {
    if (this.area.isConnected) this.soon();
    else if (shown.delete(this)) this.plotly.purge(this.area); // it left the page, and gives its contexts back
  }

  fill() {
    this.table.fill(() => this.drawing.table());
  }
}

function buttons(area) {
  const all = Object.entries(CHART.buttons).map(([key, [text, name]]) =>
    make("button", { type: "button", text, "aria-label": name, title: name, onclick: () => pressed(area, key) }),
  );
  return make("div", { className: "hs-plot-buttons", role: "group", "aria-label": CHART.view }, ...all);
}

/** @returns {Point} */
const pointOf = ({ curveNumber, pointNumber, customdata }) => ({
  trace: curveNumber,
  index: pointNumber,
  data: customdata,
});

/** @type {Set<Plot>} those that hold an element of plotly's */
const shown = new Set();

new MutationObserver(() => {
  for (const plot of shown) plot.soon();
}).observe(document.body, { attributes: true, attributeFilter: ["class", "data-lecture"] });
