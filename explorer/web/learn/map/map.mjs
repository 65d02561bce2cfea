// All tokens on a map: zoom, find one, see its neighbors, list those of a region.

import { make } from "../../base/dom.mjs";
import { hasGl } from "../../charts/library.mjs";
import { Plot } from "../../charts/plot.mjs";
import { CHART } from "../../charts/words.mjs";
import { ask } from "../../state/ask.mjs";
import { choiceOf } from "../../ui/choice.mjs";
import { fillTable, table } from "../../ui/table.mjs";
import { aboutMap, cutText, MAP, mapLabel, nearestTitle, regionTitle } from "./words.mjs";
import { callouts } from "./callouts.mjs";
import { axisNames, clouds, flat, found, named, rowOf, tokensOf } from "./tokens.mjs";

const MOST_LISTED = 200; // tokens of a region, and of the table
const COLUMNS = [{ name: MAP.columns[0], kind: "row" }, ...MAP.columns.slice(1)];
const SIZE = { 2: 4, 3: 3 }; // px of a point
const OPACITY = { 2: 0.75, 3: 0.3 }; // what lies behind others is seen through them
const EYE = { x: 1.1, y: 1.1, z: 0.7 };
const NARROW = 600; // px: the names of the axes need more room then
const MARGIN = { l: 48, r: 8, t: 28, b: 44 };
const LEGEND = 93; // px of the top where the legend has a row for each kind

const touched = () => matchMedia("(pointer: coarse)").matches;

/** A step's map, which asks for its tokens by itself. */
export function tokenMap({ chosen }) {
  const map = new TokenMap(chosen);
  map.open();
  return map.element;
}

class TokenMap {
  constructor(chosen) {
    this.chosen = chosen;
    this.dims = 2;
    this.drag = touched() ? "pan" : "zoom";
    this.region = [];
    this.clearings = 0;
    this.said = make("p", { className: "hs-hint", role: "status", text: MAP.loading });
    this.plot = new Plot({ choose: ({ data }) => this.choose(data), select: (points) => this.select(points) });
    this.about = make("p", { className: "hs-hint" });
    this.nearest = table({ columns: COLUMNS, rows: [], className: "hs-map-near" });
    this.list = make("div", { className: "hs-map-list", "aria-live": "polite" });
    this.element = make("figure", { className: "hs-beside hs-token-map" }, this.said);
  }

  async open() {
    try {
      this.tokens = tokensOf(await ask("token_map", {}, { cached: true }));
    } catch (problem) {
      this.said.textContent = problem.message;
      this.said.className = "hs-problem";
      return;
    }
    this.chosen = Math.min(this.chosen, this.tokens.count - 1);
    this.clouds = {};
    this.element.replaceChildren(this.controls(), this.plot.element, this.about, this.list);
    await this.draw();
    this.element.dataset.ready = "true";
  }

  controls() {
    this.byDims = choiceOf({ 2: MAP.flat, 3: MAP.deep }, MAP.dims, (name) => this.turn(Number(name)));
    this.byDrag = choiceOf({ zoom: MAP.zoom, pan: MAP.pan, lasso: MAP.lasso }, MAP.drag, (drag) => this.set({ drag }));
    this.hits = make("span", { className: "hs-map-hits", role: "group", "aria-label": MAP.found });
    const input = make("input", {
      type: "search",
      autocomplete: "off",
      spellcheck: "false",
      oninput: () => this.find(input.value),
      onkeydown: ({ key }) => key === "Enter" && this.hits.querySelector("button")?.click(),
    });
    const search = make("label", { className: "hs-control" }, make("span", { text: MAP.find }), input);
    return make("div", { className: "hs-controls" }, search, this.hits, this.byDims, this.byDrag);
  }

  find(word) {
    const buttons = found(this.tokens, word).map((id) =>
      make("button", {
        type: "button",
        className: "hs-chip",
        text: this.tokens.names[id],
        onclick: () => this.choose(id),
      }),
    );
    const none = word.trim() ? [make("span", { className: "hs-hint", text: MAP.nothing })] : [];
    this.hits.replaceChildren(...(buttons.length ? buttons : none));
  }

  choose(id) {
    this.set({ chosen: id, region: [] });
  }

  select(points) {
    this.region = points
      .filter(({ trace }) => trace < Object.keys(this.tokens.groups).length)
      .map(({ data }) => data)
      .sort((a, b) => a - b);
    this.tell();
  }

  turn(dims) {
    if (dims === 3 && !hasGl()) this.about.textContent = CHART.noGl;
    else this.set({ dims, region: [] });
  }

  set(change) {
    for (const [name, value] of Object.entries(change)) this[name] = value;
    return this.draw();
  }

  draw() {
    const { tokens, dims, chosen } = this;
    this.byDims.mark(dims);
    this.byDrag.mark(this.drag);
    this.byDrag.hidden = dims === 3;
    this.about.textContent = `${aboutMap(tokens, dims)} ${touched() ? MAP.tap : MAP.hint}`;
    this.tell();
    this.clouds[dims] ??= clouds(tokens, dims);
    const near = named(
      tokens,
      tokens.near(chosen).map(({ id }) => id),
      dims,
    );
    return this.plot.draw({
      label: mapLabel(tokens, dims, tokens.names[chosen]),
      traces: (ink) => this.traces(ink, near, named(tokens, [chosen], dims)),
      layout: (ink) => this.layout(ink),
      config: { scrollZoom: true },
      table: () => this.table(),
    });
  }

  traces(ink, near, own) {
    const size = SIZE[this.dims];
    const type = (kind) => (kind === "scattergl" && !hasGl() ? "scatter" : kind);
    const marked = { ...near, marker: { size: 2.5 * size, color: ink.ground, line: { color: ink.ink, width: 2 } } };
    const chosen = { ...own, marker: { size: 3 * size, color: ink.chosen, symbol: "diamond" } };
    const all = this.clouds[this.dims].map((cloud, i) => ({
      ...cloud,
      marker: { size, color: ink.category(i), opacity: OPACITY[this.dims] },
    }));
    const letters = [marked, chosen].map((trace) => ({ ...trace, textfont: { color: ink.ink, size: 13 } }));
    return [...all, ...letters].map((trace) => ({ ...trace, type: type(trace.type) }));
  }

  layout(ink) {
    const [x, y, z] = axisNames(this.tokens).map((text) => ({ title: { text } }));
    const common = { ...this.cleared(), margin: MARGIN };
    if (this.dims === 2) return { ...common, dragmode: this.drag, xaxis: x, yaxis: y, annotations: this.names(ink) };
    const back = this.plot.area.clientWidth < NARROW ? 1.5 : 1;
    const camera = { eye: { x: back * EYE.x, y: back * EYE.y, z: back * EYE.z } };
    return {
      ...common,
      annotations: [],
      dragmode: "turntable",
      margin: { l: 0, r: 0, t: 28, b: 0 },
      scene: { xaxis: x, yaxis: y, zaxis: z, camera },
    };
  }

  /** Of the marked tokens, on the flat map. */
  names(ink) {
    const { tokens, chosen, plot } = this;
    const { points, extent } = flat(tokens, [chosen, ...tokens.near(chosen).map(({ id }) => id)]);
    const size = {
      width: plot.area.clientWidth - MARGIN.l - MARGIN.r,
      height: plot.area.clientHeight - (plot.area.clientWidth < NARROW ? LEGEND : MARGIN.t) - MARGIN.b,
    };
    const look = { font: { color: ink.ink, size: 13 }, bgcolor: ink.ground, arrowcolor: ink.muted };
    return callouts(points, extent, size).map((one) => ({ ...one, ...look }));
  }

  /** Without a region none is drawn, and no token is faint. */
  cleared() {
    if (this.region.length) return {};
    this.clearings += 1;
    return { selections: [], selectionrevision: this.clearings };
  }

  // lists

  tell() {
    const { tokens, chosen, region } = this;
    const cut = region.length > MOST_LISTED ? cutText(MOST_LISTED) : "";
    const chips = region.slice(0, MOST_LISTED).map((id) =>
      make("button", {
        type: "button",
        className: "hs-chip",
        text: tokens.names[id],
        onclick: () => this.choose(id),
      }),
    );
    const ofRegion = [
      make("h3", { text: `${regionTitle(region.length)}${cut}` }),
      make("div", { className: "hs-map-region" }, ...chips),
    ];
    const columns = { caption: nearestTitle(tokens.names[chosen]), columns: COLUMNS };
    fillTable(this.nearest, { ...columns, rows: tokens.near(chosen).map((one) => rowOf(tokens, one)) });
    this.list.replaceChildren(this.nearest, ...(region.length ? ofRegion : []));
    this.plot.fill();
  }

  /** Where tokens lie: the marked ones, then those of the region, or the first of all. */
  table() {
    const { tokens, chosen, region } = this;
    const others = region.length ? region : Array.from({ length: tokens.count }, (_, id) => id);
    const ids = [...new Set([chosen, ...tokens.near(chosen).map(({ id }) => id), ...others])];
    const shown = ids.slice(0, MOST_LISTED);
    const place = (id) => tokens.at(id).map((value) => value.toFixed(3));
    return table({
      caption: `${MAP.first}${ids.length > shown.length ? cutText(shown.length) : ""}`,
      columns: [COLUMNS[0], COLUMNS[1], ...axisNames(tokens)],
      rows: shown.map((id) => [...rowOf(tokens, { id }).slice(0, 2), ...place(id)]),
    });
  }
}
