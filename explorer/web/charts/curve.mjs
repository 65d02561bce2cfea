// A chart of curves over the steps of training, as an SVG element: a pure function of what it is given.
//
// {width, height, last: the last step, log: whether the axis is, range: [low, high], yLabel, xLabel(step): a tick's text,
//  series: [{name, className, points: [[step, value]], dots: whether each point is marked}], levels: [{value, text}],
//  cursor: a step, steps: the recorded ones, restarts: steps with a line from top to bottom,
//  marks: [{step, text, name, choose}], label: what a screen reader says}

import { make } from "../base/dom.mjs";
import { along, evenTicks, pathOf, stepTicks } from "./chart.mjs";

const LEFT = 44;
const RIGHT = 14;
const BELOW = 36;
const MARK = 18; // px that a mark is high
const NAMESPACE = "http://www.w3.org/2000/svg";

/**
 * @param {string} name
 * @param {{text?: string, onclick?: (event: Event) => void, [attribute: string]: any}} options
 * @param {...(Node | string)} children
 * @returns {any} an element, on which charts leave what they can be asked
 */
export function shape(name, { text, onclick, ...attributes } = {}, ...children) {
  const element = document.createElementNS(NAMESPACE, name);
  if (text !== undefined) element.textContent = text;
  if (onclick) element.addEventListener("click", onclick);
  for (const [key, value] of Object.entries(attributes))
    if (value !== null && value !== undefined) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** The chart; its `stepShare(clientX)` says where along the axis, 0..1, a pointer is. */
export function curveChart({
  width,
  height,
  last,
  log,
  range,
  yLabel,
  xLabel,
  series,
  levels = [],
  cursor,
  steps,
  restarts = [],
  marks = [],
  label,
}) {
  const top = marks.length ? MARK + 12 : 10;
  const [inner, tall] = [width - LEFT - RIGHT, height - top - BELOW];
  const x = (step) => LEFT + along(step, last, log) * inner;
  const y = (value) => top + (1 - (value - range[0]) / (range[1] - range[0])) * tall;
  const svg = shape("svg", {
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": label,
    class: "hs-curve",
  });
  svg.append(...frame({ x, y, range, last, log, tall, top, inner, xLabel, yLabel, height }));
  svg.append(
    shape("g", { class: "hs-curve-steps" }, ...steps.map((step) => line(x(step), top + tall, x(step), top + tall + 4))),
  );
  svg.append(...restarts.map((step) => line(x(step), top, x(step), top + tall, { class: "hs-curve-restart" })));
  svg.append(...marks.map((mark) => markAt(x(mark.step), top, tall, mark)));
  svg.append(...levels.map(({ value, text }) => level(y(value), inner, text)));
  for (const one of series) {
    const points = one.points.map(([step, value]) => [x(step), y(value)]);
    svg.append(shape("path", { d: pathOf(points), class: `hs-curve-line ${one.className}` }));
    if (one.dots)
      svg.append(
        ...points
          .filter(([, at]) => Number.isFinite(at))
          .map(([cx, cy]) => shape("circle", { cx, cy, r: 2.5, class: `hs-curve-dot ${one.className}` })),
      );
  }
  svg.append(...cursorAt(cursor, series, x, y, top, tall));
  svg.stepShare = (clientX) => {
    const { left, width: seen } = svg.getBoundingClientRect();
    return (((clientX - left) / seen) * width - LEFT) / inner;
  };
  return svg;
}

/** How a curve looks, and its name: a part of the key below a chart. */
export function keyPart(className, text) {
  const look = shape(
    "svg",
    { width: 28, height: 10, "aria-hidden": "true", class: "hs-curve-key" },
    line(0, 5, 28, 5, { class: `hs-curve-line ${className}` }),
  );
  return make("span", { className: "hs-tl-key-part" }, look, make("span", { text: ` ${text}` }));
}

function line(x1, y1, x2, y2, more = {}) {
  return shape("line", { x1, y1, x2, y2, ...more });
}

function frame({ x, y, range, last, log, tall, top, inner, xLabel, yLabel, height }) {
  const ticks = evenTicks(...range, 4).flatMap((value) => [
    line(LEFT, y(value), LEFT + inner, y(value), { class: "hs-curve-grid" }),
    shape("text", {
      x: LEFT - 7,
      y: y(value),
      class: "hs-curve-text",
      "text-anchor": "end",
      "dominant-baseline": "central",
      text: String(value),
    }),
  ]);
  const steps = stepTicks(last, log, 58 / inner).map((step) =>
    shape("text", {
      x: x(step),
      y: top + tall + 16,
      class: "hs-curve-text",
      "text-anchor": step === last ? "end" : "middle",
      text: xLabel(step),
    }),
  );
  const names = [
    shape("text", {
      x: LEFT + inner,
      y: height - 4,
      class: "hs-curve-text",
      "text-anchor": "end",
      text: `training step${log ? " (early steps widened)" : ""} →`,
    }),
    shape("text", { x: 2, y: height - 4, class: "hs-curve-text", text: `↑ ${yLabel}` }),
  ];
  return [...ticks, ...steps, ...names];
}

function level(at, inner, text) {
  return shape(
    "g",
    { class: "hs-curve-level" },
    line(LEFT, at, LEFT + inner, at),
    shape("text", { x: LEFT + inner, y: at - 5, class: "hs-curve-text", "text-anchor": "end", text }),
  );
}

/** A dashed line with a sign on top, which can be pressed. */
function markAt(at, top, tall, { text, name, choose }) {
  const wide = 10 + 7 * text.length;
  return shape(
    "g",
    { class: "hs-curve-mark", onclick: choose },
    shape("title", { text: name }),
    line(at, top, at, top + tall),
    shape("rect", { x: at - wide / 2, y: 4, width: wide, height: MARK, rx: 4 }),
    shape("text", { x: at, y: 4 + MARK / 2, "text-anchor": "middle", "dominant-baseline": "central", text }),
  );
}

function cursorAt(cursor, series, x, y, top, tall) {
  const dots = series.map(({ points, className }) => ({ className, value: valueAt(points, cursor) }));
  return [
    line(x(cursor), top, x(cursor), top + tall, { class: "hs-curve-cursor" }),
    ...dots
      .filter(({ value }) => Number.isFinite(value))
      .map(({ value, className }) =>
        shape("circle", { cx: x(cursor), cy: y(value), r: 5, class: `hs-curve-now ${className}` }),
      ),
  ];
}

/** What stands at exactly that step. */
export function valueAt(points, step) {
  return points.find(([at]) => at === step)?.[1];
}
