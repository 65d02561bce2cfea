// Curves without their noise. Pure: no DOM.

/**
 * Each point [step, loss] with the mean of the `width` losses around it, itself in the middle; at the ends, and beside
 * what is no number, of those that there are.
 */
export function smoothed(points, width) {
  const half = (width - 1) / 2;
  return points.map(([step], i) => {
    const near = points.slice(Math.max(0, i - half), i + half + 1).map(([, loss]) => loss);
    const finite = near.filter(Number.isFinite);
    return [step, finite.length ? finite.reduce((sum, loss) => sum + loss, 0) / finite.length : NaN];
  });
}
