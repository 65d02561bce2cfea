// How a cell came to be, written out with its numbers. Pure: no DOM.
// Operands name their dimensions by letters; a letter of the panel is fixed by the cell, the one summed over runs.

import { fixed } from "../base/text.mjs";
import { flatOf, indexOf } from "./geometry.mjs";

const CHARACTER = 7.2; // px, of a digit in a cell
const SQUEEZED = 1.15; // how much wider than its cell a number may be: it is drawn narrower

/** The array behind a key of the payload: {data, shape}. */
export function read(payload, key) {
  return payload.arrays[key];
}

/**
 * Everything there is to say of one cell:
 * {name, index, value, where, lines: [string], terms: {head: [string], rows: [[string]]}, lit: [[name, flat numbers]]}.
 */
export function explain(payload, panel, flat) {
  const { data, shape } = read(payload, panel.values);
  const index = indexOf(flat, shape);
  const hidden = panel.hidden !== null && read(payload, panel.hidden).data[flat] === 1;
  const told = {
    name: panel.name,
    index,
    value: data[flat],
    hidden,
    where: nameOf(panel, index),
    lines: [],
    terms: null,
    lit: [],
    decimals: panel.decimals === 0 ? 0 : 4,
  };
  if (panel.tape)
    Object.assign(told, { place: placeOf(panel.tape, index) }, { lines: [strideLine(panel.tape, index)] });
  if (!panel.formula) return told;
  const { lines, ...more } = KINDS[panel.formula.kind](payload, panel, index, told);
  return Object.assign(told, more, { lines: [...told.lines, ...lines] });
}

/** With so many decimals; what they cannot show of a small number is shown by its exponent. */
export function number(value, decimals = 4) {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "-∞";
  const vanishes = value !== 0 && decimals >= 3 && Math.abs(value) < 0.5 * 10 ** -decimals;
  return vanishes ? value.toExponential(1) : fixed(value, decimals);
}

/** A number inside a cell: one that is far too long for it by its power of ten. */
export function inCell(value, decimals, { cw, large }) {
  const text = number(value, decimals);
  const fits = text.length * CHARACTER * large <= cw * SQUEEZED || Math.abs(value) < 1e4 || decimals === 0;
  return fits ? text : value.toExponential(1).replace(".0", "").replace("+", "");
}

function nameOf(panel, index) {
  return panel.where.replace(/\{(\d)\}/g, (_, d) => index[d]);
}

export function placeOf({ strides, offset }, index) {
  return index.reduce((place, i, d) => place + i * strides[d], offset);
}

function strideLine(tape, index) {
  const parts = index.map((i, d) => `${i}·${tape.strides[d]}`);
  return `place in memory = ${tape.offset} + ${parts.join(" + ")} = ${placeOf(tape, index)}`;
}

const KINDS = {
  products(payload, panel, index, _told) {
    const { a, b, bias, over } = panel.formula;
    const [left, right] = [reader(payload, panel, index, a), reader(payload, panel, index, b)];
    const size = left.size(over);
    const rows = [];
    let sum = 0;
    for (let k = 0; k < size; k++) {
      const [x, y] = [left.at({ [over]: k }), right.at({ [over]: k })];
      sum += x * y;
      rows.push([left.name({ [over]: k }), number(x), right.name({ [over]: k }), number(y), number(x * y)]);
    }
    const more = bias ? reader(payload, panel, index, bias) : null;
    const end = more ? `, plus the bias ${more.name({})} = ${number(more.at({}))}` : "";
    return {
      lines: [
        `sum of ${size} products ${a.name} × ${b.name} = ` +
          `${number(sum)}${end}${more ? ` gives ${number(sum + more.at({}))}` : ""}`,
      ],
      terms: { head: [a.name, "", b.name, "", "product"], rows },
      lit: [[a.name, left.cells(over)], [b.name, right.cells(over)], ...(more ? [[bias.name, more.cells("")]] : [])],
    };
  },
  quotient(payload, panel, index) {
    const { a, number: by, number_text } = panel.formula;
    const one = reader(payload, panel, index, a);
    return {
      lines: [`${one.name({})} / ${number_text} = ${number(one.at({}))} / ${number(by)} = ${number(one.at({}) / by)}`],
      lit: [[a.name, one.cells("")]],
    };
  },
  product: (payload, panel, index, told) => pair(payload, panel, index, told, "×", (x, y) => x * y),
  sum: (payload, panel, index, told) => pair(payload, panel, index, told, "+", (x, y) => x + y),
  difference: (payload, panel, index, told) => pair(payload, panel, index, told, "-", (x, y) => x - y),
  ratio: (payload, panel, index, told) => pair(payload, panel, index, told, "/", (x, y) => x / y),
  power(payload, panel, index) {
    const { a, number: most } = panel.formula;
    const one = reader(payload, panel, index, a);
    const from = `e^(${number(one.at({}))} - ${number(most)})`;
    return {
      lines: [`e^(${one.name({})} - largest) = ${from} = ${number(Math.exp(one.at({}) - most))}`],
      lit: [[a.name, one.cells("")]],
    };
  },
  hidden(payload, panel, index, told) {
    const one = reader(payload, panel, index, panel.formula.a);
    const line = told.hidden
      ? `hidden: ${number(one.at({}))} becomes -∞, and e^-∞ is 0`
      : `visible: stays ${number(one.at({}))}`;
    return { lines: [line], lit: [[panel.formula.a.name, one.cells("")]] };
  },
  copy(payload, panel, index, told) {
    const one = reader(payload, panel, index, panel.formula.a);
    return {
      lines: [`the same number as ${one.name({})} = ${number(one.at({}), told.decimals)}`],
      lit: [[panel.formula.a.name, one.cells("")]],
    };
  },
  softmax(payload, panel, index, _told) {
    const { a, over } = panel.formula;
    const one = reader(payload, panel, index, a);
    const scores = Array.from({ length: one.size(over) }, (_, k) => one.at({ [over]: k }));
    const most = Math.max(...scores);
    const powers = scores.map((score) => Math.exp(score - most));
    const sum = powers.reduce((x, y) => x + y, 0);
    const own = one.at({});
    const line = a.letters.endsWith(over) ? "row" : "column";
    return {
      lines: [
        `largest of the ${line}: ${number(most)}; sum of all e^(score - largest): ${number(sum)}`,
        `e^(${number(own)} - ${number(most)}) / ${number(sum)} = ${number(Math.exp(own - most))} / ` +
          `${number(sum)} = ${number(Math.exp(own - most) / sum)}`,
      ],
      terms: {
        head: ["score", "", "minus largest", "e^…", "share"],
        rows: scores.map((score, k) => [
          one.name({ [over]: k }),
          number(score),
          number(score - most),
          number(powers[k]),
          number(powers[k] / sum),
        ]),
      },
      lit: [[a.name, one.cells(over)]],
    };
  },
};

function pair(payload, panel, index, told, sign, result) {
  const { a, b } = panel.formula;
  const [x, y] = [reader(payload, panel, index, a), reader(payload, panel, index, b)];
  const written = (value) => number(value, told.decimals);
  const line =
    `${x.name({})} ${sign} ${y.name({})} = ${written(x.at({}))} ${sign} ${written(y.at({}))} = ` +
    `${written(result(x.at({}), y.at({})))}`;
  return {
    lines: [line],
    lit: [
      [a.name, x.cells("")],
      [b.name, y.cells("")],
    ],
  };
}

/** An operand, read at the cell `index` of the panel, sizes of 1 broadcast; `more` overrides letters, as {D: 3}. */
function reader(payload, panel, index, operand) {
  const { data, shape } = read(payload, operand.values);
  const letters = [...operand.letters];
  const fixed = Object.fromEntries(panel.letters.map((letter, d) => [letter, index[d]]));
  const place = (more) => letters.map((letter, d) => (shape[d] === 1 ? 0 : (more[letter] ?? fixed[letter] ?? 0)));
  return {
    at: (more) => data[flatOf(place(more), shape)],
    name: (more) => `${operand.name}[${place(more).join(", ")}]`,
    size: (letter) => shape[letters.indexOf(letter)],
    cells: (over) => {
      const count = over ? shape[letters.indexOf(over)] : 1;
      return Array.from({ length: count }, (_, k) => flatOf(place(over ? { [over]: k } : {}), shape));
    },
  };
}
