// The words of the pictures of attention, to be read in one go; neuron_words.mjs tells a score step by step. Whatever
// is cut of a text is cut for reading only. Pure: no DOM.

import { byHand } from "../base/hand.mjs";
import { OFF } from "../base/payload.mjs";
import { certain, label, probability, quoted } from "../base/text.mjs";
import { given, offGiven, offReceived, received } from "../patterns/marginals.mjs";
import { LEAST_LEFT } from "../patterns/sink.mjs";

export const PAGE = {
  views: { matrix: "Matrix", lines: "Lines", flow: "Flow", neuron: "Neuron" },
  how: "How to draw it",
  rollout:
    "Rollout estimates how much of each token of the text is in the chosen token after the last layer. Each layer " +
    "becomes the matrix (mean over its heads + identity) / 2: half attention, half residual connection. These " +
    "matrices are multiplied, last · … · 0. The estimate uses attention alone and ignores values and MLPs " +
    "(Abnar and Zuidema 2020). It always includes the first token, because rollout sums over the whole text.",
  ofFlow: "computed from all patterns, layer by layer",
  ofTensor: "the tensors and the index this number comes from",
  hover: byHand("Hover over a cell or a token to read its number."),
  hoverCell: byHand("Hover over a cell to read its number."),
  row: "This row as a table",
  column: "This column as a table",
  weights: "Weights of the chosen token",
  margins: "What every token receives and gives",
  marginTable: "What every token receives and gives, as a table",
};

export const SETTINGS = {
  title: "Settings",
  label: "Settings of the picture",
  by: { one: "one head", mean: "mean", max: "maximum" },
  byLabel: "One head, or several combined",
  over: { heads: "this layer’s heads", layers: "this head, all layers", all: "all heads" },
  overLabel: "Heads that the mean or maximum covers",
  sameNumber:
    "Heads with the same number in different layers share nothing but the number: any similarity comes from the text.",
  read: { row: "where a token looks", column: "which tokens look at it" },
  readLabel: "How to read the chosen token",
  sink: "hide the first token",
  sinkHint:
    "Whatever the text, many heads put most of their weight on the first token. This resting place is called the " +
    "sink.",
  margins: "bars: what each token receives and gives",
};

export const LEGEND = {
  mask: "later tokens, hidden by the mask",
  out: "first token, left out",
  faint: "almost no weight is left in the row",
  receives: [
    "Bars under the matrix: what each token receives ",
    ", the mean over the tokens that can see it. A longer bar means more, on the color scale.",
  ],
  gives: ["Bars to the right of the matrix: what each token gives: ", "– together, the whole row."],
  parts: { first: "to the first token", others: "to other earlier tokens", itself: "to itself" },
  open: "to other tokens",
};

export const LINES = {
  heads: "Heads of this layer whose lines are drawn",
  hint: byHand(
    "Click a head to show or hide its lines. Double-click (or Shift+Enter) shows that head alone, and again shows " +
      "all heads. Double-click a token in the picture to do the same with its lines.",
  ),
  least: "weights from",
  sides: { "left-right": "left – right", "top-bottom": "top – bottom" },
  sidesLabel: "Where to put queries and keys",
  query: "query (looks)",
  key: "key (is looked at)",
  table: "Weights of the chosen token, head by head",
  unseen: { out: "left out", faint: "too little left", later: "hidden by the mask", far: "outside the window" },
};

export const NEURON = {
  order: "Order of the dimensions",
  orders: { place: "in order", size: "largest first" },
  ends: ["largest product", "smallest"],
  pair: "q, k and products of this pair as a table",
  pairTable: "q, k and their products, dimension by dimension",
  keys: "Every key of the chosen token",
  keysHint: byHand(
    "Each row is a key: teal dimensions pull the head there, brown ones push it away. Hover over a row to " +
      "see it in the picture; click to pin it.",
  ),
  exp: "exp(score − largest score of the row)",
};

export const STATES = { out: "left out", faint: "almost no weight is left" };

const VERBS = {
  looks: { one: "looks at", row: "looks most at", column: "is looked at most by" },
  draws: { one: "draws on", row: "draws most on" },
};
const NAMED = 4; // tokens in the sentence

const named = (payload, place) => quoted(label(payload.tokens[place], 24));

/** What is said of the cell under the focus; its number follows where it is seen. */
export function cellWords(payload, shown, query, key) {
  if (query === null || key === null) return PAGE.hover;
  const [from, to] = [named(payload, query), named(payload, key)];
  const state = shown.state(query, key);
  if (state === "far") return `${from} cannot see ${to}: it is too far back for this layer's window.`;
  if (state === "later") return `${from} cannot see ${to}: it comes later, so the mask hides it.`;
  if (state === "out") return `${from} ${VERBS.looks.one} ${to} too, but the first token is left out here.`;
  if (state === "faint") return faint(payload, shown, query);
  return `${from} ${VERBS[shown.verb].one} ${to} with weight `;
}

/** Where the chosen token looks most, or who looks most at it: the picture's text equivalent. */
export function readingText(payload, shown, { column, token, others }) {
  const name = named(payload, token);
  const verb = VERBS[shown.verb][column ? "column" : "row"];
  const seen = others.filter(({ state }) => state === "seen");
  if (!seen.length) return nothingSeen(payload, shown, column, token);
  const best = seen.sort((a, b) => b.p - a.p).slice(0, NAMED);
  return (
    `${name} ${verb} ` +
    `${best.map(({ place, p, off }) => `${named(payload, place)} ${probability(p, off)}`).join(", ")}.`
  );
}

function nothingSeen(payload, shown, column, token) {
  if (token === 0) return `${named(payload, token)} is the first token: it is left out.`;
  return column
    ? `Every row that could look at ${named(payload, token)} has almost no weight left.`
    : faint(payload, shown, token);
}

function faint(payload, shown, query) {
  return (
    `Without the first token, the row of ${named(payload, query)} has almost no weight left: ` +
    `${certain(shown.left(query), OFF * shown.T)}, less than ${LEAST_LEFT}. Shares of so little weight would be ` +
    "mostly rounding error, so none are shown."
  );
}

/** What hiding the first token does, and how much it had. */
export function sinkText(payload, shown, { column, token }) {
  const rule = shown.sumsToOne
    ? "The first token is left out, and the rest of each row is divided by its sum, so that it adds up to 1 again."
    : "The first token is left out, and the rest of each row of maxima is divided by its sum, so that it adds up to 1.";
  const had = "the first token's share of the sum was";
  if (!column && token > 0)
    return `${rule} In the row of ${named(payload, token)}, ${had} ${firstShare(shown, token, token)}.`;
  if (shown.T < 2) return rule;
  return `${rule} In the later rows, ${had} ${firstShare(shown, 1, shown.T - 1)} on average.`;
}

/** Of the rows from one query to another, the mean. */
function firstShare(shown, from, to) {
  let [sum, off] = [0, 0];
  for (let query = from; query <= to; query++) {
    const share = shown.first(query);
    sum += share;
    off += from === to ? shown.offShare(query, share) : Math.max(OFF, shown.offShare(query, share));
  }
  const count = to - from + 1;
  return probability(sum / count, off / count);
}

/** What the chosen token receives and gives. */
export function marginText(payload, shown, token) {
  const got = received(shown)[token];
  const name = named(payload, token);
  const count = shown.open ? shown.T : shown.T - token;
  const first = Number.isNaN(got)
    ? ""
    : `${name} receives ${probability(got, offReceived(shown, token))} on average from the ${count} ` +
      `${count === 1 ? "token that can see it: itself" : "tokens that can see it, including itself"}. `;
  const parts = given(shown, token);
  if (!parts) return first.trim();
  const offs = offGiven(shown, token, parts);
  const gives = givenWords(shown, token, parts, offs);
  const keeps = `${gives.length ? "and keeps" : "keeps"} ${probability(parts.itself, offs.itself)} for itself`;
  const sentence = gives.length ? `It gives ${gives.join(", ")} ${keeps}` : `It ${keeps}`;
  return `${first}${sentence}${shown.sumsToOne || shown.hidden ? "." : ", as shares of its row's sum."}`;
}

/** What a token gives to others: to the first, and to the rest that it sees. */
function givenWords(shown, token, { first, others }, offs) {
  const rest = shown.open ? "other" : shown.hidden ? "earlier" : "other earlier";
  const hasRest = shown.open || token > (shown.hidden ? 1 : 0);
  return [
    !shown.hidden && token > 0 && `${probability(first, offs.first)} to the first token`,
    hasRest && `${probability(others, offs.others)} to ${rest} tokens`,
  ].filter(Boolean);
}

export const pictureLabel = (title, T, said, reading) => `${title}: attention of ${T} tokens.${said} ${reading}`;
export const inSight = (part) => ` In view: ${part}.`;

// attention of one text to another

export const looksMost = (from, best) =>
  `${quoted(from)} looks most at ${best.map(({ name, p }) => `${quoted(name)} ${probability(p)}`).join(", ")}.`;
export const looksAt = (from, to) => `${quoted(from)} looks at ${quoted(to)} with weight `;

// lines

export const headLabel = (head) => `Head ${head}`;
export const lineTable = (isColumn) => `This ${isColumn ? "column" : "row"} of every head as a table`;

export function countText({ floor, lines, hidden, lost, off = 0 }, { least }) {
  const from = floor.toFixed(3);
  if (!hidden) return lines === 1 ? "The only line is drawn." : `All ${lines} lines are drawn.`;
  if (hidden === lines)
    return `No line is drawn: all ${lines} weights are below ${from}. Move the slider to the left to see them.`;
  if (floor > least / 1000)
    return (
      `The ${lines - hidden} strongest of ${lines} lines are drawn, and carry ` +
      `${certain(100 * (1 - lost), 100 * off, 1)}% of the weight; more lines at once would be unreadable. Choose a ` +
      "token to see all of its lines."
    );
  return (
    `${lines - hidden} of ${lines} lines are drawn; the ${hidden} below ${from} are not, and carry ` +
    `${certain(100 * lost, 100 * off, 1)}% of the weight.`
  );
}

/** What the lines of one head say. */
export function lineText(payload, name, { column, token, others }) {
  const seen = others.filter(({ state }) => state === "seen").sort((a, b) => b.p - a.p);
  const places = seen.slice(0, 3).map(({ place, p, off }) => `${named(payload, place)} ${probability(p, off)}`);
  const verb = VERBS.looks[column ? "column" : "row"];
  return `${name}: ${named(payload, token)} ${verb} ${places.join(", ") || "nothing that is shown"}.`;
}

// q and k; what is written signed is so already

export const pairLabel = (D, dot) =>
  `The ${D} numbers of q and of k, and their products. The left and right arrow keys read them one by one. ` +
  `The products sum to ${dot}.`;
export const keysTitle = (token) => `Every key of ${quoted(label(token, 24))}`;
export const expText = (max, total) =>
  `exp: e to the power of the score minus the row's largest score, ${max}. These numbers sum to ` +
  `${total.toFixed(3)}; each divided by this sum is a key's share.`;
export function maskedText(payload, query) {
  const later = payload.tokens.length - 1 - query;
  if (!later) return "";
  return (
    `${later === 1 ? "The token" : `The ${later} tokens`} after ${named(payload, query)} ` +
    `${later === 1 ? "is" : "are"} hidden by the mask: score −∞, share 0.`
  );
}
