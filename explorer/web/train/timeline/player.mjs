// Play, pause, speed and the slider over the recorded steps.

import { make } from "../../base/dom.mjs";
import { choiceOf } from "../../ui/choice.mjs";
import { Player, speedsFor } from "./play.mjs";
import { PAGE } from "./words.mjs";

export class PlayerBar {
  /** `show(index)` shows a step, `at()` says which is shown, `count()` how many there are. */
  constructor({ show, at, count }) {
    this.player = new Player({ show, at, count, changed: () => this.mark() });
    this.button = make("button", {
      type: "button",
      className: "hs-action hs-tl-play",
      onclick: () => this.player.toggle(),
    });
    this.slider = make("input", { type: "range", min: 0, max: 0, step: 1, value: 0, "aria-label": PAGE.slider });
    this.text = make("span", { className: "hs-number hs-tl-step" });
    const speeds = speedsFor(matchMedia("(prefers-reduced-motion: reduce)").matches);
    this.speed = choiceOf(Object.fromEntries(speeds.map((speed) => [`x${speed}`, `${speed}×`])), PAGE.speed, (name) =>
      this.setSpeed(Number(name.slice(1))),
    );
    this.speed.mark("x1");
    this.slider.addEventListener("input", () => {
      this.pause();
      show(Number(this.slider.value));
    });
    this.element = make("div", { className: "hs-tl-player" }, this.button, this.slider, this.text, this.speed);
    this.mark();
  }

  get playing() {
    return this.player.playing;
  }

  pause() {
    this.player.pause();
  }

  setSpeed(speed) {
    this.speed.mark(`x${speed}`);
    this.player.setSpeed(speed);
  }

  mark() {
    this.button.textContent = this.playing ? PAGE.pause : PAGE.play;
    this.element.dataset.playing = String(this.playing);
  }

  draw({ text, i, count }) {
    Object.assign(this.slider, { max: String(count - 1), value: String(i) });
    this.slider.setAttribute("aria-valuetext", text);
    this.text.textContent = text;
  }
}
