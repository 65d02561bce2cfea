// What is changed in the model, what it was before, and what the server says of it. One question is on its way at a
// time; of what is changed meanwhile the newest is asked next.

import { fetchPart } from "../state/parts.mjs";
import { store } from "../state/store.mjs";
import { readEdits, writeEdits } from "./edits.mjs";

const MOST_STEPS = 100; // that can be undone

class Operation {
  constructor() {
    this.edits = [];
    this.past = [];
    this.future = [];
    this.base = null; // the payload of the model as it is
    this.result = null; // that of the model with `done`
    this.done = [];
    this.arrivals = 0; // results so far
    this.problem = "";
    this.waiting = false;
    this.spoken = ""; // the edits as the address last said them
  }

  /** Change the edits; steps that `continue` one movement are undone together. */
  set(edits, isContinued = false) {
    if (!isContinued) this.past = [...this.past, this.edits].slice(-MOST_STEPS);
    this.future = [];
    this.use(edits);
  }

  undo() {
    if (!this.past.length) return;
    this.future.push(this.edits);
    this.use(this.past.pop());
  }

  redo() {
    if (!this.future.length) return;
    this.past.push(this.edits);
    this.use(this.future.pop());
  }

  reset() {
    if (this.edits.length) this.set([]);
  }

  use(edits) {
    this.edits = edits;
    this.spoken = store.focus.locked.edits = writeEdits(edits);
    this.ask();
    store.changed();
  }

  /** Told of what is shown: a new text keeps the edits, but no mask that was painted for another number of tokens. */
  sees(payload, focus) {
    if (!payload.edits && payload !== this.base) {
      this.base = payload;
      this.result = null;
      const kept = this.edits.filter((edit) => fits(edit, payload));
      if (kept.length < this.edits.length) this.set(kept);
      else this.ask();
    }
    if (store.focus.locked.edits !== this.spoken)
      this.use(readEdits(store.focus.locked.edits).filter((edit) => fits(edit, this.base)));
    if (focus.changed !== this.changed) this.show(focus.changed);
  }

  async ask() {
    if (this.waiting || !this.base) return;
    const { edits, base } = this;
    if (!edits.length) return this.arrived(null, []);
    this.waiting = true;
    const found = await fetchPart("surgery", { text: base.text, model: base.model, edits }).catch(({ message }) => ({
      message,
    }));
    this.waiting = false;
    if (base !== this.base || edits !== this.edits) {
      if (base === this.base && !found.message) this.arrived({ ...found, was_cut: base.was_cut }, edits);
      return this.ask();
    }
    this.problem = found.message ?? "";
    if (this.problem) store.changed();
    else this.arrived({ ...found, was_cut: base.was_cut }, edits);
  }

  arrived(result, done) {
    this.result = result;
    this.arrivals += 1;
    this.done = done;
    this.problem = "";
    this.show(this.changed);
    store.changed();
  }

  /** The changed model in all views, or the one as it is. */
  show(changed) {
    if (store.asked) return; // the text that the address names is on its way
    this.changed = changed;
    const wanted = changed === "everywhere" && this.result ? this.result : this.base;
    if (wanted && store.payload !== wanted && (wanted.edits || store.payload.edits)) store.setPayload(wanted);
  }
}

function fits({ layer = 0, head = 0, rows }, { arrays }) {
  const [L, H, T] = arrays.pattern.shape;
  return layer < L && head < H && (!rows || rows.length === T);
}

export const operation = new Operation();
