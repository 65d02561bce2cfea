// What the chosen head does, measured on standard tests: a score for each role, and a badge where it is far above
// what uniform attention would score.

import { make } from "../base/dom.mjs";
import { leadingHead, nextTokens } from "../base/payload.mjs";
import { pieceName, quoted } from "../base/text.mjs";
import { store } from "../state/store.mjs";
import { worn } from "../ui/badges.mjs";
import { fillRoles, roleMeaning, roleTable } from "../ui/role_table.mjs";

export function mount(element) {
  const title = make("h2");
  const leads = make("button", { type: "button", className: "hs-link hs-leads" });
  const badge = make("p", { className: "hs-badge-line" });
  const table = roleTable();
  const more = make("details", { className: "hs-role-words" }, make("summary", { text: "What each role means" }));
  element.append(title, leads, badge, table, more);
  let drawn = null;

  store.subscribe(element, (payload, focus) => {
    const { roles } = payload;
    const { layer, head } = focus;
    title.textContent = `What layer ${layer}, head ${head} does`;
    sayWhoLeads(leads, payload, store.query(focus), focus);
    badge.textContent = sentence(roles, layer, head);
    fillRoles(table, roles, layer, head);
    if (drawn === roles) return;
    drawn = roles;
    more.replaceChildren(more.firstElementChild, make("dl", {}, ...roles.flatMap((role) => roleMeaning(role))));
  });
}

/** Which head adds most to the likeliest next token, and the way to it. */
function sayWhoLeads(button, payload, query, focus) {
  const lead = leadingHead(payload, query);
  button.hidden = lead === null;
  if (lead === null) return;
  const { layer, head, logits } = lead;
  const isHere = layer === focus.layer && head === focus.head;
  const token = quoted(pieceName(nextTokens(payload, query, 1).best[0].text));
  const who = isHere ? "This head" : `Layer ${layer}, head ${head}`;
  const adds = `${logits < 0 ? "−" : "+"}${Math.abs(logits).toFixed(2)}`;
  button.textContent = `${who} adds most to the logit of ${token}: ${adds}`;
  button.disabled = isHere;
  button.onclick = () => store.toggle({ layer, head });
}

function sentence(roles, layer, head) {
  if (!roles.length) return "This model's window is too short to measure what its heads do.";
  const names = worn(roles, layer, head).map(({ name }) => name);
  if (names.length)
    return `Badge: ${names.join(", ")}. Measured on sample articles and on repeated random tokens, not on your text.`;
  return (
    "No badge: in no role does it score far above uniform attention. Measured on sample " +
    "articles and on repeated random tokens, not on your text."
  );
}
