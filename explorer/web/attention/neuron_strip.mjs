// A row of coloured cells, one for each of D numbers, on a scale around 0: orange below, blue above.

import { make } from "../base/dom.mjs";
import { divergingColor } from "../color/hues.mjs";
import { scaleBar } from "../color/scale.mjs";
import { isDark } from "../state/store.mjs";

/** {element, paint(values, order, limit)}: `pointed(d)` and `clicked(d)` are told which dimension is under the pointer. */
export function strip({ pointed, clicked }) {
  const canvas = make("canvas", { height: 1 });
  const element = make("span", { className: "hs-neuron-strip" }, canvas);
  let shown = [];
  const under = (event) =>
    shown[Math.min(shown.length - 1, Math.max(0, Math.floor((event.offsetX / canvas.clientWidth) * shown.length)))];
  canvas.addEventListener("mousemove", (event) => pointed(under(event)));
  canvas.addEventListener("click", (event) => {
    event.stopPropagation();
    clicked(under(event));
  });
  const paint = (values, order, limit) => {
    shown = order;
    canvas.width = order.length; // a pixel for each number, stretched by the style
    const context = canvas.getContext("2d");
    order.forEach((d, i) => {
      context.fillStyle = `rgb(${divergingColor(values[d], limit, isDark())})`;
      context.fillRect(i, 0, 1, 1);
    });
  };
  return { element, paint };
}

/** The scale of strips whose ends are -limit and limit. */
export function stripScale(label, limit) {
  const color = (at) => `rgb(${divergingColor((2 * at - 1) * limit, limit, isDark())})`;
  const end = limit.toFixed(2);
  return scaleBar({
    label,
    color,
    ticks: [
      { at: 0, text: `−${end}` },
      { at: 0.5, text: "0" },
      { at: 1, text: end },
    ],
  });
}
