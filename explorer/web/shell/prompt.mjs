// The prompt, its button and the examples: what is pressed there is run. Below it stands what went wrong, in one
// sentence, with a text or with the server. A text that the address names is run as if it were typed.

import { make } from "../base/dom.mjs";
import { address } from "../state/history.mjs";
import { onPage, page } from "../state/pages.mjs";
import { openAhead, promptText, run, runText } from "../state/run.mjs";
import { OF_THE_TEXT, store } from "../state/store.mjs";
import { stillShown } from "./words.mjs";

export function mount(element, { props }) {
  const { examples, first, ahead, model } = JSON.parse(props.given);
  const [note, lost] = ["hs-problem", "hs-problem hs-lost"].map((className) =>
    make("p", { className, role: "alert", hidden: "" }),
  );
  const still = make("p", { className: "hs-hint", hidden: "" });
  element.append(note, still, lost);
  store.firstTexts = first;
  store.firstModel = model;

  function say(place, sentence) {
    place.hidden = sentence === "";
    place.textContent = sentence;
    element.dataset.error = [lost, note].find(({ hidden }) => !hidden)?.textContent ?? "";
  }

  function open(index) {
    const isAhead = ahead && (store.model || model) === model;
    return isAhead ? openAhead(examples[index], `${ahead}/${index}.bin`) : runText(examples[index]);
  }

  document.addEventListener("hs-server", (/** @type {CustomEvent} */ { detail }) => say(lost, detail));
  document.addEventListener("hs-ran", (/** @type {CustomEvent} */ { detail }) => {
    say(note, detail);
    still.hidden = detail === "" || !store.payload || store.payload.text === promptText();
    still.textContent = still.hidden ? "" : stillShown(store.payload);
    element.dataset.ready = "true";
  });
  listen(open);
  address.speak(
    OF_THE_TEXT,
    (name) => store.told(name),
    (name, values) => {
      const text = store.show(name, values);
      if (text !== null) runText(text);
    },
  );
  openFirst().then(() => {
    const { text, model: named } = store.asked ?? {};
    if ((text ?? null) === null && !named) return;
    store.wanted = named;
    runText(text ?? store.firstText(page()));
  });
  let left = page();
  onPage((name) => {
    const isFirst = promptText() === store.firstText(left); // nobody has typed yet
    left = name;
    if (isFirst && !store.asked && promptText() !== store.firstText(name)) openFirst();
  });

  function openFirst() {
    const text = store.firstText(page());
    const index = examples.indexOf(text);
    return index < 0 ? runText(text) : open(index);
  }
}

function listen(open) {
  document.addEventListener("keydown", (event) => {
    const isLineEnd = event.key === "Enter" && !event.shiftKey && !event.isComposing;
    if (!isLineEnd || !(event.target instanceof Element && event.target.matches("#prompt textarea"))) return;
    event.preventDefault();
    run();
  });
  document.addEventListener("click", ({ target }) => target instanceof Element && target.closest("#run") && run());
  document.addEventListener("change", ({ target }) => {
    if (target instanceof HTMLSelectElement && target.closest("#examples")) open(Number(target.value));
  });
}
