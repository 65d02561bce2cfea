// What the learner has seen and answered, kept in this browser alone.

const KEY = "headscope.progress";

/** {lesson: {step: "seen" | "right" | "wrong" | "shown"}} */
export function load() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {}; // no storage allowed, or something else in it: start afresh
  }
}

/** Note a step; an answer once given is not overwritten by seeing the step again, nor a right one by another try. */
export function note(progress, lesson, step, what) {
  progress[lesson] ??= {};
  const steps = progress[lesson];
  const rank = { seen: 0, shown: 1, wrong: 2, right: 3 };
  if (steps[step] === undefined || rank[what] > rank[steps[step]]) steps[step] = what;
  save(progress);
  return progress;
}

export function clear() {
  save({});
  return {};
}

function save(progress) {
  try {
    localStorage.setItem(KEY, JSON.stringify(progress));
  } catch {
    // a browser that keeps nothing still teaches
  }
}
