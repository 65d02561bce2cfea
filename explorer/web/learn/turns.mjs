// The exercises that lessons end with: the nine blocks of the homework.

import { breakable, DOTS, make } from "../base/dom.mjs";
import { address } from "../state/history.mjs";

const SHORTEST_NAME = 4; // letters
/** By what has become of an exercise, which its own view says. */
const MARKS = { right: ["✓", "right"], written: ["•", "written"], "": ["○", "not written yet"] };

/** All of them, below the lessons; the open one is marked. */
export function turnList(turns) {
  const links = turns.map((turn) => link(turn, turn.title));
  const marks = turns.map(() => make("span", { className: "hs-step-mark" }));
  const done = make("p", { className: "hs-hint hs-turns-done" });
  const mark = () => {
    const { states, sentence } = JSON.parse(document.body.dataset.turns ?? '{"states": {}, "sentence": ""}');
    done.textContent = sentence;
    for (const [i, one] of links.entries()) {
      if (one.dataset.turn === document.body.dataset.turn) one.setAttribute("aria-current", "page");
      else one.removeAttribute("aria-current");
      const [sign, word] = MARKS[states[one.dataset.turn] ?? ""];
      marks[i].textContent = sign;
      marks[i].title = word;
    }
  };
  for (const [i, one] of links.entries()) one.prepend(marks[i]);
  const observed = ["data-turn", "data-turns"];
  new MutationObserver(mark).observe(document.body, { attributes: true, attributeFilter: observed });
  mark();
  return make(
    "section",
    { className: "hs-turns" },
    make("h3", { text: "Your turn" }),
    done,
    make("ol", {}, ...links.map((one) => make("li", {}, one))),
  );
}

/** Those that a lesson ends with. */
export function ownTurns(turns, lesson) {
  const own = turns.filter((turn) => turn.lesson === lesson);
  return own.map((turn) => link(turn, `Your turn: write ${turn.title} ▸`));
}

/** Those that `words` name, "prefix_generate" for example. */
export function turnsNamed(turns, words) {
  const asked = words.trim().toLowerCase();
  const named = turns.filter(({ title }) => asked.length >= SHORTEST_NAME && title.toLowerCase().includes(asked));
  return named.map((turn) => make("li", {}, link(turn, `Your turn: ${turn.title} ▸`)));
}

function link({ id }, text) {
  const to = () => {
    const said = new URLSearchParams(location.search);
    said.set("turn", id);
    return `?${said}`;
  };
  return make(
    "a",
    {
      href: `?show=learn&turn=${id}`,
      className: "hs-turn-link",
      "data-turn": id,
      onclick: (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a tab of its own
        event.preventDefault();
        address.goTo(to());
      },
    },
    make("span", {}, ...breakable(text, DOTS)),
  );
}
