// Runs before anything is painted: which page is open, and whether it is dark. What the server of Gradio or its scripts
// would take as meant for them is taken out of the address; and the clock in Gradio's sign of loading, which nobody
// sees and which goes on when that sign is gone, gets no frames: a page at rest takes no processor.
(() => {
  const { body } = document;
  const url = new URL(location.href);
  for (const name of ["page", "deep_link", "__sign", "all_endpoints"]) url.searchParams.delete(name);
  if (["api", "settings"].includes(url.searchParams.get("view"))) url.searchParams.delete("view");
  if (url.href !== location.href) history.replaceState(history.state, "", url);
  const query = url.searchParams;
  const named = query.get("show") ?? (query.has("lesson") ? "learn" : query.get("view"));
  const links = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("#header [data-page]")]);
  const current = links.find((link) => link.dataset.page === named) ?? links[0];
  body.dataset.page = current.dataset.page;
  current.setAttribute("aria-current", "page");
  const theme = query.get("__theme");
  const isDark = theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  body.classList.toggle("dark", isDark);

  const nextFrame = requestAnimationFrame.bind(globalThis);
  const isGradiosClock = (draw) => /performance\.now\(\) *-[^;]+\/ *(1e3|1000)/.test(String(draw));
  globalThis.requestAnimationFrame = (draw) => (isGradiosClock(draw) ? 0 : nextFrame(draw));
})();
