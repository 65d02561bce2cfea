// What the model predicts at one step, for a token of the prompt; and the text that it wrote at that step.

import { make } from "../../base/dom.mjs";
import { fineProbability, label, pieceName, visible } from "../../base/text.mjs";
import { belowBars, tokenBar, topOf } from "../../ui/token_bars.mjs";
import { afterText, chipLabel, gapText, NEXT, sameness, truthText } from "./words.mjs";

export class PredictionAtStep {
  /** `choose(place)` is called with the token that is pressed. */
  constructor(choose) {
    this.choose = choose;
    this.title = make("h3");
    this.chips = make("div", { className: "hs-tokens", role: "group", "aria-label": NEXT.tokens });
    this.hint = make("p", { className: "hs-hint" });
    this.heading = make("p", { className: "hs-after" });
    this.bars = make("ol", { className: "hs-bars" });
    this.scale = make("div", { className: "hs-scale" });
    this.truth = make("p", { className: "hs-tl-truth" });
    this.same = make("p", { className: "hs-hint" });
    this.element = make(
      "section",
      { className: "hs-tl-next" },
      this.title,
      this.hint,
      this.chips,
      this.heading,
      this.bars,
      this.scale,
      this.truth,
      this.same,
    );
  }

  /**
   * `place` is the chosen token of the prompt, `at(place)` -> {best: [{id, text, p}], truth: null or {id, text, p,
   * rank}},
   * `masked`: whether the token itself is guessed; `vocabulary` how many tokens there are.
   */
  draw({ prompt: { tokens, places }, place, at, masked, vocabulary, step }) {
    this.title.textContent = masked ? NEXT.gap : NEXT.title;
    this.hint.textContent = masked ? NEXT.gapHint : NEXT.hint;
    this.chips.replaceChildren(
      ...tokens.map((token, i) => this.chip(token, i, i === place, places.includes(i), masked)),
    );
    const { best, truth } = at(place);
    const top = topOf(best[0].p, 0.001);
    this.heading.textContent = masked ? gapText(place) : afterText(tokens[place], step);
    const shown = truth && !best.some(({ id }) => id === truth.id) ? [...best, truth] : best;
    this.bars.replaceChildren(
      ...shown.map(({ id, text, p }) => {
        const marked = id === truth?.id;
        return tokenBar(`${marked ? "✓ " : ""}${pieceName(text)}`, p, top, marked, fineProbability(p));
      }),
    );
    this.scale.replaceChildren(...belowBars(top));
    this.truth.textContent = truth ? truthText(truth, masked, vocabulary) : NEXT.end;
    this.same.textContent = masked ? "" : sameness(places.map((i) => at(i).best[0]));
  }

  chip(token, place, isChosen, canChoose, masked) {
    const names = ["hs-token", token.special && "hs-special", token.partial && "hs-partial", isChosen && "hs-query"];
    return make("button", {
      type: "button",
      className: names.filter(Boolean).join(" "),
      dir: "auto",
      text: token.special ? label(token) : visible(token.text),
      "aria-pressed": String(isChosen),
      "aria-label": chipLabel(masked, place, token),
      disabled: canChoose ? null : "",
      onclick: () => this.choose(place),
    });
  }
}
