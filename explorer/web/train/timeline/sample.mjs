// What the model wrote at a step, unedited: a continuation, or what it put into gaps.

import { make } from "../../base/dom.mjs";
import { visible } from "../../base/text.mjs";
import { drawsText, fillsTitle, fillTitle, SAMPLE, writesTitle } from "./words.mjs";

const GAP = "{mask}";

/** `sample` as timeline.json has it; `i` the recorded step, `step` what it is called. */
export function sampleLines(sample, i, step) {
  return sample.fills ? filled(sample, i, step) : continued(sample, i, step);
}

function continued(sample, i, step) {
  const { prompt, texts } = sample;
  return [
    make("h3", { text: writesTitle(step) }),
    make("p", { className: "hs-hint", text: drawsText(sample) }),
    make(
      "blockquote",
      { dir: "auto" },
      make("div", { className: "hs-tl-given", text: prompt.trim() }),
      make("div", { className: "hs-tl-written", text: texts[i].trim() || SAMPLE.blank }),
    ),
  ];
}

/** As it stands in the text, with its space; one that would not be seen is made visible. */
const shown = (text) => (text.trim() ? text : visible(text));

function filled({ prompt, fills }, i, step) {
  const parts = prompt.split(GAP).flatMap((text, gap) => [
    make("span", { className: "hs-tl-given", text }),
    ...(gap < fills[i].length
      ? [
          make("strong", {
            className: "hs-tl-written",
            text: shown(fills[i][gap].text),
            title: fillTitle(fills[i][gap].p),
          }),
        ]
      : []),
  ]);
  return [
    make("h3", { text: fillsTitle(step) }),
    make("p", { className: "hs-hint", text: SAMPLE.gaps }),
    make("blockquote", { dir: "auto" }, ...parts),
  ];
}
