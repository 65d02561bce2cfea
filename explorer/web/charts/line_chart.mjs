// The line chart of the app: curves over steps, as an SVG element. A pure function of what it is given.

import { make } from "../base/dom.mjs";
import { grouped } from "../base/text.mjs";
import { along, apart, evenTicks, gathered, stepTicks } from "./axis.mjs";
import { beyond, clipped, pathOf, thinned, upTo } from "./points.mjs";

const [LEFT, RIGHT, BELOW] = [44, 14, 36];
const MARK = { high: 18, apart: 34 }; // px: of a mark, and between two of them
const TICK = 58; // px between two numbers of the steps
const LETTER = 6.6; // px, of the text on a chart
const LINE = 14;
const NAMESPACE = "http://www.w3.org/2000/svg";

/**
 * @typedef {object} Look  how a line looks
 * @property {string} color  the name of a CSS colour
 * @property {number[]} [dash]
 * @property {boolean} [thin]  in the background: nothing is told of its points
 *
 * @typedef {Look & {name: string, points: [number, number][], dots?: boolean}} Series  `dots`: each point is marked
 *
 * @typedef {object} Chart
 * @property {number} width
 * @property {number} height
 * @property {string} label  what a screen reader says
 * @property {number} last  the last step of the axis, which begins at 0
 * @property {boolean} [log]  whether early steps have more room
 * @property {number[]} range  [low, high] of the values; a line leaves it at the top
 * @property {string} [xLabel]  what is counted
 * @property {string} yLabel
 * @property {(step: number) => string} [write]  a step below the axis
 * @property {Series[]} series
 * @property {{value: number, text: string}[]} [levels]  lines from side to side
 * @property {number|null} [cursor]  a step
 * @property {number[]} [steps]  the recorded ones
 * @property {number[]} [restarts]  steps with a line from top to bottom
 * @property {{step: number, text: string, name: string, choose: () => void}[]} [marks]  signs on top, to be pressed
 */

/** @param {Chart} chart  its `shareAt(clientX)` says where along the axis, 0..1, a pointer is */
export function lineChart(chart) {
  const plot = plotOf(chart);
  const { series, levels = [], cursor = null, steps = [], restarts = [], label } = chart;
  const { width, height, x, y, top, bottom } = plot;
  const svg = shape(
    "svg",
    { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, class: "hs-curve" },
    ...frame(plot, chart),
    shape("g", { class: "hs-curve-steps" }, ...steps.map((step) => line(x(step), bottom, x(step), bottom + 4))),
    ...restarts.map((step) => line(x(step), top, x(step), bottom, { class: "hs-curve-restart" })),
    ...levels.map(({ value }) => line(LEFT, y(value), LEFT + plot.inner, y(value), { class: "hs-curve-level" })),
    ...series.flatMap((one) => curve(plot, one)),
    ...leaving(plot, series),
    ...plot.marks.map((mark) => markAt(x(mark.step), plot, mark)),
    ...(cursor === null ? [] : cursorAt(plot, series, cursor)),
    ...levels.map(({ value, text: said }) => levelName(plot, y(value), said)),
  );
  svg.shareAt = (clientX) => {
    const { left, width: seen } = svg.getBoundingClientRect();
    return (((clientX - left) / seen) * width - LEFT) / plot.inner;
  };
  return svg;
}

/** Where steps and values lie. */
function plotOf({ width, height, last, log = false, range, marks = [] }) {
  const inner = width - LEFT - RIGHT;
  const top = marks.length ? MARK.high + 14 : 12;
  const bottom = height - BELOW;
  const isNear = (a, b) => Math.abs(along(a, last, log) - along(b, last, log)) * inner < MARK.apart;
  return {
    width,
    height,
    inner,
    top,
    bottom,
    range,
    x: (step) => LEFT + along(step, last, log) * inner,
    y: (value) => top + (1 - (value - range[0]) / (range[1] - range[0])) * (bottom - top),
    marks: gathered(marks, isNear),
  };
}

/** How a line looks, and its name: a part of the key below a chart. */
export function keyPart(look, text) {
  const sample = shape(
    "svg",
    { width: 28, height: 10, "aria-hidden": "true", class: "hs-curve-key" },
    line(0, 5, 28, 5, look === "restart" ? { class: "hs-curve-restart" } : lookOf(look)),
  );
  return make("span", { className: "hs-tl-key-part" }, sample, make("span", { text: ` ${text}` }));
}

function lookOf({ color, dash = [], thin = false, name }) {
  return {
    class: `hs-curve-line${thin ? " hs-curve-thin" : ""}`,
    style: `stroke: var(${color}); stroke-dasharray: ${dash.join(" ") || "none"}`,
    "data-name": name,
  };
}

function frame(
  { x, y, inner, bottom, height, range },
  /** @type {Chart} */ { last, log = false, yLabel, xLabel, write = grouped },
) {
  const values = evenTicks(...range, 4).flatMap((value) => [
    line(LEFT, y(value), LEFT + inner, y(value), { class: "hs-curve-grid" }),
    text(LEFT - 7, y(value), String(value), "end", { "dominant-baseline": "central" }),
  ]);
  const steps = stepTicks(last, log, TICK / inner).map((step) =>
    text(x(step), bottom + 16, write(step), step === last ? "end" : "middle"),
  );
  const above = `↑ ${yLabel}`;
  const room = inner + LEFT - (above.length + 2) * LETTER;
  const whole = `${xLabel ?? "training step"}${log ? " (early steps widened)" : ""} →`;
  const names = [whole, `${xLabel ?? "step"} →`, "→"];
  const along = names.find((name) => name.length * LETTER <= room) ?? "";
  return [...values, ...steps, text(LEFT + inner, height - 4, along, "end"), text(2, height - 4, above)];
}

/** Over all else, on a ground of its own: lines that meet it end there. */
function levelName({ inner }, at, said) {
  return text(LEFT + inner - 6, at - 5, said, "end", { class: "hs-curve-text hs-curve-name" });
}

function curve({ x, y, inner, range }, one) {
  const points = thinned(clipped(one.points, range[1]), inner).map(([step, value]) => [x(step), y(value)]);
  const seen = points.filter(([, at]) => Number.isFinite(at));
  const dot = (r) => (point) => circle(point, r, one.color, "hs-curve-dot");
  const dots = one.dots ? seen.map(dot(2.5)) : seen.length === 1 && !one.thin ? seen.map(dot(3)) : [];
  return [shape("path", { d: pathOf(points), ...lookOf(one) }), ...dots];
}

/** Where lines leave the picture at the top, and how far they go; each on a line of its own. */
function leaving({ x, top, inner, range }, series) {
  const off = series
    .filter(({ thin }) => !thin)
    .map(({ points, color }) => ({ color, ...beyond(points, range[1]) }))
    .filter(({ most }) => most !== undefined)
    .map(({ step, most, color }) => ({ color, said: `▲ up to ${most.toPrecision(3)}`, at: x(step) }));
  const boxes = off.map(({ said, at }) => {
    const left = Math.min(at, LEFT + inner - said.length * LETTER);
    return { left, right: left + said.length * LETTER, y: top + 12 };
  });
  const lines = apart(boxes, LINE);
  return off.map(({ said, color }, i) =>
    text(boxes[i].left, lines[i], said, "start", { class: "hs-curve-text hs-curve-off", style: `fill: var(${color})` }),
  );
}

/** A dashed line with a sign on top, which can be pressed. */
function markAt(at, { top, bottom }, { text: sign, name, choose }) {
  const wide = 10 + 7 * sign.length;
  const group = shape(
    "g",
    { class: "hs-curve-mark" },
    shape("title", { text: name }),
    line(at, top, at, bottom),
    shape("rect", { x: at - wide / 2, y: 4, width: wide, height: MARK.high, rx: 4 }),
    shape("text", {
      x: at,
      y: 4 + MARK.high / 2,
      "text-anchor": "middle",
      "dominant-baseline": "central",
      text: sign,
    }),
  );
  group.addEventListener("click", choose);
  return group;
}

/** A line at the cursor, and on every curve what was measured last there or before. */
function cursorAt({ x, y, top, bottom, range }, series, cursor) {
  const measured = series
    .filter(({ thin }) => !thin)
    .map(({ points, color }) => ({ color, point: upTo(points, cursor) }));
  return [
    line(x(cursor), top, x(cursor), bottom, { class: "hs-curve-cursor" }),
    ...measured
      .filter(({ point }) => point && Number.isFinite(point[1]) && point[1] <= range[1])
      .map(({ color, point }) => circle([x(point[0]), y(point[1])], 5, color, "hs-curve-now")),
  ];
}

const circle = ([cx, cy], r, color, name) => shape("circle", { cx, cy, r, class: name, style: `fill: var(${color})` });

const line = (x1, y1, x2, y2, more = {}) => shape("line", { x1, y1, x2, y2, ...more });

function text(x, y, said, anchor = "start", more = {}) {
  return shape("text", { x, y, class: "hs-curve-text", "text-anchor": anchor, text: said, ...more });
}

function shape(
  name,
  /** @type {{text?: string, [attribute: string]: any}} */ { text: said, ...attributes },
  ...children
) {
  const element = document.createElementNS(NAMESPACE, name);
  if (said !== undefined) element.textContent = said;
  for (const [key, value] of Object.entries(attributes))
    if (value !== null && value !== undefined) element.setAttribute(key, value);
  element.append(...children);
  return element;
}
