// The row of eleven points: a tile for each block, as wide as its points, with a sign and a word for its colour.
// The tiles are tabs: one Tab stop, arrows move, Enter or Space opens.

import { breakable, make } from "../base/dom.mjs";
import { rove, roving } from "../ui/roving.mjs";
import { points, REPORT, STATUS, tileLabel } from "./words.mjs";

/** `first`: the name of the block that is open at first; else what failed, or was not started. */
export function tileRow(blocks, panel, open, first = null) {
  const tiles = blocks.map((block, i) => tile(block, i, () => choose(i)));
  const row = make("div", { className: "hs-check-tiles", role: "tablist", "aria-label": REPORT.blocks }, ...tiles);
  const choose = (chosen) => {
    for (const [i, one] of tiles.entries()) one.setAttribute("aria-selected", String(i === chosen));
    rove(row, tiles[chosen]);
    panel.setAttribute("aria-labelledby", tiles[chosen].id);
    open(blocks[chosen]);
  };
  roving(row);
  const wanted = [
    blocks.findIndex(({ name }) => name === first),
    ...["failed", "not started"].map((status) => blocks.findIndex((block) => block.status === status)),
  ];
  choose(wanted.find((i) => i >= 0) ?? 0);
  return row;
}

function tile(block, i, onclick) {
  const { sign, word } = STATUS[block.status];
  const made = make(
    "button",
    {
      type: "button",
      role: "tab",
      id: `check-tile-${i}`,
      "aria-controls": "check-panel",
      className: `hs-check-tile hs-check-${block.status.replace(" ", "-")}`,
      "data-block": block.name,
      "aria-label": tileLabel(block),
      onclick,
    },
    make("span", { className: "hs-check-mark" }, make("span", { className: "hs-check-sign", text: sign }), ` ${word}`),
    make("span", { className: "hs-check-title", dir: "auto" }, ...breakable(block.title)),
    make("span", {
      className: "hs-check-points",
      text: block.points === block.possible ? points(block.points) : `${block.points} of ${block.possible}`,
    }),
  );
  made.style.setProperty("--points", Math.max(1, block.possible));
  return made;
}
