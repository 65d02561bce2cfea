// What the chosen head does, measured on standard tests: a score for each role, and a badge where it is far above
// what uniform attention would score.

import { make } from "../base/dom.mjs";
import { store } from "../state/store.mjs";
import { worn } from "../ui/badges.mjs";
import { fillRoles, roleMeaning, roleTable } from "../ui/role_table.mjs";

export function mount(element) {
  const title = make("h2");
  const badge = make("p", { className: "hs-badge-line" });
  const table = roleTable();
  const more = make("details", { className: "hs-role-words" }, make("summary", { text: "What each role means" }));
  element.append(title, badge, table, more);
  let drawn = null;

  store.subscribe(element, (payload, focus) => {
    const { roles } = payload;
    const { layer, head } = focus;
    title.textContent = `What layer ${layer + 1}, head ${head + 1} does`;
    badge.textContent = sentence(roles, layer, head);
    fillRoles(table, roles, layer, head);
    if (drawn === roles) return;
    drawn = roles;
    more.replaceChildren(more.firstElementChild, make("dl", {}, ...roles.flatMap((role) => roleMeaning(role))));
  });
}

function sentence(roles, layer, head) {
  if (!roles.length) return "This model's window is too short to measure what its heads do.";
  const names = worn(roles, layer, head).map(({ name }) => name);
  if (names.length)
    return `Badge: ${names.join(", ")}. Measured on sample articles and on repeated random tokens, not on your text.`;
  return (
    "No badge: in none of the roles is it far above what uniform attention scores. Measured on sample " +
    "articles and on repeated random tokens, not on your text."
  );
}
