// Attention as a matrix: what the head, or several as one, give, with bars of what each token receives and gives.

import { certain, labels } from "../base/text.mjs";
import { sequential, UNITS } from "../color/scale.mjs";
import { FEW, readBrush, WHOLE } from "../matrix/brush.mjs";
import { layoutOf } from "../matrix/layout.mjs";
import { drawMatrix } from "../matrix/matrix.mjs";
import { drawn } from "../patterns/drawn.mjs";
import { given, received } from "../patterns/marginals.mjs";
import { reading } from "../patterns/reading.mjs";

const LARGEST = 44; // px, the side of a cell
const NUMBERS_FROM = 34;
const NARROW = 420; // px
const [READ, TOUCHED] = [14, 22]; // px of a cell whose token can be read, and of one for fingers

/** The parts of what a token gives, from left to right, and their colours. */
export const PARTS = { first: "--hs-line", others: "--hs-faint", itself: "--hs-muted" };

/** A pure function of what is given: of a part, if the focus has a brush; returns the layout. */
export function drawWeights(canvas, { width, height = Infinity }, payload, focus, query, dark) {
  const shown = drawn(payload, focus);
  const { column, token } = reading(payload, { draw: "matrix", ...focus, query: focus.query ?? query }, shown);
  const { T, block } = shown;
  const { row: top, column: left, count } = readBrush(focus.brush || WHOLE, T);
  const sides = sidesOf(payload, count);
  return drawMatrix(canvas, {
    width,
    rows: { ...sides.rows, first: top },
    columns: { ...sides.columns, first: left },
    value: (row, key) => block[row * T + key],
    row: (row) => block.subarray(row * T, row * T + shown.last(row) + 1),
    scale: sequential(dark, { limit: UNITS }),
    hidden: (row, key) => ["later", "far"].includes(shown.state(row, key)),
    numbers: {
      write: (row, key) =>
        shown.state(row, key) === "seen" ? certain(shown.at(row, key), shown.off(row, key), 2).replace(/^0/, "") : "",
      from: NUMBERS_FROM,
    },
    focus: column ? { row: focus.query, column: token } : { row: token, column: focus.key },
    cells: { largest: LARGEST, within: height, least: width < NARROW && count <= FEW ? TOUCHED : 0 },
    ...(focus.margins === "on" && { margins: marginsOf(shown, width) }),
    ...(shown.hidden && { crossed: 1, empty: (row) => shown.state(row, row) === "faint" }),
  });
}

/** How many tokens a part may have so that each of its names can be read in the room. */
export function readable({ width, height = Infinity }, payload, focus) {
  const size = width < NARROW ? TOUCHED : READ;
  const one = layoutOf({
    width,
    ...sidesOf(payload, 1),
    cells: { size: { width: size, height: size } },
    ...(focus.margins === "on" && { margins: marginsOf(drawn(payload, focus), width) }),
  });
  return Math.floor(Math.min(width - one.width, height - one.height) / size) + 1;
}

function sidesOf({ tokens }, count) {
  const side = { count, labels: labels(tokens) };
  return { rows: { ...side, name: "queries" }, columns: { ...side, name: "keys" } };
}

function marginsOf(shown, width) {
  const all = received(shown);
  const parts = Object.keys(PARTS);
  const giving = (query) => {
    const shares = given(shown, query);
    return shares ? parts.map((part) => shares[part]) : [];
  };
  const root = (share) => Math.sqrt(share); // as the cells' colours, or all but the first token would have no bar
  return {
    head: 40,
    below: {
      name: "receives",
      size: 40,
      color: "--hs-faint",
      of: (key) => root(all[key]),
      crossed: shown.hidden && shown.T > 0 ? 1 : 0,
    },
    right: { name: "gives", size: width < NARROW ? 26 : 40, colors: Object.values(PARTS), of: giving },
  };
}
