// A visitor's bar: what the teacher shows, a way there, and whether the page follows by itself. Nothing that somebody
// is writing is taken away: then the bar says it, and the page stays.

import { make } from "../base/dom.mjs";
import { FIELDS, readAddress, writeAddress } from "../state/fields.mjs";
import { address } from "../state/history.mjs";
import { promptText } from "../state/run.mjs";
import { store } from "../state/store.mjs";
import { VISITOR } from "./words.mjs";

const HEARD = "headscope.heard"; // of this tab: the point that was heard last
const STAYS = "headscope.stays"; // and whether it stays where it is
const FIELD = 'textarea, input:not([type="range"], [type="checkbox"], [type="radio"]), [contenteditable="true"]';

export class Visitor {
  constructor() {
    this.title = make("strong");
    this.box = make("input", { type: "checkbox", onchange: () => keep(STAYS, this.box.checked ? "" : "true") });
    this.box.checked = kept(STAYS) !== "true";
    this.bar = make(
      "aside",
      { className: "hs-class", "aria-label": VISITOR.label, hidden: "" },
      make("p", { role: "status" }, `${VISITOR.shows} `, this.title),
      make("button", { type: "button", text: VISITOR.go, onclick: () => this.go() }),
      make("label", {}, this.box, ` ${VISITOR.follow}`),
    );
    document.getElementById("header").after(this.bar);
  }

  /** @param {{id: string, search: string | null, title: string}} point */
  hear({ id, search, title }) {
    const isNew = id !== kept(HEARD);
    keep(HEARD, id);
    this.search = search;
    this.bar.hidden = search === null;
    if (search === null) return;
    this.title.textContent = title;
    if (isNew && this.box.checked && !isWriting()) this.go();
  }

  /** As a link of ours; before the page is up, as a plain one. */
  go() {
    const { page, values } = readAddress(this.search);
    const search = writeAddress(location.search, page, values);
    if (search === location.search) return;
    if (document.querySelector('[data-view="prompt_view"][data-ready="true"]')) address.follow(search);
    else location.replace(search || location.pathname);
  }
}

/** Whether somebody is in the middle of something: a text that no model has read yet, code, or a dialog. */
function isWriting() {
  if (document.querySelector("dialog[open]")) return true;
  const field = /** @type {HTMLInputElement | null} */ (document.activeElement?.closest(FIELD));
  if (field && !field.closest("#prompt") && (field.isContentEditable || field.value)) return true;
  const isOfText = "text" in FIELDS[document.body.dataset.page];
  return isOfText && store.payload !== null && !store.isAsking && promptText() !== store.payload.text;
}

function kept(name) {
  try {
    return sessionStorage.getItem(name);
  } catch {
    return null;
  }
}

function keep(name, value) {
  try {
    sessionStorage.setItem(name, value);
  } catch {
    // no storage allowed: it counts until the page is loaded anew
  }
}
