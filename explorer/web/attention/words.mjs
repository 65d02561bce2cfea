// What a picture of attention shows, in sentences and tables. Whatever is cut of a text is cut for reading only.

import { make } from "../base/dom.mjs";
import { label, probability, quoted } from "../base/text.mjs";
import { given, received } from "../patterns/marginals.mjs";
import { LEAST_LEFT } from "../patterns/sink.mjs";
import { table } from "../ui/table.mjs";

const VERBS = {
  looks: { one: "looks at", row: "looks most at", column: "is looked at most by" },
  draws: { one: "draws on", row: "draws most on" },
};
const NAMED = 4; // tokens in the sentence

const named = (payload, place) => quoted(label(payload.tokens[place], 24));

/** A share with the decimals that are right, at most `most`. */
export function written(p, digits, most = 3) {
  return digits >= most && most === 3 ? probability(p) : p.toFixed(Math.min(digits, most));
}

/** The cell under the focus, with the tensor's name and index. */
export function cellText(payload, shown, query, key, title) {
  if (query === null || key === null)
    return [make("span", { text: "Hover over a cell or a token to read its number." })];
  const [from, to] = [named(payload, query), named(payload, key)];
  const state = shown.state(query, key);
  if (state === "far")
    return [make("span", { text: `${from} cannot see ${to}: it is too far back for this layer's window.` })];
  if (state === "later")
    return [make("span", { text: `${from} cannot see ${to}: it comes later, so the mask hides it.` })];
  if (state === "out")
    return [make("span", { text: `${from} ${VERBS.looks.one} ${to} too, but the first token is left out here.` })];
  if (state === "faint") return [make("span", { text: faint(payload, shown, query) })];
  return [
    make("span", { text: `${from} ${VERBS[shown.verb].one} ${to} with weight ` }),
    make("strong", { className: "hs-number", text: shown.at(query, key).toFixed(shown.digits(query)) }),
    make("code", { text: shown.name(query, key), title }),
  ];
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
    `${best.map(({ place, p, digits }) => `${named(payload, place)} ${written(p, digits)}`).join(", ")}.`
  );
}

function nothingSeen(payload, shown, column, token) {
  if (token === 0) return `${named(payload, token)} is the first token: it is left out.`;
  return column
    ? `Of every row that could look at ${named(payload, token)} almost nothing is left.`
    : faint(payload, shown, token);
}

function faint(payload, shown, query) {
  return (
    `Without the first token almost nothing is left of the row of ${named(payload, query)}: ` +
    `${shown.left(query).toFixed(4)}, less than ${LEAST_LEFT}. Shares of so little would be mostly rounding error, ` +
    "so none are shown."
  );
}

/** What hiding the first token does, and how much it had. */
export function sinkText(payload, shown, { column, token }) {
  const rule = shown.sumsToOne
    ? "The first token is left out, and what is left of each row is divided by its sum, so that it adds up to 1 again."
    : "The first token is left out, and what is left of each row of maxima is divided by its sum, so that it " +
      "adds up to 1.";
  const had = "the first token's share of the sum was";
  if (!column && token > 0)
    return `${rule} In the row of ${named(payload, token)}, ${had} ${probability(shown.first(token))}.`;
  if (shown.T < 2) return rule;
  let sum = 0;
  for (let query = 1; query < shown.T; query++) sum += shown.first(query);
  return `${rule} In the later rows, ${had} ${probability(sum / (shown.T - 1))} on average.`;
}

/** What the chosen token receives and gives. */
export function marginText(payload, shown, token) {
  const got = received(shown)[token];
  const name = named(payload, token);
  const count = shown.open ? shown.T : shown.T - token;
  const first = Number.isNaN(got)
    ? ""
    : `${name} receives ${probability(got)} on average from the ${count} ` +
      `${count === 1 ? "token that can see it: itself" : "tokens that can see it, itself among them"}. `;
  const parts = given(shown, token);
  if (!parts) return first.trim();
  const gives = givenWords(shown, token, parts);
  const keeps = `${gives.length ? "and keeps" : "keeps"} ${share(parts.itself, shown, token)} for itself`;
  const sentence = gives.length ? `It gives ${gives.join(", ")} ${keeps}` : `It ${keeps}`;
  return `${first}${sentence}${shown.sumsToOne || shown.hidden ? "." : ", as shares of its row's sum."}`;
}

/** What a token gives to others: to the first, and to the rest that it sees. */
function givenWords(shown, token, { first, others }) {
  const rest = shown.open ? "other" : shown.hidden ? "earlier" : "other earlier";
  const hasRest = shown.open || token > (shown.hidden ? 1 : 0);
  return [
    !shown.hidden && token > 0 && `${share(first, shown, token)} to the first token`,
    hasRest && `${share(others, shown, token)} to ${rest} tokens`,
  ].filter(Boolean);
}

const share = (p, shown, token) => written(p, shown.digits(token));

/** The rows of the chosen token as a table. */
export function readingTable(payload, { column, others }) {
  const rows = others.map(({ place, p, state, digits }) => [
    String(place),
    label(payload.tokens[place], 24),
    state === "seen" ? p.toFixed(digits) : STATES[state],
  ]);
  return numbersOf("Weights of the chosen token", ["place", column ? "query token" : "key token", "weight"], rows);
}

const STATES = { out: "left out", faint: "almost nothing is left" };

/** What every token receives and gives, as a table. */
export function marginTable(payload, shown) {
  const all = received(shown);
  const rows = payload.tokens.map((token, i) => {
    const parts = given(shown, i);
    const numbers = ["first", "others", "itself"].map((part) => (parts ? parts[part].toFixed(shown.digits(i)) : "–"));
    if (shown.hidden) numbers[0] = "left out";
    return [String(i), label(token, 24), Number.isNaN(all[i]) ? "–" : all[i].toFixed(4), ...numbers];
  });
  const names = ["place", "token", "receives", "gives to the first", "to others", "keeps"];
  return numbersOf("What every token receives and gives", names, rows);
}

/** A table whose second column names tokens. */
function numbersOf(label, /** @type {string[]} */ [place, name, ...numbers], rows) {
  return table({ label, columns: [{ name: place, kind: "text" }, { name, kind: "name" }, ...numbers], rows });
}
