// The first screen once Gradio is up: its links and its text open a page without loading anew. Before, they are plain
// links and a plain form, and need no code.

import { FIRST, writeAddress } from "../state/fields.mjs";
import { address } from "../state/history.mjs";

const isUp = () => document.querySelector('[data-view="prompt_view"][data-ready="true"]') !== null;

/** @param {HTMLElement} root */
export function wireStart(root) {
  address.speak([FIRST], () => ({})); // an address that is not understood becomes that of the first screen
  address.changed();
  root.addEventListener("click", (event) => {
    const link = event.target instanceof Element && event.target.closest("a");
    if (!link || !isUp() || event.ctrlKey || event.metaKey || event.shiftKey) return;
    follow(event, link.search);
  });
  root.addEventListener("submit", (event) => {
    if (!isUp()) return;
    const field = /** @type {HTMLInputElement} */ (root.querySelector("#start-text"));
    follow(event, writeAddress("", "explore", { text: field.value }));
  });
}

/** @param {Event} event @param {string} search */
function follow(event, search) {
  event.preventDefault();
  scrollTo({ top: 0, behavior: "instant" });
  address.follow(search);
}
