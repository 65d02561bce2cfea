// What a lesson lets the learner set. Every change asks the server; the picture stays until the answer is there.

import { make } from "../base/dom.mjs";

/** The controls that belong to `step` (from 0); `onChange(name, value)` hears changes. */
export function controlRow(controls, step, onChange) {
  return controls
    .filter(({ steps }) => steps.length === 0 || steps.includes(step + 1))
    .map((control) => KINDS[control.kind](control, onChange));
}

const KINDS = {
  choice({ name, label, value, options, info }, onChange) {
    const buttons = options.map(([option, text]) =>
      make("button", {
        type: "button",
        text,
        "aria-pressed": String(option === value),
        onclick: () => onChange(name, option),
      }),
    );
    return field(
      label,
      info,
      make("div", { className: "hs-switch", role: "group", "aria-label": label, "data-control": name }, ...buttons),
    );
  },
  slider({ name, label, value, least, most, info }, onChange) {
    const shown = make("output", { className: "hs-number", text: String(value) });
    const input = make("input", {
      type: "range",
      min: least,
      max: most,
      step: 1,
      value,
      "aria-label": label,
      "data-control": name,
      oninput: () => (shown.textContent = input.value),
      onchange: () => onChange(name, Number(input.value)),
    });
    return field(label, info, make("span", { className: "hs-slider" }, input, shown));
  },
  text({ name, label, value, info }, onChange) {
    const input = make("input", {
      type: "text",
      value,
      "aria-label": label,
      "data-control": name,
      spellcheck: "false",
      autocomplete: "off",
      onchange: () => onChange(name, input.value),
    });
    return field(label, info, input);
  },
  action({ name, label, info }, onChange) {
    return field(
      "",
      info,
      make("button", {
        type: "button",
        className: "hs-action",
        text: label,
        "data-control": name,
        onclick: () => onChange(name, true),
      }),
    );
  },
};

function field(label, info, control) {
  return make(
    "div",
    { className: "hs-control" },
    ...(label ? [make("span", { className: "hs-control-label", text: label })] : []),
    control,
    ...(info ? [make("span", { className: "hs-hint", text: info })] : []),
  );
}
