// A small picture of a whole matrix, and on it a frame around the part that the large one shows: to be dragged, made
// larger and smaller, and moved by the keyboard.

import { make } from "../base/dom.mjs";
import { move } from "../state/focus.mjs";
import { around, inside, readBrush, sized, stretched, WHOLE } from "./brush.mjs";
import { drawSmall } from "./shrink.mjs";

const MOST = { rows: 150, columns: 150 }; // pixels of the small picture
const NOTCH = 100; // px that a wheel turns for a step
const HOW =
  "Drag it, or press elsewhere. Arrow keys, Home, and End move it, + and − resize it, and Escape shows everything.";

/**
 * @typedef {import("./brush.mjs").Square} Square
 * @typedef {object} Small  the picture, and what is shown of it
 * @property {number} T  rows and columns
 * @property {Square} square
 * @property {number} most  rows that a part has which is asked for by a press on the whole
 * @property {any[]} look  what the picture depends on: it is drawn anew where one of it differs
 * @property {() => {rows: number, columns: number, values: Float32Array}} tensor  NaN for what has no colour
 * @property {Pick<import("../color/scale.mjs").Colors, "pixel"|"table">} scale
 */

export class Minimap {
  /** @param {(square: Square | null) => void} choose  hears what is to be shown; null: what suits text and room */
  constructor(choose) {
    this.choose = choose;
    this.T = 0;
    this.square = /** @type {Square} */ ({ row: 0, column: 0, count: 0 });
    this.most = 0;
    this.drag = null; // what a pointer that moves on does with its place
    this.rolled = 0; // px of a wheel, not used up yet
    this.look = [];
    this.canvas = make("canvas", { "aria-hidden": "true" });
    this.corner = make("span", { className: "hs-brush-corner" });
    const slider = { role: "slider", tabindex: "0", "aria-label": "Part of the matrix", title: HOW };
    this.frame = make("div", { className: "hs-brush-frame", ...slider }, this.corner);
    this.map = make("div", { className: "hs-brush-map" }, this.canvas, this.frame);
    this.queries = make("p");
    this.keys = make("p");
    this.count = make("output");
    this.all = button("Whole matrix", null, () => (this.isWhole ? choose(null) : this.put(this.whole)));
    const step = (text, label, steps) => button(text, label, () => this.put(this.sized(steps)));
    const sizes = make(
      "div",
      { className: "hs-brush-size" },
      step("−", "Fewer tokens", -1),
      this.count,
      step("+", "More tokens", 1),
    );
    const place = make("div", { className: "hs-hint" }, this.queries, this.keys);
    const beside = make("div", { className: "hs-brush-words" }, place, sizes, this.all);
    this.element = make("div", { className: "hs-brush" }, this.map, beside);
    this.listen();
  }

  /** @param {Small} small */
  draw({ T, square, most, look, tensor, scale }) {
    [this.T, this.square, this.most] = [T, square, most];
    if (look.length !== this.look.length || look.some((one, i) => one !== this.look[i])) {
      this.look = look;
      drawSmall(this.canvas, tensor(), scale, MOST);
    }
    this.mark();
  }

  get whole() {
    return readBrush(WHOLE, this.T);
  }

  get isWhole() {
    return this.square.count === this.T;
  }

  /** At once: the next key or step of the pointer may come before the next frame. */
  put(square) {
    this.square = square;
    this.choose(square);
  }

  sized(steps) {
    return sized(this.square, steps, this.T);
  }

  /** Where the frame lies, in words too. */
  mark() {
    const { T, square, frame } = this;
    const { row, column, count } = square;
    const share = (rows) => `${(100 * rows) / T}%`;
    Object.assign(frame.style, { left: share(column), top: share(row), width: share(count), height: share(count) });
    const said = { min: 0, max: T - count, now: row, text: `${spoken(square)}, of ${T} tokens` };
    for (const [name, value] of Object.entries(said)) frame.setAttribute(`aria-value${name}`, value);
    this.queries.textContent = `queries ${row}–${row + count - 1}`;
    this.keys.textContent = `keys ${column}–${column + count - 1}`;
    this.count.textContent = `${count} tokens`;
    this.all.setAttribute("aria-pressed", String(this.isWhole));
  }

  listen() {
    const { map, frame } = this;
    map.addEventListener("pointerdown", (event) => event.button === 0 && this.grab(event));
    map.addEventListener("pointermove", (event) => this.drag?.(this.at(event)));
    for (const end of ["pointerup", "pointercancel"]) map.addEventListener(end, () => (this.drag = null));
    map.addEventListener("wheel", (event) => this.roll(event), { passive: false });
    frame.addEventListener("keydown", (event) => {
      const square = this.led(event.key);
      if (!square || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.put(square);
    });
  }

  /** A wheel turns by notches, or by a little very often, as under two fingers. */
  roll(event) {
    event.preventDefault();
    this.rolled += event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY : NOTCH * Math.sign(event.deltaY);
    const steps = Math.trunc(this.rolled / NOTCH);
    this.rolled -= steps * NOTCH;
    if (steps) this.put(this.sized(steps));
  }

  /** The place in the matrix under a pointer, in rows and columns and parts of these. */
  at({ clientX, clientY }) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    return { row: ((clientY - top) / height) * this.T, column: ((clientX - left) / width) * this.T };
  }

  /** What is pressed on: the corner, the frame, or a place that the frame then goes to. */
  grab(event) {
    const start = this.at(event);
    event.preventDefault();
    this.frame.focus({ preventScroll: true });
    this.map.setPointerCapture(event.pointerId);
    if (event.target === this.corner && !this.isWhole) {
      const { square, T } = this;
      this.drag = (to) => this.put(stretched(square, to, T));
      return;
    }
    if (event.target !== this.frame || this.isWhole) this.centre(start);
    const { square, T } = this;
    const moved = ({ row, column }) => ({
      row: square.row + row - start.row,
      column: square.column + column - start.column,
    });
    this.drag = (to) => this.put(inside({ ...moved(to), count: square.count }, T));
  }

  centre(place) {
    const { T, most, square } = this;
    const part = most < T ? most : T / 2;
    this.put(around(place, this.isWhole ? part : square.count, T));
  }

  /** Where a key leads; null if nowhere. */
  led(key) {
    const { square, T } = this;
    const { row, column, count } = square;
    const end = T - count;
    const places = { Home: [0, 0], End: [end, end] };
    const next = places[key] ?? move(key, row, column, end + 1, end + 1);
    if (next) return { row: next[0], column: next[1], count };
    return { "+": this.sized(1), "=": this.sized(1), "-": this.sized(-1), Escape: this.whole }[key] ?? null;
  }
}

/** "queries 40 to 63 and keys 0 to 23" */
export function spoken({ row, column, count }) {
  const range = (first) => `${first} to ${first + count - 1}`;
  return `queries ${range(row)} and keys ${range(column)}`;
}

function button(text, label, onclick) {
  return make("button", { type: "button", text, "aria-label": label, onclick });
}
