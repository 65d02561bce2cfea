// Write it yourself: one block of the homework with blanks, in an editor; checked by the homework's checker, with the
// learner's tensors beside the right ones.

import { make } from "../../base/dom.mjs";
import { address } from "../../state/history.mjs";
import { blockPanel } from "../block.mjs";
import { readReport } from "../report.mjs";
import { command } from "../start.mjs";
import { Checker } from "../upload.mjs";
import { COMMANDS } from "../words.mjs";
import { Editor } from "./editor.mjs";
import { hintList } from "./hints.mjs";
import { BLANK, Written } from "./kept.mjs";
import { blanksLeft, isOfShapes, savedSentence, TURN, titleOf } from "./words.mjs";

const FILE = "my_llm_implementation.py";

export function mount(element, { props }) {
  new Turn(element, JSON.parse(props.given));
}

class Turn {
  constructor(element, { exercises, pieces, lessons, mayCheck }) {
    this.element = element;
    this.exercises = exercises;
    this.lessons = lessons;
    this.mayCheck = mayCheck;
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
    this.title.textContent = titleOf(found.title);
    document.title = `${titleOf(found.title)} · Headscope`;
    this.editor.set(this.written.text(found.id));
    this.say("");
    this.result.replaceChildren();
    this.drawHints();
    this.element.dataset.turn = found.id;
    this.title.focus({ preventScroll: true });
  }

  typed(text) {
    if (!this.open || text === this.written.text(this.open.id)) return;
    this.written.keep(this.open.id, { text, isRight: false });
    this.say("");
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
    address.follow(`?show=learn${known}`);
  }

  next() {
    const after = this.exercises[(this.exercises.indexOf(this.open) + 1) % this.exercises.length];
    const said = new URLSearchParams(location.search);
    said.set("turn", after.id);
    address.follow(`?${said}`);
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
    this.say(isRight ? TURN.right : (report.problem ?? ""));
    if (!block || isRight || report.problem) return this.result.replaceChildren();
    const hasSeenAll = (this.written.of(id).hints ?? 0) >= hints.length;
    const faults = block.faults.map((fault) => (hasSeenAll ? fault : { ...fault, idea: "" }));
    const line = block.line && { ...block.line, number: block.line.number - this.written.linesBefore(id) };
    const { element, repaint } = blockPanel({ ...block, faults, line }, this.lessons);
    const ofShapes = isOfShapes(block.sentence) ? [make("p", { text: TURN.shapes })] : [];
    this.result.replaceChildren(element, ...ofShapes);
    this.repaint = repaint;
  }
}
