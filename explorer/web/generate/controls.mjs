// The settings of the Generate page.

import { make } from "../base/dom.mjs";
import { withTerms } from "../ui/terms.mjs";
import { clamped, SETTINGS } from "./settings.mjs";
import { fieldLabel, PAGE } from "./words.mjs";

/** A slider and a number field for each setting, and the seed; `onChange` after each change. */
export class Controls {
  constructor(onChange) {
    this.values = Object.fromEntries(SETTINGS.map(({ name, value }) => [name, value]));
    this.show = {}; // by setting: a function that shows another value
    this.seed = make("input", {
      type: "text",
      inputmode: "numeric",
      value: "1",
      "aria-label": PAGE.seed,
      oninput: onChange,
    });
    this.element = make(
      "div",
      { id: "sampling-controls", className: "hs-settings" },
      ...SETTINGS.map((setting) => this.setting(setting, onChange)),
      make(
        "label",
        { className: "hs-setting" },
        make("strong", { text: PAGE.seed }),
        this.seed,
        make("small", { text: PAGE.seedHint }),
      ),
    );
  }

  /** What an address says, all at once. */
  set(values) {
    for (const { name } of SETTINGS) this.show[name](values[name]);
    this.seed.value = values.seed;
  }

  setting(setting, onChange) {
    const { name, label, min, max, step, value, about } = setting;
    const slider = make("input", { type: "range", min, max, step, value, "aria-label": label });
    const field = make("input", {
      type: "number",
      min,
      max,
      step: "any",
      value,
      "aria-label": fieldLabel(label),
    });
    const set = (typed, isDone) => {
      this.values[name] = clamped(setting, typed);
      slider.value = this.values[name];
      if (isDone) field.value = this.values[name];
      onChange();
    };
    this.show[name] = (value) => {
      this.values[name] = slider.value = field.value = clamped(setting, value);
    };
    slider.addEventListener("input", () => set(slider.value, true));
    field.addEventListener("input", () => set(field.value, false));
    field.addEventListener("change", () => set(field.value, true));
    return make(
      "div",
      { className: "hs-setting" },
      make("strong", { text: label }),
      field,
      slider,
      make("small", {}, ...withTerms(about)),
    );
  }
}
