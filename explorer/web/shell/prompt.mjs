// The prompt, its button and the examples: what is pressed there is run. Below it stands what went wrong, in one
// sentence, with a text or with the server. A text that the address names is run as if it were typed.

import { make } from "../base/dom.mjs";
import { address } from "../state/history.mjs";
import { openAhead, run, runText } from "../state/run.mjs";
import { OF_THE_TEXT, store } from "../state/store.mjs";

export function mount(element, { props }) {
  const { examples, ahead, model } = JSON.parse(props.given);
  const [note, lost] = ["hs-problem", "hs-problem hs-lost"].map((className) =>
    make("p", { className, role: "alert", hidden: "" }),
  );
  element.append(note, lost);
  store.firstText = examples[0];
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
  open(0).then(() => {
    const { text, model: named } = store.asked ?? {};
    if ((text ?? null) === null && !named) return;
    store.wanted = named;
    runText(text ?? store.firstText);
  });
}

function listen(open) {
  document.addEventListener("keydown", (event) => {
    const isLineEnd = event.key === "Enter" && !event.shiftKey && !event.isComposing;
    if (!isLineEnd || !(event.target instanceof Element && event.target.matches("#prompt textarea"))) return;
    event.preventDefault();
    run();
  });
  document.addEventListener("click", ({ target }) => {
    if (!(target instanceof Element)) return;
    if (target.closest("#run")) run();
    const chip = target.closest("#examples .chip");
    if (chip) open([...document.querySelectorAll("#examples .chip")].indexOf(chip));
  });
}
