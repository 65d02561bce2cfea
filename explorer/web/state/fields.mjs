// What the address of each page says: ?show=explore&layer=3&head=0&query=5&text=… Layers, heads and tokens count from
// 0; steps of a lesson and prompts as people count them. Pure: no DOM.

import {
  counted,
  integer,
  listOf,
  number,
  oneOf,
  place,
  pushing,
  readFields,
  settings,
  text,
  word,
  writeFields,
} from "./address.mjs";
import { CHOICES, START } from "./focus.mjs";
import { translated } from "./old_address.mjs";

export const FIRST = "start";
const NUMBERS = ["layer", "head", "query", "key", "dim", "least", "typed", "column"];
const BRUSH = /^(whole|\d{1,5}\.\d{1,5}\.\d{1,5})$/;
/** @type {{[name: string]: any}} */
const LOOKS = {
  ...Object.fromEntries(NUMBERS.map((name) => [name, integer(START[name])])),
  also: { ...listOf(integer(0, 999), [], "_"), start: "" }, // the focus keeps it as it is written
  brush: { start: START.brush, read: (said) => (BRUSH.test(said) ? said : undefined), write: String },
  edits: word(START.edits, 600),
  corrupted: text(START.corrupted, 600),
  answer: text(START.answer, 60),
  other: text(START.other, 60),
  ...Object.fromEntries(Object.entries(CHOICES).map(([name, choices]) => [name, oneOf(choices)])),
};
LOOKS.also.read = (said) => (/^\d{1,3}(_\d{1,3})*$/.test(said) ? said : undefined);
LOOKS.also.write = String;
const { layer, head, query, key } = LOOKS;
// the text; `cut`: how long it is where the address holds only a part
const ASKED = { text: text(), cut: integer(null) };
const MODEL = { model: pushing(text(null, 200)) };
const LOOK = { stack: pushing(word()), masked: pushing(integer(null)) }; // whose attention, and what an encoder lacks

/**
 * By page, in the order in which the header has them.
 * @type {{[page: string]: {[name: string]: any}}}
 */
export const FIELDS = {
  [FIRST]: {},
  learn: { lesson: pushing(word()), step: pushing(counted(null)), turn: pushing(word()), set: settings(), ...ASKED },
  explore: { ...LOOKS, ...MODEL, ...LOOK, ...ASKED },
  compare: {
    layer,
    head,
    query,
    key,
    models: listOf(text(null, 200), null),
    mask: integer(null),
    second: text(),
    own: listOf(place(), null),
    ...ASKED,
  },
  generate: {
    layer,
    head,
    temperature: number(0.8, 0, 2),
    top_k: integer(0, 200),
    top_p: number(0.95, 0.05, 1),
    count: integer(60, 200),
    seed: text("1", 40),
    choice: oneOf(["chosen", "next"]),
    written: listOf(word(), [], "."), // ids; with "h" taken by hand, with "s" by a strategy
    ...MODEL,
    ...ASKED,
  },
  train: {
    train: pushing(oneOf(["live", "timeline"])),
    of: pushing(word()),
    prompt: counted(0),
    at: integer(null),
    unit: place(),
    stack: word(),
    token: integer(null),
    steps: oneOf(["log", "even"]),
    set: settings(),
  },
  check: { report: pushing(oneOf(["none", "example"])), block: text(null, 40) },
};
const OURS = new Set(["show", "view", ...Object.values(FIELDS).flatMap(Object.keys)]);

/** "?show=explore&layer=3" -> {page, values}; addresses of before are understood too. */
export function readAddress(search) {
  const said = new URLSearchParams(translated(search, Object.keys(FIELDS)));
  const named = said.get("show") ?? (said.has("lesson") ? "learn" : FIRST);
  const page = Object.hasOwn(FIELDS, named) ? named : FIRST;
  return { page, values: readFields(said, FIELDS[page]) };
}

/** The address of a page that shows `values`; what is not ours in `search` stays at its end. */
export function writeAddress(search, page, values = {}) {
  const written = new URLSearchParams();
  if (page !== FIRST && !values.lesson) written.set("show", page);
  writeFields(written, FIELDS[page], values);
  const { text: whole } = values;
  if (whole && written.get("text") !== whole) written.set("cut", String([...whole].length));
  for (const [name, value] of new URLSearchParams(translated(search, Object.keys(FIELDS)))) {
    if (!OURS.has(name)) written.append(name, value);
  }
  return written.size ? `?${written}` : "";
}

/** What a page shows if the address says nothing of it. */
export const startOf = (page) => readFields(new URLSearchParams(), FIELDS[page]);
