// The rows of a table of roles: the score of one head in each, and what uniform attention would score.

import { make } from "../base/dom.mjs";

export function roleRows(roles, layer, head) {
  return [heading(), ...roles.map((role) => row(role, layer, head))];
}

/** What a role means, for a list of terms; `name` is how it is written there. */
export function roleMeaning({ name, sentence, source, threshold }, written = name) {
  return [
    make("dt", { text: written }),
    make("dd", { text: `${sentence} A badge from ${threshold} of the way between chance and 1. (${source})` }),
  ];
}

function heading() {
  return make("tr", {}, ...["role", "score", "by chance"].map((text) => make("th", { scope: "col", text })));
}

function row({ name, scores, lifts, threshold, baseline }, layer, head) {
  const fill = make("span", { className: "hs-fill" });
  fill.style.width = `${Math.max(0, Math.min(1, scores[layer][head])) * 100}%`;
  const wears = lifts[layer][head] >= threshold;
  return make(
    "tr",
    { className: wears ? "hs-marked" : "" },
    make("th", { scope: "row", text: wears ? `★ ${name}` : name }),
    make(
      "td",
      {},
      make("span", { className: "hs-track" }, fill),
      make("span", { className: "hs-number", text: scores[layer][head].toFixed(3) }),
    ),
    make("td", { className: "hs-number", text: baseline.toFixed(3) }),
  );
}
