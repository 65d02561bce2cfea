// What the address says of the Explore page: the place that is looked at, how it is drawn, and a short text.
// Pure: no DOM. Layers and heads count from 1, as on the page; tokens from 0.

import { CHOICES, START } from "./focus.mjs";

export const LONGEST = 500; // characters of the text as the address writes it
const COUNTED = { layer: 1, head: 1, query: 0, key: 0, dim: 0, least: 0, typed: 0, column: 0 };
const LISTED = { also: 1 }; // "2_5"
const WORDS = ["edits"]; // of the model, as surgery_edits.mjs writes them

/** "?layer=4&head=1&query=5" -> {focus, text}: what is not said, or not understood, is as at the start. */
export function readAddress(search) {
  const query = new URLSearchParams(search);
  const focus = { ...START };
  for (const [name, from] of Object.entries(COUNTED)) {
    const value = query.get(name) ?? "";
    if (/^\d{1,6}$/.test(value) && Number(value) >= from) focus[name] = Number(value) - from;
  }
  for (const [name, from] of Object.entries(LISTED)) {
    const values = (query.get(name) ?? "").split("_");
    if (values.every((value) => /^\d{1,3}$/.test(value) && Number(value) >= from)) focus[name] = shifted(values, -from);
  }
  for (const name of WORDS) {
    if (/^[\w.~-]{1,600}$/.test(query.get(name) ?? "")) focus[name] = query.get(name);
  }
  for (const [name, choices] of Object.entries(CHOICES)) {
    if (choices.includes(query.get(name))) focus[name] = query.get(name);
  }
  return { focus, text: query.get("text") || null, model: query.get("model") || null };
}

/** The address with what differs from the start; parts that are not ours stay as they are. `text`, `model`: null for none. */
export function writeAddress(search, focus, text, model = null) {
  const query = new URLSearchParams(clearAddress(search));
  for (const [name, from] of Object.entries(COUNTED)) {
    if (focus[name] !== START[name]) query.set(name, focus[name] + from);
  }
  for (const [name, from] of Object.entries(LISTED)) {
    if (focus[name] !== START[name]) query.set(name, shifted(focus[name].split("_"), from));
  }
  for (const name of [...WORDS, ...Object.keys(CHOICES)]) {
    if (focus[name] !== START[name]) query.set(name, focus[name]);
  }
  if (model) query.set("model", model);
  if (text && fits(text)) query.set("text", text);
  return query.size ? `?${query}` : "";
}

/** The address without anything of the Explore page, but with the `model` if there is one. */
export function clearAddress(search, model = null) {
  const query = new URLSearchParams(search);
  for (const name of [COUNTED, LISTED, CHOICES].flatMap(Object.keys).concat(WORDS, "text", "model")) query.delete(name);
  if (model) query.set("model", model);
  return query.size ? `?${query}` : "";
}

function shifted(values, by) {
  return values.map((value) => Number(value) + by).join("_");
}

/** Whether the text is short enough, and comes back as it was: half of a surrogate pair would not. */
function fits(text) {
  const written = new URLSearchParams({ text }).toString();
  return written.length - "text=".length <= LONGEST && new URLSearchParams(written).get("text") === text;
}
