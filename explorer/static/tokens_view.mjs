// The token strip: every token of the text as a button, and how much of the model's window they use.

import { make } from "./dom.mjs";
import { store } from "./store.mjs";
import { grouped, label, visible } from "./text.mjs";
import { drawn } from "./drawn.mjs";
import { css, ink } from "./color.mjs";
import { isDark } from "./store.mjs";

export function mount(element) {
  const model = make("span", { className: "hs-model" });
  const used = make("span", { className: "hs-used" });
  const list = make("div", { className: "hs-tokens", role: "group", "aria-label": "Tokens of your text" });
  const hint = make("p", { className: "hs-hint" });
  element.append(make("div", { className: "hs-strip-head" }, model, used), list, hint);
  let listed = null;

  store.subscribe(element, (payload, focus) => {
    if (listed !== payload) {
      listed = payload;
      model.textContent = modelLine(payload.model);
      used.textContent = usedLine(payload);
      used.classList.toggle("hs-cut", payload.total > payload.tokens.length);
      list.replaceChildren(...payload.tokens.map(chip));
    }
    const query = store.query(focus);
    const dark = isDark();
    const { row, title } = drawn(payload, focus);
    const shares = row(query);
    hint.textContent = `These pieces are the tokens. Colour: how much the chosen one (outlined) ${focus.draw === "flow" ? "draws on" : "looks at"} each (${title}). Point at a token to choose it; click to keep it.`;
    [...list.children].forEach((button, i) => {
      const p = i <= query ? shares[i] : 0;
      button.style.backgroundColor = i <= query ? css(p, dark) : "";
      button.style.color = i <= query ? ink(p, dark) : "";
      button.classList.toggle("hs-query", i === query);
      button.classList.toggle("hs-later", i > query);
      button.setAttribute("aria-pressed", i === store.focus.locked.query);
    });
  });
}

function chip(token, i) {
  return make("button", {
    className: `hs-token${token.special ? " hs-special" : ""}${token.partial ? " hs-partial" : ""}`,
    type: "button",
    dir: "auto",
    text: token.special ? label(token) : visible(token.text),
    title: about(token, i),
    onmouseenter: () => store.preview({ query: i }),
    onmouseleave: () => store.preview({}),
    onclick: () => store.toggle({ query: i }),
  });
}

function about(token, i) {
  if (token.special) return `place ${i}: token ${token.id}, a special token that stands before every article`;
  const part = token.partial ? ", bytes of a character that needs several tokens" : "";
  return `place ${i}${token.id === null ? "" : `: token ${token.id}`}${part}`;
}

function modelLine(model) {
  const size = [model.n_embd && `width ${model.n_embd}`, model.num_parameters && `${(model.num_parameters / 1e6).toFixed(1)} M parameters`];
  return [model.name, `${model.n_layer} layers × ${model.n_head} heads`, ...size].filter(Boolean).join(" · ");
}

function usedLine({ tokens, total, was_cut, model }) {
  if (total <= tokens.length) return `${tokens.length} / ${model.token_limit} tokens`;
  return `shown: the first ${tokens.length} of ${was_cut ? "more than " : ""}${grouped(total)} tokens; the model's window ends there`;
}
