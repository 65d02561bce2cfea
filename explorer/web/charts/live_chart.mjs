// One picture with the curves of several runs, as an SVG element: a pure function of what it is given.
//
// {width, height, last: the last step, range: [low, high], yLabel, label: what a screen reader says,
//  curves: [{points: [[step, value]], color, dash, thin, name}], levels: [{value, text}], cursor: a step or null,
//  marks: [{step, text, name, choose}], off: [{step, text, color}]: where a curve leaves the picture at the top}

import { beyond, clipped, thinned, upTo } from "./live_axes.mjs";
import { evenTicks, pathOf, stepTicks } from "./chart.mjs";
import { shape } from "./curve.mjs";
import { grouped } from "../base/text.mjs";

const LEFT = 44;
const RIGHT = 14;
const BELOW = 36;
const MARK = 18;

export function runsChart({
  width,
  height,
  last,
  range,
  yLabel,
  label,
  curves,
  levels = [],
  cursor = null,
  marks = [],
}) {
  const top = marks.length ? MARK + 14 : 12;
  const [inner, tall] = [width - LEFT - RIGHT, height - top - BELOW];
  const x = (step) => LEFT + (step / last) * inner;
  const y = (value) => top + (1 - (value - range[0]) / (range[1] - range[0])) * tall;
  const line = (x1, y1, x2, y2, className) => shape("line", { x1, y1, x2, y2, class: className });
  const svg = shape("svg", {
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": label,
    class: "hs-curve",
  });
  for (const value of evenTicks(...range, 4)) {
    svg.append(
      line(LEFT, y(value), LEFT + inner, y(value), "hs-curve-grid"),
      shape("text", {
        x: LEFT - 7,
        y: y(value),
        class: "hs-curve-text",
        "text-anchor": "end",
        "dominant-baseline": "central",
        text: String(value),
      }),
    );
  }
  for (const step of stepTicks(last, false, 58 / inner)) {
    svg.append(
      shape("text", {
        x: x(step),
        y: top + tall + 16,
        class: "hs-curve-text",
        "text-anchor": step === last ? "end" : "middle",
        text: grouped(step),
      }),
    );
  }
  svg.append(
    shape("text", {
      x: LEFT + inner,
      y: height - 4,
      class: "hs-curve-text",
      "text-anchor": "end",
      text: "training step →",
    }),
    shape("text", { x: 2, y: height - 4, class: "hs-curve-text", text: `↑ ${yLabel}` }),
  );
  for (const { value, text } of levels) {
    svg.append(
      shape(
        "g",
        { class: "hs-curve-level" },
        line(LEFT, y(value), LEFT + inner, y(value)),
        shape("text", { x: LEFT + inner, y: y(value) - 5, class: "hs-curve-text", "text-anchor": "end", text }),
      ),
    );
  }
  for (const { points, color, dash, thin, name } of curves) {
    const drawn = thinned(clipped(points, range[1]), inner).map(([step, value]) => [x(step), y(value)]);
    svg.append(
      shape("path", {
        d: pathOf(drawn),
        class: `hs-curve-line hs-live-line${thin ? " hs-live-thin" : ""}`,
        style: `stroke: var(${color}); stroke-dasharray: ${dash.join(" ") || "none"}`,
        "data-name": name,
      }),
    );
    const alone = drawn.filter(([, at]) => Number.isFinite(at));
    if (alone.length === 1 && !thin)
      svg.append(shape("circle", { cx: alone[0][0], cy: alone[0][1], r: 3, style: `fill: var(${color})` }));
    const off = thin ? null : beyond(points, range[1]);
    if (off)
      svg.append(
        shape("text", {
          x: Math.min(x(off.step), LEFT + inner - 60),
          y: top + 12,
          class: "hs-curve-text hs-live-off",
          style: `fill: var(${color})`,
          text: `▲ up to ${off.most.toPrecision(3)}`,
        }),
      );
  }
  for (const mark of marks) svg.append(markAt(x(mark.step), top, tall, mark));
  if (cursor !== null) {
    svg.append(line(x(cursor), top, x(cursor), top + tall, "hs-curve-cursor"));
    for (const { points, color, thin } of curves) {
      const [, value] = (thin ? null : upTo(points, cursor)) ?? [];
      if (Number.isFinite(value) && value <= range[1])
        svg.append(shape("circle", { cx: x(cursor), cy: y(value), r: 4, style: `fill: var(${color})` }));
    }
  }
  /** The step under a pointer, null beside the picture. */
  svg.stepAt = (clientX) => {
    const { left, width: seen } = svg.getBoundingClientRect();
    const step = ((((clientX - left) / seen) * width - LEFT) / inner) * last;
    return step >= 0 && step <= last ? Math.round(step) : null;
  };
  return svg;
}

/** A dashed line with a sign on top, which can be pressed. */
function markAt(at, top, tall, { text, name, choose }) {
  const wide = 10 + 7 * text.length;
  return shape(
    "g",
    { class: "hs-curve-mark", onclick: choose },
    shape("title", { text: name }),
    shape("line", { x1: at, y1: top, x2: at, y2: top + tall }),
    shape("rect", { x: at - wide / 2, y: 4, width: wide, height: MARK, rx: 4 }),
    shape("text", { x: at, y: 4 + MARK / 2, "text-anchor": "middle", "dominant-baseline": "central", text }),
  );
}
