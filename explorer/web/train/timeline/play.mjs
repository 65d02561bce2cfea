// Plays through the recorded steps, one after the other. Nothing moves before it is asked to.

export const SPEEDS = [0.5, 1, 2, 4];
const MS = 1000; // for a step at speed 1
const CALM = 1; // the fastest where the learner's system asks for less motion: a picture that changes faster flickers

/** The speeds that may be chosen. */
export function speedsFor(reducesMotion) {
  return reducesMotion ? SPEEDS.filter((speed) => speed <= CALM) : SPEEDS;
}

export function delayOf(speed) {
  return MS / speed;
}

export class Player {
  /**
   * `show(index)` shows a step, `at()` says which is shown, `count()` how many there are, `changed()` hears of play
   * and pause.
   */
  constructor({ show, at, count, changed }) {
    this.show = show;
    this.at = at;
    this.count = count;
    this.changed = changed;
    this.speed = 1;
    this.timer = null;
  }

  get playing() {
    return this.timer !== null;
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  /** From the end it starts again at the beginning. */
  play() {
    if (this.count() < 2) return;
    if (this.at() >= this.count() - 1) this.show(0);
    this.timer = setTimeout(() => this.next(), delayOf(this.speed));
    this.changed();
  }

  pause() {
    if (!this.playing) return;
    clearTimeout(this.timer);
    this.timer = null;
    this.changed();
  }

  next() {
    const isLast = this.at() + 1 >= this.count() - 1;
    this.timer = isLast ? null : setTimeout(() => this.next(), delayOf(this.speed));
    this.show(Math.min(this.at() + 1, this.count() - 1));
    if (isLast) this.changed();
  }

  setSpeed(speed) {
    this.speed = speed;
    if (!this.playing) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.next(), delayOf(speed));
  }
}
