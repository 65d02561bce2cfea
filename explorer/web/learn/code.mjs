// The source that ran, its marked lines standing out. Names of tensors in the picture light them up.

import { make } from "../base/dom.mjs";

const AROUND = 3; // lines before and after a marked one; the others are folded

/** Listings of `codes`; `names` are those of the tensors on the screen. */
export function listings(codes, names) {
  return codes.map((code) => listing(code, names));
}

function listing({ title, first, lines, marked, tone }, names) {
  const isFar = lines.map((_, i) => marked.length > 0 && marked.every((line) => Math.abs(line - i) > AROUND));
  const rows = lines.map((pieces, i) => {
    const on = marked.includes(i);
    const row = make(
      "span",
      { className: `hs-line${on ? " hs-on" : ""}${isFar[i] ? " hs-far" : ""}`, ...(on && { "aria-current": "true" }) },
      make("span", { className: "hs-line-number", "aria-hidden": "true", text: String(first + i) }),
      ...pieces.map((piece) => written(piece, names)),
      "\n",
    );
    return row;
  });
  const label = { right: "right", wrong: "wrong" }[tone];
  const all = make("button", {
    type: "button",
    className: "hs-link",
    text: `Show all ${lines.length} lines`,
    onclick: () => {
      for (const row of rows) row.classList.remove("hs-far");
      all.remove();
    },
  });
  return make(
    "div",
    { className: `hs-listing${tone ? ` hs-${tone}` : ""}` },
    make("p", { className: "hs-listing-title" }, ...(label ? [make("strong", { text: `${label} ` })] : []), title),
    make("pre", { tabindex: "0" }, make("code", {}, ...rows)),
    ...(isFar.includes(true) ? [all] : []),
  );
}

function written([kind, text], names) {
  if (kind === "name" && names.has(text)) return make("span", { className: "hs-py-name", text, "data-name": text });
  return kind ? make("span", { className: `hs-py-${kind}`, text }) : text;
}
