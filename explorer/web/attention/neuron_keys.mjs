// All keys of the query: a row of products for each, so that one sees which dimensions make the head look there, and
// what follows from them.

import { make } from "../base/dom.mjs";
import { lastSeen } from "../base/payload.mjs";
import { label } from "../base/text.mjs";
import { isDark, store } from "../state/store.mjs";
import { rowOf, table } from "../ui/table.mjs";
import { hint } from "../ui/terms.mjs";
import { largest } from "./neuron_math.mjs";
import { strip } from "./neuron_strip.mjs";
import { signed } from "./neuron_words.mjs";
import { expText, keysTitle, maskedText, NEURON } from "./words.mjs";

const COLUMNS = [
  { name: "key", kind: "row" },
  { name: "q × k", kind: "text" },
  "q · k",
  "score",
  { name: { content: "exp", title: NEURON.exp }, kind: "number" },
  "share",
];

/** {element, draw(at)} */
export function neuronKeys() {
  const title = make("h3");
  const keys = table({
    label: NEURON.keys,
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
    hint(NEURON.keysHint),
    make("div", { className: "hs-keys-scroll" }, keys),
    sum,
    masked,
  );
  const rows = [];
  let look = "";

  function draw(at) {
    const { payload, focus, query, row, key, order } = at;
    const count = lastSeen(payload, query) + 1;
    const now = [store.seq, focus.layer, focus.head, query, isDark(), order].join();
    if (look !== now) {
      look = now;
      title.textContent = keysTitle(payload.tokens[query]);
      while (rows.length < count) rows.push(keyRow(rows.length));
      keys.tBodies[0].replaceChildren(...rows.slice(0, count).map(({ element: one }) => one));
      const limit = largest(row.keys.map(({ products }) => products));
      for (const [i, one] of rows.slice(0, count).entries()) {
        one.paint(payload.tokens[i], row.keys[i], order, limit);
      }
      sum.textContent = expText(signed(row.max), row.total);
      masked.textContent = maskedText(payload, query);
      masked.hidden = masked.textContent === "";
    }
    rows.slice(0, count).forEach(({ element: one }, i) => {
      one.classList.toggle("hs-shown", i === key);
      one.querySelector("button").setAttribute("aria-pressed", String(i === store.focus.locked.key));
    });
  }
  return { element, draw };
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
