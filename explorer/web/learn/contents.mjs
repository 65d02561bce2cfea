// The table of contents: lessons, the steps of the open one, and what has been answered.

import { make } from "../base/dom.mjs";

const MARKS = { right: "✓", wrong: "✗", shown: "•", seen: "•" };
const WORDS = { right: "answered correctly", wrong: "answered incorrectly", shown: "revealed", seen: "seen" };

export class Contents {
  constructor(catalog, { onLesson, onStep, onForget }) {
    this.catalog = catalog;
    this.onLesson = onLesson;
    this.onStep = onStep;
    this.list = make("ol", { className: "hs-lessons" });
    this.open = make(
      "details",
      { className: "hs-contents-fold", open: "" },
      make("summary", { text: "Lessons" }),
      this.list,
      make("button", {
        type: "button",
        className: "hs-link",
        text: "Reset my progress",
        title: "stored only in this browser",
        onclick: onForget,
      }),
    );
    this.element = make("nav", { className: "hs-contents", "aria-label": "Lessons" }, this.open);
    if (matchMedia("(max-width: 720px)").matches) this.open.removeAttribute("open");
  }

  draw(lesson, step, payload, progress) {
    this.list.replaceChildren(
      ...this.catalog.map((entry, i) =>
        this.entry(entry, i, entry.id === lesson, step, payload, progress[entry.id] ?? {}),
      ),
    );
  }

  entry({ id, title, summary, num_steps }, i, isOpen, step, payload, done) {
    const count = Object.keys(done).length;
    const state = count === 0 ? "" : `${Math.min(count, num_steps)}/${num_steps}`;
    const button = make(
      "button",
      {
        type: "button",
        className: "hs-lesson-link",
        title: summary,
        "aria-current": isOpen ? "true" : null,
        onclick: () => this.onLesson(id),
      },
      make("span", { text: `${i + 1}  ${title}` }),
      make("span", { className: "hs-number hs-done", text: state }),
    );
    const steps =
      isOpen && payload?.lesson === id
        ? [
            make(
              "ol",
              { className: "hs-step-list" },
              ...payload.steps.map((each, n) => this.stepLink(each, n, step, done[n])),
            ),
          ]
        : [];
    return make("li", {}, button, ...steps);
  }

  stepLink({ title, question }, n, step, done) {
    const mark = done ? MARKS[question ? done : "seen"] : "○";
    return make(
      "li",
      {},
      make(
        "button",
        {
          type: "button",
          className: "hs-step-link",
          "aria-current": n === step ? "step" : null,
          onclick: () => this.onStep(n),
        },
        make("span", { className: "hs-step-mark", text: mark, title: WORDS[done] ?? "not yet seen" }),
        make("span", { text: title }),
      ),
    );
  }
}
