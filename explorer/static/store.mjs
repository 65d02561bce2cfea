// The client store: the newest payload and the shared focus. Views subscribe; drawing happens once a frame.

import { Focus } from "./focus.mjs";

export const isDark = () => document.body.classList.contains("dark");

class Store {
  constructor() {
    this.payload = null;
    this.focus = new Focus();
    this.seq = 0;
    this.views = new Set();
    this.pending = false;
    new MutationObserver(() => this.changed()).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    addEventListener("resize", () => this.changed());
    document.addEventListener("hs-page", () => this.changed());
  }

  /** Call `draw(payload, focus)` now and whenever something changes, while `element` is on the page. */
  subscribe(element, draw) {
    const view = { element, draw };
    this.views.add(view);
    if (this.payload) this.drawView(view);
  }

  setPayload(payload) {
    this.payload = payload;
    this.seq += 1;
    const [L, H, T] = payload.arrays.pattern.shape;
    this.focus.fit(L, H, T);
    this.changed();
  }

  preview(part) {
    this.focus.show(part);
    this.changed();
  }

  toggle(part) {
    this.focus.toggle(part);
    this.changed();
  }

  changed() {
    if (this.pending || !this.payload) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      for (const view of this.views) {
        if (view.element.isConnected) this.drawView(view);
        else this.views.delete(view);
      }
    });
  }

  drawView({ element, draw }) {
    if (!element.offsetParent) return; // on a page that is not shown: drawn when it is
    draw(this.payload, this.focus.now);
    element.dataset.seq = this.seq;
    element.dataset.ready = "true";
  }

  /** The query that views speak of: the chosen one, or the last token. */
  query(focus) {
    return focus.query ?? this.payload.tokens.length - 1;
  }
}

export const store = (globalThis.headscope ??= new Store());
