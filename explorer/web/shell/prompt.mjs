// The prompt, its button and the examples: what is pressed there is run. Below it stands what went wrong, in one
// sentence, with a text or with the server. A text that the address names is run as if it were typed.

import { make } from "../base/dom.mjs";
import { openAhead, run, runText } from "../state/run.mjs";
import { store } from "../state/store.mjs";

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

  document.addEventListener("hs-server", ({ detail }) => say(lost, detail));
  document.addEventListener("hs-ran", ({ detail }) => {
    say(note, detail);
    element.dataset.ready = "true";
  });
  listen(open);
  open(0).then(() => {
    const { text, model: named } = store.asked ?? {};
    if (!text && !named) return;
    store.wanted = named;
    runText(text ?? store.firstText);
  });
}

function listen(open) {
  document.addEventListener("keydown", (event) => {
    const isLineEnd = event.key === "Enter" && !event.shiftKey && !event.isComposing;
    if (!isLineEnd || !event.target.matches?.("#prompt textarea")) return;
    event.preventDefault();
    run();
  });
  document.addEventListener("click", ({ target }) => {
    if (target.closest?.("#run")) run();
    const chip = target.closest?.("#examples .chip");
    if (chip) open([...document.querySelectorAll("#examples .chip")].indexOf(chip));
  });
}
