// Everything that a model wrote behind one text: a tree, because a text can be gone on with in several ways.
// Pure: no DOM. A node is a token behind its parent's; the root is the text itself.

export const MOST = 600; // nodes; beyond, the oldest tips are forgotten

let numbered = 0;

export class Tree {
  constructor(text, model = "") {
    this.text = text;
    this.model = model;
    this.root = { number: numbered++, parent: null, children: [], token: null, depth: 0, next: null };
    this.at = this.root;
    this.size = 1;
  }

  /** The child of `parent` with this token; made if there is none. `how`: what the page says of its choice. */
  add(parent, token, how) {
    let node = parent.children.find((child) => child.token.id === token.id);
    if (!node) {
      node = { number: numbered++, parent, children: [], token, ...how, depth: parent.depth + 1, next: null };
      parent.children.push(node);
      this.size += 1;
    }
    return node;
  }

  go(node) {
    this.at = node;
    for (let child = node; child.parent; child = child.parent) child.parent.next = child;
    while (this.size > MOST && this.forgetTip()) this.size -= 1;
  }

  /** From the first token to `node`, the root not among them. */
  path(node = this.at) {
    const nodes = [];
    for (let one = node; one.parent; one = one.parent) nodes.unshift(one);
    return nodes;
  }

  /** The node at the end of these ids, or undefined if nobody has walked there. */
  nodeAt(ids) {
    return ids.reduce((node, id) => node?.children.find(({ token }) => token.id === id), this.root);
  }

  ids(node = this.at) {
    return this.path(node).map(({ token }) => token.id);
  }

  /** What every question says: the text, its model, and the ids after it. */
  question(node = this.at) {
    return { text: this.text, model: this.model, written: this.ids(node) };
  }

  /** What was last walked after `at`. */
  ahead() {
    const nodes = [];
    for (let one = this.at.next; one; one = one.next) nodes.push(one);
    return nodes;
  }

  nodes() {
    const all = [];
    const visit = (node) => {
      all.push(node);
      node.children.forEach(visit);
    };
    visit(this.root);
    return all;
  }

  forgetTip() {
    const kept = new Set([this.root, ...this.path()]);
    const tips = this.nodes().filter((node) => node.children.length === 0 && !kept.has(node));
    const oldest = tips.reduce((found, node) => (!found || node.number < found.number ? node : found), null);
    if (!oldest) return false;
    const { parent } = oldest;
    parent.children = parent.children.filter((child) => child !== oldest);
    if (parent.next === oldest) parent.next = parent.children.at(-1) ?? null;
    return true;
  }
}

/** [{node, row}] from top to bottom: a first child goes on in its parent's row, each other one begins a row. */
export function rows(tree) {
  const placed = [];
  let row = 0;
  const visit = (node) => {
    placed.push({ node, row });
    node.children.forEach((child, i) => {
      if (i > 0) row += 1;
      visit(child);
    });
  };
  visit(tree.root);
  return placed;
}

/** The node that an arrow key leads to, or null: right to where one went before, up and down at the same depth. */
export function neighbour(tree, node, key) {
  if (key === "ArrowLeft") return node.parent;
  if (key === "ArrowRight") return node.next ?? node.children[0] ?? null;
  const step = { ArrowUp: -1, ArrowDown: 1 }[key];
  if (!step) return null;
  const level = rows(tree)
    .map((placed) => placed.node)
    .filter(({ depth }) => depth === node.depth);
  return level[level.indexOf(node) + step] ?? null;
}
