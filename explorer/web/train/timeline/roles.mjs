// What the chosen head does: its scores at the step, and how they came about over all steps.

import { make } from "../../base/dom.mjs";
import { keyPart, lineChart } from "../../charts/line_chart.mjs";
import { roleLook } from "../../color/heads.mjs";
import { sign, worn } from "../../ui/badges.mjs";
import { folding } from "../../ui/fold.mjs";
import { fillRoles, roleMeaning, roleTable } from "../../ui/role_table.mjs";
import {
  badgeText,
  cameTitle,
  doesTitle,
  goText,
  isHalf,
  NO_ROLES,
  ROLES,
  riseText,
  scoresText,
  steepest,
} from "./words.mjs";

const ALWAYS = ["previous token", "prefix matching", "induction"];
const HEIGHT = 210;

export class RolesAtStep {
  /** `jump(index)` shows a recorded step. */
  constructor(jump) {
    this.jump = jump;
    this.title = make("h3");
    this.curveTitle = make("h3");
    this.badge = make("p");
    this.table = roleTable();
    this.chart = make("div", { className: "hs-tl-chart" });
    this.key = make("p", { className: "hs-hint hs-tl-key" });
    this.rise = make("p", { "aria-live": "polite" });
    this.more = make("details", { className: "hs-role-words" }, make("summary", { text: ROLES.meanings }));
    this.half = make("p", { className: "hs-hint", text: ROLES.half });
    this.none = make("p", { className: "hs-hint", text: NO_ROLES });
    this.scores = folding(
      this.title,
      { className: "hs-tl-roles" },
      () => {},
      this.badge,
      this.none,
      this.table,
      this.more,
    );
    this.curve = folding(
      this.curveTitle,
      { className: "hs-tl-rise" },
      () => dispatchEvent(new Event("resize")),
      make("p", { className: "hs-hint", text: ROLES.hint }),
      this.chart,
      this.key,
      this.rise,
    );
  }

  /**
   * `roles(i)` are those of the stack at a recorded step (each with `scores`, `lifts`), empty if they cannot be
   * measured.
   */
  draw({ roles, steps, i, layer, head, log }) {
    const now = roles(i);
    this.title.textContent = doesTitle(layer, head, steps[i]);
    this.none.hidden = now.length > 0;
    this.half.hidden = !isHalf(now);
    for (const element of [this.badge, this.table, this.more, this.curve]) element.hidden = now.length === 0;
    this.curveTitle.textContent = cameTitle(layer, head);
    if (!now.length) return;
    const names = worn(now, layer, head).map(({ name }) => name);
    this.badge.textContent = badgeText(names);
    fillRoles(this.table, now, layer, head);
    this.meanings(now);
    this.curves(roles, now, { steps, i, layer, head, log });
  }

  curves(roles, now, { steps, i, layer, head, log }) {
    const all = steps.map((_, at) => roles(at));
    const series = now
      .map((role, r) => ({
        role,
        scores: all.map((found) => found[r].scores[layer][head]),
        ever: all.some((found) => found[r].lifts[layer][head] >= found[r].threshold),
      }))
      .filter(({ role, ever }) => ever || ALWAYS.includes(role.name));
    const drawn = series.map(({ role, scores }) => ({
      name: role.name,
      ...roleLook(role.name),
      points: scores.map((score, at) => [steps[at], score]),
      dots: true,
    }));
    const chart = lineChart({
      width: Math.max(280, this.chart.clientWidth),
      height: HEIGHT,
      last: steps.at(-1),
      log,
      range: [0, 1],
      yLabel: ROLES.axis,
      series: drawn,
      cursor: steps[i],
      steps,
      label: scoresText({ layer, head, series, steps, i }),
    });
    this.chart.replaceChildren(chart);
    this.key.replaceChildren(...drawn.map((one) => keyPart(one, one.name)));
    this.tell(series, steps);
  }

  tell(series, steps) {
    const rises = series
      .map(({ role, scores }) => ({ name: role.name, ...steepest(scores, steps) }))
      .filter(({ rise }) => rise)
      .sort((a, b) => b.rise - a.rise);
    if (!rises.length) {
      this.rise.textContent = ROLES.noRise;
      return;
    }
    const { to } = rises[0];
    this.rise.replaceChildren(
      riseText(rises[0]),
      make("button", {
        type: "button",
        className: "hs-link",
        text: goText(to),
        onclick: () => this.jump(steps.indexOf(to)),
      }),
    );
  }

  meanings(roles) {
    if (this.told === roles.map(({ name }) => name).join()) return;
    this.told = roles.map(({ name }) => name).join();
    this.more.replaceChildren(
      this.more.firstElementChild,
      this.half,
      make("dl", {}, ...roles.flatMap((role) => roleMeaning(role, `${sign(role.name)} ${role.name}`))),
    );
  }
}
