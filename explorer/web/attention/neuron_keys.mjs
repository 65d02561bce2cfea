// All keys of the query: a row of products for each, so that one sees which dimensions make the head look there, and
// what follows from them.

import { make } from "../base/dom.mjs";
import { label, quoted } from "../base/text.mjs";
import { isDark, store } from "../state/store.mjs";
import { rowOf, table } from "../ui/table.mjs";
import { largest } from "./neuron_math.mjs";
import { strip } from "./neuron_strip.mjs";
import { signed } from "./neuron_words.mjs";

const COLUMNS = [
  { name: "key", kind: "row" },
  { name: "q × k", kind: "text" },
  "q · k",
  "score",
  { name: { content: "exp", title: "exp(score − largest score of the row)" }, kind: "number" },
  "share",
];

/** {element, draw(at)} */
export function neuronKeys() {
  const title = make("h3");
  const keys = table({
    label: "Every key of the chosen token",
    columns: COLUMNS,
    rows: [],
    onmouseleave: () => store.preview({}),
  });
  const sum = make("p", { className: "hs-hint" });
  const masked = make("p", { className: "hs-hint" });
  const element = make(
    "div",
    { className: "hs-keys-of" },
    title,
    make("p", {
      className: "hs-hint",
      text:
        "Each row is a key: teal dimensions pull the head there, brown ones push it away. Hover over a row to " +
        "see it in the picture; click to pin it.",
    }),
    make("div", { className: "hs-keys-scroll" }, keys),
    sum,
    masked,
  );
  const rows = [];
  let look = "";

  function draw(at) {
    const { payload, focus, query, row, key, order } = at;
    const now = [store.seq, focus.layer, focus.head, query, isDark(), order].join();
    if (look !== now) {
      look = now;
      const name = quoted(label(payload.tokens[query], 24));
      title.textContent = `Every key of ${name}`;
      while (rows.length <= query) rows.push(keyRow(rows.length));
      keys.tBodies[0].replaceChildren(...rows.slice(0, query + 1).map(({ element: one }) => one));
      const limit = largest(row.keys.map(({ products }) => products));
      for (const [i, one] of rows.slice(0, query + 1).entries()) {
        one.paint(payload.tokens[i], row.keys[i], order, limit);
      }
      sum.textContent =
        `exp: e to the power of the score minus the row's largest, ${signed(row.max)}. They sum to ` +
        `${row.total.toFixed(3)}; each over this sum is its share.`;
      masked.textContent = maskedText(payload, query, name);
      masked.hidden = masked.textContent === "";
    }
    rows.slice(0, query + 1).forEach(({ element: one }, i) => {
      one.classList.toggle("hs-shown", i === key);
      one.querySelector("button").setAttribute("aria-pressed", String(i === store.focus.locked.key));
    });
  }
  return { element, draw };
}

function maskedText({ tokens }, query, name) {
  const later = tokens.length - 1 - query;
  if (!later) return "";
  return (
    `${later === 1 ? "The one token" : `The ${later} tokens`} after ${name} ${later === 1 ? "is" : "are"} ` +
    "hidden by the mask: score −∞, share 0."
  );
}

function keyRow(key) {
  const name = make("button", { type: "button", dir: "auto" });
  const cells = strip({ pointed: (dim) => store.preview({ key, dim }), clicked: (dim) => store.toggle({ key, dim }) });
  const element = rowOf(COLUMNS, {
    cells: [name, { content: cells.element, className: "hs-neuron-cells" }, "", "", "", ""],
    onmouseenter: () => store.preview({ key }),
    onclick: () => store.toggle({ key }),
  });
  const numbers = [...element.cells].slice(2);
  const paint = (token, { products, dot, score, exp, share }, order, limit) => {
    name.textContent = label(token, 12);
    cells.paint(products, order, limit);
    for (const [i, text] of [signed(dot), signed(score), exp.toFixed(4), share.toFixed(4)].entries()) {
      numbers[i].textContent = text;
    }
    element.style.setProperty("--share", share);
  };
  return { element, paint };
}
