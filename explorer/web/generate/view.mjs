// The Generate page. The tree of what was written is kept here; the server is asked for tokens, and once for a look at
// each token: the logits behind it and what it looks at. Settings change the picture at once, without the server.

import { make } from "../base/dom.mjs";
import { cacheSentence, cacheStep, drawCache, drawTimes, timesSentence } from "./cache.mjs";
import { choiceOf, choiceTable, drawLine, drawSentence } from "./choice.mjs";
import { Controls, buttonRow } from "./controls.mjs";
import { attentionRow, chooser } from "./row.mjs";
import { work } from "./work.mjs";
import { forModel, inWords } from "./settings.mjs";
import { WORDS, card } from "./strategies.mjs";
import { Tree } from "./tree.mjs";
import { nameOf, treeList, treePicture } from "./tree_view.mjs";
import { onceAFrame } from "../base/once_a_frame.mjs";
import { ask } from "../state/ask.mjs";
import { page, showPage } from "../state/pages.mjs";
import { promptText, runText } from "../state/run.mjs";
import { isDark, store } from "../state/store.mjs";
import { grouped, label, probability, quoted, visible } from "../base/text.mjs";

const TREES = 8; // texts whose trees are kept
const LOOKS = 60; // looks that are kept, some 60 KB each
const TYPING_MS = 400;
const BEFORE = 160; // letters of the text that are shown in front of what was written

export function mount(element, { props }) {
  new Generate(element, JSON.parse(props.limits));
}

class Generate {
  constructor(element, limits) {
    Object.assign(this, {
      element,
      limits,
      trees: new Map(),
      looks: [],
      numbers: new Map(),
    });
    Object.assign(this, { vocabularies: new Map(), mode: "next", asking: null, found: new Map(), times: null });
    this.changed = onceAFrame(() => this.draw());
    this.build();
    this.tree = this.treeOf(promptText(), this.model);
    let typing = null;
    document.addEventListener("input", ({ target }) => {
      if (!target.closest?.("#prompt")) return;
      clearTimeout(typing);
      typing = setTimeout(() => this.textMayHaveChanged(), TYPING_MS);
    });
    document.addEventListener("hs-page", () => this.textMayHaveChanged());
    store.subscribe(this.row, () => this.textMayHaveChanged()); // layer and head, or another model
    new MutationObserver(() => this.changed()).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    addEventListener("resize", () => this.changed());
    Object.assign(element.dataset, { ready: "true", error: "", count: "0" });
    this.textMayHaveChanged();
  }

  build() {
    this.controls = new Controls(() => this.settingsChanged());
    const buttons = buttonRow([
      { id: "step", text: "One token ▸", title: "draw the next token", onclick: () => this.write(1), primary: true },
      {
        id: "write",
        text: "Write ▸▸",
        title: "draw one token after the other",
        onclick: () => this.write(this.controls.values.count),
      },
      { id: "stop", text: "Stop", onclick: () => work.stop() },
      { id: "undo", text: "Undo", title: "go back by one token; it stays in the tree", onclick: () => this.undo() },
      {
        id: "clear",
        text: "Clear",
        title: "forget everything that was written behind this text",
        onclick: () => this.clear(),
      },
      { id: "use", text: "Look inside this text", title: "open it on the Explore page", onclick: () => this.use() },
    ]);
    this.before = make("span", { className: "hs-before", dir: "auto" });
    this.written = make("span", { className: "hs-written-tokens" });
    this.state = make("p", { className: "hs-hint hs-state", "aria-live": "polite" });
    this.note = make("p", { className: "hs-problem", role: "alert", hidden: "" });
    const modes = make(
      "div",
      { className: "hs-switch", role: "radiogroup", "aria-label": "Which choice to look at" },
      ...["chosen", "next"].map((mode) =>
        make("button", { type: "button", role: "radio", "data-mode": mode, onclick: () => this.show(mode) }),
      ),
    );
    this.modes = modes;
    this.choice = make("div", { className: "hs-choice-box" });
    this.drawn = make("div");
    this.said = make("p", { className: "hs-row hs-said", "aria-live": "polite" });
    this.row = make("div");
    this.choosers = make("div", { className: "hs-choosers" });
    this.treeBox = make("div", { className: "hs-tree-box" });
    this.treeWords = make(
      "details",
      { className: "hs-table", ontoggle: () => this.changed() },
      make("summary", { text: "The tree as a list" }),
    );
    this.cache = make("canvas", { role: "img" });
    this.cacheSaid = make("p");
    this.timesButton = make("button", {
      type: "button",
      className: "hs-button",
      id: "time-cache",
      text: "Measure with and without",
      onclick: () => this.measure(),
    });
    this.timesChart = make("canvas", { role: "img" });
    this.timesSaid = make("p", { className: "hs-times", "aria-live": "polite" });
    this.strategyList = make("ol", { className: "hs-strategies" });
    this.strategySaid = make("p", { className: "hs-hint" });
    const about = make(
      "details",
      { className: "hs-role-words" },
      make("summary", { text: "What the numbers mean" }),
      make("dl", {}, ...WORDS.flatMap(([word, text]) => [make("dt", { text: word }), make("dd", { text })])),
    );
    this.element.classList.add("hs-generate");
    this.element.append(
      make("h2", { text: "The model writes, one token at a time" }),
      make("p", {
        text: "For every next token the model gives each token of its vocabulary a probability; the settings bend it, and a random number picks. Press One token, or take one yourself.",
      }),
      this.controls.element,
      buttons,
      make("div", { className: "hs-written", role: "log", "aria-label": "Written text" }, this.before, this.written),
      this.state,
      this.note,
      section("choice", "How a token is chosen", modes, this.choice, this.drawn, this.said),
      section("looks", "What the newest token looks at", this.choosers, this.row),
      section(
        "tree",
        "Every way you went",
        make("p", {
          className: "hs-hint",
          text: "What two ways have in common stands once. Press a token to go there and go on; with the keyboard, arrows walk.",
        }),
        this.treeBox,
        this.treeWords,
      ),
      section(
        "kv",
        "What is kept: the KV cache",
        this.cacheSaid,
        this.cache,
        legend(),
        make("p", {
          className: "hs-hint",
          text: "It lives while the model writes in one go; between two of your clicks the server keeps nothing.",
        }),
        this.timesButton,
        this.timesSaid,
        this.timesChart,
      ),
      section(
        "strategies",
        "Several strategies, side by side",
        make("p", { text: "The same text and seed, seven ways to choose. Tokens says how many each writes." }),
        make("button", {
          type: "button",
          className: "hs-button",
          id: "compare-strategies",
          text: "Compare strategies",
          onclick: () => this.compare(),
        }),
        this.strategySaid,
        this.strategyList,
        about,
      ),
    );
  }

  // what the learner does

  async write(count) {
    if (work.isOn) return;
    this.textMayHaveChanged();
    const { tree } = this;
    const settings = this.settings();
    const asked = { ...question(tree), count, seed: this.controls.seed.value.trim(), ...settings };
    this.say(null);
    try {
      const written = work.start("write", asked, ({ logprob, rank, u, slid, ...token }) => {
        tree.go(tree.add(tree.at, token, { logprob, rank, u, slid, settings, how: "draw" }));
        this.show("chosen");
      });
      this.changed();
      await written;
    } catch ({ message }) {
      this.say(message);
    }
    this.changed();
  }

  /** Take a token by hand: instead of the one that was chosen, or as the next one. */
  take(id) {
    if (work.isOn) return;
    const { tree, mode } = this;
    const parent = mode === "chosen" ? tree.at.parent : tree.at;
    const { ids, warped } = this.shown;
    const index = ids.indexOf(id);
    const text = this.vocabulary.pieces[id];
    const [special, partial] = ["special", "partial"].map((kind) => this.vocabulary[kind].includes(id));
    const node = tree.add(
      parent,
      { id, text, special, partial },
      {
        logprob: Math.log(warped.stages[0][index]),
        rank: index + 1,
        u: null,
        slid: false,
        settings: this.shown.settings,
        how: "hand",
      },
    );
    this.say(null);
    this.go(node);
  }

  go(node, focus = false) {
    if (work.isOn) return;
    this.tree.go(node);
    this.show(node.parent ? "chosen" : "next");
    this.refocus = focus;
  }

  undo() {
    this.say(null);
    if (this.tree.at.parent) this.go(this.tree.at.parent);
  }

  clear() {
    work.stop();
    this.say(null);
    const { text, model } = this.tree;
    this.trees.delete(`${model}\n${text}`);
    this.tree = this.treeOf(text, model);
    Object.assign(this, { times: null, found: new Map() });
    this.show("next");
  }

  async use() {
    work.stop();
    const asked = ask("whole_text", question(this.tree));
    showPage("explore");
    try {
      const { text } = await asked;
      runText(text);
    } catch ({ message }) {
      this.say(message);
    }
  }

  show(mode) {
    this.mode = this.tree.at.parent ? mode : "next";
    this.changed();
  }

  settingsChanged() {
    if (!work.isOn) this.show("next");
  }

  async compare() {
    if (work.isOn) return;
    this.textMayHaveChanged();
    const { tree } = this;
    const from = tree.at;
    this.say(null);
    this.found = new Map();
    this.isComparing = true;
    this.strategySaid.textContent = `Behind your text${from.parent ? ` and the ${from.depth} tokens written so far` : ""}, at most ${Math.min(this.controls.values.count, this.limits.most)} tokens each.`;
    try {
      const asked = { ...question(tree), count: this.controls.values.count, seed: this.controls.seed.value.trim() };
      const told = work.start("strategies", asked, (found) => {
        this.found.set(found.name, { ...found, tree, from });
        this.changed();
      });
      this.changed();
      await told;
    } catch ({ message }) {
      this.say(message);
    }
    this.isComparing = false;
    this.changed();
  }

  /** Put what a strategy wrote into the tree, and go to its end. */
  walk(found) {
    if (work.isOn || found.tree !== this.tree) return;
    let node = found.from;
    for (const token of found.tokens)
      node = this.tree.add(node, token, {
        logprob: null,
        rank: null,
        u: null,
        slid: false,
        settings: forModel(this.controls.values),
        how: found.name,
      });
    this.go(node);
    this.element.querySelector("#generate-tree").scrollIntoView({ block: "nearest" });
  }

  async measure() {
    this.timesButton.disabled = true;
    this.timesSaid.textContent = "The same tokens are written twice …";
    try {
      this.times = await ask("cache_times", question(this.tree));
    } catch ({ message }) {
      this.times = null;
      this.timesSaid.textContent = message;
    }
    this.timesButton.disabled = false;
    this.changed();
  }

  // what is known

  settings() {
    return forModel(this.controls.values);
  }

  /** The model that is shown: the strip above chooses it. */
  get model() {
    return store.payload?.model.name ?? this.limits.model;
  }

  /** The texts of the tokens that the model writes, or undefined while they are not known. */
  get vocabulary() {
    return this.vocabularies.get(this.tree.model);
  }

  treeOf(text, model) {
    const key = `${model}\n${text}`;
    const tree = this.trees.get(key) ?? new Tree(text, model);
    this.trees.delete(key);
    this.trees.set(key, tree); // the newest last
    if (this.trees.size > TREES) this.trees.delete(this.trees.keys().next().value);
    return tree;
  }

  textMayHaveChanged() {
    const [text, { model }] = [promptText(), this];
    if (model !== this.tree.model) work.stop();
    if ((text !== this.tree.text || model !== this.tree.model) && !work.isOn) {
      this.tree = this.treeOf(text, model);
      Object.assign(this, { times: null, found: new Map() });
      this.say(null);
      this.show("chosen");
    }
    this.changed();
  }

  /** The look at a node, or null while it is on its way. */
  lookAt(node) {
    if (node.look) {
      this.looks = [...this.looks.filter((one) => one !== node), node];
      return node.look;
    }
    if (this.asking === null && !work.isOn) this.fetchLook(node, this.tree);
    return null;
  }

  async fetchLook(node, tree) {
    this.asking = node;
    try {
      if (!this.vocabularies.has(tree.model))
        this.vocabularies.set(tree.model, await ask("vocabulary", { model: tree.model }));
      node.look = await ask("look", question(tree, node));
      this.looks.push(node);
      if (this.looks.length > LOOKS) delete this.looks.shift().look;
      this.asking = null;
      this.changed();
    } catch ({ message }) {
      this.say(message); // asked again with the next thing that changes
      this.asking = null;
    }
  }

  /** The number that the seed draws for the token at `depth` (the first is 1), or null while it is not known. */
  numberAt(depth) {
    const seed = this.controls.seed.value.trim();
    if (!this.numbers.has(seed)) {
      this.numbers.set(seed, null);
      ask("random_numbers", { seed }).then(
        ({ numbers }) => {
          this.numbers.set(seed, numbers);
          this.changed();
        },
        () => {},
      ); // a seed that cannot be is said when it is drawn with
    }
    return this.numbers.get(seed)?.[depth - 1] ?? null;
  }

  say(problem) {
    this.note.hidden = !problem;
    this.note.textContent = problem ?? "";
    this.element.dataset.error = problem ?? "";
  }

  // drawing, once a frame

  draw() {
    if (!this.element.offsetParent || page() !== "generate") return;
    const { at } = this.tree;
    this.drawText();
    this.drawTree();
    const own = this.lookAt(at);
    const before = this.mode === "chosen" ? this.lookAt(at.parent) : own;
    if (before) this.drawChoice(before);
    if (own) this.drawOwn(own);
    this.drawTimes();
    this.drawStrategies();
    const isDrawn = Boolean(own && before && !work.isOn);
    for (const box of [this.choice, this.drawn, this.row]) box.classList.toggle("hs-old", !isDrawn);
    Object.assign(this.element.dataset, {
      count: at.depth,
      shown: isDrawn ? `${this.mode} ${at.number}` : "",
      working: String(work.isOn),
    });
  }

  drawText() {
    const { tree } = this;
    const letters = [...tree.text];
    this.before.textContent = letters.length > BEFORE ? `…${letters.slice(-BEFORE).join("")}` : tree.text;
    const path = tree.path();
    const ahead = work.isOn ? [] : tree.ahead();
    this.written.replaceChildren(...[...path, ...ahead].flatMap((node, i) => this.written_(node, i >= path.length)));
    const { at } = tree;
    const stopped = at.token?.special && label(at.token) === "end" ? "The model has ended its text here. " : "";
    const slid = at.slid ? "The window was full, so the first tokens are no longer seen. " : "";
    const empty =
      tree.text.trim() === "" && !at.parent ? "There is no text: the model starts as it starts any article. " : "";
    const grey = ahead.length ? "Grey: where you went from here before. " : "";
    this.state.textContent = `${stopped}${slid}${empty}${at.depth} of at most ${grouped(this.limits.tokens)} tokens written. ${grey}The darker a token's ground, the surer the model was.`;
    document.getElementById("stop").disabled = !work.isOn;
    for (const id of ["step", "write", "compare-strategies"]) document.getElementById(id).disabled = work.isOn;
    document.getElementById("undo").disabled = work.isOn || !at.parent;
  }

  written_(node, isAhead) {
    const { token } = node;
    const here = node === this.tree.at;
    const button = make("button", {
      type: "button",
      dir: "auto",
      text: token.special ? label(token) : visible(token.text),
      "data-node": node.number,
      className: `hs-token${token.partial ? " hs-partial" : ""}${token.special ? " hs-special" : ""}${isAhead ? " hs-ahead" : ""}${here ? " hs-here" : ""}${node.how === "hand" ? " hs-by-hand" : ""}`,
      title:
        node.logprob === null
          ? `written by ${node.how}`
          : `probability ${probability(Math.exp(node.logprob))}, place ${grouped(node.rank)}`,
      onclick: () => this.go(node),
    });
    if (node.logprob !== null) button.style.setProperty("--sure", Math.exp(node.logprob).toFixed(3));
    return token.text.includes("\n") ? [button, make("br")] : [button];
  }

  drawChoice(look) {
    const { at } = this.tree;
    const isNext = this.mode === "next";
    const settings = isNext ? this.settings() : at.settings;
    const u =
      settings.temperature === 0
        ? null
        : isNext || at.how !== "draw"
          ? this.numberAt(isNext ? at.depth + 1 : at.depth)
          : at.u;
    const choice = choiceOf(look, settings, u, isNext ? null : at.token.id);
    this.shown = choice;
    for (const button of this.modes.children) {
      const { mode } = button.dataset;
      button.textContent =
        mode === "next"
          ? "What comes next"
          : at.parent
            ? `How ${quoted(nameOf(at.token))} was chosen`
            : "Nothing chosen yet";
      button.setAttribute("aria-checked", String(mode === this.mode));
      button.disabled = mode === "chosen" && !at.parent;
    }
    const { table, scale } = choiceTable(choice, this.vocabulary.pieces, (id) => this.take(id));
    this.choice.replaceChildren(table);
    this.keepInSight(table.querySelector(isNext ? ".hs-drawn" : ".hs-taken"), `${this.mode} ${at.number}`);
    this.drawn.replaceChildren(drawLine(choice, this.vocabulary.pieces));
    this.said.textContent = `${this.sentence(choice)} ${scale}`;
  }

  /** Once for each picture: then the learner scrolls. */
  keepInSight(row, picture) {
    const { choice } = this;
    const from =
      this.inSight === picture
        ? choice.scrollTop
        : row && row.offsetTop > choice.clientHeight - 60
          ? row.offsetTop - choice.clientHeight / 2
          : 0;
    this.inSight = picture;
    choice.scrollTop = from;
  }

  sentence(choice) {
    const { at } = this.tree;
    const drawn = drawSentence(choice, this.vocabulary.pieces);
    if (this.mode === "next") return `${drawn} One token takes it.`;
    const index = choice.ids.indexOf(at.token.id);
    const place = `probability ${probability(choice.warped.stages[0][index])} by the model, place ${grouped(index + 1)}.`;
    const name = quoted(nameOf(at.token));
    if (at.how === "draw") return `${name}: ${place} Drawn with ${inWords(at.settings)}. ${drawn}`;
    if (at.how === "hand") return `You took ${name} by hand: ${place} ${drawn}`;
    return `${at.how} wrote ${name}: ${place} With the settings of now: ${drawn}`;
  }

  drawOwn(look) {
    const focus = store.focus.now;
    const [L, H] = look.arrays.pattern.shape;
    const focused = document.activeElement?.closest?.(".hs-numbers") ? document.activeElement.dataset.name : null;
    this.choosers.replaceChildren(chooser("layer", L, focus.layer), chooser("head", H, focus.head));
    if (focused) this.choosers.querySelector(`[data-name="${focused}"][aria-checked="true"]`)?.focus();
    this.row.replaceChildren(...attentionRow(look, focus, isDark()));
    const step = cacheStep(look, this.tree.at.depth);
    this.cacheSaid.textContent = cacheSentence(step);
    this.cache.setAttribute("aria-label", this.cacheSaid.textContent);
    drawCache(this.cache, this.row.clientWidth, step);
  }

  drawTree() {
    const { scrollLeft } = this.treeBox;
    const wasWithin = this.treeBox.contains(document.activeElement); // who walks with the keys goes on walking
    const picture = treePicture(this.tree, (node, focus) => this.go(node, focus));
    this.treeBox.replaceChildren(picture);
    const here = picture.querySelector(".hs-here");
    const { offsetLeft, offsetWidth } = here;
    const { clientWidth } = this.treeBox;
    const inside = offsetLeft > scrollLeft + 60 && offsetLeft + offsetWidth < scrollLeft + clientWidth - 60;
    this.treeBox.scrollLeft = inside ? scrollLeft : offsetLeft - clientWidth / 2;
    if (this.refocus || wasWithin) here.focus({ preventScroll: true });
    this.refocus = false;
    this.treeWords.querySelector("ul")?.remove();
    if (this.treeWords.open) this.treeWords.append(treeList(this.tree));
  }

  drawTimes() {
    this.timesChart.hidden = !this.times;
    if (!this.times) {
      if (!this.timesButton.disabled && !this.element.dataset.error) this.timesSaid.textContent = "";
      return;
    }
    this.timesSaid.textContent = timesSentence(this.times);
    this.timesChart.setAttribute("aria-label", this.timesSaid.textContent);
    drawTimes(this.timesChart, Math.min(560, this.row.clientWidth), this.times);
  }

  drawStrategies() {
    const isEmpty = this.found.size === 0 && !this.isComparing;
    this.strategySaid.hidden = isEmpty;
    const cards = isEmpty
      ? []
      : this.limits.strategies.map((name) => card(name, this.found.get(name), () => this.walk(this.found.get(name))));
    this.strategyList.replaceChildren(...cards);
    this.element.dataset.strategies = this.found.size;
  }
}

/** What every question says: the text, its model, and the ids behind it. */
function question(tree, node = tree.at) {
  return { text: tree.text, model: tree.model, written: tree.ids(node) };
}

function section(name, title, ...parts) {
  return make("section", { id: `generate-${name}`, className: "hs-part" }, make("h3", { text: title }), ...parts);
}

function legend() {
  const item = (className, text) => make("span", { className: "hs-legend-part" }, make("span", { className }), text);
  return make(
    "div",
    { className: "hs-legend hs-kv-legend" },
    item("hs-hatch", "reused"),
    item("hs-swatch hs-k", "K computed"),
    item("hs-swatch hs-v", "V computed"),
  );
}
