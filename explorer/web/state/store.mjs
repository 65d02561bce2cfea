// The client store: the newest payload, the model it is of, and the shared focus. Views subscribe.
// What is kept stands in the address, so that a link shows another person the same.

import { leadingHead, strongestHead } from "../base/payload.mjs";
import { isSame } from "./address.mjs";
import { Drawing } from "./drawing.mjs";
import { FIELDS, readAddress } from "./fields.mjs";
import { Focus, START } from "./focus.mjs";
import { address } from "./history.mjs";
import { page } from "./pages.mjs";
import { fetchPart } from "./parts.mjs";

export const isDark = () => document.body.classList.contains("dark");

// pages whose address says the text
export const OF_THE_TEXT = Object.keys(FIELDS).filter((name) => "text" in FIELDS[name]);

class Store {
  constructor() {
    this.payload = null;
    this.focus = new Focus();
    this.parts = new Map(); // of this payload: by name {value} or {error}, or {} on the way
    this.seq = 0;
    this.drawing = new Drawing(this);
    this.firstModel = null; // what the page opens with when the address names none
    this.firstTexts = /** @type {{[page: string]: string}} */ ({}); // the same, by page; `other` for all not named
    this.wanted = null; // the model that was chosen, until its result is here
    this.asked = null; // {text, model, look, focus} that the address speaks of, until the result is here
    this.isAsking = false; // whether another result than the one that is here is on its way
    this.address = address;
    if (OF_THE_TEXT.includes(page())) this.asked = askedIn(readAddress(location.search).values);
    new MutationObserver(() => this.changed()).observe(document.body, {
      attributes: true,
      attributeFilter: ["class", "data-panel"],
    });
    addEventListener("resize", () => this.changed());
    document.addEventListener("hs-page", () => this.changed());
  }

  /**
   * Call `draw(payload, focus)` now and whenever something changes, while `element` is on the page. A view that
   * needs a `part` of parts.py is drawn once it is there: `draw(payload, focus, part)`; or several, if `part` is a
   * function from payload and focus to their names, of which it gets the first. `isOfText`: whether what it shows is
   * the payload's; one with questions of its own says itself what is old.
   */
  subscribe(element, draw, part = null, isOfText = true) {
    this.drawing.add({ element, draw, part, isOfText, drawn: null });
  }

  /** The name of the model that the next text is given to: the chosen one, or else the one that is shown. */
  get model() {
    return this.wanted ?? this.payload?.model.name ?? "";
  }

  /** How a text is looked at in the model: as the address says, or as the same text is looked at already. */
  lookAt(text) {
    const { asked } = this;
    if (asked && (asked.text ?? text) === text && (asked.model ?? this.model) === this.model) return asked.look;
    if (!this.payload || this.payload.model.name !== this.model) return {};
    const { stack, masked } = lookOf(this.payload);
    return lookIn({ stack, masked: text === this.payload.text ? masked : null });
  }

  /** A text is on its way to the model, or no longer. */
  asking(isOn) {
    this.isAsking = isOn;
    this.drawing.markAll();
  }

  /** Told of each answer: which model it is of, and what went wrong, if something did. */
  answered(model, problem) {
    this.asking(false);
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
    if (this.asked) Object.assign(this.focus.locked, this.asked.focus);
    else if (isOther) this.focus.forgetTokens();
    if (!this.asked && this.focus.isLed && !payload.edits) this.focus.locked.layer = this.focus.locked.head = null;
    this.fit();
    const { text, model } = this.asked ?? {};
    if (
      this.seq > 1 ||
      ((text ?? payload.text) === payload.text && (model ?? payload.model.name) === payload.model.name)
    )
      this.asked = null;
    this.changed();
  }

  fit() {
    const [L, H, T] = this.payload.arrays.pattern.shape;
    this.focus.lead(this.leading());
    this.focus.fit(L, H, T);
  }

  /** The head that does most for the chosen token, or of a model that predicts nothing looks most at another one. */
  leading() {
    const last = this.payload.tokens.length - 1;
    const query = Math.min(this.focus.locked.query ?? last, last);
    const first = { layer: 0, head: 0 };
    const { layer, head } = leadingHead(this.payload, query) ?? strongestHead(this.payload, query) ?? first;
    return { layer, head };
  }

  firstText(name) {
    return this.firstTexts[name] ?? this.firstTexts.other;
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
    address.changed();
    this.drawing.soon();
  }

  redraw(root) {
    this.drawing.redraw(root);
  }

  /** What the address says of text, model and focus. */
  told(name) {
    if (!this.payload || this.asked) return null;
    const { text, model } = this.payload;
    return {
      ...this.focus.locked,
      ...(this.focus.isLed && isSame(this.focus.led, this.leading()) && { layer: null, head: null }),
      text: text === this.firstText(name) ? null : text,
      cut: null,
      model: "model" in FIELDS[name] && model.name !== this.firstModel ? model.name : null,
      ...(name === "explore" && lookOf(this.payload)),
    };
  }

  /** Back or Forward led to an address: the text that is to be run for it, or null if it is here, or on its way. */
  show(name, values) {
    const asked = askedIn(values);
    if (!this.payload) {
      this.asked = asked;
      return null;
    }
    asked.text ??= this.firstText(name);
    asked.model = "model" in FIELDS[name] ? (asked.model ?? this.firstModel) : this.payload.model.name;
    const isSameLook = name !== "explore" || isSame(asked.look, lookIn(lookOf(this.payload)));
    if (asked.text === this.payload.text && asked.model === this.payload.model.name && isSameLook) {
      Object.assign(this.focus.locked, asked.focus);
      this.asked = null;
      this.fit();
      this.changed();
      return null;
    }
    this.asked = asked;
    this.wanted = asked.model;
    return asked.text;
  }

  /** What is there of a part; asked for when it was not yet. */
  part(name) {
    const { layers } = this.payload.arrays.pattern;
    if (layers && name.startsWith("layer.")) return this.layer(this.payload, Number(name.slice(6)));
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

  /** The patterns of a layer of a large model's `payload`: {value}, {error}, or {} on the way. */
  layer(payload, layer) {
    const { layers, problems } = payload.arrays.pattern;
    if (layers.has(layer)) return { value: layers.get(layer), error: problems.get(layer) };
    layers.set(layer, null); // on the way
    fetchPart(`layer.${layer}`, payload)
      .then(
        ({ arrays }) => layers.set(layer, arrays.pattern.data),
        ({ message }) => problems.set(layer, message),
      )
      .then(() => this.changed());
    return {};
  }

  /** The query that views speak of: the chosen one, or the last token. */
  query(focus) {
    return focus.query ?? this.payload.tokens.length - 1;
  }
}

/** What an address asks the store for; `focus`: only what its page says of it. */
function askedIn(values) {
  const focus = Object.fromEntries(Object.entries(values).filter(([name]) => name in START));
  return { text: values.text ?? null, model: values.model ?? null, look: lookIn(values), focus };
}

/** How a payload is looked at, as the address says it: null is what one begins with. */
function lookOf({ stack = null, stacks = [], masked = null }) {
  return { stack: stacks.length > 1 && stack !== "decoder" ? stack : null, masked };
}

/** Only what is said of it, as a question has it. */
function lookIn({ stack = null, masked = null }) {
  return { ...(stack !== null && { stack }), ...(masked !== null && { masked }) };
}

globalThis.headscope ??= new Store();
export const store = globalThis.headscope;
