// Every head as a point by two of its scores: what does two things, or one of them, stands apart. A press chooses it.
// One of the scores may be what switching the head off does to the text's loss.

import { make } from "../base/dom.mjs";
import { plain } from "../charts/ink.mjs";
import { Plot } from "../charts/plot.mjs";
import { store } from "../state/store.mjs";
import { worn } from "../ui/badges.mjs";
import { table } from "../ui/table.mjs";
import { effects, isWhole } from "./effects.mjs";
import { effectsSentence, pointText, SCATTER, scatterLabel, score } from "./words.mjs";

const SIZE = { point: 9, chosen: 13 }; // px
const ROOM = 0.04; // beside 0 and 1

/** @typedef {{name: string, title: string, scores: number[][], baseline: number, range?: number[]}} Axis */

export function mount(element) {
  new Scatter(element);
}

class Scatter {
  constructor(element) {
    this.chosen = { across: SCATTER.across[1], up: SCATTER.up[1] };
    this.said = make("p", { className: "hs-hint", role: "status" });
    this.plot = new Plot({ choose: ({ data: [layer, head] }) => store.toggle({ layer, head }) });
    this.choices = ["across", "up"].map((name) => this.choice(name));
    const labels = this.choices.map((select, i) => {
      const text = [SCATTER.across, SCATTER.up][i][0];
      return make("label", { className: "hs-control" }, make("span", { text }), select);
    });
    this.box = make(
      "details",
      { ontoggle: () => this.draw() },
      make("summary", {}, make("h3", { text: SCATTER.title })),
      make("p", { className: "hs-hint", text: SCATTER.hint }),
      make("div", { className: "hs-controls" }, ...labels),
      this.said,
      this.plot.element,
    );
    element.append(this.box);
    store.subscribe(element, (payload, focus) => this.show(payload, focus));
  }

  choice(name) {
    const select = make("select", {
      onchange: () => {
        this.chosen[name] = select.value;
        effects.forgetProblem();
        this.draw();
      },
    });
    return select;
  }

  show(payload, focus) {
    const { roles, without } = payload;
    this.box.hidden = !roles.length;
    if (this.roles !== roles) this.offer(roles, !without?.surgery);
    this.roles = roles;
    this.payload = payload;
    this.focus = focus;
    this.draw();
  }

  offer(roles, canSwitchOff) {
    const names = [...roles.map(({ name }) => name), ...(canSwitchOff ? [SCATTER.effect] : [])];
    for (const [i, key] of ["across", "up"].entries()) {
      const select = this.choices[i];
      select.replaceChildren(...names.map((name) => make("option", { value: name, text: name })));
      if (!names.includes(this.chosen[key])) this.chosen[key] = names[Math.min(i, names.length - 1)];
      select.value = this.chosen[key];
    }
  }

  draw() {
    if (!this.box.open || !this.roles?.length) return;
    const found = Object.values(this.chosen).includes(SCATTER.effect) ? effects.of(this.payload) : null;
    this.say(found);
    if (found && !isWhole(found)) return;
    const [x, y] = [this.chosen.across, this.chosen.up].map((name) => this.axis(name));
    const heads = x.scores.flatMap((row, layer) => row.map((_, head) => [layer, head]));
    this.plot.draw({
      label: scatterLabel(x.name, y.name, heads.length),
      traces: (ink) => [this.trace(heads, x, y, ink)],
      layout: (ink) => layoutOf(x, y, ink),
      table: () => tableOf(heads, x, y),
    });
  }

  /** How far the measuring is; meanwhile the chart is dimmed, since it shows what was chosen before. */
  say(found) {
    const isWaiting = found !== null && !isWhole(found);
    this.said.textContent = found ? found.problem || effectsSentence(found) : "";
    this.said.className = found?.problem ? "hs-problem" : "hs-hint";
    this.plot.element.toggleAttribute("data-dim", isWaiting);
    this.box.setAttribute("aria-busy", String(isWaiting && !found.problem));
  }

  /** @returns {Axis} */
  axis(name) {
    if (name === SCATTER.effect)
      return { name, title: SCATTER.effectTitle, scores: effects.of(this.payload).changes, baseline: 0 };
    const { scores, baseline } = this.roles.find((role) => role.name === name);
    return { name, title: name, scores, baseline, range: [-ROOM, 1 + ROOM] };
  }

  /** Named are the heads that wear a badge of one of the two, and the chosen one, which is filled with ink. */
  trace(heads, x, y, ink) {
    const isChosen = ([layer, head]) => layer === this.focus.layer && head === this.focus.head;
    const roles = this.roles.filter(({ name }) => name === x.name || name === y.name);
    const isNamed = (place) => isChosen(place) || worn(roles, place[0], place[1]).length > 0;
    const each = (of) => heads.map(of);
    return {
      type: "scatter",
      mode: "markers+text",
      x: each(([layer, head]) => x.scores[layer][head]),
      y: each(([layer, head]) => y.scores[layer][head]),
      customdata: heads,
      text: each((place) => (isNamed(place) ? `L${place[0]} H${place[1]}` : "")),
      textposition: "top center",
      textfont: { color: ink.ink },
      hovertext: each(([layer, head]) => plain(pointText(layer, head, x, y)).replaceAll("\n", "<br>")),
      hovertemplate: "%{hovertext}<extra></extra>",
      marker: {
        color: each((place) => (isChosen(place) ? ink.chosen : ink.attention)),
        size: each((place) => (isChosen(place) ? SIZE.chosen : SIZE.point)),
        symbol: each((place) => (isChosen(place) ? "diamond" : "circle")),
        opacity: 0.85,
      },
      cliponaxis: false,
    };
  }
}

/** Roles from 0 to 1; dotted: what uniform attention scores, or no change. */
function layoutOf(x, y, ink) {
  const axis = ({ title, range }) => ({
    title: { text: plain(title) },
    zeroline: false,
    ...(range ? { range } : { autorange: true, rangemode: "tozero" }),
  });
  const line = { type: "line", layer: "below", line: { color: ink.faint, width: 1, dash: "dot" } };
  const chance = [
    { ...line, x0: x.baseline, x1: x.baseline, y0: 0, y1: 1, yref: "paper" },
    { ...line, y0: y.baseline, y1: y.baseline, x0: 0, x1: 1, xref: "paper" },
  ];
  const left = y.range ? 46 : 64; // −0.05 is wider than 0.5
  return {
    showlegend: false,
    margin: { l: left, r: 12, t: 16, b: 40 },
    xaxis: axis(x),
    yaxis: axis(y),
    shapes: chance,
  };
}

function tableOf(heads, x, y) {
  return table({
    label: SCATTER.title,
    columns: [{ name: SCATTER.head, kind: "row" }, x.name, y.name],
    rows: heads.map(([layer, head]) => [
      `L${layer} H${head}`,
      score(x.scores[layer][head]),
      score(y.scores[layer][head]),
    ]),
  });
}
