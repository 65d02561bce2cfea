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

/**
 * Rising lines through the cells of a box, each from the first to the last one that is bare: what lies over the others
 * hides it there. `bare` says of each row its {first, last} bare column, -1 for none. No clip, which is slow.
 */
export function hatchCells(context, { left, top, right, bottom }, cell, bare, color, gap = 6) {
  if (bare.every(({ first }) => first < 0)) return;
  const [wide, high] = [right - left, bottom - top];
  context.strokeStyle = color;
  context.lineWidth = 1;
  context.beginPath();
  for (let sum = gap; sum < wide + high; sum += gap) {
    const { from, to } = alongBare(sum, cell, bare);
    if (from === to) continue;
    // of y, where x + y is the sum
    const [start, end] = [Math.max(from - 1, sum - wide, 0), Math.min(to + 1, sum, high)];
    context.moveTo(left + sum - end, top + end);
    context.lineTo(left + sum - start, top + start);
  }
  context.stroke();
}

/** From where to where (y) the rising line x + y = sum has rows with a bare cell on it. */
function alongBare(sum, { width, height }, bare) {
  const isBare = (row) => {
    const { first, last } = bare[row];
    const x = sum - row * height; // where the line enters the row from above; it leaves at x - height
    return first >= 0 && first * width <= x && (last + 1) * width >= x - height;
  };
  let [row, end] = [0, Math.min(bare.length, Math.ceil(sum / height))];
  while (row < end && !isBare(row)) row++;
  while (end > row && !isBare(end - 1)) end--;
  return { from: row * height, to: end * height };
}
