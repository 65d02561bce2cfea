// The tree as it is drawn: a column for each token's place, a row for each branch; shared beginnings appear once. And
// the same as a nested list.

import { label, visible } from "../base/text.mjs";
import { html, nothing } from "../vendor/lit-html.mjs";
import { neighbour, rows } from "./tree.mjs";
import { nodeTitle, PAGE } from "./words.mjs";

const NAMED = 18; // letters of a token in the tree

export function treePicture(tree, onGo) {
  const walked = new Set([tree.root, ...tree.path()]);
  const placed = rows(tree);
  const row = new Map(placed.map(({ node, row }) => [node, row]));
  const onKey = (event) => {
    const node = placed.find(({ node }) => String(node.number) === event.target.dataset.node)?.node;
    const next = node && neighbour(tree, node, event.key);
    if (!next) return;
    event.preventDefault();
    onGo(next);
  };
  const cell = ({ node }) => {
    const place = area(node.depth, row.get(node), row.get(node));
    const elbow = html`<span class="hs-elbow" style=${area(node.depth, row.get(node.parent), row.get(node))}></span>`;
    return html`${isFork(node) ? elbow : nothing}${chip(tree, node, walked, place, onGo)}`;
  };
  return html`<div class="hs-tree" role="group" aria-label=${PAGE.treeLabel} @keydown=${onKey}
    >${placed.map(cell)}</div>`;
}

/** Whether a node begins a branch of its own. */
export const isFork = (node) => node.parent !== null && node.parent.children[0] !== node;

function area(column, from, to) {
  return `grid-column: ${column + 1}; grid-row: ${from + 1} / ${to + 2}`;
}

function chip(tree, node, walked, place, onGo) {
  const isHere = node === tree.at;
  const marks = [
    !node.token && "hs-root",
    walked.has(node) && "hs-walked",
    isHere && "hs-here",
    node.how === "hand" && "hs-by-hand",
  ];
  const line = html`<i></i>`;
  return html`<span
    class="hs-node${isFork(node) ? " hs-forked" : ""}${node.children.length ? "" : " hs-tip"}"
    style=${place}
  >${node.parent ? line : nothing}<button
    type="button"
    dir="auto"
    data-node=${node.number}
    tabindex=${isHere ? 0 : -1}
    class="hs-token ${marks.filter(Boolean).join(" ")}"
    aria-current=${isHere ? "true" : nothing}
    title=${node.token ? nodeTitle(node) : PAGE.root}
    @click=${() => onGo(node)}
  >${node.token ? nameOf(node.token) : PAGE.start}</button>${line}</span>`;
}

export function nameOf(token) {
  const letters = [...(token.special ? label(token) : visible(token.text))];
  return letters.length > NAMED ? `${letters.slice(0, NAMED - 1).join("")}…` : letters.join("");
}

/** For readers: each list continues the tokens above it; a run without a fork is one entry. */
export function treeList(tree, nodes = tree.root.children) {
  const entry = (first) => {
    const run = [first];
    while (run.at(-1).children.length === 1) run.push(run.at(-1).children[0]);
    const { children } = run.at(-1);
    const text = run.map(({ token }) => nameOf(token)).join("");
    return html`<li dir="auto" aria-current=${run.includes(tree.at) ? "true" : nothing}
      ><span>${text}</span>${children.length ? treeList(tree, children) : nothing}</li>`;
  };
  return html`<ul>${nodes.map(entry)}</ul>`;
}
