// What the server has said of a tree's nodes: the look at a token (the logits after it and what it attends to), the
// texts of a vocabulary, and the random numbers of a seed. Each is asked for once, when it is first needed.

import { ask } from "../state/ask.mjs";

const LOOKS = 60; // looks that are kept, some 60 KB each

export class Looks {
  #onNews;
  #onProblem;
  #kept = []; // nodes that have a look, the latest used last
  #numbers = new Map(); // by seed: the numbers, or null on the way
  #vocabularies = new Map(); // by model
  #isAsking = false;

  /** `onNews()` after each answer, `onProblem(sentence)` for one that cannot be. */
  constructor(onNews, onProblem) {
    this.#onNews = onNews;
    this.#onProblem = onProblem;
  }

  /** The texts of the model's tokens, or undefined while they are not known. */
  vocabulary(model) {
    return this.#vocabularies.get(model);
  }

  /** The look at a node, or null while it is on its way; it is asked for if `mayAsk`. */
  at(tree, node, mayAsk) {
    if (node.look) this.#kept = [...this.#kept.filter((one) => one !== node), node];
    else if (mayAsk && !this.#isAsking) this.#fetch(tree, node);
    return node.look ?? null;
  }

  async #fetch(tree, node) {
    this.#isAsking = true;
    try {
      const { model } = tree;
      if (!this.#vocabularies.has(model)) this.#vocabularies.set(model, await ask("vocabulary", { model }));
      node.look = await ask("look", tree.question(node));
      this.#kept.push(node);
      if (this.#kept.length > LOOKS) delete this.#kept.shift().look;
      this.#isAsking = false;
      this.#onNews();
    } catch ({ message }) {
      this.#onProblem(message); // asked again with the next thing that changes
      this.#isAsking = false;
    }
  }

  /** The number that the seed draws for the token at `depth` (the first is 1), or null while it is not known. */
  numberAt(seed, depth) {
    if (!this.#numbers.has(seed)) {
      this.#numbers.set(seed, null);
      const keep = ({ numbers }) => {
        this.#numbers.set(seed, numbers);
        this.#onNews();
      };
      ask("random_numbers", { seed }).then(keep, () => {}); // a seed that cannot be is said on writing
    }
    return this.#numbers.get(seed)?.[depth - 1] ?? null;
  }
}
