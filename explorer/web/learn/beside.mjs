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

function bars({ title, names, series, decimals, unit }) {
  const labels = Object.keys(series);
  const top = Math.max(...Object.values(series).flat(), 1e-9);
  const bar = (value) => {
    const fill = make("span", { className: "hs-fill", style: `width: ${(Math.max(0, value) / top) * 100}%` });
    const number = make("span", { className: "hs-number", text: fixed(value, decimals) + (unit && ` ${unit}`) });
    return [make("span", { className: "hs-track" }, fill), number];
  };
  return make(
    "figure",
    { className: "hs-beside hs-lesson-bars" },
    make("figcaption", { text: title }),
    table({
      label: title,
      columns: [{ name: "", kind: "row" }, ...labels.map((name) => ({ name, kind: "text" }))],
      rows: names.map((name, i) => [visible(name), ...labels.map((label) => bar(series[label][i]))]),
    }),
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
        make("dd", { className: "hs-number", text: value }),
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
