// SVG as text: elements, and what of a string XML allows. Pure: no DOM.

/** `<name a="b">children</name>`; children are markup, attributes are escaped, those without a value left out. */
export function tag(name, attributes, children = "") {
  const listed = Object.entries(attributes).filter(
    ([, value]) => value !== null && value !== undefined && value !== "",
  );
  const head = [
    name,
    ...listed.map(([key, value]) => `${key}="${escaped(typeof value === "number" ? short(value) : value)}"`),
  ].join(" ");
  return children === "" ? `<${head}/>` : `<${head}>${children}</${name}>`;
}

/** Text as XML may hold it: markup escaped, and characters that no XML file may contain by their code. */
export function escaped(text) {
  const codePoint = (c) => `U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
  return (
    String(text)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: XML allows none of these
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff\p{Cs}]/gu, codePoint)
      .replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c])
  );
}

/** A number with at most two decimals: a hundredth of a pixel is enough. */
export function short(number) {
  return String(Math.round(number * 100) / 100);
}

/** {color, opacity} of a CSS colour as browsers compute it; null for one that is not seen. */
export function paintOf(css) {
  const found = /^rgba?\(([^)]+)\)$/.exec(css);
  if (!found) return css === "transparent" || !css ? null : { color: css };
  const [r, g, b, a = 1] = found[1].split(/[\s,/]+/).map(Number);
  return a === 0 ? null : { color: `rgb(${r},${g},${b})`, opacity: a === 1 ? null : a };
}

/**
 * A block of pixels (RGBA bytes, width × height) as one path for each colour, runs of a row joined. `place(x, y)` is
 * where the corner of a pixel lies; `size` how large one is.
 */
export function pixelPaths({ data, width, height }, { left, top, wide, high }) {
  const paths = new Map();
  const colors = new Uint32Array(data.buffer, data.byteOffset, width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0, end; x < width; x = end) {
      const color = colors[y * width + x];
      for (end = x + 1; end < width && colors[y * width + end] === color; ) end += 1;
      if (color >>> 24)
        paths.set(
          color,
          `${paths.get(color) ?? ""}M${short(left + x * wide)} ` +
            `${short(top + y * high)}h${short((end - x) * wide)}v${short(high)}h${short((x - end) * wide)}z`,
        );
    }
  }
  const fill = (color) => `rgb(${color & 255},${(color >> 8) & 255},${(color >> 16) & 255})`;
  const shapes = [...paths].map(([color, d]) =>
    tag("path", { d, fill: fill(color), "fill-opacity": color >>> 24 === 255 ? null : (color >>> 24) / 255 }),
  );
  return tag("g", { "shape-rendering": "crispEdges" }, shapes.join(""));
}
