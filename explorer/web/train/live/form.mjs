// What is to be trained: a task, and below "More choices" everything else that llm_core.live lets one choose.

import { make } from "../../base/dom.mjs";
import { visible } from "../../base/text.mjs";
import { choiceText, numberText, shortTitle } from "./names.mjs";
import { changedText, EXPERIMENTS, FORM, tryHint } from "./words.mjs";

export class ChoicesForm {
  /** `described` = {choices, tasks} of llm_core.live. `changed()` is called when something else is chosen. */
  constructor(described, changed) {
    this.described = described;
    this.changed = changed;
    this.start = Object.fromEntries(described.choices.map(({ name, default: value }) => [name, value]));
    this.inputs = new Map();
    this.hint = make("p", { className: "hs-live-hint", "aria-live": "polite", hidden: "" });
    this.clash = make("p", { className: "hs-problem", role: "alert", hidden: "" });
    this.more = make(
      "details",
      { className: "hs-live-more" },
      make("summary", {}, FORM.more, make("span", { className: "hs-live-summary" })),
      make(
        "div",
        { className: "hs-live-fields" },
        ...described.choices.filter(({ name }) => name !== "task").map((choice) => this.field(choice)),
      ),
      make("button", {
        type: "button",
        className: "hs-live-plain",
        text: FORM.reset,
        onclick: () => this.set({}),
      }),
    );
    this.tasks = this.taskCards();
    this.element = make(
      "form",
      { className: "hs-live-form", onsubmit: (event) => event.preventDefault() },
      this.experiments(),
      this.hint,
      this.tasks,
      this.more,
      this.clash,
    );
    this.set({}, false);
  }

  /** What is chosen now; throws with a sentence for a number that is none. */
  get choices() {
    return Object.fromEntries([...this.inputs].map(([name, { read }]) => [name, read()]));
  }

  /** Those that are not as at the start. */
  get changedChoices() {
    const isChanged = ([name, value]) => value !== null && value !== this.start[name];
    return Object.fromEntries(Object.entries(this.choices).filter(isChanged));
  }

  /** Of what an address says, that which there is. */
  possible(choices) {
    const { choices: known, tasks } = this.described;
    const isRight = ([name, value]) => {
      const choice = known.find((one) => one.name === name);
      const allowed = name === "task" ? tasks.map((task) => task.name) : choice?.allowed;
      return choice && (allowed ? allowed.includes(value) : typeof value === typeof choice.default);
    };
    return Object.fromEntries(Object.entries(choices).filter(isRight));
  }

  set(choices, tell = true) {
    this.hint.hidden = true;
    for (const [name, { write }] of this.inputs) {
      const given = choices[name];
      write(typeof given === "function" ? given(this.start[name]) : (given ?? this.start[name]));
    }
    this.update(tell);
  }

  experiments() {
    const buttons = EXPERIMENTS.map(({ title, choices, sentence }) =>
      make("button", {
        type: "button",
        className: "hs-live-try",
        text: title,
        onclick: () => {
          this.set(choices);
          this.hint.textContent = tryHint(sentence);
          this.hint.hidden = false;
        },
      }),
    );
    return make(
      "div",
      { className: "hs-live-tries", role: "group", "aria-label": FORM.tries },
      make("span", { text: FORM.try }),
      ...buttons,
    );
  }

  taskCards() {
    const radios = this.described.tasks.map(({ name }) =>
      make("input", { type: "radio", name: "live-task", value: name, onchange: () => this.update() }),
    );
    this.inputs.set("task", {
      read: () => radios.find(({ checked }) => checked).value,
      write: (value) =>
        radios.forEach((radio) => {
          radio.checked = radio.value === value;
        }),
    });
    const cards = this.described.tasks.map(({ title, sentence, example }, i) =>
      make(
        "label",
        { className: "hs-live-task" },
        radios[i],
        make("strong", { text: title }),
        make("span", { text: sentence }),
        ...(example ? [make("code", { dir: "auto", text: visible(example) })] : []),
      ),
    );
    return make("fieldset", { className: "hs-live-tasks" }, make("legend", { text: FORM.task }), ...cards);
  }

  field(choice) {
    const { name, title, sentence, kind } = choice;
    const made = { "yes or no": yesOrNo, "one of": oneOf, number: aNumber, whole: choice.allowed ? oneOf : aNumber }[
      kind
    ](choice, () => this.update());
    this.inputs.set(name, made);
    made.input.setAttribute("aria-describedby", `live-about-${name}`);
    return make(
      "div",
      { className: "hs-live-field", "data-choice": name },
      make("label", {}, make("span", { text: shortTitle(title) }), made.input),
      make("p", { className: "hs-hint", id: `live-about-${name}`, text: sentence }),
    );
  }

  /** Say what differs from the start, and whether task and architecture go together. */
  update(tell = true) {
    const { choices } = this;
    const differs = this.described.choices.filter(({ name }) => name !== "task" && choices[name] !== this.start[name]);
    this.more.querySelector(".hs-live-summary").textContent = differs.length
      ? changedText(differs.map(({ name }) => choiceText(this.described, name, choices[name])))
      : FORM.all;
    const impossible = this.described.tasks.find(({ name }) => name === choices.task).impossible?.[
      choices.architecture
    ];
    this.say(impossible ?? "");
    for (const card of this.tasks.querySelectorAll("label"))
      card.classList.toggle("hs-live-chosen", card.querySelector("input").checked);
    if (tell) this.changed();
  }

  say(sentence) {
    this.clash.textContent = sentence;
    this.clash.hidden = !sentence;
  }
}

function yesOrNo({ default: start }, changed) {
  const input = make("input", { type: "checkbox", onchange: changed });
  input.checked = start;
  return {
    input,
    read: () => input.checked,
    write: (value) => {
      input.checked = value;
    },
  };
}

function oneOf({ allowed, titles = {} }, changed) {
  const input = make(
    "select",
    { onchange: changed },
    ...allowed.map((value, i) => make("option", { value: i, text: titles[value] ?? numberText(value) })),
  );
  return {
    input,
    read: () => allowed[input.value],
    write: (value) => {
      input.value = allowed.indexOf(value);
    },
  };
}

/** Any number may be typed, also an impossible one: the server says what is wrong with it. */
function aNumber({ least, most }, changed) {
  const input = make("input", {
    type: "number",
    step: "any",
    min: least,
    max: most,
    inputmode: "decimal",
    onchange: changed,
  });
  return {
    input,
    read: () => (input.value === "" ? null : Number(input.value)),
    write: (value) => {
      input.value = numberText(value);
    },
  };
}
