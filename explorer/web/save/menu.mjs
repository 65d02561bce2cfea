// The menu of the Explore page: what belongs to the text, and the picture and the numbers of each view in sight.

import { make } from "../base/dom.mjs";
import { store } from "../state/store.mjs";
import { menu } from "../ui/menu.mjs";
import { buttons, OF_TEXT, OF_VIEW, saveNote } from "./save.mjs";
import { SAVE } from "./words.mjs";

export function mount(element) {
  const views = make("div", { className: "hs-save-views" });
  const note = saveNote();
  const { button, panel } = menu(SAVE.menu, {}, line(SAVE.text, OF_TEXT, note), views, note);
  element.append(button, panel);
  panel.addEventListener("beforetoggle", () => {
    note.replaceChildren();
    views.replaceChildren(...inSight().map((view) => line(nameOf(view), OF_VIEW, note, view)));
  });
  store.subscribe(element, () => {}, null, false); // it is ready with the first text
}

function inSight() {
  const all = /** @type {HTMLElement[]} */ ([...document.querySelectorAll('.hs-view[data-saves="menu"]')]);
  return all.filter((view) => view.checkVisibility());
}

/** Its heading; where it has none, what it is: "surgery_view" is "Surgery". */
function nameOf(view) {
  const name = view.dataset.view.replace("_view", "");
  return view.querySelector("h2")?.textContent || name[0].toUpperCase() + name.slice(1);
}

function line(label, actions, note, view = null) {
  const name = make("span", { className: "hs-save-label", text: label });
  const of = view && { "data-of": view.dataset.view };
  return make(
    "div",
    { className: "hs-save-line", role: "group", "aria-label": label, ...of },
    name,
    ...buttons(actions, note, view),
  );
}
