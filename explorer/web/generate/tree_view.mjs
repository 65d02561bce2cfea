// The tree as it is drawn: a column for each token's place, a row for each way to go on; what two ways have in common
// stands once. And the same as a nested list.

import { make } from "../base/dom.mjs";
import { neighbour, rows } from "./tree.mjs";
import { label, probability, visible } from "../base/text.mjs";

const NAMED = 18; // letters of a token in the tree

export function treePicture(tree, onGo) {
  const walked = new Set([tree.root, ...tree.path()]);
  const placed = rows(tree);
  const row = new Map(placed.map(({ node, row }) => [node, row]));
  const grid = make("div", {
    className: "hs-tree",
    role: "group",
    "aria-label": "Everything that was written; arrow keys walk, Enter goes there",
  });
  for (const { node } of placed) {
    const cell = chip(tree, node, walked, onGo);
    at(cell, node.depth, row.get(node), row.get(node));
    if (node.parent && node.parent.children[0] !== node) grid.append(elbow(node, row));
    grid.append(cell);
  }
  grid.addEventListener("keydown", (event) => {
    const node = placed.find(({ node }) => String(node.number) === event.target.dataset.node)?.node;
    const next = node && neighbour(tree, node, event.key);
    if (!next) return;
    event.preventDefault();
    onGo(next, true);
  });
  return grid;
}

function chip(tree, node, walked, onGo) {
  const here = node === tree.at;
  const button = make("button", {
    type: "button",
    dir: "auto",
    text: node.token ? nameOf(node.token) : "your text",
    "data-node": node.number,
    tabindex: here ? 0 : -1,
    className: [
      "hs-token",
      !node.token && "hs-root",
      walked.has(node) && "hs-walked",
      here && "hs-here",
      node.how === "hand" && "hs-by-hand",
    ]
      .filter(Boolean)
      .join(" "),
    "aria-current": here ? "true" : null,
    title: node.token ? about(node) : "the text that all of this goes on from",
    onclick: () => onGo(node),
  });
  const forked = node.parent && node.parent.children[0] !== node;
  return make(
    "span",
    { className: `hs-node${forked ? " hs-forked" : ""}${node.children.length ? "" : " hs-tip"}` },
    ...(node.parent ? [make("i")] : []),
    button,
    make("i"),
  );
}

/** The line from a parent down to a child that is not its first. */
function elbow(node, row) {
  const line = make("span", { className: "hs-elbow" });
  at(line, node.depth, row.get(node.parent), row.get(node));
  return line;
}

function at(element, column, from, to) {
  element.style.gridColumn = column + 1;
  element.style.gridRow = `${from + 1} / ${to + 2}`;
}

function about(node) {
  const p = node.logprob === null ? "" : `probability ${probability(Math.exp(node.logprob))}, `;
  return `token ${node.depth}: ${p}${{ draw: "drawn", hand: "chosen by hand" }[node.how] ?? `written by ${node.how}`}`;
}

export function nameOf(token) {
  const letters = [...(token.special ? label(token) : visible(token.text))];
  return letters.length > NAMED ? `${letters.slice(0, NAMED - 1).join("")}…` : letters.join("");
}

/** For readers: each list goes on behind the tokens above it; a run without a fork is one entry. */
export function treeList(tree) {
  const list = (nodes) =>
    make(
      "ul",
      {},
      ...nodes.map((first) => {
        const run = [first];
        while (run.at(-1).children.length === 1) run.push(run.at(-1).children[0]);
        const entry = make("li", { dir: "auto", text: run.map(({ token }) => nameOf(token)).join("") });
        if (run.includes(tree.at)) entry.setAttribute("aria-current", "true");
        const { children } = run.at(-1);
        if (children.length) entry.append(list(children));
        return entry;
      }),
    );
  return list(tree.root.children);
}
