// Addresses of before, as people have kept them: ?view=explore&layer=4&head=1. They name the page `view`, and count
// layers and heads from 1, as do the places of their edits: zero.h.3.2~window4.e. Pure: no DOM.

const FROM_ONE = ["layer", "head"];
const LISTS = { also: "_", own: ",", unit: "," };
const EDIT = /^(\w+\.)(h\.\d+\.\d+|[am]\.\d+)/; // what is done to a head, an attention or an MLP, and where

/** The same in the words of now; an address that is new stays as it is. `pages`: the names that there are. */
export function translated(search, pages) {
  const query = new URLSearchParams(search);
  if (query.has("show")) return search;
  const view = query.get("view");
  query.delete("view");
  if (query.has("lesson")) return `?${query}`; // lessons were named as they are
  if (!pages.includes(view)) return `?${query}`;
  for (const name of FROM_ONE) replace(query, name, lower);
  for (const [name, sign] of Object.entries(LISTS)) {
    replace(query, name, (said) =>
      said
        .split(sign)
        .map((one) => one.split(".").map(lower).join("."))
        .join(sign),
    );
  }
  replace(query, "edits", (said) =>
    said
      .split("~")
      .map((one) => one.replace(EDIT, (_, what, where) => what + where.replace(/\d+/g, lower)))
      .join("~"),
  );
  return `?show=${view}${query.size ? `&${query}` : ""}`;
}

/** "4" -> "3"; what is no number from 1 is not understood: it stays no number. */
function lower(said) {
  return /^\d{1,6}$/.test(said) && said > 0 ? String(said - 1) : "-";
}

function replace(query, name, change) {
  if (query.has(name)) query.set(name, change(query.get(name)));
}
