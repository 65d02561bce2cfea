// Small helpers to build elements. Text always goes in as text.

export function make(tag, options = {}, ...children) {
  const { className, text, ...rest } = options;
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(rest)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export const DOTS = /(?<=\.)/;

/** A name that may break between its words: Generic·Self·Attention.·forward; or only `at` its dots. */
export function breakable(name, at = /(?<=[a-z])(?=[A-Z])|(?<=[._])/) {
  return name.split(at).flatMap((word, i) => (i ? [document.createElement("wbr"), word] : [word]));
}

/** A canvas of the given size in CSS pixels, sharp on every screen; returns its context. */
export function prepare(canvas, width, height) {
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

export function cssColor(name) {
  return getComputedStyle(document.body).getPropertyValue(name).trim();
}

/** Text that runs downwards (1) or upwards (-1). */
export function turned(context, x, y, quarters, text, ...widest) {
  context.save();
  context.translate(x, y);
  context.rotate((quarters * Math.PI) / 2);
  context.textAlign = "left";
  context.fillText(text, 0, 0, ...widest);
  context.restore();
}
