// A row of coloured cells, one for each of D numbers, on a scale around 0: brown below, teal above.

import { make } from "../base/dom.mjs";
import { legend, scaleBar } from "../color/legend.mjs";
import { diverging } from "../color/scale.mjs";
import { drawThumbnail } from "../matrix/matrix.mjs";
import { isDark } from "../state/store.mjs";

/**
 * {element, paint(values, order, limit)}: `pointed(d)` and `clicked(d)` are told which dimension is under the
 * pointer.
 */
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
    const value = (_, i) => values[order[i]];
    drawThumbnail(canvas, { rows: 1, columns: order.length, value, scale: diverging(limit, isDark()) });
  };
  return { element, paint };
}

/** The scale of strips whose ends are -limit and limit. */
export function stripScale(label, limit) {
  const end = limit.toFixed(2);
  const ticks = [
    { value: -limit, text: `−${end}` },
    { value: 0, text: "0" },
    { value: limit, text: end },
  ];
  return legend(scaleBar(diverging(limit, isDark()), { label, ticks }));
}
