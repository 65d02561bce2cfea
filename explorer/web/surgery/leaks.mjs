// What leaked through a mask, in words. Pure: no DOM.

import { label, quoted, several } from "../base/text.mjs";

const LEAST_FALL = 0.005; // nats: less is said to be none

/**
 * `reach` (T*T): 2 where a query sees a key, 1 where it could know of it through others; losses (T-1) of the tokens
 * after the first; `swapped`: {places, losses}, at some of the places that could know their answer the loss with a
 * random token in its place. Returns {summary, lines}: the answers that could be seen first, the greatest fall of loss
 * before.
 */
export function leaks(tokens, reach, before, after, swapped) {
  const T = tokens.length;
  const later = (query, least) =>
    Array.from({ length: T - query - 1 }, (_, i) => query + 1 + i).filter((key) => reach[query * T + key] >= least);
  const places = tokens.map((_, query) => query).filter((query) => later(query, 1).length > 0);
  const answers = places.filter((query) => query + 1 < T && reach[query * T + query + 1] > 0);
  answers.sort((a, b) => after[a] - before[a] - (after[b] - before[b]));
  const others = places.filter((query) => !answers.includes(query));
  return {
    summary: summary(places.length, answers, T, before, after, swapped),
    lines: [
      ...answers.map((query) => answerLine(tokens, reach, query, before[query], after[query])),
      ...others.map((query) => otherLine(tokens, query, later(query, 1))),
    ],
  };
}

function summary(count, answers, T, before, after, swapped) {
  const first = `The future leaks: ${count} of ${T} positions could know of later tokens`;
  if (!answers.length) return `${first}, but none of the token it has to predict.`;
  const [was, now] = [before, after].map((losses) => meanAt(answers, (place) => losses[place]));
  const end =
    was - now >= LEAST_FALL
      ? `There the loss fell from ${was.toFixed(2)} to ${now.toFixed(2)} nats per token. ${why(before, after, swapped)}`
      : `There the loss did not fall (${was.toFixed(2)} before, ${now.toFixed(2)} now): this model was ` +
        "trained without such a mask, and never learned to read off the answer. A model that is trained with it " +
        "does.";
  return `${first}, and ${answers.length} of these of the very token they have to predict. ${end}`;
}

const meanAt = (places, loss) => places.reduce((sum, place, i) => sum + loss(place, i), 0) / places.length;

/** How much of the fall comes from the answers themselves: what is lost of it with a random token in their place. */
function why(before, after, { places, losses }) {
  const all = [...places];
  const [was, now] = [before, after].map((each) => meanAt(all, (place) => each[place]));
  const without = meanAt(all, (_, i) => losses[i]);
  const share = (without - now) / (was - now);
  const measured =
    `With a random token in place of the answer, it is ${without.toFixed(2)} ` +
    `(measured at ${several(all.length, "position")})`;
  if (was - now < LEAST_FALL) return `${measured}.`;
  if (share >= 1) return `${measured}: without the answer, there is no fall.`;
  if (share <= 0) return `${measured}: the fall does not come from reading the answer.`;
  const percent = Math.round(100 * share);
  return `${measured}: ${percent}% of the fall comes from reading the answer, the rest from the other changes.`;
}

function answerLine(tokens, reach, query, before, after) {
  const answer = name(tokens, query + 1);
  const how =
    reach[query * tokens.length + query + 1] === 2
      ? `could see ${answer} at position ${query + 1}`
      : `could know of ${answer} at position ${query + 1} through other tokens`;
  const fell =
    before - after >= LEAST_FALL
      ? `its loss fell from ${before.toFixed(2)} to ${after.toFixed(2)}`
      : `its loss did not fall (${before.toFixed(2)} before, ${after.toFixed(2)} now)`;
  return `Position ${query} (${name(tokens, query)}) ${how}, which is the token it has to predict; ${fell}.`;
}

function otherLine(tokens, query, keys) {
  const few = keys
    .slice(0, 4)
    .map((key) => `${name(tokens, key)} at position ${key}`)
    .join(", ");
  const more = keys.length > 4 ? ` and ${keys.length - 4} more` : "";
  const [where, what] = [`Position ${query} (${name(tokens, query)})`, `${few}${more}`];
  return `${where} could know of ${what}, but not of the token it has to predict.`;
}

const name = (tokens, i) => quoted(label(tokens[i], 24));
