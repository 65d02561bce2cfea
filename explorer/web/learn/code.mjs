// The source that ran, its marked lines standing out. Names of tensors in the picture light them up.

import { make } from "../base/dom.mjs";

/** Listings of `codes`; `names` are those of the tensors on the screen. */
export function listings(codes, names) {
  return codes.map((code) => listing(code, names));
}

function listing({ title, first, lines, marked, tone }, names) {
  const rows = lines.map((pieces, i) => {
    const on = marked.includes(i);
    const row = make(
      "span",
      { className: `hs-line${on ? " hs-on" : ""}`, ...(on && { "aria-current": "true" }) },
      make("span", { className: "hs-line-number", "aria-hidden": "true", text: String(first + i) }),
      ...pieces.map((piece) => written(piece, names)),
      "\n",
    );
    return row;
  });
  const label = { right: "right", wrong: "wrong" }[tone];
  return make(
    "div",
    { className: `hs-listing${tone ? ` hs-${tone}` : ""}` },
    make("p", { className: "hs-listing-title" }, ...(label ? [make("strong", { text: `${label} ` })] : []), title),
    make("pre", { tabindex: "0" }, make("code", {}, ...rows)),
  );
}

function written([kind, text], names) {
  if (kind === "name" && names.has(text)) return make("span", { className: "hs-py-name", text, "data-name": text });
  return kind ? make("span", { className: `hs-py-${kind}`, text }) : text;
}

/** Bring the first marked line of each listing into its window, without moving the page. */
export function showMarked(root) {
  for (const pre of root.querySelectorAll("pre")) {
    const line = pre.querySelector(".hs-on");
    if (line) pre.scrollTop = line.offsetTop - pre.offsetTop - pre.clientHeight / 3;
  }
}
