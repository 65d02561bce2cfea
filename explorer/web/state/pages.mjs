// Which page is shown: the address says so first, then the links in the header.

import { FIELDS, readAddress } from "./fields.mjs";
import { address } from "./history.mjs";

export const PAGES = Object.keys(FIELDS);

export function page() {
  document.body.dataset.page ??= readAddress(location.search).page;
  return document.body.dataset.page;
}

export function showPage(name) {
  if (name === page()) return;
  address.open(name);
  if (name !== "learn") document.title = "Headscope";
  document.dispatchEvent(new CustomEvent("hs-page"));
}

export function onPage(action) {
  document.addEventListener("hs-page", () => page() && action(page()));
}
