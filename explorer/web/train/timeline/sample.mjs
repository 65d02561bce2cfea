// What the model wrote at a step, unedited: a continuation, or what it put into gaps.

import { make } from "../../base/dom.mjs";
import { visible } from "../../base/text.mjs";

const GAP = "{mask}";

/** `sample` as timeline.json has it; `i` the recorded step, `step` what it is called. */
export function sampleLines(sample, i, step) {
  return sample.fills ? filled(sample, i, step) : continued(sample, i, step);
}

function continued({ prompt, texts, seed, temperature, top_p }, i, step) {
  return [
    make("h3", { text: `What it writes at step ${step}` }),
    make("p", {
      className: "hs-hint",
      text:
        `Unedited, below the gray title. The random draws are the same at every step (seed ${seed}, temperature ` +
        `${temperature}, top-p ${top_p}), so every difference is something the model has learned.`,
    }),
    make(
      "blockquote",
      { dir: "auto" },
      make("div", { className: "hs-tl-given", text: prompt.trim() }),
      make("div", { className: "hs-tl-written", text: texts[i].trim() || "(white space only)" }),
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
            title: `probability ${fills[i][gap].p.toFixed(3)}`,
          }),
        ]
      : []),
  ]);
  return [
    make("h3", { text: `How it fills gaps at step ${step}` }),
    make("p", { className: "hs-hint", text: "Gray is given; bold is the likeliest token for each gap." }),
    make("blockquote", { dir: "auto" }, ...parts),
  ];
}
