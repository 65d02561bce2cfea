// Marks for what has no number: never merely pale. Lines only, so that they stay lines in a saved drawing.

/** Lines through `path(context)`, which draws the outline of what is marked. `angles`: 1 rises, -1 falls. */
export function hatch(context, { left, top, right, bottom }, path, angles, color, gap = 6) {
  context.save();
  context.beginPath();
  path(context);
  context.clip();
  context.strokeStyle = color;
  context.lineWidth = 1;
  context.beginPath();
  const height = bottom - top;
  for (const angle of angles) {
    for (let x = left - height; x < right; x += gap) {
      context.moveTo(x, angle > 0 ? bottom : top);
      context.lineTo(x + height, angle > 0 ? top : bottom);
    }
  }
  context.stroke();
  context.restore();
}
