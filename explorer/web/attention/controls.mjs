// The settings of a picture of attention, behind one button: one head or several as one, where a token looks or who
// looks at it, the first token, and the bars beside the matrix.

import { make } from "../base/dom.mjs";
import { store } from "../state/store.mjs";
import { choice } from "../ui/choice.mjs";
import { menu } from "../ui/menu.mjs";

const BY = { one: "one head", mean: "mean", max: "maximum" };
const OVER = { heads: "this layer’s heads", layers: "this head, all layers", all: "all heads" };
const SINK =
  "Many heads put most of their weight on the first token, whatever the text: a resting place, called the sink";
const SAME_NUMBER =
  "Heads of the same number in different layers share nothing but the number: whatever they have in common comes " +
  "from the text.";
const READ = { row: "where a token looks", column: "which tokens look at it" };

/** The button, and what it opens. */
export function attentionSettings() {
  const show = group("show", choice("by", BY, "One head, or several as one"));
  const over = group("over", choice("over", OVER, "Over which heads the mean or maximum goes"));
  const read = group("read", choice("read", READ, "How the chosen token is read"));
  const sink = check("hide the first token", SINK, (is) => ({ sink: is ? "hidden" : "shown" }));
  const margins = check("bars: what each token receives and gives", null, (is) => ({ margins: is ? "on" : "off" }));
  const note = make("p", { className: "hs-hint", text: SAME_NUMBER });
  const one = make("div", {}, show, over, note, read, sink.element, margins.element);
  const { button, panel } = menu(
    "⚙",
    { className: "hs-icon", title: "Settings", "aria-label": "Settings of the picture" },
    one,
  );
  panel.addEventListener("toggle", () => store.changed()); // what is not seen is not drawn
  // First of all, so that a switch is drawn in the frame that brings it back: views draw in the order in which they
  // subscribe.
  store.subscribe(one, (_, { draw, by, over: which, ...focus }) => {
    show.hidden = over.hidden = read.hidden = draw === "flow" || draw === "neuron";
    if (by === "one") over.hidden = true;
    note.hidden = over.hidden || which !== "layers";
    sink.element.hidden = show.hidden;
    margins.element.hidden = draw !== "matrix";
    sink.box.checked = focus.sink === "hidden";
    margins.box.checked = focus.margins === "on";
  });
  return [button, panel];
}

function check(text, title, chosen) {
  const box = make("input", { type: "checkbox", onchange: () => store.toggle(chosen(box.checked)) });
  return { box, element: make("label", { className: "hs-check", title }, box, make("span", { text })) };
}

function group(name, control) {
  return make("span", { className: "hs-control" }, make("span", { text: name }), control);
}
