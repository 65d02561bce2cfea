// The exercises that lessons end with: the nine blocks of the homework.

import { make } from "../base/dom.mjs";
import { address } from "../state/history.mjs";

/** All of them, below the lessons. */
export function turnList(turns) {
  return make(
    "details",
    { className: "hs-turns", open: "" },
    make("summary", { text: "Your turn: write it yourself" }),
    make("ol", {}, ...turns.map((turn) => make("li", {}, link(turn, turn.title)))),
  );
}

/** Those that a lesson ends with. */
export function ownTurns(turns, lesson) {
  const own = turns.filter((turn) => turn.lesson === lesson);
  return own.map((turn) => link(turn, `Your turn: write ${turn.title} ▸`));
}

function link({ id }, text) {
  const to = () => {
    const said = new URLSearchParams(location.search);
    said.set("turn", id);
    return `?${said}`;
  };
  return make("a", {
    href: `?show=learn&turn=${id}`,
    className: "hs-turn-link",
    "data-turn": id,
    text,
    onclick: (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a tab of its own
      event.preventDefault();
      address.follow(to());
    },
  });
}
