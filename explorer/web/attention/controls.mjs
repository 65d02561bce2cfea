// Above a picture of attention: one head or several as one, where a token looks or who looks at it, and the sink.

import { make } from "../base/dom.mjs";
import { store } from "../state/store.mjs";
import { choice } from "../ui/choice.mjs";

const BY = { one: "one head", mean: "mean", max: "maximum" };
const OVER = { heads: "this layer’s heads", layers: "this head, all layers", all: "all heads" };
const READ = { row: "where a token looks", column: "who looks at it" };

export function attentionControls() {
  const element = make("div");
  // First of all, so that a switch is drawn in the frame that brings it back: views draw in the order in which they
  // subscribe.
  store.subscribe(element, (_, { draw, by, over: which, sink: state }) => {
    element.firstElementChild.hidden = draw === "flow" || draw === "neuron";
    over.hidden = by === "one";
    note.hidden = by === "one" || which !== "layers" || element.firstElementChild.hidden;
    box.checked = state === "hidden";
  });
  const show = group("show", choice("by", BY, "One head, or several as one"));
  const over = group("over", choice("over", OVER, "Over which heads the mean or maximum goes"));
  const read = group("read", choice("read", READ, "How the chosen token is read"));
  const box = make("input", {
    type: "checkbox",
    onchange: () => store.toggle({ sink: box.checked ? "hidden" : "shown" }),
  });
  const sink = make(
    "label",
    {
      className: "hs-check",
      title:
        "Many heads put most of their weight on the first token, whatever the text: a resting place, called the sink",
    },
    box,
    make("span", { text: "hide the first token" }),
  );
  const note = make("p", {
    className: "hs-hint",
    text:
      "Heads of the same number in different layers share nothing but the number: what they have in common, " +
      "the text brings about.",
  });
  element.append(make("div", { className: "hs-controls" }, show, over, sink, read), note);
  return element;
}

function group(name, control) {
  return make("span", { className: "hs-control" }, make("span", { text: name }), control);
}
