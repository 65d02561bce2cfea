// The picture of the whole pass: every stage is a button with a small picture of its tensor. Text to next token
// from left to right; the chosen block is opened below its place in the row. On a phone all of it runs downwards.

import { byHand } from "../base/hand.mjs";
import { make } from "../base/dom.mjs";
import { nextTokens } from "../base/payload.mjs";
import { label, pieceName, probability } from "../base/text.mjs";
import { drawSmall } from "../matrix/shrink.mjs";
import { isDark, store } from "../state/store.mjs";
import { roving } from "../ui/roving.mjs";
import { topOf } from "../ui/token_bars.mjs";
import { dimensions } from "./shape.mjs";
import { placesOf } from "./places.mjs";
import { inPart, nameOf, STAGES, stagesOf } from "./stages.mjs";
import { limitOf, scaleOf, sideBySide, tensorOf, three } from "./tensor.mjs";

const ROWS = 5; // of the lists of tokens
const AFTER = { tokens: "→", token: "→", position: "=", embedding: "→", ln_f: "→", logits: "→" };

export class Picture {
  /** `model` is what the payload says of it: another family has other stages. */
  constructor(model) {
    this.model = model;
    this.stages = stagesOf(model);
    const places = placesOf(Object.keys(this.stages).filter((id) => this.stages[id].part === "block"));
    const placed = (element, name) => {
      element.style.setProperty("--place", places[name]);
      return element;
    };
    const wire = (name) =>
      make("span", { className: "hs-wire", "data-wire": name.split("-").at(-1), "aria-hidden": "true" });
    this.cards = new Map(); // by stage: {button, thumb, about}
    this.blocks = make("div", { className: "hs-pipe-blocks", role: "group", "aria-label": "The blocks: one is open" });
    this.zoom = make("div", { className: "hs-pipe-zoom", "aria-hidden": "true" });
    this.title = make("h3");
    const branch = (name, text) =>
      placed(make("p", { className: "hs-pipe-branch", "data-branch": name, text }), `branch-${name}`);
    const branches = [
      branch("attention", "Attention: tokens look at each other"),
      branch("mlp", "MLP: each token on its own"),
    ];
    const open = make(
      "section",
      { className: "hs-pipe-open" },
      this.title,
      make(
        "div",
        { className: "hs-pipe-parts" },
        ...Object.keys(places).flatMap((name) => (name.startsWith("wire-") ? [placed(wire(name), name)] : [])),
        ...inPart("block", model).map((id) => placed(this.card(id), id)),
        ...branches,
      ),
    );
    const blocks = make(
      "div",
      { className: "hs-pipe-stack" },
      make("span", { className: "hs-stage-title", text: "Blocks" }),
      this.blocks,
      make("span", { className: "hs-pipe-hint", text: byHand("click one to open it") }),
    );
    this.element = make(
      "div",
      {
        className: "hs-pipe",
        role: "group",
        "aria-label": "The forward pass, stage by stage: arrow keys move, Enter opens",
      },
      ...this.row("before"),
      blocks,
      this.zoom,
      open,
      sign("→"),
      ...this.row("after"),
    );
    this.element.style.setProperty("--parts", places.columns);
    roving(this.element);
    this.drawn = {};
  }

  row(part) {
    const after = { ...AFTER, ...(this.stages.position && { token: "+" }) };
    return inPart(part, this.model).flatMap((id) => [this.card(id), ...(after[id] ? [sign(after[id])] : [])]);
  }

  card(id) {
    const { title, letters, isStream } = this.stages[id];
    const thumb = make("span", { className: "hs-thumb" });
    const scale = make("span", { className: "hs-stage-scale" });
    const name = make("code");
    const about = make(
      "span",
      { className: "hs-stage-about" },
      make("span", { className: "hs-shape" }, ...dimensions(letters)),
      name,
      scale,
    );
    const button = make(
      "button",
      {
        type: "button",
        className: `hs-stage${isStream ? " hs-stream" : ""}${letters[0] === "K" ? " hs-of-key-heads" : ""}`,
        "data-stage": id,
        onclick: (event) => this.open(id, event),
      },
      make("span", { className: "hs-stage-title", text: title }),
      thumb,
      about,
    );
    this.cards.set(id, { button, thumb, scale, name });
    return button;
  }

  /** Who clicks one of the heads wants to see that one. */
  open(stage, event) {
    const head = event.target.dataset?.head;
    store.toggle({ stage, ...(head !== undefined && { head: Number(head) }) });
  }

  draw(payload, focus, part) {
    const [L, H] = payload.arrays.pattern.shape;
    const query = store.query(focus);
    if (this.blocks.childElementCount !== L) this.buildBlocks(L);
    const look = `${store.seq}/${isDark()}/${query}`;
    if (this.drawn.all !== look) this.drawOnce(payload, focus, part, L);
    if (this.drawn.block !== `${look}/${focus.layer}`) this.drawStages("block", payload, focus, part);
    this.drawn = { all: look, block: `${look}/${focus.layer}` };
    this.drawTokens(payload, query);
    this.drawNext(payload, query);
    this.mark(focus, H, L);
  }

  buildBlocks(L) {
    this.blocks.replaceChildren(
      ...Array.from({ length: L }, (_, layer) =>
        make(
          "button",
          {
            type: "button",
            className: "hs-slim",
            "data-layer": layer,
            "aria-label": `Block ${layer}`,
            onclick: () =>
              store.toggle({ layer, ...(STAGES[store.focus.locked.stage].part !== "block" && { stage: "resid_pre" }) }),
          },
          make("span", { className: "hs-thumb" }, make("canvas")),
          make("span", { text: String(layer) }),
        ),
      ),
    );
  }

  /** What no choice of a layer or head changes. */
  drawOnce(payload, focus, part, L) {
    for (const place of ["before", "after"]) this.drawStages(place, payload, focus, part);
    for (let layer = 0; layer < L; layer++) {
      const at = { layer, head: 0 };
      const scale = scaleOf("resid_post", payload, part, at, isDark());
      const { columns, values } = stripOf(tensorOf("resid_post", payload, part, at), store.query(focus));
      drawSmall(this.blocks.children[layer].querySelector("canvas"), { rows: columns, columns: 1, values }, scale);
    }
  }

  drawStages(place, payload, focus, part) {
    for (const id of inPart(place, this.model)) {
      if (id !== "tokens" && id !== "softmax") this.drawStage(id, payload, focus, part);
    }
  }

  drawStage(id, payload, focus, part) {
    const { layer } = focus;
    const { thumb, scale } = this.cards.get(id);
    const { kind, columns, letters, tensor } = this.stages[id];
    const H = payload.model.n_head;
    const colors = scaleOf(id, payload, part, { layer, head: 0 }, isDark());
    const tensors =
      columns === "key"
        ? Array.from({ length: H }, (_, head) => tensorOf(id, payload, part, { layer, head }))
        : [
            stripOf(
              letters.length === 3 ? sideBySide(tensor, part, layer) : tensorOf(id, payload, part, { layer, head: 0 }),
              store.query(focus),
            ),
          ];
    if (thumb.childElementCount === 0 || thumb.querySelectorAll("canvas").length !== tensors.length)
      fillThumb(thumb, tensors.length, letters.length === 3);
    for (const [i, canvas] of thumb.querySelectorAll("canvas").entries()) drawSmall(canvas, tensors[i], colors);
    scale.textContent = kind === "weights" ? "0 … 1" : `±${three(limitOf(id, payload, part, { layer, head: 0 }))}`;
  }

  /** Some tokens around the chosen one, with their ids. */
  drawTokens({ tokens }, query) {
    const start = Math.max(0, Math.min(tokens.length - ROWS, query - 2));
    this.cards
      .get("tokens")
      .thumb.replaceChildren(
        ...tokens
          .slice(start, start + ROWS)
          .map((token, i) =>
            make(
              "span",
              { className: `hs-pipe-token${start + i === query ? " hs-marked" : ""}` },
              make("span", { dir: "auto", className: "hs-pipe-text", text: label(token, 10) }),
              make("span", { className: "hs-number", text: String(token.id) }),
            ),
          ),
      );
    this.cards.get("tokens").scale.textContent = tokens.length > ROWS ? `${ROWS} of ${tokens.length} shown` : "";
  }

  drawNext(payload, query) {
    const { best } = nextTokens(payload, query, ROWS);
    const top = topOf(best[0].p);
    this.cards.get("softmax").thumb.replaceChildren(
      ...best.map(({ text, p }) => {
        const fill = make("span", { className: "hs-fill" });
        fill.style.width = `${(p / top) * 100}%`;
        return make(
          "span",
          { className: "hs-pipe-next" },
          make("span", { dir: "auto", className: "hs-pipe-text", text: pieceName(text) }),
          make("span", { className: "hs-track" }, fill),
          make("span", { className: "hs-number", text: probability(p) }),
        );
      }),
    );
    this.cards.get("softmax").scale.textContent = `bars: 0 … ${top}`;
  }

  mark(focus, H, L) {
    const { style } = this.element;
    style.setProperty("--head", focus.head / H);
    style.setProperty("--head-width", 1 / H);
    const K = this.model.n_kv_head ?? H;
    style.setProperty("--key-head", Math.floor((focus.head * K) / H) / K);
    style.setProperty("--key-head-width", 1 / K);
    this.title.textContent = `Block ${focus.layer} of 0–${L - 1}, opened`;
    for (const [id, { button, thumb, name }] of this.cards) {
      const tensor = nameOf(id, focus.layer);
      name.replaceChildren(
        ...breakable(STAGES[id].part === "block" ? tensor.replace(`blocks.${focus.layer}.`, "") : tensor),
      );
      button.setAttribute("aria-pressed", String(id === focus.stage));
      button.tabIndex = id === focus.stage ? 0 : -1;
      for (const [head, canvas] of thumb.querySelectorAll("[data-head]").entries()) {
        canvas.classList.toggle("hs-shown", head === focus.head);
      }
    }
    for (const button of this.blocks.children) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.layer) === focus.layer));
      button.tabIndex = -1;
    }
    const chosen = this.blocks.children[focus.layer];
    style.setProperty("--zoom-left", `${chosen.offsetLeft}px`);
    style.setProperty("--zoom-right", `${chosen.offsetLeft + chosen.offsetWidth}px`);
  }
}

/** One token's numbers of a stage: the row that is carried along. */
function stripOf({ columns, values }, row) {
  return { rows: 1, columns, values: values.subarray(row * columns, (row + 1) * columns) };
}

/** A name that may be broken behind each of its dots. */
function breakable(name) {
  return name.split(/(?<=\.)/).flatMap((part, i) => (i ? [make("wbr"), part] : [part]));
}

const sign = (text) => make("span", { className: "hs-pipe-sign", "aria-hidden": "true", text });

/** One canvas; or one for each head, or one that all heads share, in which the chosen one is framed. */
function fillThumb(thumb, count, hasHeads) {
  const canvases = Array.from({ length: count }, (_, head) => make("canvas", count > 1 ? { "data-head": head } : {}));
  thumb.replaceChildren(
    ...canvases,
    ...(hasHeads && count === 1 ? [make("span", { className: "hs-thumb-head" })] : []),
  );
  thumb.classList.toggle("hs-thumb-heads", count > 1);
  thumb.style.setProperty("--columns", Math.ceil(Math.sqrt(count)));
}
