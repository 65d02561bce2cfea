// What a picture of attention shows, as elements: the cell under the focus, and tables. Whatever is cut of a text is
// cut for reading only.

import { make } from "../base/dom.mjs";
import { certain, label } from "../base/text.mjs";
import { given, offGiven, offReceived, received } from "../patterns/marginals.mjs";
import { table } from "../ui/table.mjs";
import { cellWords, PAGE, STATES } from "./words.mjs";

/** The cell under the focus, with the tensor's name and index. */
export function cellText(payload, shown, query, key, title) {
  const words = make("span", { text: cellWords(payload, shown, query, key) });
  if (query === null || key === null || shown.state(query, key) !== "seen") return [words];
  return [
    words,
    make("strong", { className: "hs-number", text: certain(shown.at(query, key), shown.off(query, key)) }),
    make("code", { text: shown.name(query, key), title }),
  ];
}

/** The rows of the chosen token as a table. */
export function readingTable(payload, { column, others }) {
  const rows = others.map(({ place, p, state, off }) => [
    String(place),
    label(payload.tokens[place], 24),
    state === "seen" ? certain(p, off) : STATES[state],
  ]);
  return numbersOf(PAGE.weights, ["position", column ? "query token" : "key token", "weight"], rows);
}

/** What every token receives and gives, as a table. */
export function marginTable(payload, shown) {
  const all = received(shown);
  const rows = payload.tokens.map((token, i) => {
    const parts = given(shown, i);
    const offs = parts && offGiven(shown, i, parts);
    const numbers = ["first", "others", "itself"].map((part) => (parts ? certain(parts[part], offs[part]) : "–"));
    if (shown.hidden) numbers[0] = STATES.out;
    return [
      String(i),
      label(token, 24),
      Number.isNaN(all[i]) ? "–" : certain(all[i], offReceived(shown, i)),
      ...numbers,
    ];
  });
  const names = ["position", "token", "receives", "gives to the first", "to others", "keeps"];
  return numbersOf(PAGE.margins, names, rows);
}

/** A table whose second column names tokens. */
function numbersOf(label, /** @type {string[]} */ [place, name, ...numbers], rows) {
  return table({ label, columns: [{ name: place, kind: "text" }, { name, kind: "name" }, ...numbers], rows });
}
