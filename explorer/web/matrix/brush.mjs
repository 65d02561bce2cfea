// The part of a large square matrix that is drawn large: which it is, and where it goes. Pure: no DOM.
//
// As the focus and the address have it: "row.column.count", "whole", or "" for what suits text and room.

/**
 * @typedef {object} Square  so many rows and columns, from `row` and `column` on
 * @property {number} row
 * @property {number} column
 * @property {number} count
 *
 * @typedef {object} Sight  what decides which part is shown
 * @property {number} T  rows and columns of the whole
 * @property {number} most  of them that the room shows large enough to be read
 * @property {string} brush
 * @property {number|null} query  the chosen row
 * @property {number|null} key  the chosen column
 */

export const FEW = 40; // rows that are shown whole, whatever the room
export const WHOLE = "whole";
const LEAST = 6; // rows of a part
const STEP = 1.25; // from one size to the next

/** The square that a brush says; null for "". */
export function readBrush(brush, T) {
  if (brush === WHOLE) return { row: 0, column: 0, count: T };
  const [row, column, count] = brush.split(".").map(Number);
  return brush === "" ? null : inside({ row, column, count }, T);
}

export const writeBrush = ({ row, column, count }, T) => (count >= T ? WHOLE : [row, column, count].join("."));

/** The nearest square of whole rows in a matrix of T. */
export function inside({ row, column, count }, T) {
  const size = between(Math.min(LEAST, T), Math.round(count), T);
  const first = (at) => between(0, Math.round(at), T - size);
  return { row: first(row), column: first(column), count: size };
}

/** So many rows around a place. */
export const around = ({ row, column }, count, T) =>
  inside({ row: row - count / 2, column: column - count / 2, count }, T);

/** By `steps` larger, or smaller; its last row and column stay, where a causal row ends. */
export function sized({ row, column, count }, steps, T) {
  const size = between(Math.min(LEAST, T), Math.round(count * STEP ** steps), T);
  return inside({ row: row + count - size, column: column + count - size, count: size }, T);
}

/** From its first cell to another place. */
export function stretched({ row, column }, to, T) {
  const count = Math.max(to.row - row, to.column - column);
  return inside({ row, column, count: Math.min(count, T - Math.max(row, column)) }, T);
}

/**
 * Moved so that what was chosen is in it: a cell, by as little as can be; of a row alone its end, and of a column alone
 * its beginning, which lie on the diagonal.
 */
export function following(square, { query, key }, T) {
  const { row, column, count } = square;
  const has = (first, at) => at >= first && at < first + count;
  const hold = (first, at) => between(at - count + 1, first, at);
  if (query !== null && key !== null) return inside({ row: hold(row, query), column: hold(column, key), count }, T);
  if (query !== null && !(has(row, query) && column <= query))
    return inside({ row: query - count + 1, column: query - count + 1, count }, T);
  if (key !== null && !(has(column, key) && row + count > key)) return inside({ row: key, column: key, count }, T);
  return square;
}

/**
 * What is shown now: what the brush says, or what fits into the room and has the chosen row's end; it follows what is
 * chosen. `brush` says it anew, if it was not "".
 *
 * @param {Sight & {square: Square} | null} before  what this gave last
 * @param {Sight} now
 */
export function settled(before, now) {
  const { T, most, brush } = now;
  if (T <= FEW) return { ...now, square: readBrush(WHOLE, T) };
  const isSame = (...names) => before !== null && names.every((name) => before[name] === now[name]);
  const end = inside({ row: T, column: T, count: most }, T);
  const square = isSame("T", "most", "brush")
    ? isSame("query", "key")
      ? before.square
      : following(before.square, now, T)
    : (readBrush(brush, T) ?? following(end, now, T));
  return { ...now, square, brush: brush === "" ? "" : writeBrush(square, T) };
}

const between = (low, value, high) => Math.min(high, Math.max(low, value));
