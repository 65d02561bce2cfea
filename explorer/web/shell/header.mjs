// Name, theme switch, keys, and the thin bar that moves while the model works.

import { make } from "../base/dom.mjs";
import { PAGES, onPage, page, showPage } from "../state/pages.mjs";

const KEYS = [
  ["Tab", "go from view to view"],
  ["← →", "in a lesson: the step before, the next one"],
  ["← → ↑ ↓", "in the grid: choose head and layer; in a matrix or tensor: move from cell to cell"],
  ["R", "in a lesson: play the movement again"],
  ["L", "in a lesson: large type for a lecture, and back"],
  ["Enter", "in the text: run; in a view: lock what is shown, again to let go"],
  ["H", "show or hide this list"],
];

export function mount(element) {
  const keys = keysDialog();
  const theme = make("button", {
    className: "hs-icon",
    type: "button",
    text: "☾",
    title: "Dark or light",
    "aria-label": "Switch between dark and light",
    onclick: switchTheme,
  });
  const help = make("button", {
    className: "hs-icon",
    type: "button",
    text: "?",
    title: "Keys (H)",
    "aria-label": "Show the keys",
    onclick: () => keys.showModal(),
  });
  element.append(
    make(
      "div",
      { className: "hs-brand" },
      make("strong", { text: "Headscope" }),
      make("span", { text: "see inside a real Transformer" }),
    ),
    pageLinks(),
    make("div", { className: "hs-header-buttons" }, theme, help),
    make("div", { className: "hs-busy", role: "progressbar", "aria-label": "The model is working" }),
    keys,
  );
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "h" || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target))
      return;
    if (keys.open) keys.close();
    else keys.showModal();
  });
  element.dataset.ready = "true";
}

function pageLinks() {
  const links = Object.entries(PAGES).map(([name, text]) =>
    make("a", {
      href: `?view=${name}`,
      text,
      "data-page": name,
      onclick: (event) => {
        if (event.ctrlKey || event.metaKey) return; // in a tab of its own
        event.preventDefault();
        showPage(name);
      },
    }),
  );
  const nav = make("nav", { className: "hs-pages", "aria-label": "Pages" }, ...links);
  const mark = () => {
    for (const link of links) link.toggleAttribute("aria-current", false);
    const current = links.find((link) => link.dataset.page === page());
    current?.setAttribute("aria-current", "page");
    if (current) nav.scrollLeft = current.offsetLeft - nav.offsetLeft; // on a phone not all of them have room
  };
  onPage(mark);
  requestAnimationFrame(mark);
  return nav;
}

function isTyping(target) {
  return target.closest?.("input, textarea, select, [contenteditable]") !== null;
}

function switchTheme() {
  document.body.classList.toggle("dark");
}

function keysDialog() {
  const dialog = make("dialog", { className: "hs-keys", "aria-label": "Keys" });
  const rows = KEYS.map(([key, what]) => make("tr", {}, make("th", { text: key }), make("td", { text: what })));
  dialog.append(
    make("h2", { text: "Keys" }),
    make("table", {}, ...rows),
    make("button", { type: "button", text: "Close", onclick: () => dialog.close() }),
  );
  return dialog;
}
