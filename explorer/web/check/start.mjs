// What stands there before a report is open: what the page does, and what to do.

import { make } from "../base/dom.mjs";

const NEW = "python -m llm_core.homework --new my_llm_implementation.py";
const CHECK = "python -m llm_core.homework my_llm_implementation.py --json > report.json";
const ALLOW = "python app.py --allow-code-upload";
const COPIED_MS = 2000;

/** `actions`: {openReport(), showExample(), checkCode()}; `mayUpload`: the app checks files itself. */
export function startPage(actions, mayUpload) {
  return make(
    "div",
    { className: "hs-check-start" },
    make("h2", { text: "Check your code" }),
    make("p", {
      className: "hs-check-lead",
      text:
        "You are writing my_llm_implementation.py, a Transformer in nine blocks. Here you see which of its " +
        "eleven points it gets, and for each mistake what is wrong, in your line and in the numbers.",
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
      make("span", { className: "hs-hint", text: "the report of a file with mistakes" }),
    ),
    make(
      "ol",
      { className: "hs-check-steps" },
      step("Begin", "Writes a file with blanks to fill in. Have you one already? Go on.", command(NEW)),
      step(
        "Check",
        "Runs your file against the reference, and writes what it found. Blocks that are not written yet do no harm.",
        command(CHECK),
      ),
      step(
        "Look",
        "The report is read in your browser, and goes nowhere. You can also drop it here.",
        make("button", {
          type: "button",
          className: "hs-check-primary",
          text: "Open a report",
          onclick: actions.openReport,
        }),
      ),
    ),
    mayUpload ? uploadOn(actions.checkCode) : uploadOff(),
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
        "Your file runs on the computer on which the app runs, in a process of its own with limits on time, " +
        "memory and files, and without a network. These limits stop accidents, not somebody who means harm: " +
        "choose only a file whose author you trust.",
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
    make("summary", { text: "Why can I not upload my file here?" }),
    make("p", {
      text:
        "To check code is to run it, so this app takes none unless its owner says so. On your own computer, " +
        "and only there, start it like this:",
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
      text:
        at < 0
          ? "Your file is being opened …"
          : `Checking ${blocks[at].title} … ${at} of ${blocks.length} blocks are done.`,
    }),
    make("ol", { className: "hs-check-progress" }, ...blocks.map(line)),
    make("button", { type: "button", text: "Stop", onclick: stop }),
  ];
}
