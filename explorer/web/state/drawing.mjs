// Which views there are, and when they are drawn: once a frame, what is out of sight a frame later, what is on a page
// that is not shown when it is. A view whose picture belongs to an earlier question is dimmed, and says so.

import { onceAFrame } from "../base/once_a_frame.mjs";
import { modelName } from "../base/text.mjs";
import { stale } from "./stale.mjs";

export class Drawing {
  /** `store` has payload, seq, focus, part(name) and isAsking. */
  constructor(store) {
    this.store = store;
    this.views = new Set();
    this.soon = onceAFrame(() => this.drawAll());
    this.away = new Set(); // elements that are scrolled out of sight
    this.late = new Set(); // their views, to be drawn a frame later: what is seen does not wait for them
    this.sight = new IntersectionObserver((all) => {
      for (const { target, isIntersecting } of all) this.away[isIntersecting ? "delete" : "add"](target);
    });
  }

  add(view) {
    this.views.add(view);
    this.sight.observe(view.element);
    if (this.store.payload) this.draw(view);
  }

  drawAll() {
    if (!this.store.payload) return;
    for (const view of this.views) {
      if (!view.element.isConnected) this.forget(view);
      else if (this.away.has(view.element)) this.late.add(view);
      else this.draw(view); // which may hide those that are drawn after it
    }
    if (this.late.size) requestAnimationFrame(() => this.drawLate());
  }

  drawLate() {
    const { late } = this;
    this.late = new Set();
    for (const view of late) this.draw(view);
  }

  /** Draw at once what `root` shows, as often as it is asked for: who saves a picture listens meanwhile. */
  redraw(root) {
    if (!this.store.payload) return;
    for (const view of this.views) if (root.contains(view.element)) this.draw(view);
  }

  forget(view) {
    this.views.delete(view);
    this.away.delete(view.element);
    this.sight.unobserve(view.element);
  }

  draw(view) {
    const { element, draw, part } = view;
    const { store } = this;
    if (!element.checkVisibility()) return; // on a page that is not shown: drawn when it is
    const names = typeof part === "function" ? part(store.payload, store.focus.now) : part ? [part] : [];
    const parts = names.map((name) => store.part(name));
    const error = parts.find((one) => one.error)?.error;
    const isWaiting = !error && parts.some(({ value }) => !value);
    element.dataset.waiting = String(isWaiting);
    element.dataset.error = error ?? "";
    if (!isWaiting && !error) {
      draw(store.payload, store.focus.now, parts[0]?.value);
      view.drawn = store.payload;
      element.dataset.seq = store.seq;
      element.dataset.ready = "true";
    }
    this.mark(view);
  }

  /** What is asked for is on its way: the pictures are of an earlier question. */
  markAll() {
    for (const view of this.views) this.mark(view);
  }

  mark({ element, drawn, isOfText }) {
    if (!isOfText || !element.classList.contains("hs-view")) return;
    const isOld = drawn && (this.store.isAsking || drawn !== this.store.payload);
    stale(element, isOld ? nameOf(drawn) : null);
  }
}

const LETTERS = 40;

function nameOf({ text, model }) {
  const letters = [...text];
  return `“${letters.slice(0, LETTERS).join("")}${letters.length > LETTERS ? "…" : ""}” in ${modelName(model.name)}`;
}
