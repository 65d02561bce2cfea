// The page that stands alone: the Explore page's views of one text, on a payload that lies in the page itself.

import * as attention from "./attention/view.mjs";
import { make } from "./base/dom.mjs";
import { parsePayload } from "./base/payload.mjs";
import * as grid from "./explore/grid.mjs";
import * as next from "./explore/next.mjs";
import * as roles from "./explore/roles.mjs";
import * as tokens from "./explore/tokens.mjs";
import { attach } from "./save/save.mjs";
import { store } from "./state/store.mjs";

const ABOUT =
  "A page saved from Headscope: it works without a network. Hover over a head, a token, or a cell to see its " +
  "numbers; click to pin it.";

const UNCHANGED = { edits: "", changed: "here" }; // the payload is of the model as it is
const SERVED = '.hs-switch [data-name="neuron"]'; // drawings of tensors that only the app has

/** Show a payload (an ArrayBuffer); `focus` is what is looked at first. */
export function open(payload, focus) {
  const found = parsePayload(payload);
  followTheme();
  document.body.append(head(), ...layout(found));
  for (const button of document.querySelectorAll(SERVED)) button.remove();
  Object.assign(store.focus.locked, focus, UNCHANGED, focus.draw === "neuron" && { draw: "matrix" });
  store.setPayload(found);
}

/** Views of numbers that were not recorded are left out. */
function layout({ arrays, roles: measured }) {
  const beside = [
    ...(arrays.next_ids ? [view("next_view", next)] : []),
    ...(measured.length ? [view("roles_view", roles)] : []),
  ];
  const look = make("div", { id: "look" });
  look.append(make("div", { id: "heads" }, view("grid_view", grid)));
  look.append(
    make("div", { id: "stage" }, view("attention_view", attention)),
    make("div", { id: "beside" }, ...beside),
  );
  return [make("div", { id: "tokens" }, view("tokens_view", tokens)), look];
}

function view(name, { mount }) {
  const element = make("div", { className: "hs-view", "data-view": name });
  const holder = make("div", {}, element);
  mount(element);
  attach(element);
  return holder;
}

function head() {
  const theme = make("button", {
    className: "hs-icon",
    type: "button",
    text: "☾",
    title: "Dark or light",
    "aria-label": "Switch between dark and light",
    onclick: () => document.body.classList.toggle("dark"),
  });
  return make(
    "header",
    { className: "hs-view hs-alone-head hs-brand" },
    make("strong", { text: "Headscope" }),
    make("p", { text: ABOUT }),
    theme,
  );
}

function followTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.body.classList.toggle("dark", dark.matches);
  dark.addEventListener("change", follow);
  follow();
}
