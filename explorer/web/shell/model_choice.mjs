// Which model the text is given to. It always names the model that is shown: one that cannot be had changes nothing.

import { make } from "../base/dom.mjs";
import { modelName } from "../base/text.mjs";
import { ask } from "../state/ask.mjs";
import { models, refreshModels } from "../state/models.mjs";
import { onPage, page } from "../state/pages.mjs";
import { chooseModel } from "../state/run.mjs";
import { store } from "../state/store.mjs";
import { MODEL } from "./words.mjs";

export function mount(element, { props }) {
  const name = make("span");
  const select = make("select", {
    onchange: () => (select.value === MODEL.other ? openOther() : chooseModel(select.value)),
    onpointerenter: refresh,
    onfocus: refresh,
  });
  let mayOpen = null; // whether this is the owner of the app, who may open any model; null while nobody has asked
  element.append(make("label", {}, name, select));

  async function refresh() {
    refreshModels();
    if (mayOpen !== null) return;
    mayOpen = false;
    mayOpen = (await ask("rights", {}, { quiet: true })).any_folder;
    draw();
  }

  async function openOther() {
    draw(); // the list names what is shown
    const { openModel } = await import("./open_model.mjs");
    openModel();
  }

  function draw() {
    const isLesson = page() === "learn"; // what is precomputed is of the app's own model
    const shown = isLesson ? props.value : store.model || props.value;
    const names = [...new Set([...offered(), props.value, shown, ...(mayOpen ? [MODEL.other] : [])])];
    if (element.dataset.names !== names.join("\n")) {
      select.replaceChildren(...names.map((value) => make("option", { value, text: modelName(value), title: value })));
      element.dataset.names = names.join("\n");
    }
    select.value = shown;
    select.disabled = isLesson;
    name.textContent = isLesson ? MODEL.ofLessons : MODEL.name;
    element.dataset.model = shown;
  }

  store.subscribe(element, draw, null, false);
  document.addEventListener("hs-models", draw);
  onPage(draw);
  draw();
  element.dataset.ready = "true";
}

/** Models that the page can show: only a decoder writes. */
function offered() {
  return models()
    .filter(({ architecture }) => architecture && (architecture === "decoder" || page() === "explore"))
    .map(({ name }) => name);
}
