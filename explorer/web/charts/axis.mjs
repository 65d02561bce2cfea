// The axes of a line chart: where steps and values lie, which of them are written, and what has no room. Pure: no DOM.
//
// Training changes most in its first steps, so the axis can be logarithmic; step 0 has no logarithm, so that of
// step + 1 is taken.

/** step -> 0..1 along the axis, for steps from 0 to `last`. */
export function along(step, last, log) {
  if (last <= 0) return 0;
  return log ? Math.log1p(step) / Math.log1p(last) : step / last;
}

/** Steps to write below the axis: 0, the powers of ten and the last one, or even ones; none too near to the last. */
export function stepTicks(last, log, room = 0.07) {
  if (last <= 0) return [0];
  const inner = log
    ? Array.from({ length: Math.floor(Math.log10(last)) + 1 }, (_, i) => 10 ** i)
    : evenTicks(0, last, 5).filter((step) => step > 0 && Number.isInteger(step));
  const kept = [0];
  for (const step of inner) {
    const isFar = along(step, last, log) - along(kept.at(-1), last, log) >= room;
    if (isFar && along(last, last, log) - along(step, last, log) >= room) kept.push(step);
  }
  return [...kept, last];
}

/** Round numbers from `low` to `high`, some `count` of them: 1, 2, 2.5 or 5 times a power of ten apart. */
export function evenTicks(low, high, count) {
  const raw = (high - low) / count;
  if (!(raw > 0) || !Number.isFinite(raw)) return [low];
  const power = 10 ** Math.floor(Math.log10(raw));
  const apart = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= raw * 0.999) * power;
  const ticks = [];
  for (let i = Math.ceil(low / apart - 1e-9); i * apart <= high + 1e-9 * apart; i++)
    ticks.push(Number((i * apart).toPrecision(12)));
  return ticks;
}

/** [low, high] that holds all finite `values` with a little room; whole units of the scale's ticks. */
export function rangeOf(values, count = 5) {
  const finite = values.filter(Number.isFinite);
  if (!finite.length) return [0, 1];
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  if (low === high) return [low - 0.5, high + 0.5];
  const ticks = evenTicks(low, high, count);
  const apart = ticks.length > 1 ? ticks[1] - ticks[0] : high - low;
  return [Math.floor(low / apart + 1e-9) * apart, Math.ceil(high / apart - 1e-9) * apart];
}

const ABOVE = 1.6; // times the loss of guessing: beyond that a run has diverged, and would flatten all others

/** [low, high] of the loss axis: from 0, with the line of guessing in sight; a diverged run leaves it at the top. */
export function lossRange(losses, uniform) {
  const most = Math.max(
    uniform * 1.1,
    ...losses.filter(Number.isFinite).map((loss) => Math.min(loss, uniform * ABOVE)),
  );
  return [0, rangeOf([0, most])[1]];
}

/** The last step of the axis: a round one, so that the picture does not shrink with each new point. */
export function lastStep(steps) {
  const most = Math.max(10, ...steps);
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((factor) => factor * power).find((end) => end >= most);
}

/** The index of the recorded step that lies nearest to `x`, 0..1 along the axis. */
export function nearest(steps, x, log) {
  const last = steps.at(-1);
  const far = (step) => Math.abs(along(step, last, log) - x);
  return steps.reduce((best, step, i) => (far(step) < far(steps[best]) ? i : best), 0);
}

/** "16.8 M", "4,096". */
export function short(count) {
  if (count >= 1e9) return `${digits(count / 1e9)} G`;
  if (count >= 1e6) return `${digits(count / 1e6)} M`;
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ",");
}

const digits = (value) => (value >= 100 ? value.toFixed(0) : value.toFixed(1));

/**
 * Marks {step, text, name, choose} that lie too near to each other, as `isNear(a, b)` says of two steps, share one, at
 * the first of them, which is what is chosen.
 */
export function gathered(marks, isNear) {
  const groups = [];
  for (const mark of [...marks].sort((a, b) => a.step - b.step)) {
    const group = groups.at(-1);
    if (group && isNear(group[0].step, mark.step)) group.push(mark);
    else groups.push([mark]);
  }
  return groups.map((all) => ({
    ...all[0],
    text: [...new Set(all.map(({ text }) => text))].join(" "),
    name: all.map(({ name }) => name).join("\n"),
  }));
}

/**
 * Texts that would lie over each other go down a line: `boxes` are {left, right, y}, `high` is a line. Returns each
 * one's y.
 */
export function apart(boxes, high) {
  const placed = [];
  for (const { left, right, y } of boxes) {
    const hits = (at) => placed.some((one) => one.left < right && left < one.right && Math.abs(one.y - at) < high);
    let at = y;
    while (hits(at)) at += high;
    placed.push({ left, right, y: at });
  }
  return placed.map((one) => one.y);
}
