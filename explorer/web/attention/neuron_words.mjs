// The neuron view in words: each step from q and k to the weight in a sentence, with its numbers and their names.

import { byHand } from "../base/hand.mjs";
import { make } from "../base/dom.mjs";
import { fixed, label, quoted } from "../base/text.mjs";

const NAMED = 3; // dimensions that the sentence tells

/** A number of either sign with three decimals. */
export function signed(value) {
  return fixed(value, 3).replace(/^-/, "−");
}

const text = (words) => make("span", { text: words });
const number = (value, digits = 3) =>
  make("strong", { className: "hs-number", text: fixed(value, digits).replace(/^-/, "−") });
const code = (name) => make("code", { text: name, title: "the tensor and the index this number comes from" });
const nameAt = ({ payload }, place) => quoted(label(payload.tokens[place], 24));

/** blocks.3.attn.q[0, 2, 8]: the batch's only text, the head, and then `index`. */
function tensor({ part, payload, focus: { layer, head } }, name, ...index) {
  const pattern = part.names[name] ?? payload.names.pattern.replace("pattern", name);
  const own = name === "k" ? Math.floor(head / part.shared) : head; // query heads may share a key head
  return `${pattern.replace("{layer}", layer)}[${[0, own, ...index].join(", ")}]`;
}

/** Which pair is shown, and why. */
export function firstText(at) {
  const { focus, query, key, pair } = at;
  const [from, to] = [nameAt(at, query), nameAt(at, key)];
  const head = `layer ${focus.layer}, head ${focus.head}`;
  const hides = key > query ? "comes later: the mask hides it" : "is too far back for this layer's window";
  if (pair.masked) return `Why does ${from} not attend to ${to} in ${head}? Because ${to} ${hides}.`;
  const why =
    focus.key === null ? ` This is the key that ${from} attends to most; choose another key in the table.` : "";
  return `How strongly does ${from} attend to ${to} in ${head}? Five steps lead to the weight.${why}`;
}

/** The nodes of the five steps. */
export function steps(at) {
  return [vectors(at), multiplied(at), added(at), scaled(at), at.pair.masked ? masked(at) : shared(at)];
}

function vectors(at) {
  const { query, key, row } = at;
  return [
    text(
      `The query q of ${nameAt(at, query)} says what it looks for; the key k of ${nameAt(at, key)} says what can ` +
        `be found there. Each has ${row.D} numbers. `,
    ),
    code(tensor(at, "q", query)),
    text(" "),
    code(tensor(at, "k", key)),
  ];
}

function multiplied(at) {
  const { products } = at.pair;
  const best = Array.from(products, (_, d) => d)
    .sort((a, b) => Math.abs(products[b]) - Math.abs(products[a]))
    .slice(0, NAMED);
  const said = best.map((d) => `${signed(products[d])} in dimension ${d}`).join(", ");
  return [
    text(
      "Multiply them number by number. Where both have the same sign, the product is positive (teal) and " +
        `pulls the head there; otherwise it is negative (brown) and pushes it away. Largest here: ${said}.`,
    ),
  ];
}

function added({ pair, row }) {
  return [text(`Add up the ${row.D} products: q · k = `), number(pair.dot)];
}

function scaled(at) {
  const { pair, row, query, key } = at;
  const parts = [text(scalingText(row)), number(pair.score)];
  return pair.masked ? parts : [...parts, text(" "), code(tensor(at, "scores", query, key))];
}

/** Most families divide by √D; some leave it to training, or divide by the layer's number too. */
export function scalingText({ D, scale }) {
  const root = Math.sqrt(D);
  if (Math.abs(scale * root - 1) < 1e-6)
    return `Divide by √${D} = ${root.toFixed(3)}; otherwise sums would grow with the number of dimensions: score = `;
  return scale === 1 ? "This model does not scale its scores: score = " : `Multiply by ${scale.toFixed(4)}: score = `;
}

function masked(at) {
  const { query, key } = at;
  const why = key > query ? `comes after ${nameAt(at, query)}` : "is too far back for this layer's window";
  return [
    make("span", { className: "hs-hatch hs-inline" }),
    text(
      ` The mask: ${nameAt(at, key)} ${why}, so its score becomes −∞ before the ` +
        "softmax, whatever q and k are. exp(−∞) = 0: its weight is ",
    ),
    number(0, 4),
    text(" "),
    code(tensor(at, "pattern", query, key)),
  ];
}

function shared(at) {
  const { pair, row, query, key } = at;
  const seen = row.keys.filter((one) => !one.masked).length;
  const count = seen === 1 ? "its only score" : `the ${seen} scores of the row`;
  return [
    text(
      `Softmax turns ${count} into shares of 1: exp(score − largest score) over the sum of all these = ` +
        `exp(${signed(pair.score)} − ${signed(row.max).replace(/^−.*/, "($&)")}) ÷ ${row.total.toFixed(3)} = `,
    ),
    number(pair.share, 4),
    text(", the weight shown in the matrix. "),
    code(tensor(at, "pattern", query, key)),
  ];
}

/** The numbers of the dimension that is pointed at. */
export function dimensionText(at) {
  const { dim, row, pair, query, key } = at;
  if (dim === null) return [text(byHand("Hover over a column to read its numbers; click to pin it."))];
  return [
    text(`Dimension ${dim}: q `),
    number(row.q[dim]),
    text(" × k "),
    number(pair.k[dim]),
    text(" = "),
    number(pair.products[dim]),
    text(" "),
    code(tensor(at, "q", query, dim)),
    text(" "),
    code(tensor(at, "k", key, dim)),
  ];
}
