// A badge for each role that a head wears: a letter or sign, so that it can be told without colour. Pure: no DOM.

const SIGNS = {
  "previous token": "P",
  "same token": "S",
  "first token": "F",
  "prefix matching": "M",
  induction: "I",
  "duplicate token": "D",
  delimiter: "¶",
  broad: "B",
};

/** The roles of the payload that a head wears. */
export function worn(roles, layer, head) {
  return roles.filter(({ lifts, threshold }) => lifts[layer][head] >= threshold);
}

export function sign(name) {
  return SIGNS[name] ?? name[0].toUpperCase();
}

/** Every [layer, head] in the order in which the grid shows them: by place, or a role's highest score first. */
export function sorted(roles, sort, L, H) {
  const places = Array.from({ length: L * H }, (_, i) => [Math.floor(i / H), i % H]);
  const role = roles.find(({ name }) => name === sort);
  if (!role) return places;
  return places.sort(([la, ha], [lb, hb]) => role.scores[lb][hb] - role.scores[la][ha]);
}
