// What stands beside tensors: bars, large numbers, and what Python said.

import { make } from "../base/dom.mjs";
import { visible } from "../base/text.mjs";
import { withNouns } from "./nouns.mjs";

const DRAWN = { bars, facts, message };

export function otherShown(item) {
  return DRAWN[item.kind](item);
}

function bars({ title, names, series, decimals, unit }) {
  const labels = Object.keys(series);
  const top = Math.max(...Object.values(series).flat(), 1e-9);
  const rows = names.map((name, i) =>
    make(
      "tr",
      {},
      make("th", { scope: "row", dir: "auto", text: visible(name) }),
      ...labels.map((label) => {
        const fill = make("span", { className: "hs-fill" });
        fill.style.width = `${(Math.max(0, series[label][i]) / top) * 100}%`;
        return make(
          "td",
          {},
          make("span", { className: "hs-track" }, fill),
          make("span", { className: "hs-number", text: series[label][i].toFixed(decimals) + (unit && ` ${unit}`) }),
        );
      }),
    ),
  );
  const head = make("tr", {}, make("td"), ...labels.map((text) => make("th", { scope: "col", text })));
  return make(
    "figure",
    { className: "hs-beside hs-lesson-bars" },
    make("figcaption", { text: title }),
    make("table", {}, head, ...rows),
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
