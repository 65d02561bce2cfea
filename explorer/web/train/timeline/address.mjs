// What the address says of the timeline: ?view=train&train=timeline&of=decoder&prompt=2&at=512&unit=2.5&token=7&steps=even
// Pure: no DOM. Prompts, layers and heads count from 1, as on the page; steps and tokens from 0.

export const START = { of: null, prompt: 0, at: null, layer: 0, head: 0, stack: null, token: null, log: true };
const NAMES = ["of", "prompt", "at", "unit", "stack", "token", "steps"];

/** What is not said, or not understood, is as at the start; `unit: null` if no head is named. */
export function readTimeline(search) {
  const query = new URLSearchParams(search);
  const number = (name) => (/^\d{1,7}$/.test(query.get(name) ?? "") ? Number(query.get(name)) : null);
  const word = (name) => (/^[\w.-]{1,60}$/.test(query.get(name) ?? "") ? query.get(name) : null);
  const unit = /^(\d{1,3})\.(\d{1,3})$/.exec(query.get("unit") ?? "");
  return {
    of: word("of"),
    prompt: Math.max(0, (number("prompt") ?? 1) - 1),
    at: number("at"),
    layer: unit ? Math.max(0, Number(unit[1]) - 1) : START.layer,
    head: unit ? Math.max(0, Number(unit[2]) - 1) : START.head,
    isNamed: Boolean(unit),
    stack: word("stack"),
    token: number("token"),
    log: query.get("steps") !== "even",
  };
}

/** The address with what is looked at: the first model, prompt and step need not be said. */
export function writeTimeline(search, { of, prompt, at, layer, head, stack, token, log }) {
  const query = new URLSearchParams(clearTimeline(search));
  if (of !== null) query.set("of", of);
  if (prompt !== START.prompt) query.set("prompt", prompt + 1);
  if (at !== null) query.set("at", at);
  query.set("unit", `${layer + 1}.${head + 1}`);
  if (stack !== null) query.set("stack", stack);
  if (token !== null) query.set("token", token);
  if (!log) query.set("steps", "even");
  return query.size ? `?${query}` : "";
}

export function clearTimeline(search) {
  const query = new URLSearchParams(search);
  for (const name of NAMES) query.delete(name);
  return query.size ? `?${query}` : "";
}
