// The page "Check your code": a report of the homework checker as a row of points, each of which opens.

import { make } from "../base/dom.mjs";
import { visible } from "../base/text.mjs";
import { load } from "../state/ask.mjs";
import { address } from "../state/history.mjs";
import { blockPanel } from "./block.mjs";
import { checkSize, decode, readReport } from "./report.mjs";
import { progressPage, startPage } from "./start.mjs";
import { tileRow } from "./tiles.mjs";
import { firstLeft } from "./turn/kept.mjs";
import { Checker } from "./upload.mjs";
import { points, REPORT, tookSentence } from "./words.mjs";

export function mount(element, { props }) {
  new Check(element, JSON.parse(props.given), new Checker());
}

class Check {
  constructor(element, { lessons, known, upload, exercises }, checker) {
    this.element = element;
    this.lessons = lessons;
    this.known = known;
    this.upload = upload;
    this.exercises = exercises;
    this.checker = checker;
    this.repaint = () => {};
    this.seen = { report: null, block: null }; // as the address says it: a report of one's own is in no address
    this.problem = make("p", { className: "hs-problem", role: "alert", hidden: "" });
    this.stage = make("div");
    this.report = fileInput(".json,application/json", (file) => this.open(file));
    this.code = upload ? fileInput(".py,.ipynb,text/x-python", (file) => this.check(file)) : "";
    element.classList.add("hs-checker");
    element.append(this.problem, this.stage, this.report, this.code);
    element.addEventListener("dragover", (event) => event.preventDefault());
    element.addEventListener("drop", (event) => {
      event.preventDefault();
      const [file] = event.dataTransfer.files;
      if (file) this.upload && /\.(py|ipynb)$/.test(file.name) ? this.check(file) : this.open(file);
    });
    new MutationObserver(() => this.repaint()).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    address.speak(
      ["check"],
      () => this.seen,
      (_, values) => this.return(values),
    );
    this.return(address.of("check")).then(() => (element.dataset.ready = "true"));
  }

  /** What an address says. */
  async return({ report, block }) {
    if (report === "example") await this.example(block);
    else if (this.seen.report !== null || !this.element.dataset.shows) this.start();
  }

  start() {
    this.see({ report: null, block: null });
    this.say(null);
    this.show(
      "start",
      startPage(
        {
          openReport: () => this.report.click(),
          showExample: () => this.example(),
          checkCode: () => this.code.click(),
        },
        this.known,
        Boolean(this.upload),
        () => firstLeft(this.exercises, Boolean(this.upload)).id,
      ),
    );
  }

  see(seen) {
    this.seen = seen;
    address.changed();
  }

  show(state, ...content) {
    this.repaint = () => {};
    this.stage.replaceChildren(...content);
    this.element.dataset.shows = state;
  }

  /** What was there stays. */
  say(problem) {
    this.problem.hidden = !problem;
    this.problem.textContent = problem ?? "";
    this.element.dataset.error = problem ?? "";
  }

  async try(work) {
    try {
      await work();
    } catch (problem) {
      this.say(problem.message);
    }
  }

  open(file) {
    return this.try(async () => {
      checkSize(file.size);
      this.see({ report: null, block: null });
      this.showReport(readReport(decode(await file.arrayBuffer())));
    });
  }

  example(block = null) {
    return this.try(async () => {
      const text = await load("homework/example.json", { read: (response) => response.text(), quiet: true });
      this.see({ report: "example", block });
      this.showReport(readReport(text));
    });
  }

  check(file) {
    return this.try(async () => {
      this.say(null);
      const waiting = (current) =>
        this.show("checking", ...progressPage(visible(file.name), this.upload, current, () => this.checker.stop()));
      waiting(null);
      let report = null;
      try {
        report = await this.checker.start(file, waiting);
      } finally {
        if (report === null) this.start(); // stopped, or a problem
      }
      this.see({ report: null, block: null });
      if (report !== null) this.showReport(readReport(report));
    });
  }

  showReport(report) {
    this.say(null);
    const name = visible(report.file);
    const panel = make("div", { id: "check-panel", role: "tabpanel" });
    const open = (block) => {
      const { element, repaint } = blockPanel(block, this.lessons);
      panel.replaceChildren(element);
      this.repaint = repaint;
      this.element.dataset.block = block.name;
      if (this.seen.report) this.see({ ...this.seen, block: block.name });
    };
    const title = make(
      "h2",
      { tabindex: "-1" },
      make("span", { className: "hs-check-total", text: `${report.points} of ${points(report.possible)}` }),
      make("span", { className: "hs-check-file", dir: "auto", text: name }),
    );
    const head = make(
      "div",
      { className: "hs-check-head" },
      title,
      make(
        "div",
        { className: "hs-check-actions" },
        make("button", { type: "button", text: REPORT.other, onclick: () => this.report.click() }),
        this.upload ? make("button", { type: "button", text: REPORT.file, onclick: () => this.code.click() }) : "",
        make("button", { type: "button", text: REPORT.back, onclick: () => this.start() }),
      ),
    );
    const said = report.problem
      ? make(
          "p",
          { className: "hs-check-problem", dir: "auto" },
          make("strong", { text: REPORT.failed }),
          report.problem,
        )
      : make("p", { className: "hs-check-said", text: tookSentence(report), dir: "auto" });
    this.show("report", head, said);
    if (report.blocks.length) this.stage.append(tileRow(report.blocks, panel, open, this.seen.block), panel);
    title.focus({ preventScroll: true });
  }
}

/** Asks for a file; the same one may be chosen again, mended. */
function fileInput(accept, chosen) {
  return make("input", {
    type: "file",
    accept,
    hidden: "",
    onchange: ({ target }) => {
      const [file] = target.files;
      if (file) chosen(file);
      target.value = "";
    },
  });
}
