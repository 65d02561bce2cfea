// The one focus that all views share: layer, head, query token, key token, and how they are drawn. Pure: no DOM.
// Hover previews, click locks, click again unlocks.

// the 20 likeliest, the text's own, `typed`
const TOKENS = [...Array.from({ length: 20 }, (_, i) => String(i + 1)), "next", "typed"];
/** What a forward pass computes, one after the other: the pipeline shows one of it. */
export const STAGE_IDS = [
  ...["tokens", "token", "position", "embedding"],
  ...["resid_pre", "ln_1", "q", "k", "v", "rot_q", "rot_k", "scores", "pattern", "z", "attn_out"],
  ...["resid_mid", "ln_2", "pre", "gate", "up", "post", "mlp_out", "resid_post"],
  ...["ln_f", "logits", "softmax"],
];
/** What can be chosen by name; the first is what a page starts with. */
export const CHOICES = {
  draw: ["matrix", "lines", "flow", "neuron"],
  sides: ["left-right", "top-bottom"],
  dims: ["place", "size"],
  by: ["one", "mean", "max"], // one head, or several as one: see aggregate.mjs
  over: ["heads", "layers", "all"],
  read: ["row", "column"], // see reading.mjs
  sink: ["shown", "hidden"], // the first token: see sink.mjs
  // the grid, by a role
  sort: [
    "place",
    "previous token",
    "same token",
    "first token",
    "prefix matching",
    "induction",
    "duplicate token",
    "delimiter",
    "broad",
  ],
  panel: ["attention", "pipeline", "lens", "residual", "surgery", "patch"],
  margins: ["off", "on"], // what tokens receive and give, beside the matrix
  stage: STAGE_IDS, // of the pipeline, and how its tensor is shown
  cells: ["map", "numbers"],
  lens: ["probability", "entropy", "kl"], // what the logit lens colours by
  depth: ["layer", "embedding"], // its row: after the chosen layer, or before all
  target: TOKENS, // whose logit the residual stream explains
  tool: ["zero", "mean", "absent", "uniform", "diagonal", "previous", "mask"], // surgery: see surgery_edits.mjs
  scope: ["head", "attention", "everywhere"], // whose mask is painted
  changed: ["here", "everywhere"], // where the changed model is shown
  against: ["none", ...TOKENS], // the token that it is compared with
  site: ["resid_pre", "attn_out", "mlp_out", "z", "pattern"], // what is patched, and how it is measured
  metric: ["difference", "probability", "kl"],
};
export const START = {
  layer: null, // then the head that does most, see Focus.lead
  head: null,
  query: null,
  key: null,
  also: "",
  least: 20,
  dim: null,
  draw: "matrix",
  sides: "left-right",
  dims: "place",
  by: "one",
  over: "heads",
  read: "row",
  sink: "shown",
  sort: "place",
  panel: "attention",
  margins: "off",
  brush: "", // the part of a long matrix that is drawn large: see brush.mjs
  lens: "probability",
  depth: "layer",
  target: "1",
  against: "none",
  tool: "zero",
  scope: "head",
  changed: "here",
  edits: "",
  corrupted: "", // the text that the shown one is patched into, and the tokens whose logits are compared
  answer: "",
  other: "",
  site: "resid_pre",
  metric: "difference",
  typed: null,
  stage: STAGE_IDS[0],
  cells: "map",
  column: null,
};

export class Focus {
  constructor() {
    this.locked = { ...START };
    this.preview = {};
    this.led = null; // {layer, head} that was not chosen by the reader
  }

  get isLed() {
    return this.led !== null && this.led.layer === this.locked.layer && this.led.head === this.locked.head;
  }

  /** The head to look at, if none is named. */
  lead({ layer, head }) {
    const { locked } = this;
    const isNamed = locked.layer !== null || locked.head !== null;
    this.led = isNamed ? this.led : { layer, head };
    Object.assign(locked, isNamed ? { layer: locked.layer ?? 0, head: locked.head ?? 0 } : this.led);
  }

  /** What the views show now. */
  get now() {
    return { ...this.locked, ...this.preview };
  }

  show(part) {
    this.preview = part;
  }

  /** Keep `part`; what was kept already is let go, if it can be: some head is always looked at. */
  toggle(part) {
    const same = Object.entries(part).every(([name, value]) => this.locked[name] === value);
    for (const [name, value] of Object.entries(part)) {
      const isLetGo = same && START[name] === null && name !== "layer" && name !== "head";
      this.locked[name] = isLetGo ? null : value;
    }
    if ("layer" in part || "head" in part) this.led = null;
    this.preview = {};
  }

  /** Another model has other tokens: those that were chosen by their number mean nothing to it. */
  forgetTokens() {
    const { typed, target, against, answer, other } = START;
    Object.assign(this.locked, { typed, target, against, answer, other });
  }

  /** Keep the focus inside a new result: L layers, H heads, T tokens. */
  fit(L, H, T) {
    const { layer, head, query, key, also, least, brush } = this.locked;
    const [row, column, count] = brush.split(".").map(Number); // not of "" and "whole"
    this.locked = {
      ...this.locked,
      layer: Math.min(layer, L - 1),
      head: Math.min(head, H - 1),
      query: query !== null && query < T ? query : null,
      key: key !== null && key < T ? key : null,
      also: also
        .split("_")
        .filter((other) => other !== "" && other < H)
        .join("_"),
      least: Math.min(least, 1000),
      brush: Math.max(row, column) + count > T ? START.brush : brush,
    };
    this.preview = {};
  }
}

/** Arrow keys on a grid: the new [row, column], staying inside rows × columns; null for other keys. */
export function move(key, row, column, rows, columns) {
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[key];
  if (!step) return null;
  const inside = (value, count) => Math.min(Math.max(value, 0), count - 1);
  return [inside(row + step[0], rows), inside(column + step[1], columns)];
}
