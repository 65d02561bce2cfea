// What the header does: pages, theme, keys, and the thin bar that moves while the model works.

import { make } from "../base/dom.mjs";
import { onPage, page, showPage } from "../state/pages.mjs";
import { table } from "../ui/table.mjs";
import { glossaryList, wireTerms } from "../ui/terms.mjs";
import { HELP, KEYS } from "./words.mjs";

const CONTENT = '[id^="page-"], #start';

/** The header stands in the first HTML (header.html): here it learns what it does. */
export function wireHeader(element) {
  const keys = keysDialog();
  element.querySelector("#theme").addEventListener("click", switchTheme);
  element.querySelector("#help").addEventListener("click", () => keys.showModal());
  wireLinks(element);
  element.querySelector(".hs-skip").addEventListener("click", (event) => {
    event.preventDefault();
    const all = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(CONTENT)]);
    const content = all.find((found) => found.checkVisibility());
    content?.setAttribute("tabindex", "-1");
    content?.focus();
  });
  element.append(keys);
  wireTerms();
  document.addEventListener("keydown", (event) => {
    if (
      !["?", "h"].includes(event.key.toLowerCase()) ||
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      isTyping(event.target)
    )
      return;
    if (keys.open) keys.close();
    else keys.showModal();
  });
  element.dataset.ready = "true";
}

function wireLinks(element) {
  const links = [...element.querySelectorAll("a[data-page]")];
  for (const link of links) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // in a tab of its own
      event.preventDefault();
      showPage(link.dataset.page);
    });
  }
  const nav = element.querySelector("nav");
  const name = element.querySelector("h1");
  const mark = () => {
    for (const link of links) link.toggleAttribute("aria-current", false);
    const current = links.find((link) => link.dataset.page === page());
    current?.setAttribute("aria-current", "page");
    name.hidden = !current || current.closest("nav") !== nav; // the first screen has a heading of its own
    name.textContent = current?.textContent ?? "";
    if (current) nav.scrollLeft = current.offsetLeft - nav.offsetLeft; // on a phone not all of them have room
  };
  onPage(mark);
  mark();
}

/** One sentence under the header, until it is closed. */
export function notice(sentence) {
  const close = make("button", {
    className: "hs-link",
    type: "button",
    text: HELP.close,
    onclick: () => note.remove(),
  });
  const note = make("p", { id: "notice", className: "hs-view hs-hint", role: "status" }, `${sentence} `, close);
  document.getElementById("header").after(note);
}

function isTyping(target) {
  return target.closest?.("input, textarea, select, [contenteditable]") !== null;
}

/** The choice stands in the address, under the name by which Gradio knows it, too. */
function switchTheme() {
  const isDark = document.body.classList.toggle("dark");
  const url = new URL(location.href);
  url.searchParams.set("__theme", isDark ? "dark" : "light");
  history.replaceState(history.state, "", url);
}

function keysDialog() {
  const dialog = make("dialog", { className: "hs-keys", "aria-label": HELP.title });
  dialog.append(
    make("button", { type: "button", text: HELP.close, onclick: () => dialog.close() }),
    make("h2", { text: HELP.keys }),
    table({ label: HELP.keys, columns: [{ kind: "row" }, { kind: "text" }], rows: KEYS }),
    make("h2", { text: HELP.glossary }),
    glossaryList(),
  );
  return dialog;
}
