// Train a tiny model now: choose, press Train, and watch it learn. Nothing moves unless that was pressed.

import { make } from "../../base/dom.mjs";
import { onceAFrame } from "../../base/once_a_frame.mjs";
import { writeAddress } from "../../state/fields.mjs";
import { address } from "../../state/history.mjs";
import { showPage } from "../../state/pages.mjs";
import { chooseModel } from "../../state/run.mjs";
import { withTerms } from "../../ui/terms.mjs";
import { LiveClient, liveChoices } from "./client.mjs";
import { ChoicesForm } from "./form.mjs";
import { keptName, runNames } from "./names.mjs";
import { ModelNow } from "./now.mjs";
import { RunsPlot } from "./plot.mjs";
import { curveRows, hear, newRecord, OVER } from "./record.mjs";
import { PAGE, runName, stateText } from "./words.mjs";

const MOST = 8; // runs on the picture
const BEFORE = ["starting", "waiting"];

export function mount(element) {
  new LiveView(element).open();
}

class LiveView {
  constructor(element) {
    this.element = element;
    this.changed = onceAFrame(() => this.draw());
    this.records = [];
    this.chosen = null; // the run that is looked at
    this.current = null; // the newest, which the server knows
    this.client = new LiveClient({ hear: (frame) => this.hear(frame), lost: (sentence) => this.lost(sentence) });
    this.plot = new RunsPlot({
      choose: (record) => this.choose(record),
      remove: (record) => this.remove(record),
      openHead: (event) => this.now.openHead(event),
    });
    this.now = new ModelNow();
    this.problem = make("p", { className: "hs-problem", role: "alert", hidden: "" });
  }

  async open() {
    const { element } = this;
    this.bar = this.buttons();
    this.results = make("div", { className: "hs-live-results", hidden: "" }, this.plot.element, this.now.element);
    const loading = make("p", { className: "hs-hint", text: PAGE.loading });
    element.classList.add("hs-live");
    element.append(
      make("h2", { text: PAGE.title }),
      make("p", { className: "hs-live-lead" }, ...withTerms(PAGE.lead)),
      loading,
      this.problem,
    );
    try {
      this.described = await liveChoices();
      this.form = new ChoicesForm(this.described, () => this.chosenAnew());
      this.form.set(this.form.possible(address.of("train").set));
      address.speak(
        ["train"],
        () => ({ set: document.body.dataset.train === "live" ? this.form.changedChoices : {} }),
        (_, { train, set }) => train === "live" && this.form.set(this.form.possible(set)),
      );
      loading.replaceWith(this.form.element);
      element.append(this.bar, this.results);
    } catch (problem) {
      loading.remove();
      this.say(problem.message);
    }
    this.listen();
    this.changed();
    element.dataset.ready = "true";
  }

  listen() {
    const { element } = this;
    new MutationObserver(() => this.changed()).observe(document.body, {
      attributes: true,
      attributeFilter: ["class", "data-page", "data-train"],
    });
    addEventListener("resize", () => this.changed());
    element.numbers = () => (this.records.length ? curveRows(this.records, this.names()) : []);
    element.about = () => ({ model: { name: "tiny" }, text: this.names().join("; ") });
    element.redraw = () => this.draw();
  }

  names() {
    return runNames(this.records, this.described).map((name, i) => runName(this.records[i].number, name));
  }

  buttons() {
    this.does = {}; // the buttons, by what they do
    const button = (name, text, act) => {
      const made = make("button", {
        type: "button",
        className: name === "train" ? "hs-action" : "hs-live-plain",
        "data-do": name,
        text,
        onclick: () => this.trying(act),
      });
      this.does[name] = made;
      return made;
    };
    this.status = make("span", { className: "hs-live-status", role: "status" });
    this.name = make("input", {
      type: "text",
      maxlength: "60",
      "aria-label": PAGE.name,
      oninput: () => {
        this.isNamed = true;
      },
    });
    this.kept = make("p", { className: "hs-live-kept", role: "status", hidden: "" });
    this.keepBox = make(
      "span",
      { className: "hs-live-keep", hidden: "" },
      make("label", {}, make("span", { text: PAGE.saveAs }), this.name),
      button("keep", PAGE.keep, () => this.keep()),
    );
    this.trouble = make("p", { className: "hs-problem hs-live-trouble", role: "alert", hidden: "" });
    return make(
      "div",
      { className: "hs-live-bar" },
      make(
        "div",
        { className: "hs-live-buttons" },
        button("train", PAGE.train, () => this.train()),
        button("pause", PAGE.pause, () => this.client.command("pause")),
        button("resume", PAGE.resume, () => this.client.command("resume")),
        button("stop", PAGE.stop, () => this.client.command("stop")),
        this.keepBox,
        this.status,
      ),
      this.trouble,
      this.kept,
    );
  }

  // acting

  chosenAnew() {
    address.changed();
    this.changed();
  }

  async trying(act) {
    this.say("");
    try {
      await act();
    } catch (problem) {
      this.say(problem.message);
    }
    this.changed();
  }

  async train() {
    const { choices } = this.form;
    await this.client.start(choices);
    const number = (this.records.at(-1)?.number ?? 0) + 1;
    this.current = this.chosen = newRecord(number, choices);
    this.records = [...this.records, this.current].slice(-MOST);
    this.isNamed = false;
    this.kept.hidden = true;
  }

  async keep() {
    this.does.keep.disabled = true;
    try {
      const { kept } = await this.client.keep(this.name.value);
      this.tellKept(kept);
      document.dispatchEvent(new CustomEvent("hs-kept"));
    } finally {
      this.does.keep.disabled = false;
    }
  }

  tellKept(name) {
    const compare = make("a", {
      href: writeAddress("", "compare", { models: [name] }),
      target: "_blank",
      text: PAGE.compare,
    });
    const explore = make("button", {
      type: "button",
      className: "hs-live-plain",
      text: PAGE.explore,
      onclick: () => {
        chooseModel(name);
        showPage("explore");
      },
    });
    const isDecoder = this.current.choices.architecture === "decoder";
    this.kept.replaceChildren(
      PAGE.saved[0],
      make("code", { text: name }),
      PAGE.saved[1],
      ...(isDecoder ? [explore, " "] : []),
      compare,
      PAGE.savedFor,
    );
    this.kept.hidden = false;
  }

  hear(frame) {
    hear(this.current, frame);
    if (frame.kind === "refused") this.say(frame.sentence);
    this.changed();
  }

  lost(sentence) {
    Object.assign(this.current, { state: "lost", sentence });
    this.changed();
  }

  choose(record) {
    this.chosen = record;
    this.changed();
  }

  remove(record) {
    if (record === this.current && !OVER.includes(record.state)) this.trying(() => this.client.command("stop"));
    this.records = this.records.filter((one) => one !== record);
    if (this.chosen === record) this.chosen = this.records.at(-1) ?? null;
    this.changed();
  }

  say(sentence) {
    this.problem.textContent = sentence;
    this.problem.hidden = !sentence;
    this.element.dataset.error = sentence;
  }

  // drawing, once a frame

  draw() {
    const { element, current, chosen } = this;
    if (!this.form || !element.checkVisibility()) return; // on a page that is not shown: drawn when it is
    this.drawBar(current);
    this.results.hidden = this.records.every(({ state }) => BEFORE.includes(state)); // charts would be empty
    if (!this.results.hidden) this.plot.draw({ records: this.records, chosen, described: this.described });
    if (chosen) this.now.draw(chosen);
    this.now.element.hidden = !chosen?.now;
    Object.assign(element.dataset, {
      state: current?.state ?? "",
      step: current?.step ?? "",
      run: current?.number ?? "",
    });
  }

  drawBar(current) {
    const state = current?.state;
    const isOn = Boolean(current) && !OVER.includes(state);
    this.does.train.textContent = current ? (isOn ? PAGE.restart : PAGE.again) : PAGE.train;
    this.does.train.title = isOn ? PAGE.restartHint : "";
    this.does.pause.hidden = state !== "running";
    this.does.resume.hidden = state !== "paused";
    this.does.stop.hidden = !isOn;
    this.keepBox.hidden = !current?.facts || state === "failed" || state === "lost";
    this.status.textContent = current ? stateText(current) : PAGE.idle;
    if (current && document.activeElement !== this.name && !this.isNamed) this.name.value = keptName(current);
    const trouble =
      current?.state === "failed" || current?.state === "lost"
        ? current.sentence
        : current?.events.findLast(({ what }) => what === "diverging" || what === "gave way")?.sentence;
    this.trouble.textContent = trouble ?? "";
    this.trouble.hidden = !trouble;
  }
}
