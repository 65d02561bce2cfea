// The client store: the newest payload, the model it is of, and the shared focus. Views subscribe; drawing happens once a
// frame.
// What is kept stands in the address, so that a link shows another person the same.

import { clearAddress, readAddress, writeAddress } from "./address.mjs";
import { Focus } from "./focus.mjs";
import { onceAFrame } from "../base/once_a_frame.mjs";
import { page } from "./pages.mjs";
import { fetchPart } from "./parts.mjs";

export const isDark = () => document.body.classList.contains("dark");

const OF_THE_TEXT = ["explore", "compare"]; // pages whose address says which text and what of it is looked at
const OF_THE_MODEL = ["explore", "generate"]; // and those whose address says which model
const ADDRESS_MS = 150; // browsers refuse an address that changes more often than some 10 times a second

class Store {
  constructor() {
    this.payload = null;
    this.focus = new Focus();
    this.parts = new Map(); // of this payload: by name {value} or {error}, or {} on the way
    this.seq = 0;
    this.views = new Set();
    this.drawSoon = onceAFrame(() => this.drawViews());
    this.away = new Set(); // elements that are scrolled out of sight
    this.late = new Set(); // their views, to be drawn a frame later: what is seen does not wait for them
    this.sight = new IntersectionObserver((all) =>
      all.forEach(({ target, isIntersecting }) => this.away[isIntersecting ? "delete" : "add"](target)),
    );
    this.firstText = this.firstModel = null; // what the page opens with when the address names none
    this.wanted = null; // the model that was chosen, until its result is here
    this.asked = [...OF_THE_TEXT, ...OF_THE_MODEL].includes(page()) ? readAddress(location.search) : null; // until the result it speaks of is here
    this.addressTimer = null;
    new MutationObserver(() => this.changed()).observe(document.body, {
      attributes: true,
      attributeFilter: ["class", "data-panel"],
    });
    addEventListener("resize", () => this.changed());
    document.addEventListener("hs-page", () => this.changed());
  }

  /**
   * Call `draw(payload, focus)` now and whenever something changes, while `element` is on the page. A view that
   * needs a `part` of parts.py is drawn once it is there: `draw(payload, focus, part)`.
   */
  subscribe(element, draw, part = null) {
    const view = { element, draw, part };
    this.views.add(view);
    this.sight.observe(element);
    if (this.payload) this.drawView(view);
  }

  /** The name of the model that the next text is given to: the chosen one, or else the one that is shown. */
  get model() {
    return this.wanted ?? this.payload?.model.name ?? "";
  }

  /** Told of each answer: which model it is of, and what went wrong, if something did. */
  answered(model, problem) {
    const isSettled = this.wanted !== null && (problem || model === this.wanted);
    const isRefused = this.asked !== null && problem;
    if (isSettled) this.wanted = null;
    if (isRefused) this.asked = null;
    if (isSettled || isRefused) this.changed();
  }

  setPayload(payload) {
    const isOther = this.payload && this.payload.model.name !== payload.model.name;
    this.payload = payload;
    this.parts = new Map();
    this.seq += 1;
    const [L, H, T] = payload.arrays.pattern.shape;
    if (this.asked) this.focus.locked = { ...this.asked.focus };
    else if (isOther) this.focus.forgetTokens();
    this.focus.fit(L, H, T);
    const { text, model } = this.asked ?? {};
    if (this.seq > 1 || ((!text || text === payload.text) && (!model || model === payload.model.name)))
      this.asked = null;
    this.changed();
  }

  preview(part) {
    this.focus.show(part);
    this.changed();
  }

  toggle(part) {
    this.asked = null;
    this.focus.toggle(part);
    this.changed();
  }

  changed() {
    this.addressTimer ??= setTimeout(() => this.toAddress(), ADDRESS_MS);
    this.drawSoon();
  }

  drawViews() {
    if (!this.payload) return;
    for (const view of this.views) {
      if (!view.element.isConnected) this.forget(view);
      else if (this.away.has(view.element)) this.late.add(view);
      else this.drawView(view);
    }
    if (this.late.size) requestAnimationFrame(() => this.drawLate());
  }

  drawLate() {
    const { late } = this;
    this.late = new Set();
    for (const view of late) this.drawView(view);
  }

  forget(view) {
    this.views.delete(view);
    this.away.delete(view.element);
    this.sight.unobserve(view.element);
  }

  /** Draw at once what `root` shows, as often as it is asked for: who saves a picture listens meanwhile. */
  redraw(root) {
    if (!this.payload) return;
    for (const view of this.views) if (root.contains(view.element)) this.drawView(view);
  }

  /** On the other pages nothing of this one stands in the address. */
  toAddress() {
    this.addressTimer = null;
    if (!this.payload || this.asked) return;
    const { text, model } = this.payload;
    const named = OF_THE_MODEL.includes(page()) && model.name !== this.firstModel ? model.name : null;
    const search = OF_THE_TEXT.includes(page())
      ? writeAddress(location.search, this.focus.locked, text === this.firstText ? null : text, named)
      : clearAddress(location.search, named);
    if (search !== location.search) history.replaceState(null, "", `${location.pathname}${search}${location.hash}`);
  }

  drawView({ element, draw, part }) {
    if (!element.offsetParent) return; // on a page that is not shown: drawn when it is
    const { value, error } = part ? this.part(part) : {};
    element.dataset.waiting = String(Boolean(part && !value && !error));
    element.dataset.error = error ?? "";
    if (part && !value) return;
    draw(this.payload, this.focus.now, value);
    element.dataset.seq = this.seq;
    element.dataset.ready = "true";
  }

  /** What is there of a part; asked for when it was not yet. */
  part(name) {
    if (!this.parts.has(name)) {
      const { parts } = this;
      parts.set(name, {});
      fetchPart(name, this.payload)
        .then(
          (value) => ({ value }),
          ({ message }) => ({ error: message }),
        )
        .then((found) => {
          parts.set(name, found);
          if (parts === this.parts) this.changed(); // else a newer text is shown
        });
    }
    return this.parts.get(name);
  }

  /** The query that views speak of: the chosen one, or the last token. */
  query(focus) {
    return focus.query ?? this.payload.tokens.length - 1;
  }
}

export const store = (globalThis.headscope ??= new Store());
