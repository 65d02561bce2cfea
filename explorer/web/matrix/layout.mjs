// Where everything of a matrix lies, in CSS pixels: a function of its channels and the room there is.

const FONT = "12px system-ui, sans-serif";
const NAMES_FROM = 11; // px: cells at least this wide have names on their sides
const AXIS = 26; // px for the name of an axis
const LEAST_NAME = 20;
const NAME_GAP = 12; // px between a name and the cells, and at its other end
const HEADS = 22; // px for what stands above columns, not turned
const MARGIN = { gap: 5, end: 2 };
const CORNER = { row: 0, column: 0 };

/**
 * Where a matrix lies: `left`, `top` of its first cell, which is at `first` if only a part is shown; how many cells it
 * shows, their size, and the size of all. `names` says what stands beside the cells; `x`, `y` is how far it is
 * scrolled, and `seen` the cells that are in the window.
 *
 * @typedef {object} Layout
 * @property {number} rows
 * @property {number} columns
 * @property {{row: number, column: number}} first
 * @property {number} left
 * @property {number} top
 * @property {{width: number, height: number}} cell
 * @property {string} names
 * @property {number} width
 * @property {number} height
 */

/**
 * A cell's size: as `size` says; or square, of at most `largest`, and not more than `tallest` for all rows as long as
 * names can be read; or, with `room` (px) for all rows, what fills it, square only if `isSquare`.
 *
 * @typedef {object} Cells
 * @property {{width: number, height: number}} [size]
 * @property {number} [largest]
 * @property {number} [least]  even where the matrix is then wider than its room
 * @property {number} [tallest]
 * @property {number} [within]  px that the whole matrix may be high, its names and bars included
 * @property {number} [room]
 * @property {boolean} [isSquare]
 */

/** @param {Omit<import("./matrix.mjs").Matrix, "value"|"scale">} matrix @returns {Layout} */
export function layoutOf({ width, rows, columns, names = null, cells = {}, margins = null }) {
  const edge = margins ? MARGIN.gap + margins.right.size + MARGIN.end : MARGIN.end;
  const foot = margins ? MARGIN.gap + margins.below.size + MARGIN.end : MARGIN.end;
  const [long, high] =
    names === "heads" ? [widest(rows.labels), 0] : [rows, columns].map(({ labels }) => widest(labels));
  const { within = Infinity } = cells;
  const named = Math.max(
    cells.least ?? 0,
    Math.min((width - long - NAME_GAP - edge) / columns.count, (within - high - NAME_GAP - foot) / rows.count),
  );
  const kind = names ?? (named >= NAMES_FROM ? "tokens" : "axes");
  const [left, top] = {
    tokens: [long + NAME_GAP, Math.max(high + NAME_GAP, margins?.head ?? 0)],
    axes: [AXIS, Math.max(AXIS, margins?.head ?? 0)],
    heads: [long + NAME_GAP, HEADS],
    none: [1, 1],
  }[kind];
  const cell = sizeOf(
    { width: width - left - edge, height: (cells.room ?? within) - top - foot },
    rows.count,
    columns.count,
    cells,
  );
  const least = kind === "axes" ? 2 * AXIS : 0; // room for the names of the axes
  return {
    rows: rows.count,
    columns: columns.count,
    first: { row: rows.first ?? 0, column: columns.first ?? 0 },
    left,
    top,
    cell,
    names: kind,
    width: Math.ceil(left + Math.max(cell.width * columns.count, least) + edge),
    height: Math.ceil(top + Math.max(cell.height * rows.count, least) + foot),
  };
}

function sizeOf(room, rows, columns, /** @type {Cells} */ cells) {
  const { size, least = 0, largest = 40, tallest = Infinity, room: fills, isSquare = true } = cells;
  if (size) return size;
  const [wide, high] = [room.width / columns, room.height / rows];
  const between = (low, value, high) => Math.min(high, Math.max(low, value));
  if (!fills) return square(Math.max(least, Math.min(largest, wide, high, Math.max(tallest / rows, 14))));
  if (isSquare) return square(between(12, Math.min(wide, high), 40));
  return { width: between(3, wide, 32), height: between(12, high, 32) };
}

const square = (side) => ({ width: side, height: side });

/**
 * The cell under a point of a canvas that shows the matrix scrolled to `x`, `y`; null beside the cells.
 *
 * @param {Pick<Layout, "left"|"top"|"cell"|"rows"|"columns"> & {first?: Layout["first"]}} layout
 */
export function cellAt({ left, top, cell, rows, columns, first = CORNER }, px, py, { x = 0, y = 0 } = {}) {
  if (px < left || py < top) return null;
  const column = Math.floor((px - left + x) / cell.width);
  const row = Math.floor((py - top + y) / cell.height);
  return row < rows && column < columns ? { row: row + first.row, column: column + first.column } : null;
}

/** Beside the cells, in line with them: {column} above or below, {row} left or right; null in the corners. */
export function edgeAt({ left, top, cell, rows, columns, first = CORNER }, px, py) {
  const column = Math.floor((px - left) / cell.width);
  const row = Math.floor((py - top) / cell.height);
  const isColumn = column >= 0 && column < columns;
  if (isColumn === (row >= 0 && row < rows)) return null;
  return isColumn ? { column: column + first.column } : { row: row + first.row };
}

/** The scroll that brings a cell into the window {x, y, width, height}, changed as little as can be. */
export function scrollTo({ left, top, cell }, { x, y, width, height }, { row, column }) {
  const inside = (now, from, to, room) => Math.max(Math.min(now, from), to - room);
  return {
    x: inside(x, column * cell.width, (column + 1) * cell.width, width - left - MARGIN.end),
    y: inside(y, row * cell.height, (row + 1) * cell.height, height - top - MARGIN.end),
  };
}

/**
 * The cells of which something is in the window, and where they lie in it.
 *
 * @param {Layout} layout @param {{x?: number, y?: number, width?: number, height?: number}} [window]
 */
export function inWindow(layout, { x = 0, y = 0, ...window } = {}) {
  const { left, top, cell, rows, columns, first = CORNER, width, height } = layout;
  const [wide, high] = [Math.min(window.width ?? width, width), Math.min(window.height ?? height, height)];
  return {
    width: wide,
    height: high,
    row: first.row + Math.floor(y / cell.height),
    rowEnd: first.row + Math.min(rows, Math.ceil((y + high - top) / cell.height)),
    column: first.column + Math.floor(x / cell.width),
    columnEnd: first.column + Math.min(columns, Math.ceil((x + wide - left) / cell.width)),
    x: (column) => left + (column - first.column) * cell.width - x,
    y: (row) => top + (row - first.row) * cell.height - y,
  };
}

const measured = new WeakMap(); // by a list of labels

/** The widest of them, in px. */
function widest(labels) {
  if (!labels?.length) return LEAST_NAME;
  if (!measured.has(labels)) {
    const context = new OffscreenCanvas(1, 1).getContext("2d");
    context.font = FONT;
    const widths = labels.map((text) => context.measureText(text).width);
    measured.set(labels, Math.ceil(widths.reduce((most, width) => Math.max(most, width), LEAST_NAME)));
  }
  return measured.get(labels);
}

export { FONT, MARGIN };
