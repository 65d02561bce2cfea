// A table of roles: the score of one head in each, and what uniform attention would score.

import { make } from "../base/dom.mjs";
import { certain } from "../base/text.mjs";
import { fillTable, table } from "./table.mjs";

const COLUMNS = [
  { name: "role", kind: "row" },
  { name: "score", kind: "text" },
  { name: "by chance", kind: "number" },
];

export const roleTable = () =>
  table({ label: "What the chosen head scores in each role", className: "hs-roles", columns: COLUMNS, rows: [] });

export function fillRoles(element, roles, layer, head) {
  fillTable(element, { columns: COLUMNS, rows: roles.map((role) => row(role, layer, head)) });
}

/** What a role means, for a list of terms; `name` is how it is written there. */
export function roleMeaning({ name, sentence, source, threshold, baseline }, written = name) {
  const isUniform = baseline > 0.9995; // what uniform attention is, there is no way up from it
  const least = isUniform
    ? `a score of at least ${threshold.toFixed(2)}`
    : `at least ${Math.round(100 * threshold)}% of the way from chance to 1`;
  return [make("dt", { text: written }), make("dd", { text: `${sentence} Badge: ${least}. (${source})` })];
}

/** `off`: how far scores that were recorded may be off. */
function row({ name, scores, lifts, threshold, baseline, off = 0 }, layer, head) {
  const score = scores[layer][head];
  const fill = make("span", { className: "hs-fill", style: `width: ${Math.max(0, Math.min(1, score)) * 100}%` });
  const wears = lifts[layer][head] >= threshold;
  const bar = [
    make("span", { className: "hs-track" }, fill),
    make("span", { className: "hs-number", text: certain(score, off, 3) }),
  ];
  return { className: wears ? "hs-marked" : "", cells: [wears ? `★ ${name}` : name, bar, certain(baseline, off, 3)] };
}
