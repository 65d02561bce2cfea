// Text as it is written, token by token, and for the token in focus: what temperature, top-k and top-p left.

import { make } from "./dom.mjs";
import { GONE, isGone } from "./server.mjs";
import { grouped, label, pieceName, probability, quoted, visible } from "./text.mjs";

const STAGES = ["model", "after temperature", "after top-k", "after top-p"];

export function mount(element, { props, watch }) {
  const text = make("div", { className: "hs-written", role: "log", "aria-label": "Written text" });
  const empty = make("p", { className: "hs-hint", text: "Press Write: the model goes on with your text, one token at a time. Each new token can be pointed at to see what it was chosen from." });
  const note = make("p", { className: "hs-problem", role: "alert", hidden: "" });
  const steps = make("div", { className: "hs-steps" });
  const before = make("p", { className: "hs-before", dir: "auto" });
  element.append(empty, before, text, note, steps);
  const state = { count: 0, tokens: [], chosen: null };

  // One JSON object a line: {prompt}, then a token each, last perhaps {error}.
  function update() {
    const lines = (props.value || "").split("\n").filter(Boolean).map((line) => JSON.parse(line));
    const problem = lines.find((line) => line.error)?.error;
    const tokens = lines.filter((line) => line.id !== undefined);
    const prompt = lines.find((line) => line.prompt !== undefined)?.prompt ?? "";
    if (tokens.length < state.count) text.replaceChildren();
    for (let i = text.children.length; i < tokens.length; i++) text.append(written(tokens[i], i, state, show));
    Object.assign(state, { tokens, count: tokens.length });
    if (state.chosen >= tokens.length) state.chosen = null;
    before.textContent = prompt.length > 160 ? `…${[...prompt].slice(-160).join("")}` : prompt;
    empty.hidden = tokens.length > 0;
    say(problem);
    show(null);
    Object.assign(element.dataset, { ready: "true", count: tokens.length });
  }

  function say(problem = "") {
    note.hidden = !problem;
    note.textContent = problem;
    element.dataset.error = problem;
  }

  function show(preview) {
    const index = preview ?? state.chosen ?? state.tokens.length - 1;
    [...text.children].forEach((button, i) => button.classList.toggle("hs-shown", i === index));
    steps.replaceChildren(...(state.tokens[index] ? stepPicture(state.tokens[index]) : []));
  }

  document.addEventListener("hs-write", async () => (await isGone()) && say(GONE));
  watch("value", update);
  update();
}

function written(token, i, state, show) {
  const button = make("button", {
    type: "button",
    className: `hs-token${token.partial ? " hs-partial" : ""}${token.special ? " hs-special" : ""}`,
    dir: "auto",
    text: token.special ? label(token) : visible(token.text),
    onmouseenter: () => show(i),
    onmouseleave: () => show(null),
    onclick: () => {
      state.chosen = state.chosen === i ? null : i;
      show(null);
    },
  });
  button.style.setProperty("--sure", Math.exp(token.logprob).toFixed(3));
  if (!token.text.includes("\n")) return button;
  return make("span", { className: "hs-line-end" }, button, make("span", { className: "hs-break" }));
}

function stepPicture(token) {
  const sentence = `${quoted(label(token, 24))}: probability ${probability(Math.exp(token.logprob))} by the model, place ${grouped(token.rank)}. `;
  const draw = token.u === null ? "Temperature 0: the likeliest token is taken, nothing is drawn." : `The random number was ${token.u.toFixed(4)}.`;
  const slid = token.slid ? " The window was full, so the first tokens are no longer seen." : "";
  const head = make("tr", {}, make("th", { text: "token" }), ...STAGES.map((text) => make("th", { text })));
  const left = make("tr", { className: "hs-left" }, make("th", { text: "tokens left" }), ...token.left.map((count) => make("td", { className: "hs-number", text: grouped(count) })));
  const top = Math.max(...token.candidates.flatMap(({ probs }) => probs));
  return [
    make("p", { className: "hs-row", text: sentence + draw + slid }),
    make("table", {}, head, ...token.candidates.map((candidate) => candidateRow(candidate, token.id, top)), left),
  ];
}

function candidateRow({ id, text, probs }, chosen, top) {
  const cells = probs.map((p) => {
    const fill = make("span", { className: "hs-fill" });
    fill.style.width = `${(p / top) * 100}%`;
    return p === 0 ? make("td", { className: "hs-gone", text: "removed" }) : make("td", {}, make("span", { className: "hs-track" }, fill), make("span", { className: "hs-number", text: probability(p) }));
  });
  return make("tr", { className: id === chosen ? "hs-marked" : "" }, make("th", { dir: "auto", text: pieceName(text) }), ...cells);
}
