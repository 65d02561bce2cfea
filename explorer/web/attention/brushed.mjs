// The part of a long matrix of attention that is drawn large, and the minimap that moves it.

import { make } from "../base/dom.mjs";
import { sequential, UNITS } from "../color/scale.mjs";
import { FEW, settled, writeBrush } from "../matrix/brush.mjs";
import { Minimap, spoken } from "../matrix/minimap.mjs";
import { isDark, store } from "../state/store.mjs";
import { readable } from "./weights.mjs";
import { inSight } from "./words.mjs";

export class Brushed {
  /** @param {HTMLElement} picture  holds the matrix */
  constructor(picture) {
    this.picture = picture;
    this.minimap = new Minimap((square) => {
      store.focus.locked.brush = square ? writeBrush(square, this.seen.T) : "";
      store.changed();
    });
    this.element = make("div", { className: "hs-brushed" }, picture, this.minimap.element);
    this.seen = null; // what `settled` gave last
  }

  /** Only a long matrix has a minimap: it takes room, so that it comes or goes before the picture is drawn. */
  lay({ tokens }, { draw }) {
    this.minimap.element.hidden = draw !== "matrix" || tokens.length <= FEW;
  }

  /** The focus with what is shown now as its brush; what is chosen, not what is pointed at, moves it. */
  follow(payload, focus, room) {
    const { locked } = store.focus;
    const { brush, query, key } = locked;
    const T = payload.tokens.length;
    this.seen = settled(this.seen, { T, most: readable(room, payload, focus), brush, query, key });
    if (brush !== this.seen.brush) {
      locked.brush = this.seen.brush;
      store.address.changed();
    }
    return { ...focus, brush: writeBrush(this.seen.square, T) };
  }

  /** @param {any} shown  what drawn() gives */
  drawMinimap(shown) {
    if (this.minimap.element.hidden) return;
    const [{ T, square, most }, dark] = [this.seen, isDark()];
    const scale = sequential(dark, { limit: UNITS });
    this.minimap.draw({ T, square, most, look: [shown.block, dark], tensor: () => tensorOf(shown), scale });
  }

  /** The part of the matrix in a sentence; "" for the whole. */
  get said() {
    const { T, square } = this.seen;
    return square.count < T ? inSight(spoken(square)) : "";
  }
}

/** What can be seen of a block; NaN is what the mask hides. */
function tensorOf({ T, block, last }) {
  const values = new Float32Array(T * T).fill(NaN);
  for (let row = 0; row < T; row++) values.set(block.subarray(row * T, row * T + last(row) + 1), row * T);
  return { rows: T, columns: T, values };
}
