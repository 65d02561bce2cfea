// The Generate page. The tree of what was written is kept here; the server is asked for tokens, and once for a look at
// each token. Settings change the picture at once, without the server.

import { onceAFrame } from "../base/once_a_frame.mjs";
import { label } from "../base/text.mjs";
import { ask } from "../state/ask.mjs";
import { address } from "../state/history.mjs";
import { page, showPage } from "../state/pages.mjs";
import { promptText, runText } from "../state/run.mjs";
import { isDark, store } from "../state/store.mjs";
import { render } from "../vendor/lit-html.mjs";
import { cacheStep, drawCache } from "./cache.mjs";
import { choiceOf } from "./choice.mjs";
import { Controls } from "./controls.mjs";
import { drawSentence } from "./draw_line.mjs";
import { Looks } from "./looks.mjs";
import { pageTemplate } from "./page.mjs";
import { forModel, inWords } from "./settings.mjs";
import { Tree } from "./tree.mjs";
import { nameOf } from "./tree_view.mjs";
import {
  barSentence,
  cacheSentence,
  chosenSentence,
  nextSentence,
  PAGE,
  stateSentence,
  strategiesSentence,
  timesSentence,
} from "./words.mjs";
import { work } from "./work.mjs";

const TREES = 8; // texts whose trees are kept
const TYPING_MS = 400;
const HOW = { draw: "", hand: "h", "a strategy": "s" }; // how a token came, as the address says it

export function mount(element, { props }) {
  new Generate(element, JSON.parse(props.limits));
}

class Generate {
  trees = new Map(); // by model and text, the newest last
  mode = "next"; // which choice is shown: of the next token, or how the newest was "chosen"
  found = new Map(); // what each strategy wrote
  strategiesSaid = "";
  times = null; // {with_cache, without_cache, …} once measured
  timesProblem = "";
  isMeasuring = false;
  isListed = false; // the tree, as a list
  problem = "";
  named = null; // what the address says was written, until it stands there
  pictureInSight = ""; // the picture whose row was brought into sight
  controls = new Controls(() => this.settingsChanged());

  constructor(element, limits) {
    this.element = element;
    this.limits = limits;
    this.changed = onceAFrame(() => this.draw());
    this.looks = new Looks(this.changed, (problem) => this.say(problem));
    this.tree = this.treeOf(promptText(), this.model);
    element.classList.add("hs-generate");
    this.listen();
    this.return(address.of("generate"));
    address.speak(
      ["generate"],
      () => this.told(),
      (_, values) => this.return(values),
    );
  }

  listen() {
    let typing = null;
    document.addEventListener("input", ({ target }) => {
      if (!(target instanceof Element && target.closest("#prompt"))) return;
      clearTimeout(typing);
      typing = setTimeout(() => this.textMayHaveChanged(), TYPING_MS);
    });
    document.addEventListener("hs-page", () => this.textMayHaveChanged());
    store.subscribe(this.element, () => this.textMayHaveChanged()); // layer and head, or another model
    new MutationObserver(this.changed).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    addEventListener("resize", this.changed);
  }

  // what the reader does

  /** Draw the next token, or as many as the settings say. */
  write = async (count = this.controls.values.count) => {
    this.textMayHaveChanged();
    const { tree } = this;
    const settings = forModel(this.controls.values);
    const body = { count, seed: this.controls.seed.value.trim(), ...settings };
    await this.work("write", body, ({ logprob, rank, u, slid, ...token }) => {
      tree.go(tree.add(tree.at, token, { logprob, rank, u, slid, settings, how: "draw" }));
      this.show("chosen");
    });
  };

  compare = async () => {
    if (work.isOn) return;
    this.textMayHaveChanged();
    this.found = new Map();
    const { tree, controls } = this;
    const from = tree.at;
    const { count } = controls.values;
    this.strategiesSaid = strategiesSentence(from.depth, Math.min(count, this.limits.most));
    await this.work("strategies", { count, seed: controls.seed.value.trim() }, (found) => {
      this.found.set(found.name, { ...found, tree, from });
      this.changed();
    });
    if (this.found.size === 0) this.strategiesSaid = "";
  };

  /** One piece of work of the server, line by line. */
  async work(kind, body, onLine) {
    if (work.isOn) return;
    this.say("");
    try {
      const done = work.start(kind, { ...this.tree.question(), ...body }, onLine);
      this.changed();
      await done;
    } catch ({ message }) {
      this.say(message);
    }
    this.changed();
  }

  /** Take a token by hand: instead of the one that was chosen, or as the next one. */
  take = (id) => {
    if (work.isOn) return;
    const { tree, mode, choice, vocabulary } = this;
    const index = choice.ids.indexOf(id);
    const [special, partial] = ["special", "partial"].map((kind) => vocabulary[kind].includes(id));
    const logprob = Math.log(choice.warped.stages[0][index]);
    const how = { logprob, rank: index + 1, u: null, slid: false, settings: choice.settings, how: "hand" };
    const parent = mode === "chosen" ? tree.at.parent : tree.at;
    this.say("");
    this.go(tree.add(parent, { id, text: vocabulary.pieces[id], special, partial }, how));
  };

  go = (node) => {
    if (work.isOn) return;
    this.tree.go(node);
    this.show(node.parent ? "chosen" : "next");
  };

  undo = () => {
    this.say("");
    if (this.tree.at.parent) this.go(this.tree.at.parent);
  };

  clear = () => {
    work.stop();
    const { text, model } = this.tree;
    this.trees.delete(keyOf(text, model));
    this.setTree(this.treeOf(text, model));
    this.show("next");
  };

  /** Open what was written on the Explore page. */
  use = async () => {
    work.stop();
    const asked = ask("whole_text", this.tree.question());
    showPage("explore");
    try {
      const { text } = await asked;
      runText(text);
    } catch ({ message }) {
      this.say(message);
    }
  };

  /** Put what a strategy wrote into the tree, and go to its end. */
  walk = ({ name, tokens, tree, from }) => {
    if (work.isOn || tree !== this.tree) return;
    const settings = forModel(this.controls.values);
    const how = { logprob: null, rank: null, u: null, slid: false, settings, how: name };
    this.go(tokens.reduce((node, token) => tree.add(node, token, how), from));
    this.element.querySelector("#generate-tree").scrollIntoView({ block: "nearest" });
  };

  measure = async () => {
    this.isMeasuring = true;
    this.timesProblem = "";
    this.changed();
    try {
      this.times = await ask("cache_times", this.tree.question());
    } catch ({ message }) {
      this.times = null;
      this.timesProblem = message;
    }
    this.isMeasuring = false;
    this.changed();
  };

  show = (mode) => {
    this.mode = this.tree.at.parent ? mode : "next";
    this.changed();
    address.changed();
  };

  settingsChanged() {
    if (!work.isOn) this.show("next");
    address.changed();
  }

  stop = () => work.stop();
  focus = (part) => store.toggle(part);
  list = (isListed) => {
    this.isListed = isListed;
    this.changed();
  };

  say(problem) {
    this.problem = problem;
    this.changed();
  }

  // the address

  told() {
    if (this.named || work.isOn) return null;
    const { tree, controls, mode } = this;
    const written = tree.path().map(({ token, how }) => `${token.id}${HOW[how] ?? "s"}`);
    const text = tree.text === store.firstText("generate") ? null : tree.text;
    return { ...controls.values, seed: controls.seed.value, written, choice: tree.at.parent ? mode : null, text };
  }

  /** What an address says: settings at once, what was written as soon as its text is here. */
  return(values) {
    work.stop();
    this.controls.set(values);
    this.named = { written: values.written, mode: values.choice, text: values.text, isAsked: false };
    this.textMayHaveChanged();
  }

  async readAgain() {
    const { named, tree } = this;
    if (!named || named.isAsked || !store.payload || store.asked) return;
    if (tree.text !== (named.text ?? store.firstText("generate"))) {
      if (!store.isAsking) this.named = null; // another text was given before this one came
      return;
    }
    named.isAsked = true;
    try {
      const node = await this.pathOf(named.written, tree);
      if (this.named !== named) return; // another address has come meanwhile
      tree.go(node);
      this.show(named.mode);
    } catch ({ message }) {
      this.say(message);
    }
    this.named = null;
    this.changed();
  }

  /** The node at the end of written tokens; those that are not in the tree are asked for. */
  async pathOf(written, tree) {
    const ids = written.map((one) => Number.parseInt(one, 10));
    const known = tree.nodeAt(ids);
    if (known) return known;
    const { tokens } = await ask("written", { text: tree.text, model: tree.model, written: ids });
    const settings = forModel(this.controls.values);
    return tokens.reduce((node, { logprob, rank, slid, ...token }, i) => {
      const how = Object.keys(HOW).find((name) => HOW[name] && written[i].endsWith(HOW[name])) ?? "draw";
      return tree.add(node, token, { logprob, rank, u: null, slid, settings, how });
    }, tree.root);
  }

  // what is known

  /** The model that is shown: the strip above chooses it. */
  get model() {
    return store.payload?.model.name ?? this.limits.model;
  }

  get vocabulary() {
    return this.looks.vocabulary(this.tree.model);
  }

  treeOf(text, model) {
    const key = keyOf(text, model);
    const tree = this.trees.get(key) ?? new Tree(text, model);
    this.trees.delete(key);
    this.trees.set(key, tree);
    if (this.trees.size > TREES) this.trees.delete(this.trees.keys().next().value);
    return tree;
  }

  setTree(tree) {
    this.tree = tree;
    this.times = null;
    this.found = new Map();
    this.strategiesSaid = "";
    this.say("");
  }

  textMayHaveChanged() {
    const [text, { model }] = [promptText(), this];
    if (model !== this.tree.model) work.stop();
    if ((text !== this.tree.text || model !== this.tree.model) && !work.isOn) {
      this.setTree(this.treeOf(text, model));
      this.show("chosen");
    }
    this.readAgain();
    this.changed();
  }

  /** How the newest token was chosen, or what comes next; null while the server has not said what it needs. */
  choiceNow() {
    const { at } = this.tree;
    const isNext = this.mode === "next";
    const look = this.looks.at(this.tree, isNext ? at : at.parent, !work.isOn);
    if (!look) return null;
    const settings = isNext ? forModel(this.controls.values) : at.settings;
    const seed = this.controls.seed.value.trim();
    const seeded = () =>
      !isNext && at.how === "draw" && at.u !== null ? at.u : this.looks.numberAt(seed, at.depth + (isNext ? 1 : 0));
    return choiceOf(look, settings, settings.temperature === 0 ? null : seeded(), isNext ? null : at.token.id);
  }

  /** Below the choice, in words. */
  said(choice) {
    const { at } = this.tree;
    const drawn = drawSentence(choice, this.vocabulary.pieces);
    const scale = barSentence(choice.top);
    if (this.mode === "next") return `${nextSentence(drawn)} ${scale}`;
    const index = choice.ids.indexOf(at.token.id);
    const p = choice.warped.stages[0][index];
    const chosen = { how: at.how, name: nameOf(at.token), p, place: index + 1, settings: inWords(at.settings), drawn };
    return `${chosenSentence(chosen)} ${scale}`;
  }

  // drawing, once a frame

  draw() {
    const { element, tree } = this;
    if (!element.checkVisibility() || page() !== "generate") return;
    const { at } = tree;
    const own = this.looks.at(tree, at, !work.isOn);
    const choice = this.choiceNow();
    if (own) this.own = own; // else the last one stays, faded
    if (choice) this.choice = choice;
    const isDrawn = Boolean(own && choice && !work.isOn);
    const isWithinTree = element.querySelector(".hs-tree-box")?.contains(document.activeElement);
    const chooser = document.activeElement?.closest(".hs-numbers button")?.getAttribute("data-name");
    render(pageTemplate(this.shown(!isDrawn), this, this.controls.element), element);
    if (isWithinTree) this.query(".hs-tree .hs-here")?.focus({ preventScroll: true }); // arrows go on from there
    if (chooser) this.query(`[data-name="${chooser}"][aria-checked="true"]`).focus();
    this.afterwards();
    if (own || this.problem) element.dataset.ready = "true";
    element.dataset.error = this.problem;
    element.dataset.count = at.depth;
    element.dataset.shown = isDrawn ? `${this.mode} ${at.number}` : "";
    element.dataset.working = String(work.isOn);
    element.dataset.strategies = this.found.size;
  }

  query(selector) {
    return this.element.querySelector(selector);
  }

  /** Everything that the page shows. */
  shown(isOld) {
    const { tree, choice, own, times, looks } = this;
    const { at, text } = tree;
    const ahead = work.isOn ? [] : tree.ahead();
    const pieces = looks.vocabulary(tree.model)?.pieces;
    this.step = own ? cacheStep(own, at.depth) : null;
    return {
      ...{ tree, at, text, own, times, choice, isOld, pieces, depth: at.depth, mode: this.mode, problem: this.problem },
      ...{ isWorking: work.isOn, isMeasuring: this.isMeasuring, isListed: this.isListed, isDark: isDark() },
      ...{ found: this.found, strategiesSaid: this.strategiesSaid, strategies: this.limits.strategies },
      written: [...tree.path(), ...ahead],
      state: this.stateNow(ahead.length > 0),
      takenName: at.token ? nameOf(at.token) : null,
      width: this.element.clientWidth,
      said: choice && !isOld ? this.said(choice) : "",
      focus: store.focus.now,
      cacheSaid: this.step ? cacheSentence(this.step) : "",
      timesSaid: this.timesNow(),
    };
  }

  stateNow(hasAhead) {
    const { at, text } = this.tree;
    const hasEnded = at.token?.special && label(at.token) === "end";
    const isEmpty = text.trim() === "" && !at.parent;
    return stateSentence({ hasEnded, slid: at.slid, isEmpty, depth: at.depth, most: this.limits.tokens, hasAhead });
  }

  timesNow() {
    if (this.isMeasuring) return PAGE.measuring;
    return this.times ? timesSentence(this.times) : this.timesProblem;
  }

  /** Canvases and scrolling, which no template knows. */
  afterwards() {
    if (this.step) drawCache(this.query(".hs-cache"), this.element.clientWidth, this.step, isDark());
    this.keepChoiceInSight();
    this.keepTreeInSight();
  }

  /** Once for each picture: then the reader scrolls. */
  keepChoiceInSight() {
    const picture = `${this.mode} ${this.tree.at.number}`;
    const row = this.query(`.hs-choice .${this.mode === "next" ? "hs-drawn" : "hs-taken"}`);
    if (!row || this.pictureInSight === picture) return;
    const box = this.query(".hs-choice-box");
    box.scrollTop = row.offsetTop > box.clientHeight - 60 ? row.offsetTop - box.clientHeight / 2 : 0;
    this.pictureInSight = picture;
  }

  keepTreeInSight() {
    const box = this.query(".hs-tree-box");
    if (!box) return;
    const { offsetLeft, offsetWidth } = this.query(".hs-tree .hs-here");
    const { scrollLeft, clientWidth } = box;
    const isInside = offsetLeft > scrollLeft + 60 && offsetLeft + offsetWidth < scrollLeft + clientWidth - 60;
    if (!isInside) box.scrollLeft = offsetLeft - clientWidth / 2;
  }
}

const keyOf = (text, model) => `${model}\n${text}`;
