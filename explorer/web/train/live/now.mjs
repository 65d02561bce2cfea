// What the model does at this moment of its training: attention of all heads on one fixed input, and its answer to it.

import { make } from "../../base/dom.mjs";
import { label, probability } from "../../base/text.mjs";
import { isDark } from "../../state/store.mjs";
import { choiceOf } from "../../ui/choice.mjs";
import { HeadAtStep } from "../head.mjs";
import { HeadsAtStep } from "../heads.mjs";
import { answeringPart, partsOf, probeText, rolesOf } from "./record.mjs";
import { answersLabel, answerTitle, NOW, nowTitle, probeSentence, rightSentence } from "./words.mjs";

export class ModelNow {
  constructor() {
    this.place = { part: null, layer: 0, head: 0, query: null };
    this.isChosen = false; // whether the visitor has chosen what is large
    this.title = make("h2");
    this.about = make("p", { className: "hs-hint" });
    this.answer = make("div", { className: "hs-live-answer" });
    this.which = make("div");
    this.heads = new HeadsAtStep((layer, head) => this.keep({ layer, head }), NOW.advice);
    this.head = new HeadAtStep((query) => this.show({ query }));
    this.element = make(
      "section",
      { className: "hs-live-now", hidden: "" },
      this.title,
      this.about,
      this.answer,
      this.which,
      make("div", { className: "hs-live-look" }, this.heads.element, this.head.element),
    );
  }

  /** What the visitor has chosen stays. */
  keep(place) {
    this.isChosen = true;
    this.show(place);
  }

  show(place) {
    Object.assign(this.place, place);
    if (this.record) this.draw(this.record);
  }

  draw(record) {
    this.record = record;
    this.element.hidden = !record?.now;
    if (this.element.hidden) return;
    const parts = partsOf(record);
    if (this.fitted !== record) this.fit(record, parts);
    this.fitted = record;
    if (!this.isChosen) this.follow(record);
    const part = parts.find(({ name }) => name === this.place.part);
    const [L, H] = part.shape;
    this.place.layer = Math.min(this.place.layer, L - 1);
    this.place.head = Math.min(this.place.head, H - 1);
    const { layer, head } = this.place;
    const query = Math.min(this.place.query ?? record.facts.probe.places.at(-1) ?? part.T - 1, part.T - 1);
    const { step } = record.now;
    this.title.textContent = nowTitle(record.number, step);
    this.about.textContent = probeSentence(probeText(record.facts));
    this.answers(record);
    const roles = rolesOf(record, part.name);
    this.heads.draw(part, roles, { layer, head }, isDark());
    this.head.draw({ part, layer, head, query, step, dark: isDark() });
    this.element.dataset.step = step;
  }

  /** A new run: its parts, and the same head if it has one there. */
  fit({ facts }, parts) {
    const names = Object.fromEntries(parts.map(({ name, title }) => [name, title]));
    this.place = { ...this.place, part: answeringPart(facts), query: null };
    const choose = choiceOf(names, NOW.which, (name) => {
      choose.mark(name);
      this.keep({ part: name, query: null });
    });
    choose.mark(this.place.part);
    this.which.replaceChildren(...(parts.length > 1 ? [choose] : []));
    this.choose = choose;
  }

  /** The head that the newest event tells of. */
  follow({ events, facts }) {
    const event = events.findLast(({ what }) => what === "head becomes");
    if (!event) return;
    const { part, layer, head } = event;
    this.place = { ...this.place, part: part ?? answeringPart(facts), layer, head };
    this.choose.mark(this.place.part);
  }

  openHead({ part, layer, head }) {
    const name = part ?? answeringPart(this.record.facts);
    this.choose.mark(name);
    this.keep({ part: name, layer, head });
    this.head.element.scrollIntoView({ block: "nearest" });
  }

  answers({ facts, now }) {
    const { answers } = facts.probe;
    const right = now.right.filter(Boolean).length;
    const cells = now.answer.map((said, i) =>
      make(
        "span",
        {
          className: `hs-live-said ${now.right[i] ? "hs-live-right" : "hs-live-wrong"}`,
          title: answerTitle(answers[i], said),
        },
        make("span", { className: "hs-live-token", text: label(answers[i]) }),
        make("span", { className: "hs-live-token", text: label(said) }),
        make("span", { className: "hs-live-sign", text: now.right[i] ? "✓" : "✗" }),
        make("span", { className: "hs-number", text: probability(said.p) }),
      ),
    );
    const names = make(
      "span",
      { className: "hs-live-said hs-live-heads", "aria-hidden": "true" },
      make("span", { text: NOW.right }),
      make("span", { text: NOW.says }),
      make("span", { text: "" }),
      make("span", { text: NOW.probability }),
    );
    this.answer.replaceChildren(
      make("p", { text: rightSentence(right, answers.length) }),
      make(
        "div",
        { className: "hs-live-cells", role: "img", "aria-label": answersLabel(answers, now.answer) },
        names,
        ...cells,
      ),
    );
  }
}
