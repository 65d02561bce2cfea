// Which lesson and step the address names. Pure: no DOM.

/** "?lesson=heads&step=3" -> {lesson, step}, steps from 0, kept inside what there is. */
export function placeIn(search, catalog) {
  const query = new URLSearchParams(search);
  const lesson = catalog.find(({ id }) => id === query.get("lesson")) ?? catalog[0];
  return { lesson: lesson.id, step: inside(Number.parseInt(query.get("step"), 10) - 1, lesson.num_steps) };
}

export function inside(step, count) {
  return Number.isInteger(step) ? Math.min(Math.max(step, 0), count - 1) : 0;
}

/** The address of a step: the rest of the query stays. */
export function addressOf(search, { lesson, step }) {
  const query = new URLSearchParams(search);
  query.set("lesson", lesson);
  query.set("step", step + 1);
  query.delete("view");
  return `?${query}`;
}
