// The lessons: contents, one step with its picture, the code that ran, and a question. Stepping is done here alone;
// the server is asked for a lesson once, and again when the learner changes the text or a setting.

import { byHand } from "../base/hand.mjs";
import { make } from "../base/dom.mjs";
import { address } from "../state/history.mjs";
import { onPage, page, showPage } from "../state/pages.mjs";
import { stale } from "../state/stale.mjs";
import { store } from "../state/store.mjs";
import { listings } from "./code.mjs";
import { Contents } from "./contents.mjs";
import { controlRow } from "./controls.mjs";
import { light, lightOnHover, withNounsAndTerms } from "./nouns.mjs";
import { Picture } from "./picture.mjs";
import * as progress from "./progress.mjs";
import { questionCard } from "./question.mjs";
import { readout, showWorking } from "./readout.mjs";
import { LessonSource } from "./source.mjs";
import { tablesOf } from "./tables.mjs";
import { ownTurns } from "./turns.mjs";
import { ownSource } from "./words.mjs";

export function mount(element, { props }) {
  const catalog = JSON.parse(props.catalog);
  new Learn(element, catalog, JSON.parse(props.turns), new LessonSource(JSON.parse(props.defaults)));
}

class Learn {
  constructor(element, catalog, turns, source) {
    this.element = element;
    this.catalog = catalog;
    this.turns = turns;
    this.source = source;
    this.payload = null;
    this.inputs = {}; // what the learner has set of the lesson's settings
    this.sent = {}; // and what was asked for last
    this.place(address.of("learn"));
    this.progress = progress.load();
    this.revealed = this.answered();
    source.onLesson = (payload, id) => this.arrived(payload, id);
    source.onProblem = (problem) => this.say(problem);
    this.build();
    lightOnHover(element);
    document.addEventListener("keydown", (event) => this.key(event));
    onPage((name) => name === "learn" && this.opened());
    address.speak(
      ["learn"],
      () => ({ lesson: this.lesson, step: this.step, set: this.inputs }),
      (_, values) => this.show(values),
    );
    store.subscribe(this.title, () => this.textMayHaveChanged());
    new MutationObserver(() => this.picture.redraw()).observe(document.body, {
      attributes: true,
      attributeFilter: ["class"],
    });
    if (page() === "learn") this.opened();
  }

  /** Which lesson and step an address names, kept inside what there is. */
  place({ lesson, step, set }) {
    this.lesson = (this.catalog.find(({ id }) => id === lesson) ?? this.catalog[0]).id;
    this.step = inside(step ?? 0, this.entry().num_steps);
    this.inputs = set;
  }

  /** Back or Forward led to a step. */
  show(values) {
    const before = this.lesson;
    this.place(values);
    if (this.lesson !== before) this.revealed = this.answered();
    this.opened();
  }

  build() {
    this.contents = new Contents(this.catalog, this.turns, {
      onLesson: (id) => this.go(id, 0),
      onStep: (step) => this.go(this.lesson, step),
      onFound: (lesson, step) => this.go(lesson, step),
      onForget: () => this.forget(),
    });
    this.title = make("h2", { tabindex: "-1" });
    this.text = make("p", { className: "hs-step-text", "aria-live": "polite" });
    this.back = make("button", {
      type: "button",
      className: "hs-step-button",
      text: "◂ Back",
      onclick: () => this.go(this.lesson, this.step - 1),
    });
    this.next = make("button", { type: "button", className: "hs-step-button hs-next", onclick: () => this.forward() });
    this.where = make("span", { className: "hs-step-number" });
    this.controls = make("div", { className: "hs-controls" });
    this.problem = make("p", { className: "hs-problem", role: "alert", hidden: "" });
    const stage = make("div");
    this.picture = new Picture(stage, (told, locked) => this.told(told, locked));
    this.readout = make("div", { className: "hs-readout", "aria-live": "polite" });
    this.tables = make(
      "details",
      { className: "hs-lesson-tables", ontoggle: () => this.fillTables() },
      make("summary", { text: "These tensors as tables" }),
    );
    this.about = make("p", { className: "hs-hint hs-about" });
    this.own = make("p", { className: "hs-own-turn" });
    this.working = make("section", { className: "hs-working", "aria-live": "polite" });
    this.card = make("div");
    this.side = make("div");
    const walk = make("div", { className: "hs-walk" }, this.back, this.where, this.next, this.tools());
    this.element.classList.add("hs-learn");
    this.shown = make(
      "div",
      { className: "hs-lesson-shown" },
      this.title,
      this.text,
      walk,
      this.controls,
      this.problem,
      stage,
      this.tables,
      this.own,
      this.about,
    );
    this.element.append(
      this.contents.element,
      make("section", { className: "hs-lesson" }, this.shown),
      make("aside", { className: "hs-side" }, this.card, this.readout, this.working, this.side),
    );
  }

  /** What is seldom pressed. */
  tools() {
    return make(
      "div",
      { className: "hs-tools" },
      make("button", {
        type: "button",
        className: "hs-link",
        text: "Replay",
        title: "replay this step's animation",
        onclick: () => this.replay(),
      }),
      make("button", { type: "button", className: "hs-link", text: "Restart lesson", onclick: () => this.restart() }),
      make("button", {
        type: "button",
        className: "hs-link",
        text: "Lecture view",
        title: "large type for a projector; Escape exits",
        onclick: () => this.lecture(),
      }),
    );
  }

  // what happens

  opened() {
    document.body.dataset.lessonUsesText = String(this.entry().uses_text);
    this.say(null);
    this.ask();
  }

  entry() {
    return this.catalog.find(({ id }) => id === this.lesson);
  }

  /** Show a step of a lesson, at once if the lesson is here already. */
  go(lesson, step) {
    document.dispatchEvent(new CustomEvent("hs-lesson")); // no exercise any more
    const other = lesson !== this.lesson;
    this.lesson = lesson;
    this.step = inside(step ?? 0, this.entry().num_steps);
    if (other) {
      this.inputs = {};
      this.revealed = this.answered();
      this.opened();
      scrollTo(0, 0);
    } else if (this.payload?.lesson === lesson) {
      this.say(null);
      this.draw();
    } else {
      this.inputs = {}; // with what an address said, there was no lesson
      this.opened();
    }
  }

  forward() {
    if (this.waits()) this.reveal("shown");
    else if (this.step + 1 < this.entry().num_steps) this.go(this.lesson, this.step + 1);
    else {
      const next = this.catalog[this.catalog.findIndex(({ id }) => id === this.lesson) + 1];
      if (next) this.go(next.id, 0);
      else showPage("check");
    }
  }

  /** The steps whose question was answered, or revealed, before. */
  answered() {
    const steps = Object.entries(this.progress[this.lesson] ?? {});
    return new Set(steps.filter(([, how]) => ["right", "shown"].includes(how)).map(([step]) => Number(step)));
  }

  /** Whether the step's question still hides its picture. */
  waits() {
    return this.payload?.steps[this.step].question && !this.revealed.has(this.step);
  }

  reveal(how) {
    this.note(how);
    if (how === "wrong") return; // another try, or "Show me"
    this.revealed.add(this.step);
    if (how === "right")
      this.drawStep(true); // the card stays, with its reason
    else this.draw();
  }

  note(what) {
    this.progress = progress.note(this.progress, this.lesson, this.step, what);
    this.contents.draw(this.lesson, this.step, this.payload, this.progress);
  }

  replay() {
    if (!this.payload) return;
    this.picture.show(this.payload, this.itemsBefore(), false);
    requestAnimationFrame(() => this.picture.show(this.payload, this.items()));
  }

  restart() {
    this.revealed.clear();
    this.go(this.lesson, 0);
  }

  forget() {
    this.progress = progress.clear();
    this.restart();
  }

  lecture() {
    const on = document.body.dataset.lecture !== "true";
    document.body.dataset.lecture = String(on);
    if (on)
      document.documentElement.requestFullscreen?.().catch(() => {}); // large type comes without it too
    else if (document.fullscreenElement) document.exitFullscreen();
    this.picture.redraw();
  }

  key(event) {
    if (
      page() !== "learn" ||
      document.body.dataset.turn ||
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      event.target.closest?.("input, textarea, select, dialog, [contenteditable]")
    )
      return;
    if (event.key === "ArrowRight") this.forward();
    else if (event.key === "ArrowLeft") this.go(this.lesson, this.step - 1);
    else if (event.key.toLowerCase() === "r") this.replay();
    else if (event.key.toLowerCase() === "l" || (event.key === "Escape" && document.body.dataset.lecture === "true"))
      this.lecture();
    else return;
    event.preventDefault();
  }

  change(name, value) {
    this.send({ ...this.inputs, [name]: value });
  }

  textMayHaveChanged() {
    if (page() === "learn" && this.entry().uses_text && this.source.text !== this.textOf()) this.ask();
  }

  textOf() {
    return this.entry().uses_text ? (store.asked?.text ?? store.payload?.text ?? this.source.defaults.text) : "";
  }

  ask() {
    this.send(this.inputs);
  }

  send(inputs) {
    this.sent = inputs;
    this.dim(this.payload ? `step ${this.drawnStep + 1} of “${this.titleOf(this.payload.lesson)}”` : null);
    this.source.ask(this.lesson, this.textOf(), inputs);
  }

  /** What is shown belongs to an earlier question; null: it is right. */
  dim(of) {
    stale(this.shown, of);
    for (const part of [this.working, this.side]) part.toggleAttribute("data-dim", of !== null);
  }

  titleOf(lesson) {
    return this.catalog.find(({ id }) => id === lesson).title;
  }

  arrived(payload, id) {
    if (id !== this.lesson) return;
    this.payload = payload;
    const actions = payload.controls.filter(({ kind }) => kind === "action").map(({ name }) => name);
    this.inputs = Object.fromEntries(Object.entries(this.sent).filter(([name]) => !actions.includes(name)));
    this.say(null);
    this.draw();
  }

  /** What was typed stays, to be mended. */
  say(problem) {
    this.problem.hidden = !problem;
    this.problem.textContent = problem ?? "";
    this.element.dataset.error = problem ?? "";
    if (problem && this.payload?.lesson === this.lesson) this.dim(null); // it is still the lesson's picture
  }

  // drawing

  draw() {
    this.drawStep(true);
    this.drawSide();
  }

  drawStep(animate) {
    const step = this.payload.steps[this.step];
    const waits = this.waits();
    this.drawnStep = this.step;
    this.dim(null);
    address.write();
    document.title = `${step.title} · Headscope`;
    this.title.textContent = step.title;
    this.text.replaceChildren(
      ...withNounsAndTerms(waits ? "Predict first: answer the question, or reveal it." : byHand(step.text)),
    );
    this.back.disabled = this.step === 0;
    this.where.textContent = `step ${this.step + 1} of ${this.payload.steps.length}`;
    const isEnd = this.step + 1 === this.payload.steps.length;
    const isLast = isEnd && this.catalog.at(-1).id === this.lesson;
    this.next.textContent = waits ? "Reveal" : isLast ? "Check your own code ▸" : isEnd ? "Next lesson ▸" : "Next ▸";
    this.next.classList.toggle("hs-quiet", Boolean(waits));
    this.own.replaceChildren(...(isEnd && !waits ? ownTurns(this.turns, this.lesson) : []));
    this.drawControls();
    this.picture.show(this.payload, this.items(), animate);
    this.readout.hidden = this.tables.hidden = this.picture.panels.length === 0;
    this.told(null, false);
    if (this.tables.open) this.fillTables();
    this.drawAbout();
    this.note("seen");
    Object.assign(this.element.dataset, {
      ready: "true",
      lesson: this.lesson,
      step: String(this.step + 1),
      waits: String(Boolean(waits)),
      lessonSeq: String(this.source.seq),
    });
  }

  drawControls() {
    const waits = this.waits(); // a setting could give the answer away
    this.controls.replaceChildren(
      ...(waits ? [] : controlRow(this.payload.controls, this.step, (name, value) => this.change(name, value))),
    );
  }

  items() {
    const { show } = this.payload.steps[this.step];
    return this.waits() ? this.itemsBefore() : show;
  }

  /** What stands there before the step's own picture. */
  itemsBefore() {
    const { question } = this.payload.steps[this.step];
    return question?.before ?? this.payload.steps[Math.max(0, this.step - 1)].show;
  }

  drawSide() {
    const step = this.payload.steps[this.step];
    const names = new Set(step.show.filter(({ kind }) => kind === "panel").map(({ name }) => name));
    const card = step.question ? [questionCard(step.question, !this.waits(), (how) => this.reveal(how))] : [];
    const codes = step.code.map((i) => this.payload.codes[i]);
    this.card.replaceChildren(...card);
    this.side.replaceChildren(
      ...(codes.length ? [make("h3", { text: "The code that ran" })] : []),
      ...listings(codes, names),
    );
  }

  drawAbout() {
    const { about, steps } = this.payload;
    const own = about ? ownSource(about) : "";
    this.about.textContent = steps[this.step].source.replace("{own}", () => own);
  }

  told(told, locked) {
    this.readout.replaceChildren(...readout(told));
    showWorking(this.working, locked ? told : null);
    light(this.element, told?.name);
  }

  fillTables() {
    for (const table of this.tables.querySelectorAll("table")) table.remove();
    if (this.tables.open && this.payload) this.tables.append(...tablesOf(this.payload, this.items()));
  }
}

/** A step that there is: what is beyond is the last one. */
function inside(step, count) {
  return Math.min(Math.max(step, 0), count - 1);
}
