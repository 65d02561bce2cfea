// What the chosen head does, measured on standard tests: a score for each role, and a badge where it is far above
// what uniform attention would score.

import { make } from "../base/dom.mjs";
import { leadingHead, nextTokens, predictsAt, strongestHead } from "../base/payload.mjs";
import { pieceName } from "../base/text.mjs";
import { store } from "../state/store.mjs";
import { worn } from "../ui/badges.mjs";
import { fillRoles, roleMeaning, roleTable } from "../ui/role_table.mjs";
import { badgeSentence, doesTitle, leadsSentence, PAGE } from "./words.mjs";

export function mount(element) {
  const title = make("h2");
  const leads = make("button", { type: "button", className: "hs-link hs-leads" });
  const badge = make("p", { className: "hs-badge-line" });
  const table = roleTable();
  const more = make("details", { className: "hs-role-words" }, make("summary", { text: PAGE.roles }));
  element.append(title, leads, badge, table, more);
  let drawn = null;

  store.subscribe(element, (payload, focus) => {
    const { roles } = payload;
    const { layer, head } = focus;
    title.textContent = doesTitle(layer, head);
    sayWhoLeads(leads, payload, store.query(focus), focus);
    const names = worn(roles, layer, head).map(({ name }) => name);
    badge.textContent = roles.length ? badgeSentence(names) : payload.keys ? PAGE.noCrossRoles : PAGE.noRoles;
    table.hidden = more.hidden = !roles.length;
    fillRoles(table, roles, layer, head);
    if (drawn === roles) return;
    drawn = roles;
    more.replaceChildren(more.firstElementChild, make("dl", {}, ...roles.flatMap((role) => roleMeaning(role))));
  });
}

/** Which head does most for the chosen token, and the way to it. */
function sayWhoLeads(button, payload, query, focus) {
  const lead = predictsAt(payload, query) ? leadingHead(payload, query) : strongestHead(payload, query);
  button.hidden = lead === null;
  if (lead === null) return;
  const { layer, head } = lead;
  const isHere = layer === focus.layer && head === focus.head;
  button.textContent = leadsSentence(lead, isHere, "logits" in lead ? likeliest(payload, query) : "");
  button.disabled = isHere;
  button.onclick = () => store.toggle({ layer, head });
}

const likeliest = (payload, query) => pieceName(nextTokens(payload, query, 1).best[0].text);
