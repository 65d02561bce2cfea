// The words of a class, to be read in one go.

export const TEACHER = {
  label: "For the teacher",
  idle: "You are teaching this class.",
  over: "The app was restarted: open the new teacher’s link shown in its terminal.",
  point: "Point everyone here",
  pointing: "Everyone is pointed at:",
  stop: "Stop pointing",
  join: "Show how to join",
};
export const VISITOR = {
  label: "From your teacher",
  shows: "Your teacher is showing:",
  go: "Go there",
  follow: "Follow along",
};

const NAMES = { start: "The first screen", check: "Check your code" };

/**
 * What is seen on a page, in a few words.
 * @param {string} page
 * @param {{heading: string, step: string, text: string, layer: number | null, head: number | null}} seen
 */
export function titleOf(page, { heading, step, text, layer, head }) {
  const name = NAMES[page] ?? page[0].toUpperCase() + page.slice(1);
  const where = head === null ? [] : [layer === null ? `head ${head}` : `layer ${layer}, head ${head}`];
  const said = [heading && `“${heading}”`, step && `step ${step}`, text && `“${text}”`, ...where].filter(Boolean);
  return said.length ? `${name}: ${said.join(", ")}` : name;
}
