// The table of contents: lessons, the steps of the open one, and what has been answered.

import { make } from "../base/dom.mjs";
import { ask } from "../state/ask.mjs";
import { address } from "../state/history.mjs";
import { GLOSSARY } from "../ui/glossary.mjs";
import { openGlossary } from "../ui/terms.mjs";
import { placesFor, termsFor } from "./elsewhere.mjs";
import { turnList, turnsNamed } from "./turns.mjs";
import { FOUND } from "./words.mjs";

const MARKS = { right: "✓", wrong: "✗", shown: "•", seen: "•" };
const WORDS = { right: "answered correctly", wrong: "answered incorrectly", shown: "revealed", seen: "seen" };

const OPENS = ".hs-lesson-link, .hs-step-link, .hs-turn-link";

export class Contents {
  constructor(catalog, turns, { onLesson, onStep, onFound, onForget }) {
    this.catalog = catalog;
    this.turns = turns;
    this.onLesson = onLesson;
    this.onStep = onStep;
    this.onFound = onFound;
    this.list = make("ol", { className: "hs-lessons" });
    this.found = make("ol", { className: "hs-found", "aria-live": "polite" });
    const search = make("input", {
      type: "search",
      placeholder: "Find a word: strides …",
      "aria-label": "Find a word in the lessons",
      oninput: () => this.find(search.value),
    });
    this.open = make(
      "details",
      { className: "hs-contents-fold", open: "" },
      make("summary", { text: "Lessons" }),
      search,
      this.found,
      this.list,
      turnList(turns),
      make("button", {
        type: "button",
        className: "hs-link",
        text: "Reset my progress",
        title: "stored only in this browser",
        onclick: onForget,
      }),
    );
    this.element = make("nav", { className: "hs-contents", "aria-label": "Lessons" }, this.open);
    this.open.addEventListener("click", ({ target }) => target.closest(OPENS) && this.left());
    this.fold();
  }

  /** On a phone the list stands before what it opens. */
  fold() {
    if (matchMedia("(max-width: 720px)").matches) this.open.removeAttribute("open");
  }

  /** What was chosen is seen from its top. */
  left() {
    this.fold();
    scrollTo(0, 0);
  }

  async find(words) {
    this.drawFound(words, []);
    const steps = await ask("find_in_lessons", { words }, { newest: "find", quiet: true, cached: true }).catch(
      () => [],
    );
    this.drawFound(words, steps, true);
  }

  /** What the server finds comes later than what is known here. */
  drawFound(words, steps, isAll = false) {
    const found = [
      ...turnsNamed(this.turns, words),
      ...steps.map((step) => this.foundLink(step)),
      ...placesFor(words).map(placeLink),
      ...termsFor(words).map(termLink),
    ];
    const none = isAll && words.trim() && !found.length ? [make("li", { className: "hs-hint", text: FOUND.none })] : [];
    this.found.replaceChildren(...none, ...found);
  }

  foundLink({ lesson, step, title }) {
    const number = this.catalog.findIndex(({ id }) => id === lesson) + 1;
    return make(
      "li",
      {},
      make(
        "button",
        { type: "button", className: "hs-step-link", onclick: () => this.onFound(lesson, step) },
        make("span", { className: "hs-number", text: `${number}.${step + 1}` }),
        make("span", { text: title }),
      ),
    );
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

/** A place of the app that has what was looked for. */
function placeLink({ text, search }) {
  const onclick = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a tab of its own
    event.preventDefault();
    address.goTo(search);
  };
  return make("li", {}, make("a", { className: "hs-step-link", href: search, text: `${text} ▸`, onclick }));
}

/** A term with its sentence; a press opens the glossary there. */
function termLink(term) {
  return make(
    "li",
    { className: "hs-found-term" },
    make("p", {}, make("strong", { text: term }), ` ${GLOSSARY[term]}`),
    make("button", { type: "button", className: "hs-link", text: FOUND.glossary, onclick: () => openGlossary(term) }),
  );
}
