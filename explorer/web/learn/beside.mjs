// What stands beside tensors: bars, large numbers, what Python said, and the map of all tokens.

import { make } from "../base/dom.mjs";
import { fixed, visible } from "../base/text.mjs";
import { table } from "../ui/table.mjs";
import { withNouns } from "./nouns.mjs";
import { tokenMap } from "./map/map.mjs";

const DRAWN = { bars, facts, message, map: tokenMap };

export function otherShown(item) {
  return DRAWN[item.kind](item);
}

function bars({ title, names, series, decimals, unit, full, by_row, words, marks }) {
  const labels = Object.keys(series);
  const least = 10 ** -decimals; // what is rounded to nothing fills no bar
  const largest = Math.max(...Object.values(series).flat(), 1e-9);
  const topOf = (i) => (by_row ? Math.max(...labels.map((label) => series[label][i]), least) : (full ?? largest));
  const bar = (value, top) => {
    const share = Math.min(1, Math.max(0, value) / top);
    const fill = make("span", { className: "hs-fill", style: `width: ${share * 100}%` });
    const number = make("span", { className: "hs-number", text: fixed(value, decimals) + (unit && ` ${unit}`) });
    return [make("span", { className: "hs-track" }, fill), number];
  };
  const row = (name, i) => ({
    className: marks.includes(i) ? "hs-marked" : "",
    cells: [
      visible(name),
      ...labels.map((label) => bar(series[label][i], topOf(i))),
      ...Object.values(words).map((column) => visible(column[i])),
    ],
  });
  const heads = [...labels, ...Object.keys(words)].map((name) => ({ name, kind: "text" }));
  return make(
    "figure",
    { className: "hs-beside hs-lesson-bars" },
    make("figcaption", { text: title }),
    table({ label: title, columns: [{ name: "", kind: "row" }, ...heads], rows: names.map(row) }),
  );
}

function facts({ facts }) {
  return make(
    "dl",
    { className: "hs-beside hs-facts" },
    ...facts.map(([what, value, tone]) =>
      make(
        "div",
        { className: tone ? `hs-${tone}` : "" },
        make("dt", { text: what }),
        make("dd", { className: "hs-number", text: visible(value) }),
      ),
    ),
  );
}

function message({ text, words, links }) {
  const box = make("div", { className: "hs-beside hs-message" });
  if (text) box.append(make("pre", { text }));
  if (words) box.append(make("p", {}, ...withNouns(words)));
  if (links.length)
    box.append(
      make(
        "ul",
        {},
        ...links.map(([href, said]) =>
          make("li", {}, make("a", { href, target: "_blank", rel: "noreferrer", text: said })),
        ),
      ),
    );
  return box;
}
