// The points of a line: thinned, cut off at the top, and as a path. Pure: no DOM.

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

/** Parts of a curve up to the top of the axis, and where it leaves that: [[step, value], …] with gaps as NaN. */
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
