// The names of marked points in a column beside them, each with a line to its own: where points lie close together,
// names at the points would cover each other. Pure: no DOM.

const GAP = 19; // px from name to name
const AWAY = 28; // px from the outermost point to the names
const ROOM = 76; // px that a name needs

/**
 * plotly's annotations of `points`, {x, y, text}; `extent` is where all points lie, `size` the px of the plot. Their
 * lines do not cross, as names stand in the order of their points.
 */
export function callouts(points, { left, right, low, high }, { width, height }) {
  const placed = points
    .map((point) => ({
      ...point,
      px: ((point.x - left) / (right - left)) * width,
      py: ((high - point.y) / (high - low)) * height,
    }))
    .sort((a, b) => a.py - b.py);
  const { at, anchor } = column(
    placed.map(({ px }) => px),
    width,
  );
  const heights = spread(
    placed.map(({ py }) => py),
    height,
  );
  return placed.map(({ x, y, text, px, py }, i) => ({
    x,
    y,
    text,
    ax: at - px,
    ay: heights[i] - py,
    xanchor: anchor,
    yanchor: "middle",
    showarrow: true,
    arrowhead: 0,
    arrowwidth: 1,
    standoff: 5,
    borderpad: 1,
  }));
}

/** To the right of all points where there is room, else to their left. */
function column(across, width) {
  const right = Math.max(0.62 * width, Math.max(...across) + AWAY);
  const left = Math.min(...across) - AWAY;
  if (right + ROOM > width && left > ROOM) return { at: left, anchor: "right" };
  return { at: Math.min(right, width - ROOM), anchor: "left" };
}

/** Heights from top to bottom, moved apart until names fit between them, around where they were, and inside. */
function spread(down, height) {
  const apart = [];
  for (const y of down) apart.push(Math.max(y, (apart.at(-1) ?? -Infinity) + GAP));
  const pushed = apart.reduce((sum, y, i) => sum + y - down[i], 0) / Math.max(1, apart.length);
  const least = Math.min(...apart) - GAP / 2;
  const most = Math.max(...apart) + GAP / 2;
  const up = Math.min(Math.max(pushed, most - height), least);
  return apart.map((y) => y - up);
}
