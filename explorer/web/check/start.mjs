// What stands there before a report is open: what the page does, and what to do.

import { make } from "../base/dom.mjs";
import { address } from "../state/history.mjs";
import { COMMANDS, copyLabel, knownTitle, progressSentence, START } from "./words.mjs";

const COPIED_MS = 2000;

/**
 * `actions`: {openReport(), showExample(), checkCode()}; `known`: mistakes, block by block; `mayUpload`: the app checks
 * files itself; `left()`: the exercise to write next, as its address says it.
 */
export function startPage(actions, known, mayUpload, left) {
  return make(
    "div",
    { className: "hs-check-start" },
    make("h2", { text: START.title }),
    make("p", { className: "hs-check-lead", text: START.lead }),
    make(
      "div",
      { className: "hs-check-actions" },
      primary(START.example, actions.showExample),
      make("span", { className: "hs-hint", text: START.exampleHint }),
    ),
    writeHere(left),
    make("p", { text: START.commands }),
    command(COMMANDS.install),
    make(
      "ol",
      { className: "hs-check-steps" },
      step(START.begin, command(COMMANDS.begin)),
      step(START.check, command(COMMANDS.check)),
      step(START.look, primary(START.open, actions.openReport)),
    ),
    mayUpload ? uploadOn(actions.checkCode) : uploadOff(),
    knownFaults(known),
  );
}

/** The way to the exercises, to the one that is next when it is taken. */
function writeHere(left) {
  const to = () => `?show=learn&turn=${left()}`;
  const onclick = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a tab of its own
    event.preventDefault();
    address.goTo(to());
  };
  const link = make("a", { className: "hs-check-here", href: to(), text: START.writeHere, onclick });
  return make("p", {}, START.here, link);
}

/** What a report can name. */
function knownFaults(known) {
  const count = new Set(known.flatMap(({ faults }) => faults)).size; // some can be made in two blocks
  const of = ({ block, faults }) => [
    make("dt", {}, make("code", { text: block })),
    ...faults.map((text) => make("dd", { text })),
  ];
  return make(
    "details",
    { className: "hs-check-known" },
    make("summary", { text: knownTitle(count) }),
    make("dl", {}, ...known.flatMap(of)),
  );
}

const primary = (text, onclick) => make("button", { type: "button", className: "hs-check-primary", text, onclick });

const step = (/** @type {string[]} */ [title, text], ...rest) =>
  make("li", {}, make("h3", { text: title }), make("p", { text }), ...rest);

function uploadOn(checkCode) {
  return make(
    "section",
    { className: "hs-check-upload" },
    make("h3", { text: START.upload }),
    make("p", { text: START.uploadHint }),
    primary(START.choose, checkCode),
  );
}

function uploadOff() {
  return make(
    "details",
    { className: "hs-check-upload" },
    make("summary", { text: START.whyNot }),
    make("p", { text: START.whyNotHint }),
    command(COMMANDS.allow),
  );
}

/** A command to copy. */
export function command(text) {
  const code = make("code", { text });
  const button = make("button", { type: "button", text: START.copy, "aria-label": copyLabel(text) });
  const say = (word) => {
    button.textContent = word;
    setTimeout(() => (button.textContent = START.copy), COPIED_MS);
  };
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      say(START.copied);
    } catch {
      // no permission: at least it is marked, for Ctrl-C
      getSelection().selectAllChildren(code);
      say(START.byKeys);
    }
  });
  return make("div", { className: "hs-check-command", dir: "ltr" }, code, button);
}

/**
 * While the app checks. `blocks`: [{name, title}] in their order; `current`: the name of the one that is being
 * checked.
 */
export function progressPage(file, blocks, current, stop) {
  const at = blocks.findIndex(({ name }) => name === current);
  const line = ({ title }, i) =>
    make(
      "li",
      {},
      make("span", {
        className: `hs-check-sign${i < at ? " hs-check-done" : ""}`,
        text: i < at ? "●" : i === at ? "…" : "○",
        "aria-hidden": "true",
      }),
      ` ${title}`,
    );
  return [
    make("h2", { dir: "auto", text: file }),
    make("p", {
      role: "status",
      text: at < 0 ? START.opening : progressSentence(blocks[at].title, at, blocks.length),
    }),
    make("ol", { className: "hs-check-progress" }, ...blocks.map(line)),
    make("button", { type: "button", text: START.stop, onclick: stop }),
  ];
}
