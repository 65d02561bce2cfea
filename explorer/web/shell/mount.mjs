// Puts views on the elements that Gradio has made for them. The code of a page is loaded when it is first opened, and
// nothing of a page is seen before it is right: see loading.css.

import { FIRST } from "../state/fields.mjs";
import { onPage, page } from "../state/pages.mjs";
import { store } from "../state/store.mjs";
import { LOST } from "./words.mjs";

const SAVERS = { below: "save/save.mjs" }; // what adds "Save", by where it is
const PATIENCE_MS = 10_000; // then what is there is shown, whatever is missing

/**
 * @param {HTMLElement} holder Gradio's element; the view's own in it says its module, its page, and where it is saved
 * @param {{props: object}} gradio what Gradio gives a component
 */
export async function mount(holder, gradio) {
  const element = /** @type {HTMLElement} */ (holder.querySelector(".hs-view"));
  const { module, on, saves } = element.dataset;
  if (on) await opened(on);
  try {
    (await import(`../${module}`)).mount(element, gradio);
    if (SAVERS[saves]) (await import(`../${SAVERS[saves]}`)).attach(element);
  } catch (problem) {
    element.dataset.error = LOST;
    throw problem;
  }
}

function opened(name) {
  if (page() === name) return Promise.resolve();
  return new Promise((done) => onPage((now) => now === name && done(null)));
}

/** Let the page be seen as soon as its views are drawn. */
export function showWhenDrawn() {
  const shown = () => (document.body.dataset.drawn = "true");
  const observer = new MutationObserver(() => {
    if (!isDrawn()) return;
    observer.disconnect();
    shown();
  });
  observer.observe(document.body, {
    subtree: true,
    childList: true,
    attributes: true,
    attributeFilter: ["data-ready", "data-error", "data-waiting", "data-seq"],
  });
  const views = document.getElementsByClassName("hs-view");
  const isLoading = () => views.length > 1 && page() !== FIRST; // the first screen stands already
  const wait = () => setTimeout(isLoading() ? shown : wait, PATIENCE_MS);
  wait(); // Gradio itself may take its time
}

const SAYS_WHY_NOT = '[data-waiting="true"], [data-error]:not([data-error=""])';

/** Whether all that is on the open page is drawn, or says what is wrong. */
function isDrawn() {
  if (document.querySelector('#problem [data-error]:not([data-error=""])')) return true;
  if (store.asked) return false; // the text that the address names is on its way
  const all = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(`#page-${page()} .hs-view`)]);
  const views = all.filter((view) => view.checkVisibility());
  const isOfNow = ({ dataset }) => dataset.ready === "true" && Number(dataset.seq ?? store.seq) >= store.seq;
  return views.length > 0 && views.every((view) => view.matches(SAYS_WHY_NOT) || isOfNow(view));
}
