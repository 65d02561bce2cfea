// The page that stands alone: the Explore page's views of one text, on a payload that lies in the page itself.

import { byHand } from "./base/hand.mjs";
import * as between from "./attention/between.mjs";
import * as attention from "./attention/view.mjs";
import { make } from "./base/dom.mjs";
import { parsePayload } from "./base/payload.mjs";
import * as grid from "./explore/grid.mjs";
import * as next from "./explore/next.mjs";
import * as roles from "./explore/roles.mjs";
import * as tokens from "./explore/tokens.mjs";
import { attach } from "./save/save.mjs";
import { store } from "./state/store.mjs";
import { choiceOf } from "./ui/choice.mjs";

const ABOUT = byHand(
  "A page saved from Headscope: it works without a network. Hover over a head, a token, or a cell to see its " +
    "numbers; click to pin it.",
);

const UNCHANGED = { edits: "", changed: "here" }; // the payload is of the model as it is
const NAMES = { encoder: "Encoder", decoder: "Decoder", cross: "Cross-attention" };

/** Show payloads (ArrayBuffers) by the name of their stack; `focus` is what is looked at first. */
export function open(payloads, focus) {
  const alone = (payload) => ({ ...parsePayload(payload), stacks: [], may_mask: false }); // no server can be asked
  const stacks = Object.fromEntries(Object.entries(payloads).map(([name, payload]) => [name, alone(payload)]));
  const [first] = Object.keys(stacks);
  const views = make("div");
  const names = Object.fromEntries(Object.keys(stacks).map((name) => [name, NAMES[name] ?? "Self-attention"]));
  const tabs = choiceOf(names, "Which attention", (name) => show(name));
  const show = (name) => {
    tabs.mark(name);
    views.replaceChildren(...layout(stacks[name]));
    for (const button of views.querySelectorAll(without(stacks[name]))) button.remove();
    store.setPayload(stacks[name]);
  };
  followTheme();
  const choice = make("div", { className: "hs-view", "data-view": "stacks_view" }, tabs);
  document.body.append(head(), ...(Object.keys(stacks).length > 1 ? [choice] : []), views);
  Object.assign(store.focus.locked, focus, UNCHANGED, focus.draw === "neuron" && { draw: "matrix" });
  show(first);
}

/** Drawings of tensors that only the app has; and the flow through all layers, where they are not all here. */
function without({ layers, heads }) {
  const names = ["neuron", ...(layers || heads ? ["flow"] : [])];
  return names.map((name) => `.hs-switch [data-name="${name}"]`).join();
}

/** Views of numbers that were not recorded are left out. */
function layout({ keys, arrays, roles: measured }) {
  const beside = [
    ...(arrays.next_ids ? [view("next_view", next)] : []),
    ...(measured.length ? [view("roles_view", roles)] : []),
  ];
  const look = make("div", { id: "look" });
  look.append(make("div", { id: "heads" }, view("grid_view", grid)));
  if (keys) {
    look.append(make("div", { id: "stage" }, view("between_view", between)));
    return [look];
  }
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
