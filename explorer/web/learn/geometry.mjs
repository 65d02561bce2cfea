// Where the cells of a panel lie. Pure: no DOM. The last two dimensions are rows and columns of a block; the
// blocks of the dimensions before them stand side by side (the last of these) and below one another.

export const MOST_TAPE = 64; // memory of more places is told by its strides alone
const CHARACTER = 6.4;
const GAP = 10;
const TALLEST = 440;
const LEAST_WIDTH = 2; // px of a cell, before blocks go into the next line

/**
 * Geometry of a panel of `shape` in a slot at most `width` wide, but for its tape, which is one line; `most` is the
 * largest side of a cell, `large` how many times its usual size all type has.
 */
export function measure(panel, shape, width, most = 46, large = 1) {
  const rows = shape.at(-2) ?? 1;
  const columns = shape.at(-1);
  const outer = shape.slice(0, -2);
  const blocks = outer.reduce((a, b) => a * b, 1);
  const across = outer.at(-1) ?? 1;
  const left = labelRoom(panel.rows, large);
  const perLine = blocksPerLine(across, columns, width - left);
  const lines = Math.ceil(across / perLine) * (blocks / across);
  const cw = Math.min(most, (width - left - (perLine - 1) * GAP - 2) / (perLine * columns));
  const ch = Math.min(
    most,
    cw >= 14
      ? Math.min(cw, Math.max(18, TALLEST / (lines * rows)))
      : Math.min(16, Math.max(4, TALLEST / (lines * rows))),
  );
  const blockLabel = panel.blocks.length || blocks > 1 ? 16 * large : 0;
  const numbered = cw >= 20 ? 1 : cw >= 10 ? 5 : 0; // every which column has its number
  const top = panel.columns.length && cw >= 11 ? labelRoom(panel.columns, large) : numbered ? 16 * large : 0;
  const block = { width: columns * cw, height: rows * ch };
  const line = block.height + blockLabel + GAP;
  const tape = tapeOf(panel, large);
  return {
    large,
    rows,
    columns,
    blocks,
    across,
    perLine,
    left,
    top,
    cw,
    ch,
    blockLabel,
    line,
    block,
    tape,
    numbered,
    width: Math.ceil(Math.max(left + perLine * (block.width + GAP) - GAP + 2, tape?.width ?? 0)),
    height: Math.ceil(top + lines * line - GAP + 2 + (tape ? tape.height : 0)),
    tapeTop: top + lines * line - GAP + 22 * large,
  };
}

/** The left upper corner of a block, by its number. */
export function blockAt({ left, top, across, perLine, line, block, blockLabel }, number) {
  const within = number % across;
  const group = Math.floor(number / across);
  const row = group * Math.ceil(across / perLine) + Math.floor(within / perLine);
  return [left + (within % perLine) * (block.width + GAP), top + row * line + blockLabel];
}

/** The cell (its flat number) under a point of the slot, or null. */
export function cellUnder(geometry, x, y) {
  const { rows, columns, blocks, block, cw, ch } = geometry;
  for (let number = 0; number < blocks; number++) {
    const [bx, by] = blockAt(geometry, number);
    const column = Math.floor((x - bx) / cw);
    const row = Math.floor((y - by) / ch);
    if (x >= bx && y >= by && x < bx + block.width && y < by + block.height && column < columns && row < rows)
      return (number * rows + row) * columns + column;
  }
  return null;
}

export function cornerOf(geometry, flat) {
  const { rows, columns, cw, ch } = geometry;
  const [bx, by] = blockAt(geometry, Math.floor(flat / (rows * columns)));
  const inside = flat % (rows * columns);
  return [bx + (inside % columns) * cw, by + Math.floor(inside / columns) * ch];
}

export function tapeCorner({ tape, left, tapeTop }, place) {
  return [left + place * tape.cell, tapeTop];
}

/** 17, [2, 3, 4] -> [1, 1, 1]. */
export function indexOf(flat, shape) {
  const index = [];
  for (let i = shape.length - 1; i >= 0; i--) {
    index.unshift(flat % shape[i]);
    flat = Math.floor(flat / shape[i]);
  }
  return index;
}

export function flatOf(index, shape) {
  return index.reduce((flat, i, d) => flat * shape[d] + i, 0);
}

function labelRoom(labels, large) {
  const longest = labels.reduce((most, text) => Math.max(most, [...text].length), 0);
  return large * (longest ? Math.min(96, Math.ceil(longest * CHARACTER) + 12) : 18);
}

function blocksPerLine(across, columns, room) {
  let perLine = across;
  while (perLine > 1 && (room - (perLine - 1) * GAP) / (perLine * columns) < LEAST_WIDTH)
    perLine = Math.ceil(perLine / 2);
  return perLine;
}

function tapeOf(panel, large) {
  const size = panel.tapeSize ?? 0;
  if (!panel.tape || size > MOST_TAPE) return null;
  const cell = 23 * large;
  return { cell, width: 20 * large + size * cell, height: 28 * large + cell };
}
