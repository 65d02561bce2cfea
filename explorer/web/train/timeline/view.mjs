// The timeline: what a model computed at recorded steps of its training. A model and a prompt are fetched once;
// after that the slider never waits.

import { make } from "../../base/dom.mjs";
import { onceAFrame } from "../../base/once_a_frame.mjs";
import { grouped } from "../../base/text.mjs";
import { address } from "../../state/history.mjs";
import { onPage, page } from "../../state/pages.mjs";
import { stale } from "../../state/stale.mjs";
import { isDark } from "../../state/store.mjs";
import { choiceOf } from "../../ui/choice.mjs";
import { withTerms } from "../../ui/terms.mjs";
import { HeadAtStep } from "../head.mjs";
import { HeadsAtStep } from "../heads.mjs";
import { loadIndex, loadModel, loadPrompt } from "./data.mjs";
import { LossCurve } from "./loss.mjs";
import { PredictionAtStep } from "./next.mjs";
import { PlayerBar } from "./player.mjs";
import { RolesAtStep } from "./roles.mjs";
import { timelineRows } from "./rows.mjs";
import { AllRuns } from "./runs.mjs";
import { sampleLines } from "./sample.mjs";
import { aboutBoth, lossText, PAGE, promptOf, shownText, stepText } from "./words.mjs";

const FIRST = "decoder"; // its heads have the tasks that marks speak of

const NOTHING = { of: null, prompt: null, at: null, unit: null, stack: null, token: null, steps: null };

export function mount(element) {
  const openOnce = () => {
    if (element.view || page() !== "train" || document.body.dataset.train !== "timeline") return;
    element.view = new Timeline(element);
    element.view.open();
  };
  onPage(openOnce);
  document.addEventListener("hs-train", openOnce);
  openOnce();
}

class Timeline {
  constructor(element) {
    this.element = element;
    this.drawSoon = onceAFrame(() => this.model && element.checkVisibility() && this.draw());
    this.state = stateIn(address.of("train"));
    this.row = null; // of the picture, if it is not the token whose prediction is shown
    this.models = choiceOf({}, PAGE.whichModel, () => {});
    this.prompts = make("select", {
      "aria-label": PAGE.whichPrompt,
      onchange: () => this.choosePrompt(Number(this.prompts.value)),
    });
    this.problem = make("p", { className: "hs-problem", role: "alert", hidden: "" });
    this.loss = new LossCurve({
      show: (i) => this.show(i),
      setLog: (log) => this.set({ log }),
      open: (event) => this.openEvent(event),
    });
    this.player = new PlayerBar({
      show: (i) => this.show(i),
      at: () => this.i ?? 0,
      count: () => this.model?.steps.length ?? 0,
    });
    this.now = make("p", { className: "hs-tl-now" });
    this.about = make("p", { className: "hs-hint" });
    this.stacks = make("div");
    this.heads = new HeadsAtStep((layer, head) => this.set({ layer, head }));
    this.head = new HeadAtStep((place) => this.chooseQuery(place));
    this.next = new PredictionAtStep((token) => this.chooseToken(token));
    this.sample = make("section", { className: "hs-tl-sample" });
    this.roles = new RolesAtStep((i) => this.show(i));
    this.body = make("div", { className: "hs-tl-body", hidden: "" });
  }

  async open() {
    const { element } = this;
    element.append(this.problem, this.body);
    await this.trying(async () => {
      this.index = await loadIndex();
      if (!this.index.models.length) return this.say(this.index.missing, true);
      this.build();
      await this.chooseModel(this.firstOf(this.state.of), true);
    });
    element.dataset.ready = "true";
  }

  allModels() {
    return Promise.all(this.index.models.map(({ name }) => loadModel(this.index, name)));
  }

  /** The model that is named, if there is one of that name. */
  firstOf(named) {
    const names = this.index.models.map(({ name }) => name);
    return [named, FIRST, names[0]].find((name) => names.includes(name));
  }

  build() {
    const titles = Object.fromEntries(this.index.models.map(({ name, title }) => [name, title]));
    this.models = choiceOf(titles, PAGE.whichModel, (name) => this.chooseModel(name));
    const choose = make(
      "div",
      { className: "hs-tl-choose" },
      make("div", { className: "hs-control" }, make("span", { text: PAGE.model }), this.models),
      make("label", { className: "hs-control hs-tl-prompt" }, make("span", { text: PAGE.prompt }), this.prompts),
    );
    this.body.append(
      make("p", { className: "hs-hint" }, ...withTerms(PAGE.about)),
      choose,
      this.about,
      this.loss.element,
      new AllRuns(() => this.allModels()).element,
      this.player.element,
      this.now,
      make(
        "div",
        { className: "hs-tl-look" },
        make("div", { className: "hs-tl-left" }, this.stacks, this.heads.element, this.roles.scores),
        make("div", { className: "hs-tl-middle" }, this.head.element, this.roles.curve),
        make("div", { className: "hs-tl-right" }, this.next.element, this.sample),
      ),
    );
    new MutationObserver(() => this.changed()).observe(document.body, {
      attributes: true,
      attributeFilter: ["class", "data-page", "data-train"],
    });
    addEventListener("resize", () => this.changed());
    onPage((name) => name !== "train" && this.player.pause());
    address.speak(
      ["train"],
      () => (document.body.dataset.train === "timeline" ? this.told() : NOTHING),
      (_, values) => values.train === "timeline" && this.return(values),
    );
    document.addEventListener(
      "hs-train",
      (/** @type {CustomEvent} */ { detail }) => detail !== "timeline" && this.player.pause(),
    );
    this.element.numbers = () => timelineRows(this);
    this.element.about = () => ({
      model: { name: this.model.name },
      text: shownText(this.step, this.prompt),
    });
    this.element.redraw = () => this.draw();
  }

  // choosing

  async chooseModel(name, isFirst = false) {
    await this.trying(async () => {
      const before = this.step;
      const model = await loadModel(this.index, name);
      const at = Math.min(this.state.prompt, model.prompts.length - 1);
      const prompt = await loadPrompt(model, at);
      this.model = model;
      this.prompt = prompt;
      this.row = null;
      this.state = {
        ...this.state,
        of: name,
        prompt: at,
        stack: model.stacks.some((stack) => stack.name === this.state.stack) ? this.state.stack : null,
      };
      const wanted = isFirst ? (this.state.at ?? model.steps.at(-1)) : before;
      this.i = nearestStep(model.steps, wanted);
      this.prompts.replaceChildren(...model.prompts.map(({ title }, i) => make("option", { value: i, text: title })));
      if (isFirst && !this.state.isNamed && !this.state.stack) this.openFirst();
      this.body.hidden = false;
      this.fit();
      this.models.mark(name);
      this.changed();
    });
  }

  async choosePrompt(at) {
    await this.trying(async () => {
      this.prompt = await loadPrompt(this.model, at);
      this.row = null;
      this.state = { ...this.state, prompt: at, token: null };
      this.fit();
      this.changed();
    });
  }

  /** To begin with, the head that becomes an induction head first, or does most of such a task. */
  openFirst() {
    const { events, nearest } = this.model;
    const first = (name) => events.find(({ role }) => role === name);
    const event = first("induction") ?? first("prefix matching") ?? events[0] ?? nearest;
    if (event) Object.assign(this.state, { layer: event.layer, head: event.head, stack: event.stack });
  }

  /** Keep what is chosen inside the model and the prompt. */
  fit() {
    const { state } = this;
    this.prompts.value = String(state.prompt);
    this.about.textContent = aboutBoth(this.model, this.prompt);
    const [L, H] = this.part.shape;
    Object.assign(state, { layer: Math.min(state.layer, L - 1), head: Math.min(state.head, H - 1) });
    if (!this.prompt.places.includes(state.token)) state.token = null;
    this.drawStacks();
  }

  set(part) {
    this.state = { ...this.state, ...part };
    if ("stack" in part) {
      this.row = null;
      this.fit();
    }
    this.changed();
  }

  /** A row of the picture is a token: the prediction follows, where there is one. */
  chooseQuery(place) {
    const { part, prompt } = this;
    const token = part.asks === null ? null : place - part.asks;
    this.row = place;
    if (prompt.places.includes(token)) this.set({ token });
    else this.changed();
  }

  chooseToken(token) {
    this.row = null;
    this.set({ token });
  }

  openEvent({ stack, layer, head, step }) {
    this.player.pause();
    this.i = this.model.steps.indexOf(step);
    this.set({ stack, layer, head });
  }

  /** While it plays, the large picture goes to the head that an event tells of. */
  show(i) {
    this.i = i;
    const event = this.player.playing && this.model.events.find(({ step }) => step === this.step);
    if (event) this.set({ stack: event.stack, layer: event.layer, head: event.head });
    else this.changed();
  }

  get step() {
    return this.model?.steps[this.i];
  }

  /** The token whose prediction is shown: the chosen one, or the last whose true answer is known. */
  get place() {
    const { places, truth } = this.prompt;
    return this.state.token ?? places.findLast((_, q) => truth[q] !== null) ?? places.at(-1);
  }

  /** The kind of attention that is shown, at the step. */
  get part() {
    const parts = this.prompt.parts(this.i);
    return parts.find(({ name }) => name === this.state.stack) ?? parts.find(({ name }) => name === this.prompt.own);
  }

  /** The chosen row of its picture. */
  queryOf({ asks, T }, place) {
    if (this.row !== null && this.row < T) return this.row;
    return asks === null ? T - 1 : place + asks;
  }

  // drawing

  changed() {
    address.changed();
    this.drawSoon();
  }

  draw() {
    const { model, prompt, part, state, i, step } = this;
    const dark = isDark();
    const roles = (at) => model.roles(part.name, at);
    const { place } = this;
    const written = grouped(step);
    this.loss.draw({ model, i, log: state.log });
    this.player.draw({ text: stepText(model, i), i, count: model.steps.length });
    this.now.textContent = lossText(model.heldOutAt(i), model.vocabulary, model.masked);
    this.now.setAttribute("aria-live", this.player.playing ? "off" : "polite");
    this.heads.draw(part, roles(i), state, dark);
    this.head.draw({
      part,
      layer: state.layer,
      head: state.head,
      query: this.queryOf(part, place),
      step: written,
      dark,
    });
    this.next.draw({
      prompt,
      place,
      at: (asked) => prompt.predicted(i, asked),
      masked: model.masked,
      vocabulary: model.vocabulary,
      step: written,
    });
    this.sample.replaceChildren(...sampleLines(model.sample, i, written));
    this.roles.draw({ roles, steps: model.steps, i, layer: state.layer, head: state.head, log: state.log });
    Object.assign(this.element.dataset, {
      step,
      model: model.name,
      prompt: state.prompt,
      seq: Number(this.element.dataset.seq ?? 0) + 1,
    });
  }

  drawStacks() {
    const { stacks } = this.model;
    if (stacks.length < 2) return this.stacks.replaceChildren();
    const names = Object.fromEntries(stacks.map(({ name, title }) => [name, title]));
    const group = choiceOf(names, PAGE.whichAttention, (stack) => this.set({ stack }));
    group.mark(this.part.name);
    this.stacks.replaceChildren(group);
  }

  // problems and the address

  /** Until `work` is done, what is there is of an earlier question. */
  async trying(work) {
    stale(this.body, this.model ? promptOf(this.prompt, this.model) : null);
    try {
      this.say(null);
      await work();
    } catch (problem) {
      this.say(problem.message);
    }
    stale(this.body, null);
  }

  /** Nothing recorded is no fault: that sentence is not red. */
  say(problem, isHint = false) {
    this.problem.hidden = !problem;
    this.problem.textContent = problem ?? "";
    this.problem.classList.toggle("hs-tl-missing", isHint);
  }

  // the address

  told() {
    if (!this.model) return null;
    const { of, prompt, stack, token, layer, head, log } = this.state;
    const named = of === this.firstOf(null) ? null : of; // that it opens with one is no step of the reader's
    return { of: named, prompt, at: this.step, unit: { layer, head }, stack, token, steps: log ? "log" : "even" };
  }

  /** Back or Forward led here. */
  return(values) {
    this.player.pause();
    this.state = stateIn(values);
    return this.chooseModel(this.firstOf(this.state.of), true);
  }
}

/** What the address says, as the view keeps it. */
function stateIn({ of, prompt, at, unit, stack, token, steps }) {
  const { layer, head } = unit ?? { layer: 0, head: 0 };
  return { of, prompt, at, layer, head, isNamed: unit !== null, stack, token, log: steps === "log" };
}

function nearestStep(steps, wanted) {
  return steps.reduce((best, step, i) => (Math.abs(step - wanted) < Math.abs(steps[best] - wanted) ? i : best), 0);
}
