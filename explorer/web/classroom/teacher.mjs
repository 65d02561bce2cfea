// The teacher's bar: points everyone at what this page shows.

import { make } from "../base/dom.mjs";
import { ask } from "../state/ask.mjs";
import { readAddress, writeAddress } from "../state/fields.mjs";
import { address } from "../state/history.mjs";
import { TEACHER, titleOf } from "./words.mjs";

const LONGEST_TEXT = 60; // letters of a text in a title

export class Teacher {
  /** @param {string} secret */
  constructor(secret) {
    this.secret = secret;
    const button = (text, search, className) =>
      make("button", { className, type: "button", text, onclick: () => this.point(search()) });
    this.said = make("p", { role: "status" });
    this.stop = button(TEACHER.stop, () => null, "");
    const point = button(TEACHER.point, searchNow, "hs-class-point");
    const join = make("a", { href: "join", target: "_blank", rel: "noopener", text: TEACHER.join });
    this.bar = make("aside", { className: "hs-class", "aria-label": TEACHER.label }, this.said, point, this.stop, join);
    document.getElementById("header").after(this.bar);
  }

  /** @param {{teaches: boolean, search: string | null, title: string}} point */
  hear({ teaches, search, title }) {
    this.stop.hidden = search === null;
    if (!teaches) this.said.replaceChildren(TEACHER.over);
    else if (search === null) this.said.replaceChildren(TEACHER.idle);
    else this.said.replaceChildren(`${TEACHER.pointing} `, make("strong", { text: title }));
  }

  /** @param {string | null} search */
  async point(search) {
    try {
      await ask("class_point", { secret: this.secret, search, title: titleNow() });
    } catch (problem) {
      this.said.textContent = problem.message;
    }
  }
}

/** The address of what is seen, without what is this browser's alone. */
function searchNow() {
  address.write();
  const { page, values } = readAddress(location.search);
  return writeAddress("", page, values);
}

function titleNow() {
  const { page, values } = readAddress(location.search);
  const seen = (selector) => document.querySelector(selector)?.textContent.trim() ?? "";
  const isLesson = page === "learn";
  const letters = [...(isLesson ? "" : (values.text ?? ""))];
  return titleOf(page, {
    heading: isLesson ? seen('[data-view="learn_view"] h2') : "",
    step: isLesson && values.step !== null ? String(values.step + 1) : "",
    text: letters.length > LONGEST_TEXT ? `${letters.slice(0, LONGEST_TEXT - 1).join("")}…` : letters.join(""),
    layer: page === "explore" ? values.layer : null,
    head: page === "explore" ? values.head : null,
  });
}
