// An element of the page as SVG: boxes, text and drawings, each where the browser put it. Nothing is fetched, and no
// HTML is left inside, so that every program can read the file.

import { escaped, paintOf, short, tag } from "../base/svg.mjs";
import { imageOf, listen } from "./svg_canvas.mjs";

const MARGIN = 16;
const SIDES = ["Top", "Right", "Bottom", "Left"];
const OF_SHAPES = [
  "fill",
  "fill-opacity",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "stroke-opacity",
  "stroke-linecap",
  "opacity",
  "font-family",
  "font-size",
  "font-weight",
  "font-style",
  "text-anchor",
  "dominant-baseline",
  "display",
  "visibility",
  "marker-end",
];

/**
 * `root` as the text of an SVG file. `redraw()` draws its canvases again, so that they come out as vectors;
 * `caption` stands below.
 */
export function svgOf(root, { redraw, caption, ground }) {
  const heard = new Map([...root.querySelectorAll("canvas")].map((canvas) => [canvas, listen(canvas)]));
  root.classList.add("hs-saving");
  const fold = unfold(root);
  try {
    redraw();
    const walk = new Walk(root, heard);
    walk.element(root);
    return walk.file(caption, ground);
  } finally {
    fold();
    root.classList.remove("hs-saving");
    for (const { stop } of heard.values()) stop();
    redraw();
  }
}

/** A picture cannot be scrolled: show all of what can, and return what undoes it. */
function unfold(root) {
  const all = [...root.querySelectorAll("*")];
  const scrolled = all.filter(canScroll);
  const stuck = all.filter((element) => getComputedStyle(element).position === "sticky");
  const folded = [...new Set([...scrolled, ...stuck])].map((element) => ({
    element,
    kept: element.style.cssText,
    top: element.scrollTop,
    left: element.scrollLeft,
  }));
  for (const element of scrolled)
    Object.assign(element.style, { maxHeight: "none", height: "auto", overflowY: "visible", overflowX: "visible" });
  for (const element of stuck) element.style.position = "relative"; // where it is before anything scrolls
  return () => {
    for (const { element, kept, top, left } of folded) {
      element.style.cssText = kept;
      Object.assign(element, { scrollTop: top, scrollLeft: left });
    }
  };
}

function canScroll(element) {
  if (element.scrollHeight <= element.clientHeight + 1) return false;
  return ["auto", "scroll"].includes(getComputedStyle(element).overflowY);
}

class Walk {
  constructor(root, heard) {
    const { left, top, right } = root.getBoundingClientRect();
    this.right = right;
    this.root = root;
    this.heard = heard;
    this.origin = { left: left - MARGIN, top: top - MARGIN };
    this.size = { width: 0, height: 0 };
    this.parts = [];
    this.clips = 0;
    this.pen = document.createElement("canvas").getContext("2d");
  }

  file(caption, ground) {
    const { fontFamily, color } = getComputedStyle(this.root);
    const width = Math.ceil(this.size.width) + MARGIN;
    const height = Math.ceil(this.size.height) + MARGIN + 20;
    this.pen.font = `11px ${fontFamily}`;
    const below = tag(
      "text",
      {
        x: MARGIN,
        y: height - MARGIN / 2,
        fill: color,
        "fill-opacity": 0.7,
        style: `font: 11px ${fontFamily.replaceAll('"', "'")}`,
      },
      escaped(this.cut(caption, width - 2 * MARGIN)),
    );
    const back = tag("rect", { width, height, fill: ground });
    return tag(
      "svg",
      { xmlns: "http://www.w3.org/2000/svg", width, height, viewBox: `0 0 ${width} ${height}` },
      tag("title", {}, escaped(caption)) + back + this.parts.join("") + below,
    );
  }

  /** As much of a text as goes into so many pixels. */
  cut(text, width) {
    let letters = [...text];
    while (letters.length > 1 && this.pen.measureText(letters.join("")).width > width)
      letters = [...letters.slice(0, -2), "…"];
    return letters.join("");
  }

  /** Where a rectangle of the page lies in the picture, which grows to hold it. */
  box({ left, top, width, height }) {
    const box = { x: left - this.origin.left, y: top - this.origin.top, width, height };
    this.size.width = Math.max(this.size.width, box.x + width);
    this.size.height = Math.max(this.size.height, box.y + height);
    return box;
  }

  element(element) {
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return;
    const style = getComputedStyle(element);
    const rect = element.getBoundingClientRect();
    const isSeen = rect.width > 0 && rect.height > 0;
    const opacity = Number(style.opacity);
    if (opacity < 1) this.parts.push(`<g opacity="${short(opacity)}">`);
    if (isSeen) this.decorations(this.box(rect), style);
    const clips = isSeen && this.isCut(element, style, rect);
    if (clips) this.openClip(this.box(rect), style);
    if (element instanceof HTMLCanvasElement) this.canvas(element, this.box(rect), style);
    else if (element instanceof SVGSVGElement) this.drawing(element, this.box(rect));
    else if (
      element instanceof HTMLInputElement ||
      element instanceof HTMLTextAreaElement ||
      element instanceof HTMLSelectElement
    )
      this.field(element, rect, style);
    else for (const node of element.childNodes) this.node(node, style);
    if (clips) this.parts.push("</g>");
    if (opacity < 1) this.parts.push("</g>");
  }

  /** Whether what goes beyond an element is not seen. What scrolls sideways is shown if nothing stands beside it. */
  isCut(element, { overflowX }, { right }) {
    if (element === this.root) return false;
    const scrolls = ["auto", "scroll"].includes(overflowX) && element.scrollWidth > element.clientWidth + 1;
    return ["hidden", "clip"].includes(overflowX) || (scrolls && right < this.right - 8);
  }

  node(node, style) {
    if (node.nodeType === Node.ELEMENT_NODE) this.element(node);
    else if (node.nodeType === Node.TEXT_NODE && node.data.trim() !== "" && style.visibility === "visible")
      this.text(node, style);
  }

  openClip(box, style) {
    this.clips += 1;
    const id = `box${this.clips}`;
    this.parts.push(
      tag("clipPath", { id }, tag("rect", { ...box, rx: radiusOf(box, style) })),
      `<g clip-path="url(#${id})">`,
    );
  }

  // boxes

  decorations(box, style) {
    const radius = radiusOf(box, style);
    const ring = /^(rgba?\([^)]+\)) 0px 0px 0px ([\d.]+)px$/.exec(style.boxShadow);
    if (ring) this.frame(box, -ring[2] / 2, Number(ring[2]), ring[1], radius);
    const back = paintOf(style.backgroundColor);
    if (back) this.ground(box, style, radius, { fill: back.color, "fill-opacity": back.opacity });
    if (style.backgroundImage !== "none") this.gradient(box, style.backgroundImage);
    this.borders(box, style, radius);
    const outline = parseFloat(style.outlineWidth);
    if (style.outlineStyle !== "none" && outline > 0)
      this.frame(box, -(parseFloat(style.outlineOffset) || 0) - outline / 2, outline, style.outlineColor, radius);
  }

  ground(box, { clipPath }, radius, look) {
    const isCut = clipPath.startsWith("polygon(");
    this.parts.push(
      isCut
        ? tag("polygon", { points: cornersOf(clipPath, box), ...look })
        : tag("rect", { ...box, rx: radius, ...look }),
    );
  }

  borders(box, style, radius) {
    const sides = SIDES.map((side) => ({
      width: style[`border${side}Style`] === "none" ? 0 : parseFloat(style[`border${side}Width`]),
      color: style[`border${side}Color`],
      dash: { dashed: "4 3", dotted: "1 2" }[style[`border${side}Style`]],
    }));
    const [first] = sides;
    if (sides.every(({ width, color }) => width === first.width && color === first.color)) {
      if (first.width > 0) this.frame(box, first.width / 2, first.width, first.color, radius, first.dash);
      return;
    }
    const { x, y, width: w, height: h } = box;
    const lines = [
      [x, y, x + w, y, 0, 1],
      [x + w, y, x + w, y + h, -1, 0],
      [x, y + h, x + w, y + h, 0, -1],
      [x, y, x, y + h, 1, 0],
    ];
    sides.forEach(({ width, color, dash }, i) => {
      const paint = paintOf(color);
      if (width === 0 || !paint) return;
      const [x1, y1, x2, y2, dx, dy] = lines[i];
      this.parts.push(
        tag("line", {
          x1: x1 + (dx * width) / 2,
          y1: y1 + (dy * width) / 2,
          x2: x2 + (dx * width) / 2,
          y2: y2 + (dy * width) / 2,
          stroke: paint.color,
          "stroke-opacity": paint.opacity,
          "stroke-width": width,
          "stroke-dasharray": dash,
        }),
      );
    });
  }

  /** A line around a box, `inset` pixels inside it. */
  frame({ x, y, width, height }, inset, thick, color, radius, dash = null) {
    const paint = paintOf(color);
    if (!paint) return;
    this.parts.push(
      tag("rect", {
        x: x + inset,
        y: y + inset,
        width: Math.max(0, width - 2 * inset),
        height: Math.max(0, height - 2 * inset),
        rx: radius,
        fill: "none",
        stroke: paint.color,
        "stroke-opacity": paint.opacity,
        "stroke-width": thick,
        "stroke-dasharray": dash,
      }),
    );
  }

  /** Of gradients, those in use: from left to right, and hatching. */
  gradient(box, image) {
    this.clips += 1;
    const id = `fill${this.clips}`;
    const fill = image.startsWith("repeating-linear-gradient") ? hatching(id, image) : leftToRight(id, image);
    if (fill) this.parts.push(fill, tag("rect", { ...box, fill: `url(#${id})` }));
  }

  // text: a line of it at a time

  text(node, style) {
    const paint = paintOf(style.color);
    if (!paint) return;
    for (const { rect, text } of linesOf(node)) {
      const said = style.whiteSpace.startsWith("pre") ? text.replace(/[\n\r]/g, "") : text.replace(/\s+/g, " ");
      if (said.trim() !== "") this.line(said, rect, style, paint);
    }
  }

  line(text, rect, style, paint) {
    const box = this.box(rect);
    const isBackward = style.direction === "rtl";
    const font = `${style.fontStyle} ${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    this.pen.font = font;
    const { fontBoundingBoxAscent: up, fontBoundingBoxDescent: down } = this.pen.measureText("x");
    this.parts.push(
      tag(
        "text",
        {
          x: isBackward ? box.x + box.width : box.x,
          y: box.y + (box.height * up) / (up + down),
          direction: isBackward ? "rtl" : null,
          fill: paint.color,
          "fill-opacity": paint.opacity,
          style:
            `font: ${font.replaceAll('"', "'")}; white-space: ` +
            `pre${style.letterSpacing === "normal" ? "" : `; letter-spacing: ${style.letterSpacing}`}`,
          "text-decoration": style.textDecorationLine === "none" ? null : style.textDecorationLine,
        },
        escaped(text),
      ),
    );
  }

  /** What stands in a field; a slider as its track and knob. */
  field(field, rect, style) {
    const box = this.box(rect);
    const middle = box.y + box.height / 2;
    if (field.type === "range") {
      const share = (field.value - field.min) / (field.max - field.min || 1);
      this.parts.push(
        tag("line", {
          x1: box.x,
          x2: box.x + box.width,
          y1: middle,
          y2: middle,
          stroke: style.color,
          "stroke-opacity": 0.4,
          "stroke-width": 3,
        }),
      );
      this.parts.push(tag("circle", { cx: box.x + share * box.width, cy: middle, r: 6, fill: style.color }));
    } else if (field.type === "checkbox" || field.type === "radio") {
      const round = field.type === "radio" ? box.width / 2 : 2;
      this.parts.push(
        tag("rect", { ...box, rx: round, fill: field.checked ? style.color : "none", stroke: style.color }),
      );
    } else this.written(field, rect, style);
  }

  /** The text in a field, in lines where it has several; or, paler, what stands there until something is written. */
  written(field, rect, style) {
    const said = field.selectedOptions?.[0]?.text ?? (field.value || field.placeholder);
    const paint = paintOf(style.color);
    if (!said || !paint) return;
    const [left, right, above] = ["Left", "Right", "Top"].map((side) => parseFloat(style[`padding${side}`]) + 1);
    const hasLines = field instanceof HTMLTextAreaElement;
    const height = (hasLines && parseFloat(style.lineHeight)) || 1.2 * parseFloat(style.fontSize);
    const top = hasLines ? rect.top + above - field.scrollTop : rect.top + (rect.height - height) / 2;
    const opacity = paint.opacity * (field.value ? 1 : 0.6);
    for (const [i, text] of (hasLines ? this.wrapped(said, rect.width - left - right, style) : [said]).entries())
      if (top + (i + 1) * height <= rect.bottom + 1)
        this.line(text, { left: rect.left + left, top: top + i * height, width: 0, height }, style, {
          ...paint,
          opacity,
        });
  }

  /** A text in lines of so many pixels, broken between words as a field breaks it. */
  wrapped(text, width, { fontStyle, fontWeight, fontSize, fontFamily }) {
    this.pen.font = `${fontStyle} ${fontWeight} ${fontSize} ${fontFamily}`;
    const lines = [];
    for (const paragraph of text.split("\n")) {
      let line = "";
      for (const word of paragraph.split(/(?<= )/)) {
        if (line && this.pen.measureText((line + word).trimEnd()).width > width) {
          lines.push(line);
          line = "";
        }
        line += word;
      }
      lines.push(line);
    }
    return lines;
  }

  // drawings

  /** What was heard of it as vectors; a canvas that was not drawn anew as an image. */
  canvas(canvas, box, style) {
    const markup = this.heard.get(canvas)?.markup();
    if (!canvas.width || !canvas.height) return;
    if (!markup) {
      this.parts.push(imageOf(canvas, box.x, box.y, box.width, box.height, style.imageRendering));
      return;
    }
    const scale =
      `matrix(${box.width / canvas.width} 0 0 ` + `${box.height / canvas.height} ${short(box.x)} ${short(box.y)})`;
    this.parts.push(tag("g", { transform: scale }, markup));
  }

  drawing(svg, box) {
    const copy = svg.cloneNode(true);
    const originals = [svg, ...svg.querySelectorAll("*")];
    [copy, ...copy.querySelectorAll("*")].forEach((element, i) => {
      const style = getComputedStyle(originals[i]);
      for (const name of OF_SHAPES) element.style.setProperty(name, style.getPropertyValue(name));
    });
    for (const [name, value] of Object.entries(box)) copy.setAttribute(name, short(value));
    this.parts.push(new XMLSerializer().serializeToString(copy));
  }
}

/** The corners of a CSS polygon, which are in pixels or in per cent of its box. */
function cornersOf(polygon, { x, y, width, height }) {
  const part = (value, unit, whole) => (unit === "%" ? (value / 100) * whole : Number(value));
  const corners = [...polygon.matchAll(/(-?[\d.]+)(px|%)? (-?[\d.]+)(px|%)?/g)];
  return corners
    .map(([, a, of, b, per]) => `${short(x + part(a, of, width))},${short(y + part(b, per, height))}`)
    .join(" ");
}

function radiusOf({ width, height }, style) {
  return Math.min(parseFloat(style.borderTopLeftRadius) || 0, width / 2, height / 2) || null;
}

/** The lines of a text node as the browser broke them: [{rect, text}]. */
function linesOf(node) {
  const range = document.createRange();
  range.selectNodeContents(node);
  const whole = [...range.getClientRects()].filter(({ width }) => width > 0);
  if (whole.length === 1) return [{ rect: whole[0], text: trimmed(node.data) }];
  const lines = [];
  for (let start = 0, end; start < node.data.length; start = end) {
    end = start + String.fromCodePoint(node.data.codePointAt(start)).length;
    range.setStart(node, start);
    range.setEnd(node, end);
    const rect = [...range.getClientRects()].find(({ width }) => width > 0);
    const last = lines.at(-1);
    if (!rect) {
      if (last) last.text += node.data.slice(start, end);
    } else if (last && Math.abs(last.rect.top - rect.top) < rect.height / 2) {
      last.text += node.data.slice(start, end);
      last.rect = united(last.rect, rect);
    } else lines.push({ rect, text: node.data.slice(start, end) });
  }
  return lines;
}

/** Line ends and indents of the source around a text are not seen; single spaces are kept. */
function trimmed(text) {
  return text.replace(/^\s*\n\s*|\s*\n\s*$/g, "");
}

function united(a, b) {
  const [left, top] = [Math.min(a.left, b.left), Math.min(a.top, b.top)];
  return {
    left,
    top,
    width: Math.max(a.right, b.right) - left,
    height: Math.max(a.bottom, b.bottom) - top,
    right: Math.max(a.right, b.right),
    bottom: Math.max(a.bottom, b.bottom),
  };
}

function leftToRight(id, image) {
  const stops = [...image.matchAll(/(rgba?\([^)]+\))(?: ([\d.]+)%)?/g)];
  if (!stops.length) return null;
  const marks = stops.map(([, css, at], i) => {
    const paint = paintOf(css) ?? { color: "#000", opacity: 0 };
    return tag("stop", {
      offset: `${at ?? (100 * i) / Math.max(1, stops.length - 1)}%`,
      "stop-color": paint.color,
      "stop-opacity": paint.opacity,
    });
  });
  return tag(
    "linearGradient",
    { id, ...(image.includes("to right") || image.includes("90deg") ? {} : { x2: 0, y2: 1 }) },
    marks.join(""),
  );
}

function hatching(id, image) {
  const paint = paintOf(/rgba?\([^)]+\)/.exec(image)?.[0]);
  const widths = [...image.matchAll(/([\d.]+)px/g)].map(([, px]) => Number(px)).filter(Boolean);
  if (!paint || !widths.length) return null;
  const [thick, period] = [Math.min(...widths), Math.max(...widths)];
  const angle = Number(/(-?[\d.]+)deg/.exec(image)?.[1] ?? 180);
  return tag(
    "pattern",
    { id, width: period, height: period, patternUnits: "userSpaceOnUse", patternTransform: `rotate(${angle})` },
    tag("rect", { width: period, height: thick, fill: paint.color, "fill-opacity": paint.opacity }),
  );
}
