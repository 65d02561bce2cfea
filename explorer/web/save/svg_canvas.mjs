// What is drawn on a canvas, as vectors: a context that passes everything on to the real one and writes it down as SVG.
//
// The real context keeps the state (colours, font, transform), so that only paths and clips are followed here.

import { escaped, paintOf, pixelPaths, short, tag } from "../base/svg.mjs";

const LARGEST_BLOCK = 65536; // pixels of an image that become shapes; a larger one stays an image
let clips = 0; // ids of clips must differ in a whole file

/**
 * Listen to what is drawn on `canvas` from now on. `markup()` is all of it, in pixels of the canvas; "" if nothing was.
 * `stop()` ends it.
 */
export function listen(canvas) {
  const drawing = new Drawing(canvas.getContext("2d"));
  const context = new Proxy(drawing.real, {
    get(target, name) {
      const value = target[name];
      if (typeof value !== "function") return value;
      return (...given) => {
        drawing[name]?.(...given);
        return value.apply(target, given);
      };
    },
    set(target, name, value) {
      target[name] = value;
      return true;
    },
  });
  canvas.getContext = () => context;
  const width = Object.getOwnPropertyDescriptor(HTMLCanvasElement.prototype, "width");
  Object.defineProperty(canvas, "width", {
    configurable: true,
    get: () => width.get.call(canvas),
    set: (pixels) => {
      width.set.call(canvas, pixels);
      drawing.clear(); // as the browser does with what was there
    },
  });
  const stop = () => {
    delete canvas.getContext;
    delete canvas.width;
  };
  return { markup: () => drawing.markup(), stop };
}

/** Methods named as those of a 2D context: each writes down what the call of that name draws. */
class Drawing {
  constructor(real) {
    this.real = real;
    this.clear();
  }

  clear() {
    this.parts = [];
    this.path = "";
    this.open = 0; // groups that a clip opened since the last save
    this.saved = [];
  }

  markup() {
    return this.parts.join("") + "</g>".repeat(this.open + this.saved.reduce((a, b) => a + b, 0));
  }

  point(x, y) {
    const { a, b, c, d, e, f } = this.real.getTransform();
    return `${short(a * x + c * y + e)} ${short(b * x + d * y + f)}`;
  }

  zoom() {
    const { a, b, c, d } = this.real.getTransform();
    return Math.sqrt(Math.abs(a * d - b * c));
  }

  // paths: points are where the transform of that moment puts them

  beginPath() {
    this.path = "";
  }
  closePath() {
    this.path += "Z";
  }
  moveTo(x, y) {
    this.path += `M${this.point(x, y)}`;
  }
  lineTo(x, y) {
    this.path += `${this.path ? "L" : "M"}${this.point(x, y)}`;
  }
  bezierCurveTo(x1, y1, x2, y2, x, y) {
    this.path += `C${this.point(x1, y1)} ${this.point(x2, y2)} ${this.point(x, y)}`;
  }
  quadraticCurveTo(x1, y1, x, y) {
    this.path += `Q${this.point(x1, y1)} ${this.point(x, y)}`;
  }
  rect(x, y, w, h) {
    this.path += this.box(x, y, w, h);
  }
  arc(x, y, r, from, to, back = false) {
    this.ellipse(x, y, r, r, 0, from, to, back);
  }

  roundRect(x, y, w, h, radii = 0) {
    const r = Math.min([radii].flat()[0] ?? 0, w / 2, h / 2);
    this.moveTo(x + r, y);
    for (const [cx, cy, ex, ey, sx, sy] of [
      [x + w, y, x + w, y + r, x + w - r, y],
      [x + w, y + h, x + w - r, y + h, x + w, y + h - r],
      [x, y + h, x, y + h - r, x + r, y + h],
      [x, y, x + r, y, x, y + r],
    ]) {
      this.lineTo(sx, sy);
      this.quadraticCurveTo(cx, cy, ex, ey);
    }
    this.closePath();
  }

  /** In quarter turns at most: an arc command cannot say a whole turn. */
  ellipse(x, y, rx, ry, turn, from, to, back = false) {
    const full = 2 * Math.PI;
    let sweep = back ? from - to : to - from;
    sweep = sweep >= full ? full : ((sweep % full) + full) % full;
    const at = (t) => [
      x + rx * Math.cos(t) * Math.cos(turn) - ry * Math.sin(t) * Math.sin(turn),
      y + rx * Math.cos(t) * Math.sin(turn) + ry * Math.sin(t) * Math.cos(turn),
    ];
    const steps = Math.max(1, Math.ceil(sweep / (Math.PI / 2)));
    const scale = this.zoom();
    this.lineTo(...at(from));
    for (let i = 1; i <= steps; i++) {
      const t = from + ((back ? -1 : 1) * sweep * i) / steps;
      this.path +=
        `A${short(rx * scale)} ${short(ry * scale)} ${short((turn * 180) / Math.PI)} 0 ${back ? 0 : 1} ` +
        `${this.point(...at(t))}`;
    }
  }

  box(x, y, w, h) {
    return `M${this.point(x, y)}L${this.point(x + w, y)}L${this.point(x + w, y + h)}L${this.point(x, y + h)}Z`;
  }

  // what leaves a mark

  fill(given) {
    this.add(given instanceof Path2D ? "" : this.path, { fill: true });
  }
  stroke() {
    this.add(this.path, { stroke: true });
  }
  fillRect(...box) {
    this.add(this.box(...box), { fill: true });
  }
  strokeRect(...box) {
    this.add(this.box(...box), { stroke: true });
  }

  /** Clearing everything starts anew; clearing a part is not needed by any view. */
  clearRect() {
    if (!this.saved.length) this.clear();
  }

  add(d, /** @type {{fill?: boolean, stroke?: boolean}} */ { fill = false, stroke = false }) {
    const { real } = this;
    const paint = paintOf(rgb(fill ? real.fillStyle : real.strokeStyle));
    if (!d || !paint) return;
    const opacity = (paint.opacity ?? 1) * real.globalAlpha;
    const scale = this.zoom();
    this.parts.push(
      tag("path", {
        d,
        fill: fill ? paint.color : "none",
        stroke: stroke ? paint.color : null,
        "stroke-width": stroke ? real.lineWidth * scale : null,
        "stroke-linecap": stroke && real.lineCap !== "butt" ? real.lineCap : null,
        "stroke-dasharray": stroke
          ? real
              .getLineDash()
              .map((x) => short(x * scale))
              .join(" ")
          : null,
        opacity: opacity === 1 ? null : opacity,
      }),
    );
  }

  fillText(text, x, y, widest) {
    const { real } = this;
    const { a, b, c, d, e, f } = real.getTransform();
    const paint = paintOf(rgb(real.fillStyle));
    if (!paint || String(text) === "") return;
    const measured = real.measureText(text);
    const probe = real.textBaseline;
    real.textBaseline = "alphabetic"; // SVG's baselines differ from program to program: this one does not
    const down = real.measureText(text).actualBoundingBoxAscent - measured.actualBoundingBoxAscent;
    real.textBaseline = probe;
    const opacity = (paint.opacity ?? 1) * real.globalAlpha;
    this.parts.push(
      tag(
        "text",
        {
          transform:
            `matrix(${[a, b, c, d].map((n) => Math.round(n * 1e4) / 1e4).join(" ")} ` +
            `${short(e + a * x + c * (y + down))} ${short(f + b * x + d * (y + down))})`,
          style: `font: ${real.font}; white-space: pre`,
          fill: paint.color,
          opacity: opacity === 1 ? null : opacity,
          "text-anchor": { center: "middle", right: "end", end: "end" }[real.textAlign],
          textLength: widest < measured.width ? widest : null,
          lengthAdjust: widest < measured.width ? "spacingAndGlyphs" : null,
        },
        escapedText(text),
      ),
    );
  }

  /** A small block of pixels becomes shapes, so that it stays sharp in every program. */
  drawImage(image, ...where) {
    const [sx, sy, sw, sh, x, y, w, h] =
      where.length === 8
        ? where
        : [0, 0, image.width, image.height, ...where, ...(where.length === 2 ? [image.width, image.height] : [])];
    const { a, d, e, f } = this.real.getTransform();
    const box = { left: e + a * x, top: f + d * y, wide: (a * w) / sw, high: (d * h) / sh };
    const alpha = this.real.globalAlpha;
    const small = new OffscreenCanvas(sw, sh).getContext("2d", { willReadFrequently: true });
    small.drawImage(image, sx, sy, sw, sh, 0, 0, sw, sh);
    const pixels = small.getImageData(0, 0, sw, sh);
    const markup =
      sw * sh <= LARGEST_BLOCK && !this.real.imageSmoothingEnabled ? pixelPaths(pixels, box) : imageTag(pixels, box);
    this.parts.push(alpha === 1 ? markup : tag("g", { opacity: alpha }, markup));
  }

  putImageData(pixels, x, y) {
    const box = { left: x, top: y, wide: 1, high: 1 };
    this.parts.push(pixels.width * pixels.height <= LARGEST_BLOCK ? pixelPaths(pixels, box) : imageTag(pixels, box));
  }

  // saved and restored: a clip is a group that ends where what was saved before it is restored

  clip() {
    clips += 1;
    const id = `clip${clips}`;
    this.parts.push(tag("clipPath", { id }, tag("path", { d: this.path })), `<g clip-path="url(#${id})">`);
    this.open += 1;
  }

  save() {
    this.saved.push(this.open);
    this.open = 0;
  }

  restore() {
    if (!this.saved.length) return;
    this.parts.push("</g>".repeat(this.open));
    this.open = this.saved.pop();
  }
}

function imageTag(pixels, { left, top, wide, high }) {
  const canvas = document.createElement("canvas");
  canvas.width = pixels.width;
  canvas.height = pixels.height;
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return imageOf(canvas, left, top, wide * pixels.width, high * pixels.height);
}

/** A canvas as an image inside the file; "pixelated" keeps its pixels sharp. */
export function imageOf(canvas, x, y, width, height, rendering = "pixelated") {
  return tag("image", {
    href: canvas.toDataURL(),
    x,
    y,
    width,
    height,
    preserveAspectRatio: "none",
    style: `image-rendering: ${rendering}`,
  });
}

/** Canvases write colours as "#rrggbb" or "rgba(…)"; a gradient or pattern has no single one. */
function rgb(style) {
  return typeof style === "string" ? style : null;
}

function escapedText(text) {
  return escaped(String(text).replace(/\s/g, " "));
}
