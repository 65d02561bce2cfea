// What the model predicts at one step, for a token of the prompt; and the text that it wrote at that step.

import { make } from "../../base/dom.mjs";
import { fineProbability, grouped, label, pieceName, quoted, visible } from "../../base/text.mjs";
import { belowBars, tokenBar, topOf } from "../../ui/token_bars.mjs";

export class PredictionAtStep {
  /** `choose(place)` is called with the token that is pressed. */
  constructor(choose) {
    this.choose = choose;
    this.title = make("h3");
    this.chips = make("div", { className: "hs-tokens", role: "group", "aria-label": "The tokens of the prompt" });
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
    this.title.textContent = masked ? "What it puts in the gap" : "What it expects next";
    this.hint.textContent = masked
      ? "The outlined token is masked; the model has to guess it from the text on both sides."
      : "Press a token of the prompt: the bars show what the model expects after it at this step of training.";
    this.chips.replaceChildren(
      ...tokens.map((token, i) => this.chip(token, i, i === place, places.includes(i), masked)),
    );
    const { best, truth } = at(place);
    const top = topOf(best[0].p, 0.001);
    this.heading.textContent = masked
      ? `What stands at place ${place}?`
      : `After ${quoted(label(tokens[place], 24))}, at step ${step}`;
    const shown = truth && !best.some(({ id }) => id === truth.id) ? [...best, truth] : best;
    this.bars.replaceChildren(
      ...shown.map(({ id, text, p }) => {
        const marked = id === truth?.id;
        return tokenBar(`${marked ? "✓ " : ""}${pieceName(text)}`, p, top, marked, fineProbability(p));
      }),
    );
    this.scale.replaceChildren(...belowBars(top));
    this.truth.textContent = truth
      ? `✓ ${masked ? "What was hidden" : "The text continues with"} ${quoted(visible(truth.text))}: ` +
        `probability ${fineProbability(truth.p)}, place ${grouped(truth.rank)} of ${grouped(vocabulary)}.`
      : "This is the end of the prompt: there is no true next token to compare with.";
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
      "aria-label": masked ? `Token ${place}: ${label(token)}` : `After token ${place}: ${label(token)}`,
      disabled: canChoose ? null : "",
      onclick: () => this.choose(place),
    });
  }
}

/**
 * How often the same token is the likeliest: a model that has learned only which tokens are frequent says the same
 * everywhere.
 */
export function sameness(likeliest) {
  const counts = new Map();
  for (const { id } of likeliest) counts.set(id, (counts.get(id) ?? 0) + 1);
  const [id, count] = [...counts].sort((a, b) => b[1] - a[1])[0];
  const total = likeliest.length;
  if (count < 2 || total < 3) return "";
  const name = quoted(visible(likeliest.find((one) => one.id === id).text));
  if (count === total)
    return (
      `At this step ${name} is the likeliest after every one of the ${total} tokens: what came before makes ` +
      "no difference yet to its first choice."
    );
  if (count * 2 > total) return `At this step ${name} is the likeliest after ${count} of the ${total} tokens.`;
  return (
    `At this step there are ${counts.size} different first choices after the ${total} tokens: what came ` +
    "before counts."
  );
}
