// The picture of a step: one figure for each tensor, and one canvas over all of them, on which cells move from
// where they were to where they go. Bars, facts and messages stand beside them as plain elements.

import { cssColor, make, prepare, turned } from "../base/dom.mjs";
import { hatch } from "../color/hatching.mjs";
import { cssOf, inkOn } from "../color/scale.mjs";
import { isDark } from "../state/store.mjs";
import { otherShown } from "./beside.mjs";
import { colorsOf, limitOf } from "./colors.mjs";
import { explain, inCell, number, read } from "./formula.mjs";
import { blockAt, cellUnder, cornerOf, flatOf, indexOf, measure, tapeCorner } from "./geometry.mjs";
import { ease, origins, SECONDS } from "./motion.mjs";
import { withNouns } from "./nouns.mjs";
import { scaleOf, sentenceOf, shapeOf } from "./words.mjs";

const NOTHING = {
  length: 0,
  size: [],
  x: [],
  y: [],
  w: [],
  h: [],
  color: [],
  ink: [],
  text: [],
  key: [],
  panel: [],
  hidden: [],
};
const LARGEST = 46; // px, the side of a cell
const LEAST_CAPTION = 260; // px
const TEXT_WHILE_MOVING = 400; // cells: with more of them numbers come when they rest

export class Picture {
  /** `onTell(told | null, locked)` hears which cell is pointed at or kept. */
  constructor(element, onTell) {
    this.element = element;
    this.onTell = onTell;
    this.flow = make("div", { className: "hs-flow" });
    this.canvas = make("canvas", { className: "hs-cells", "aria-hidden": "true" });
    element.classList.add("hs-stage");
    element.picture = this;
    element.append(this.flow, this.canvas);
    this.panels = [];
    this.cells = NOTHING;
    this.locked = null;
    this.pointed = null;
    this.width = 0;
    this.size = [0, 0]; // of the canvas at rest
    this.leaving = 0; // the height of the picture before, while cells move
    new ResizeObserver(() => this.resized()).observe(element);
  }

  /** Show items of a payload; `animate` lets cells travel from the picture before. */
  show(payload, items, animate = true) {
    this.payload = payload;
    this.items = items;
    this.locked = this.pointed = null;
    cancelAnimationFrame(this.frame); // of the picture before: out of sight, these panels have no measures yet
    this.build();
    this.place(animate);
  }

  build() {
    this.panels = this.items
      .filter(({ kind }) => kind === "panel")
      .map((panel) => ({ panel, ...read(this.payload, panel.values) }));
    let next = 0;
    this.flow.replaceChildren(
      ...this.items.map((item) => (item.kind === "panel" ? this.figure(this.panels[next++]) : otherShown(item))),
    );
  }

  figure(entry) {
    const { panel, shape } = entry;
    entry.slot = make("div", {
      className: "hs-slot",
      tabindex: "0",
      role: "img",
      "aria-label": sentenceOf(panel, shape),
      onpointermove: (event) => this.point(entry, event),
      onpointerleave: () => this.point(entry, null),
      onclick: (event) => this.lock(entry, this.under(entry, event)),
      onkeydown: (event) => this.key(entry, event),
    });
    entry.limit = limitOf(panel, entry.data);
    entry.scale = make("span", { className: "hs-scale-words" }, ...scaleOf(panel, entry.data, entry.limit, isDark()));
    const head = make(
      "figcaption",
      {},
      make("code", { className: "hs-name", text: panel.name, "data-name": panel.name }),
      shapeOf(panel, shape),
      make("span", { className: "hs-panel-title", text: panel.title }),
      entry.scale,
    );
    const note = make("p", { className: "hs-hint hs-panel-note" }, ...withNouns(panel.note));
    note.hidden = !panel.note;
    const strides = panel.tape
      ? make(
          "p",
          { className: "hs-hint hs-strides" },
          make("span", {
            text:
              `strides (${panel.tape.strides.join(", ")}) · starts at place ${panel.tape.offset} · memory ` +
              `${panel.tape.block + 1}`,
          }),
        )
      : "";
    return make(
      "figure",
      { className: "hs-panel", "data-panel": panel.name, "data-name": panel.name },
      head,
      entry.slot,
      strides,
      note,
    );
  }

  /** Measure, lay out and draw; called again when the width changes. */
  place(animate) {
    const width = this.flow.clientWidth;
    this.width = width; // 0 while out of sight: measured when it is seen
    if (!width || !this.payload) return;
    const large = document.body.dataset.lecture === "true" ? 1.5 : 1;
    for (const entry of this.panels) {
      const { panel, shape, slot } = entry;
      entry.tape = panel.tape && read(this.payload, panel.tape.storage);
      entry.geometry = measure(
        { ...panel, tapeSize: entry.tape?.data.length },
        shape,
        width,
        (panel.cell ?? LARGEST) * large,
        large,
      );
      slot.style.width = `${entry.geometry.width}px`;
      slot.style.height = `${entry.geometry.height}px`;
      // words wrap under the cells
      slot.parentElement.style.maxWidth = `${Math.max(entry.geometry.width, LEAST_CAPTION)}px`;
    }
    const ground = this.element.getBoundingClientRect();
    for (const entry of this.panels) {
      const box = entry.slot.getBoundingClientRect();
      [entry.x, entry.y] = [box.left - ground.left + this.element.scrollLeft, box.top - ground.top];
    }
    const before = animate ? this.cells : NOTHING;
    this.cells = collect(this.payload, this.panels, isDark());
    this.leaving = before === NOTHING ? 0 : this.size[1];
    this.size = [Math.max(ground.width, this.flow.scrollWidth), ground.height];
    this.move(before);
  }

  move(before) {
    cancelAnimationFrame(this.frame);
    const still = before.length === 0 || matchMedia("(prefers-reduced-motion: reduce)").matches;
    const from = still ? null : origins(before, this.cells);
    const start = performance.now();
    this.frames = 0;
    const draw = (now) => {
      const t = still ? 1 : Math.min(1, Math.max(0, (now - start) / 1000 / SECONDS));
      this.draw(before, from, ease(t));
      this.frames += 1;
      this.element.dataset.animating = String(t < 1);
      if (t < 1) this.frame = requestAnimationFrame(draw);
    };
    this.element.dataset.animating = String(!still);
    if (still) draw(start);
    else this.frame = requestAnimationFrame(draw);
  }

  draw(before, from, t) {
    const [width, height] = this.size;
    const context = prepare(this.canvas, width, t < 1 ? Math.max(height, this.leaving) : height);
    drawCells(context, this.cells, before, from, t);
    for (const entry of this.panels) {
      context.globalAlpha = t;
      drawLabels(context, entry);
    }
    context.globalAlpha = 1;
    if (t === 1) this.outline(context);
  }

  /** Outlined: marked cells, the cell that is spoken of, and dashed what it was computed from. */
  outline(context) {
    const told = this.told();
    for (const entry of this.panels) {
      for (const index of entry.panel.marks) frame(context, entry, flatOf(index, entry.shape), 2);
      const lit = (told?.lit ?? []).filter(([name]) => name === entry.panel.name);
      for (const flat of lit.flatMap(([, cells]) => cells)) frame(context, entry, flat, 2, [3, 2]);
    }
    const spoken = this.pointed ?? this.locked;
    if (!spoken) return;
    frame(context, spoken.entry, spoken.flat, 3);
    if (told.place !== undefined && spoken.entry.geometry.tape) frameTape(context, spoken.entry, told.place);
  }

  told() {
    const spoken = this.pointed ?? this.locked;
    return spoken && explain(this.payload, spoken.entry.panel, spoken.flat);
  }

  under(entry, event) {
    const box = entry.slot.getBoundingClientRect();
    return cellUnder(entry.geometry, event.clientX - box.left, event.clientY - box.top);
  }

  point(entry, event) {
    const flat = event && this.under(entry, event);
    if (flat === (this.pointed?.flat ?? null) && this.pointed?.entry === (flat === null ? undefined : entry)) return;
    this.pointed = flat === null ? null : { entry, flat };
    this.tell();
  }

  lock(entry, flat) {
    const same = this.locked?.entry === entry && this.locked.flat === flat;
    this.locked = same || flat === null ? null : { entry, flat };
    this.tell();
  }

  key(entry, event) {
    const { rows, columns } = entry.geometry;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (step === undefined && !(event.key === "Escape" && this.locked)) return;
    event.preventDefault();
    event.stopPropagation(); // arrows inside a tensor go from cell to cell, not from step to step
    this.pointed = null;
    const flat = this.locked?.entry === entry ? this.locked.flat + step : 0;
    if (event.key === "Escape") this.locked = null;
    else if (flat >= 0 && flat < entry.geometry.blocks * rows * columns) this.locked = { entry, flat };
    this.tell();
  }

  tell() {
    const { locked, pointed } = this;
    this.onTell(
      this.told(),
      locked !== null && (pointed === null || (pointed.entry === locked.entry && pointed.flat === locked.flat)),
    );
    if (this.element.dataset.animating !== "true" && this.payload) this.draw(NOTHING, null, 1);
  }

  resized() {
    if (this.flow.clientWidth !== this.width && this.payload) this.place(false);
  }

  redraw() {
    for (const { panel, data, scale, limit } of this.panels)
      scale.replaceChildren(...scaleOf(panel, data, limit, isDark()));
    if (this.payload) this.place(false);
  }
}

const cellFont = ({ size }) => `${size[0]}px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace`;
const labelFont = ({ large }) => `${12 * large}px system-ui, sans-serif`;
const LISTS = ["x", "y", "w", "h", "color", "ink", "text", "size", "key", "panel", "hidden"];

/** All cells of all panels as parallel lists. @returns {any} */
function collect(payload, panels, dark) {
  const cells = { length: 0, ...Object.fromEntries(LISTS.map((name) => [name, []])) };
  const css = new Map();
  const add = ({ fill, ...cell }) => {
    if (!css.has(fill)) css.set(fill, { color: cssOf(fill), ink: inkOn(fill) });
    const whole = { ...cell, ...css.get(fill) };
    for (const name of LISTS) cells[name].push(whole[name]);
    cells.length += 1;
  };
  for (const entry of panels) {
    addPanel(payload, entry, add, dark);
    if (entry.geometry.tape) addTape(payload, entry, add, dark);
  }
  return cells;
}

function addPanel(payload, { panel, data, geometry, limit, x, y }, add, dark) {
  const origin = panel.origin && read(payload, panel.origin).data;
  const hidden = panel.hidden && read(payload, panel.hidden).data;
  const color = colorsOf(panel, data, origin, limit, dark);
  const writes = geometry.cw >= (panel.decimals === 0 ? 18 : 34) * geometry.large;
  for (let i = 0; i < data.length; i++) {
    const [left, top] = cornerOf(geometry, i);
    add({
      x: x + left,
      y: y + top,
      w: geometry.cw,
      h: geometry.ch,
      fill: color(i),
      text: writes ? inCell(data[i], panel.decimals, geometry) : "",
      size: 12 * geometry.large,
      key: `${panel.family}#${origin ? origin[i] : i}`,
      panel: panel.name,
      hidden: hidden ? hidden[i] : 0,
    });
  }
}

function addTape(payload, { panel, geometry, tape, x, y }, add, dark) {
  const origin = read(payload, panel.tape.origin).data;
  const color = colorsOf(panel, tape.data, origin, 1, dark);
  const { cell } = geometry.tape;
  for (let place = 0; place < tape.data.length; place++) {
    const [left, top] = tapeCorner(geometry, place);
    add({
      x: x + left,
      y: y + top,
      w: cell,
      h: cell,
      fill: color(place),
      text: number(tape.data[place], panel.decimals),
      size: 12 * geometry.large,
      key: `tape ${panel.tape.block}#${place}`,
      panel: `${panel.name} tape`,
      hidden: 0,
    });
  }
}

const gap = (w) => (w > 8 ? 1 : w > 4 ? 0.5 : 0);

/** The cells on their way from where they were (`from[i]`, -1 for a new one): `t` is 0 at first and 1 at the end. */
function drawCells(context, cells, before, from, t) {
  if (from) fadeOut(context, before, new Set(from), 1 - t);
  const writes = t === 1 || cells.length < TEXT_WHILE_MOVING;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.font = cellFont(cells);
  for (let i = 0; i < cells.length; i++) {
    const old = from ? from[i] : -1;
    const [x, y, w, h] = boxAt(cells, i, before, t < 1 ? old : -1, t);
    context.globalAlpha = from && old < 0 ? t : 1;
    if (cells.hidden[i]) {
      hatchCell(context, x, y, w, h);
      continue;
    }
    context.fillStyle = cells.color[i];
    context.fillRect(x, y, w - gap(w), h - gap(h));
    if (!writes || !cells.text[i]) continue;
    context.fillStyle = cells.ink[i];
    context.fillText(cells.text[i], x + w / 2, y + h / 2 + 0.5, w - 2);
  }
  context.globalAlpha = 1;
}

/** Cells that are in no picture any more. */
function fadeOut(context, before, stays, alpha) {
  context.globalAlpha = alpha;
  for (let i = 0; i < before.length; i++) {
    if (stays.has(i)) continue;
    context.fillStyle = before.color[i];
    context.fillRect(before.x[i], before.y[i], before.w[i] - gap(before.w[i]), before.h[i] - gap(before.h[i]));
  }
}

/** [x, y, w, h] of a cell, `t` of the way from the cell `old` of before, if there is one. */
function boxAt(cells, i, before, old, t) {
  return ["x", "y", "w", "h"].map((name) => {
    const [end, start] = [cells[name][i], old < 0 ? cells[name][i] : before[name][old]];
    return start + (end - start) * t;
  });
}

function hatchCell(context, x, y, w, h) {
  const color = cssColor("--hs-hatch");
  hatch(context, { left: x, top: y, right: x + w, bottom: y + h }, (path) => path.rect(x, y, w, h), [1], color, 5);
  context.strokeStyle = color;
  context.lineWidth = 1;
  context.strokeRect(x + 0.5, y + 0.5, w - 1, h - 1);
}

function drawLabels(context, entry) {
  const { geometry, x, y } = entry;
  context.fillStyle = cssColor("--hs-muted");
  context.textBaseline = "middle";
  for (let b = 0; b < geometry.blocks; b++) {
    const [left, top] = blockAt(geometry, b);
    context.font = labelFont(geometry);
    if (geometry.blockLabel) drawBlockName(context, entry, b, x + left, y + top);
    if ((b % geometry.across) % geometry.perLine === 0) drawRowNames(context, entry, x + left, y + top);
    context.font = labelFont(geometry);
    if (b < geometry.perLine) drawColumnNames(context, entry, x + left);
  }
  if (!geometry.tape) return;
  context.textAlign = "left";
  context.fillText("memory", x + geometry.left, y + geometry.tapeTop - 11 * geometry.large);
}

function drawBlockName(context, { panel, shape, geometry }, b, x, y) {
  context.textAlign = "left";
  context.fillText(panel.blocks[b] ?? blockName(panel, shape, b), x, y - 8 * geometry.large, geometry.block.width);
}

function drawRowNames(context, { panel, geometry }, x, y) {
  const { ch, rows, left, large } = geometry;
  if (ch < (panel.rows.length ? 8 : 14)) return;
  context.textAlign = "right";
  context.font = `${Math.min(12 * large, ch + 1)}px system-ui, sans-serif`;
  for (let r = 0; r < rows; r++) context.fillText(panel.rows[r] ?? String(r), x - 6, y + (r + 0.5) * ch, left - 8);
}

function drawColumnNames(context, { panel, geometry, y }, x) {
  const { cw, columns, numbered, top, large } = geometry;
  for (let c = 0; c < columns; c++) {
    const middle = x + (c + 0.5) * cw;
    if (panel.columns.length && cw >= 11) turned(context, middle, y + top - 4, -1, panel.columns[c] ?? "", 90 * large);
    else if (numbered && c % numbered === 0) {
      context.textAlign = "center";
      context.fillText(String(c), middle, y + top - 8 * large);
    }
  }
}

/** "H=2" for a block of (B, H, T, D). */
function blockName(panel, shape, b) {
  const outer = shape.slice(0, -2);
  const index = indexOf(b, outer);
  return outer
    .map((size, d) => (size > 1 ? `${panel.letters[d] || "block "}${panel.letters[d] ? " " : ""}${index[d]}` : ""))
    .filter(Boolean)
    .join(", ");
}

function frame(context, { x, y, geometry }, flat, width, dash = []) {
  const [cx, cy] = cornerOf(geometry, flat);
  context.strokeStyle = cssColor("--hs-chosen");
  context.lineWidth = Math.min(width, Math.max(1, geometry.cw / 3));
  context.setLineDash(dash);
  context.strokeRect(x + cx, y + cy, geometry.cw, geometry.ch);
  context.setLineDash([]);
}

function frameTape(context, { x, y, geometry }, place) {
  const [tx, ty] = tapeCorner(geometry, place);
  context.strokeStyle = cssColor("--hs-chosen");
  context.lineWidth = 3;
  context.strokeRect(x + tx, y + ty, geometry.tape.cell, geometry.tape.cell);
}
