// Where curves of several runs lie on one picture. Pure: no DOM.

import { rangeOf } from "./chart.mjs";

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

/**
 * At most 2 · `most` of the points [[x, y]]: of each of `most` stretches the lowest and the highest, so that no peak
 * is lost.
 */
export function thinned(points, most) {
  if (points.length <= 2 * most) return points;
  const kept = [];
  for (let i = 0; i < most; i++) {
    const [from, to] = [i, i + 1].map((at) => Math.floor((at * points.length) / most));
    let [low, high] = [from, from];
    for (let at = from; at < to; at++) {
      if (!(points[at][1] >= points[low][1])) low = at; // also what is no number, so that the gap is seen
      if (points[at][1] > points[high][1]) high = at;
    }
    kept.push(...[...new Set([low, high])].sort((a, b) => a - b).map((at) => points[at]));
  }
  return kept;
}

/** Parts of a curve at or below the top of the axis, and where it leaves that: [[step, value], …] with gaps as NaN. */
export function clipped(points, top) {
  return points.map(([step, value]) => [step, value === null || !Number.isFinite(value) ? NaN : Math.min(value, top)]);
}

/** The first point above the axis, and the highest value there: {step, most}; null if none is. */
export function beyond(points, top) {
  const above = points.filter(([, value]) => value > top);
  return above.length ? { step: above[0][0], most: Math.max(...above.map(([, value]) => value)) } : null;
}

/** What was measured last at or before a step. */
export function upTo(points, step) {
  let found = null;
  for (const point of points) if (point[0] <= step && (!found || point[0] >= found[0])) found = point;
  return found;
}
