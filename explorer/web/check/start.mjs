// What stands there before a report is open: what the page does, and what to do.

import { make } from "../base/dom.mjs";

const INSTALL = "python -m pip install -r requirements.txt";
const NEW = "python -m llm_core.homework --new my_llm_implementation.py";
const CHECK = "python -m llm_core.homework my_llm_implementation.py --json > report.json";
const ALLOW = "python app.py --allow-code-upload";
const COPIED_MS = 2000;

/**
 * `actions`: {openReport(), showExample(), checkCode()}; `known`: mistakes, block by block; `mayUpload`: the app checks
 * files itself.
 */
export function startPage(actions, known, mayUpload) {
  return make(
    "div",
    { className: "hs-check-start" },
    make("h2", { text: "Check your code" }),
    make("p", {
      className: "hs-check-lead",
      text:
        "You write a Transformer in nine blocks, in one file: my_llm_implementation.py. See how many of the 11 " +
        "points it earns, and why: one for each block, and two if all of them together train and write.",
    }),
    make(
      "div",
      { className: "hs-check-actions" },
      make("button", {
        type: "button",
        className: "hs-check-primary",
        text: "See an example",
        onclick: actions.showExample,
      }),
      make("span", { className: "hs-hint", text: "a report on a file with mistakes" }),
    ),
    make("p", {
      text:
        "Type the commands in a terminal, in the folder that holds app.py. The checker needs Python and what " +
        "requirements.txt lists:",
    }),
    command(INSTALL),
    make(
      "ol",
      { className: "hs-check-steps" },
      step("Begin", "Writes a file with blanks to fill in. Already have one? Skip to step 2.", command(NEW)),
      step(
        "Check",
        "Compares your file with the reference and writes a report. Unfinished blocks are fine.",
        command(CHECK),
      ),
      step(
        "Look",
        "Your report never leaves your browser. You can also drop the file on this page.",
        make("button", {
          type: "button",
          className: "hs-check-primary",
          text: "Open a report",
          onclick: actions.openReport,
        }),
      ),
    ),
    mayUpload ? uploadOn(actions.checkCode) : uploadOff(),
    knownFaults(known),
  );
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
    make("summary", { text: `Which mistakes does it know? ${count} by name` }),
    make("dl", {}, ...known.flatMap(of)),
  );
}

const step = (title, text, ...rest) => make("li", {}, make("h3", { text: title }), make("p", { text }), ...rest);

function uploadOn(checkCode) {
  return make(
    "section",
    { className: "hs-check-upload" },
    make("h3", { text: "Or let this app check it" }),
    make("p", {
      text:
        "Your file runs on the computer that runs this app, in its own process, without a network and with limits " +
        "on time, memory, and files. These limits stop accidents, not attacks: choose only a file whose author " +
        "you trust.",
    }),
    make("button", {
      type: "button",
      className: "hs-check-primary",
      text: "Choose my_llm_implementation.py",
      onclick: checkCode,
    }),
  );
}

function uploadOff() {
  return make(
    "details",
    { className: "hs-check-upload" },
    make("summary", { text: "Why can’t I upload my file here?" }),
    make("p", {
      text:
        "Checking code means running it, so this app accepts no files unless its owner allows it. On your own " +
        "computer, and only there, start it like this:",
    }),
    command(ALLOW),
  );
}

/** A command to copy. */
function command(text) {
  const code = make("code", { text });
  const button = make("button", { type: "button", text: "Copy", "aria-label": `Copy: ${text}` });
  const say = (word) => {
    button.textContent = word;
    setTimeout(() => (button.textContent = "Copy"), COPIED_MS);
  };
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      say("Copied");
    } catch {
      // no permission: at least it is marked, for Ctrl-C
      getSelection().selectAllChildren(code);
      say("Ctrl-C");
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
      text: at < 0 ? "Opening your file …" : `Checking ${blocks[at].title} … ${at} of ${blocks.length} blocks done.`,
    }),
    make("ol", { className: "hs-check-progress" }, ...blocks.map(line)),
    make("button", { type: "button", text: "Stop", onclick: stop }),
  ];
}
