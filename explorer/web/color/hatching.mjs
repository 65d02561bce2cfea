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

/** Rising lines through all of a box: what lies over them hides them. No clip, which is slow. */
export function hatchBox(context, { left, top, right, bottom }, color, gap = 6) {
  const [wide, high] = [right - left, bottom - top];
  context.strokeStyle = color;
  context.lineWidth = 1;
  context.beginPath();
  for (let sum = gap; sum < wide + high; sum += gap) {
    const [from, to] = [Math.max(0, sum - high), Math.min(wide, sum)]; // of x, where x + y is the sum
    context.moveTo(left + from, top + sum - from);
    context.lineTo(left + to, top + sum - to);
  }
  context.stroke();
}
