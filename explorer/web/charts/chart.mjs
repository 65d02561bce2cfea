// Curves over the steps of training: scales, ticks and paths. Pure: no DOM.
//
// Training changes most in its first steps, so the axis can be logarithmic; step 0 has no logarithm, so that of step +
// 1 is taken.

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

/** The `d` of an SVG path through [[x, y]]; what is no number (a diverged loss) is a gap. */
export function pathOf(points) {
  let pen = "M";
  let path = "";
  for (const [x, y] of points) {
    if (Number.isFinite(y)) path += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = Number.isFinite(y) ? "L" : "M";
  }
  return path;
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
