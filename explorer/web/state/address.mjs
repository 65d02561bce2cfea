// How an address is written and read: kinds of fields, and from fields to the part behind the question mark and back.
// Pure: no DOM. What each page says is in fields.mjs.
//
// A field has a `start` (what is not said is as at the start), `read(said)` (undefined if it is not understood),
// `write(value)`, and `pushes` if a change of it is a step that Back takes back.

export const LONGEST = 1500; // characters of a text as the address writes it
const MOST_SETTINGS = 20;

/** A whole number from 0, or null. */
export const integer = (start, most = 999_999) => ({
  start,
  read: (said) => (/^\d{1,6}$/.test(said) && Number(said) <= most ? Number(said) : undefined),
  write: String,
});

/** A whole number from 0 that is written, and read by people, from 1. */
export const counted = (start) => ({
  start,
  read: (said) => (/^\d{1,6}$/.test(said) ? Math.max(0, Number(said) - 1) : undefined),
  write: (value) => String(value + 1),
});

export const number = (start, least, most) => ({
  start,
  read: (said) =>
    /^\d{1,6}(\.\d{1,6})?$/.test(said) && Number(said) >= least && Number(said) <= most ? Number(said) : undefined,
  write: String,
});

/** One of `choices`; the first is the start. */
export const oneOf = (choices) => ({
  start: choices[0],
  read: (said) => (choices.includes(said) ? said : undefined),
  write: String,
});

/** Letters, digits and a few signs: a name or a code of ours. */
export const word = (start = null, longest = 60) => ({
  start,
  read: (said) => (said.length <= longest && /^[\w.~-]+$/.test(said) ? said : undefined),
  write: String,
});

/** Anything that a person wrote. */
export const text = (start = null, longest = LONGEST) => ({
  start,
  read: (said) => said.slice(0, longest),
  write: (value) => fitting(value, longest),
});

/** Several, between them `sign`. */
export const listOf = (field, start, sign = ",", most = 300) => ({
  start,
  read(said) {
    const values = said.split(sign).map((one) => field.read(one));
    return values.length <= most && !values.includes(undefined) ? values : undefined;
  },
  write: (values) => values.slice(0, most).map(field.write).join(sign),
});

/** A head: "3.7" is {layer: 3, head: 7}. */
export const place = (start = null) => ({
  start,
  read(said) {
    const found = /^(\d{1,3})\.(\d{1,3})$/.exec(said);
    return found ? { layer: Number(found[1]), head: Number(found[2]) } : undefined;
  },
  write: ({ layer, head }) => `${layer}.${head}`,
});

/** What was set of settings that only the page knows by name: {name: number, text or whether}. */
export const settings = () => ({
  start: {},
  read(said) {
    try {
      const found = JSON.parse(said);
      const entries = Object.entries(found ?? {});
      const isPlain = ([name, value]) => name.length <= 60 && ["number", "string", "boolean"].includes(typeof value);
      const isRight = !Array.isArray(found) && entries.length <= MOST_SETTINGS && entries.every(isPlain);
      return isRight ? Object.fromEntries(entries) : undefined;
    } catch {
      return undefined;
    }
  },
  write: (value) => JSON.stringify(value),
});

/** A change of this field is a step that Back takes back. */
export const pushing = (field) => ({ ...field, pushes: true });

/** The values of `fields` that a query says, all others as at the start. */
export function readFields(query, fields) {
  const values = {};
  for (const [name, field] of Object.entries(fields)) {
    const said = query.get(name);
    values[name] = (said === null ? undefined : field.read(said)) ?? field.start;
  }
  return values;
}

/** Adds to a query what differs from the start, in the order of the fields. */
export function writeFields(query, fields, values) {
  for (const [name, field] of Object.entries(fields)) {
    const value = values[name] ?? field.start;
    if (value === null || isSame(value, field.start)) continue;
    query.set(name, field.write(value));
  }
  return query;
}

/** Whether a step that Back takes back lies between the values. */
export const isStep = (fields, before, after) =>
  Object.entries(fields).some(([name, { pushes, start }]) => {
    return pushes && !isSame(before[name] ?? start, after[name] ?? start);
  });

export const isSame = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** As much of a text as the address can hold; half of a surrogate pair would not come back. */
export function fitting(value, longest = LONGEST) {
  const letters = [...value.toWellFormed()];
  let used = 0;
  const end = letters.findIndex((letter) => {
    used += new URLSearchParams({ a: letter }).toString().length - 2;
    return used > longest;
  });
  return end < 0 ? letters.join("") : letters.slice(0, end).join("");
}
