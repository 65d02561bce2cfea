// Which page is shown: the address says so first, then the links in the header.

export const PAGES = {
  learn: "Learn",
  explore: "Explore",
  compare: "Compare",
  generate: "Generate",
  train: "Train",
  check: "Check your code",
};

export function page() {
  document.body.dataset.page ??= pageIn(location.search);
  return document.body.dataset.page;
}

/** "?view=explore" and "?lesson=heads&step=3" name a page; the first of all is the default. */
export function pageIn(search) {
  const query = new URLSearchParams(search);
  const named = query.get("view");
  return PAGES[named] && !query.has("lesson") ? named : "learn";
}

export function showPage(name) {
  document.body.dataset.page = name;
  const query = new URLSearchParams(location.search);
  for (const part of ["view", "lesson", "step"]) query.delete(part);
  query.set("view", name);
  history.replaceState(null, "", `?${query}`);
  if (name !== "learn") document.title = "Headscope";
  document.dispatchEvent(new CustomEvent("hs-page"));
}

export function onPage(action) {
  document.addEventListener("hs-page", () => page() && action(page()));
}

document.addEventListener("hs-show", (/** @type {CustomEvent} */ { detail }) => showPage(detail)); // from what Python wires
