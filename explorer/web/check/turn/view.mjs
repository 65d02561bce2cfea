// Write it yourself: one block of the homework with blanks, in an editor; checked by the homework's checker, with the
// learner's tensors beside the right ones.

import { breakable, DOTS, make } from "../../base/dom.mjs";
import { address } from "../../state/history.mjs";
import { outdated, stale } from "../../state/stale.mjs";
import { blockPanel } from "../block.mjs";
import { readReport } from "../report.mjs";
import { command } from "../start.mjs";
import { Checker } from "../upload.mjs";
import { COMMANDS } from "../words.mjs";
import { Editor } from "./editor.mjs";
import { hintList } from "./hints.mjs";
import { BLANK, Written } from "./kept.mjs";
import { blanksLeft, doneSentence, noteOf, rightSentence, savedSentence, TURN, titleOf } from "./words.mjs";

const FILE = "my_llm_implementation.py";

export function mount(element, { props }) {
  new Turn(element, JSON.parse(props.given));
}

class Turn {
  constructor(element, { exercises, pieces, lessons, mayCheck, possible }) {
    this.element = element;
    this.exercises = exercises;
    this.lessons = lessons;
    this.mayCheck = mayCheck;
    this.possible = possible;
    this.written = new Written(exercises, pieces);
    this.checker = new Checker();
    this.repaint = () => {};
    this.open = null;
    this.build();
    this.editor = new Editor((text) => this.typed(text));
    document.addEventListener("hs-lesson", () => this.show(null));
    address.speak(
      ["learn"],
      () => ({ turn: this.open?.id ?? null }),
      (_, { turn }) => this.show(turn),
    );
    new MutationObserver(() => this.repaint()).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    this.show(address.of("learn").turn);
    this.tellDone();
    element.dataset.ready = "true";
  }

  build() {
    const button = (text, onclick, className = "") => make("button", { type: "button", className, text, onclick });
    this.title = make("h2", { tabindex: "-1" });
    this.run = button(TURN.check, () => this.check(), "hs-check-primary");
    this.said = make("p", { className: "hs-turn-said", role: "status" });
    this.hints = make("section", { className: "hs-turn-hints" });
    this.result = make("div", { className: "hs-turn-result" });
    const actions = [
      ...(this.mayCheck ? [this.run] : []),
      button(TURN.save, () => this.save()),
      button(TURN.over, () => this.startOver()),
      button(TURN.lesson, () => this.leave()),
      button(TURN.next, () => this.next()),
    ];
    const elsewhere = [
      make("p", { text: TURN.elsewhere }),
      command(COMMANDS.check),
      make("p", { text: TURN.here }),
      command(COMMANDS.allow),
    ];
    this.element.classList.add("hs-checker", "hs-turn");
    this.element.append(
      this.title,
      make("p", { className: "hs-hint", text: TURN.about }),
      make(
        "div",
        { className: "hs-turn-below" },
        make("div", { className: "hs-check-actions" }, ...actions),
        this.said,
        this.result,
        ...(this.mayCheck ? [] : elsewhere),
        this.hints,
      ),
    );
  }

  /** An exercise by its id, or the lessons again. */
  show(id) {
    const found = this.exercises.find((one) => one.id === id) ?? null;
    document.body.dataset.turn = found?.id ?? "";
    if (found === this.open) return;
    this.checker.stop();
    this.open = found;
    if (!found) return;
    this.title.replaceChildren(...breakable(titleOf(found.title), DOTS));
    document.title = `${titleOf(found.title)} · Headscope`;
    this.editor.set(this.written.text(found.id));
    this.say(this.written.of(found.id).isRight ? TURN.right : "");
    this.result.replaceChildren();
    this.drawHints();
    this.element.dataset.turn = found.id;
    this.title.focus({ preventScroll: true });
  }

  typed(text) {
    if (!this.open || text === this.written.text(this.open.id)) return;
    this.written.keep(this.open.id, { text, isRight: false });
    this.tellDone();
    this.say("");
    outdated(this.result, TURN.before);
  }

  /** The list of exercises, which is elsewhere, marks what is done. */
  tellDone() {
    const { states } = this.written;
    const sentence = doneSentence(states, this.exercises, this.possible, this.mayCheck);
    document.body.dataset.turns = JSON.stringify({ states, sentence });
  }

  drawHints() {
    const { id, hints, solution } = this.open;
    const shown = this.written.of(id).hints ?? 0;
    const more = (count) => {
      this.written.keep(id, { hints: count });
      this.drawHints();
    };
    this.hints.replaceChildren(...hintList(hints, solution, shown, more));
  }

  startOver() {
    this.written.forget(this.open.id);
    this.editor.set(this.open.start);
    this.result.replaceChildren();
    this.tellDone();
    this.say("");
  }

  save() {
    const href = URL.createObjectURL(new Blob([this.written.file()], { type: "text/x-python" }));
    make("a", { href, download: FILE }).click();
    setTimeout(() => URL.revokeObjectURL(href), 10_000);
    this.say(savedSentence(this.written.written.length));
  }

  leave() {
    const { lesson } = this.open;
    const known = this.lessons.some(({ id }) => id === lesson) ? `&lesson=${lesson}` : "";
    address.goTo(`?show=learn${known}`);
  }

  next() {
    const after = this.exercises[(this.exercises.indexOf(this.open) + 1) % this.exercises.length];
    const said = new URLSearchParams(location.search);
    said.set("turn", after.id);
    address.goTo(`?${said}`);
  }

  say(sentence) {
    this.said.textContent = sentence;
    this.element.dataset.said = sentence;
  }

  async check() {
    if (this.run.textContent === TURN.stop) return this.checker.stop();
    const { id } = this.open;
    const blanks = this.written.text(id).split(BLANK).length - 1;
    if (blanks > 0) return this.say(blanksLeft(blanks));
    this.say(TURN.checking);
    outdated(this.result, TURN.before);
    this.run.textContent = TURN.stop;
    try {
      const report = await this.checker.start(new File([this.written.file([id])], FILE), () => {});
      if (this.open?.id === id) this.told(report);
    } catch (problem) {
      this.say(problem.message);
    } finally {
      this.run.textContent = TURN.check;
    }
  }

  /** What the checker says of this block; the idea behind a fault only to those who have seen all hints. */
  told(text) {
    if (text === null) return this.say(TURN.lost);
    const { id, block: name, hints } = this.open;
    const report = readReport(text);
    const block = report.blocks.find((one) => one.name === name);
    const isRight = block?.status === "passed";
    this.written.keep(id, { isRight });
    this.tellDone();
    this.say(isRight ? rightSentence(block) : (report.problem ?? ""));
    stale(this.result, null);
    if (!block || isRight || report.problem) return this.result.replaceChildren();
    const hasSeenAll = (this.written.of(id).hints ?? 0) >= hints.length;
    const faults = block.faults.map((fault) => (hasSeenAll ? fault : { ...fault, idea: "" }));
    const line = block.line && { ...block.line, number: block.line.number - this.written.linesBefore(id) };
    const { element, repaint } = blockPanel({ ...block, faults, line }, this.lessons);
    const note = noteOf(block.sentence);
    this.result.replaceChildren(element, ...(note ? [make("p", { text: note })] : []));
    this.repaint = repaint;
  }
}
