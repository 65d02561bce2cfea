// What the model wrote at a step, unedited: a continuation, or what it put into gaps.

import { make } from "./dom.mjs";
import { visible } from "./text.mjs";

const GAP = "{mask}";

/** `sample` as timeline.json has it; `i` the recorded step, `step` what it is called. */
export function sampleLines(sample, i, step) {
  return sample.fills ? filled(sample, i, step) : continued(sample, i, step);
}

function continued({ prompt, texts, seed, temperature, top_p }, i, step) {
  return [
    make("h3", { text: `What it writes at step ${step}` }),
    make("p", { className: "hs-hint", text: `Unedited, behind the grey words. The dice fall the same way at every step (seed ${seed}, temperature ${temperature}, top-p ${top_p}): what differs is what the model has learned.` }),
    make("blockquote", { dir: "auto" }, make("span", { className: "hs-tl-given", text: prompt }), make("span", { className: "hs-tl-written", text: texts[i] })),
  ];
}

function filled({ prompt, fills }, i, step) {
  const parts = prompt.split(GAP).flatMap((text, gap) => [
    make("span", { className: "hs-tl-given", text }),
    ...(gap < fills[i].length ? [make("strong", { className: "hs-tl-written", text: visible(fills[i][gap].text).trim(), title: `probability ${fills[i][gap].p.toFixed(3)}` })] : []),
  ]);
  return [
    make("h3", { text: `How it fills gaps at step ${step}` }),
    make("p", { className: "hs-hint", text: "Grey is given; bold is the likeliest token for each gap." }),
    make("blockquote", { dir: "auto" }, ...parts),
  ];
}
