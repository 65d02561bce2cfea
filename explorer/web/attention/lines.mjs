// Draws attention as lines on a canvas, a line's width and strength its weight; every head in its own colour.
// Queries left and keys right, or queries on top and keys at the bottom. Pure function of payload, focus and size.

import { cssColor, prepare } from "../base/dom.mjs";
import { hatch } from "../color/hatching.mjs";
import { eachLine, floorOf, isDrawn, seriesOf, standsOut } from "./line_series.mjs";
import { readsColumn, reading } from "../patterns/reading.mjs";
import { certain, label, probability } from "../base/text.mjs";
import { LINES } from "./words.mjs";

const FONT = "system-ui, sans-serif";
const HEAD = 24; // px for the words "query" and "key"
const REACH = 210; // px between tokens on top and tokens at the bottom
const FAINT = 0.35; // of a line that does not stand out

export function drawLines(canvas, { width, height = Infinity }, payload, focus) {
  const series = seriesOf(payload, focus);
  const measure = focus.sides === "top-bottom" ? measureDown : measureAcross;
  const layout = measure(canvas, { width, height }, payload.tokens, series.length, readsColumn(focus));
  const context = prepare(canvas, layout.width, layout.height);
  drawTitles(context, layout, series);
  const floor = floorOf(series, focus, layout.T);
  const isStrong = standsOut(payload, focus, series[0].shown);
  for (const [index, one] of series.entries()) {
    drawSeries(context, layout, one, shift(layout, index, series.length), focus, floor, isStrong);
  }
  drawNames(context, layout, payload, focus, series, floor);
  return layout;
}

/** The token under a point: queries on the near half, whose rows are read, keys on the far one, whose columns are. */
export function lineAt({ T, row, top, width, down, left, height }, x, y) {
  const i = Math.floor((down ? x - left : y - top) / row);
  if (i < 0 || i >= T) return null;
  return (down ? y < height / 2 : x < width / 2) ? { query: i, read: "row" } : { key: i, read: "column" };
}

// Where everything lies. `row` is the room of one token along its side; across, from near to far: names, `near` px of
// bars if the queries have numbers, lines `from` … `to`, `far` px of bars if the keys have them, names.

function measureAcross(_canvas, { width, height }, tokens, count, isColumn) {
  const T = tokens.length;
  // all tokens in sight, as long as they stay readable
  const row = Math.min(24, Math.max(12, (Math.min(height, 640) - HEAD - 8) / T));
  const size = Math.min(width, 620);
  const bars = count > 1 ? Math.min(9 * count, 76) : 0;
  const [near, far] = isColumn ? [bars, 0] : [0, bars];
  const column = Math.min(130, size * 0.3) * (count > 1 ? 0.8 : 1);
  const from = column + 6 + near;
  const to = size - column - 6 - far;
  return { T, row, column, near, far, bars, isColumn, from, to, top: HEAD, width: size, height: HEAD + T * row + 8 };
}

function measureDown(canvas, { width }, tokens, count, isColumn) {
  const T = tokens.length;
  const context = canvas.getContext("2d");
  context.font = `13px ${FONT}`;
  const longest = Math.ceil(Math.max(...tokens.map((token) => context.measureText(label(token)).width), 20));
  const row = Math.min(90, Math.max(26, (width - 8) / T)); // long texts scroll
  const turned = longest > row - 6;
  const column = turned ? longest + 4 : 18;
  const bars = count > 1 ? 30 : 16;
  const [near, far] = isColumn ? [bars, 0] : [0, bars];
  const from = HEAD + column + 6 + near;
  const to = from + REACH;
  const height = to + far + 6 + column + HEAD;
  return {
    T,
    row,
    column,
    near,
    far,
    bars,
    isColumn,
    from,
    to,
    turned,
    down: true,
    left: 4,
    width: Math.max(T * row + 8, 200),
    height,
  };
}

export const lineWidth = (p) => 0.75 + 5 * p;

/** Lines of several heads lie side by side. */
function shift({ row }, index, count) {
  return (index - (count - 1) / 2) * Math.min(4, (0.7 * row) / count);
}

const along = ({ row, top, left, down }, i) => (down ? left : top) + (i + 0.5) * row;
const barsFrom = ({ from, to, near, isColumn }) => (isColumn ? from - near - 3 : to + 3);

function drawTitles(context, layout, series) {
  const { width, height, column, bars, down } = layout;
  context.font = `11px ${FONT}`;
  context.textBaseline = "middle";
  context.fillStyle = cssColor("--hs-muted");
  context.textAlign = down ? "left" : "right";
  context.fillText(LINES.query, down ? 4 : column, 10);
  context.textAlign = "left";
  context.fillText(
    LINES.key,
    down ? 4 : Math.min(width - column, width - context.measureText(LINES.key).width),
    down ? height - 10 : 10,
  );
  const wide = bars / series.length;
  if (down || series.length < 2 || wide < 7) return;
  context.font = `600 9px ${FONT}`;
  context.textAlign = "center";
  series.forEach(({ name, color }, index) => {
    context.fillStyle = cssColor(color);
    context.fillText(name.slice(1), barsFrom(layout) + (index + 0.5) * wide, 20);
  });
}

function drawSeries(context, layout, one, offset, focus, floor, isStrong) {
  context.strokeStyle = cssColor(one.color);
  context.setLineDash(one.dash);
  eachLine(one, focus, layout.T, (q, k, p) => {
    if (isDrawn(p, floor))
      drawLine(context, layout, along(layout, q) + offset, along(layout, k) + offset, p, isStrong(q, k) ? 1 : FAINT);
  });
  context.setLineDash([]);
  context.globalAlpha = 1;
}

function drawLine(context, { from, to, down }, a, b, p, strength) {
  context.globalAlpha = strength * (0.25 + 0.75 * p);
  context.lineWidth = lineWidth(p);
  context.beginPath();
  const middle = (from + to) / 2;
  if (down) {
    context.moveTo(a, from);
    context.bezierCurveTo(a, middle, b, middle, b, to);
  } else {
    context.moveTo(from, a);
    context.bezierCurveTo(middle, a, middle, b, to, b);
  }
  context.stroke();
}

/** The tokens on both sides; on that of the others, how much each has to do with the token that is read. */
function drawNames(context, layout, payload, focus, series, floor) {
  const readings = series.map(({ shown }) => reading(payload, focus, shown));
  const { column, token } = readings[0];
  const chosen = column ? { query: focus.query, key: token } : { query: token, key: focus.key };
  const [ink, faint, queryInk, keyInk] = ["--hs-ink", "--hs-faint", "--hs-query", "--hs-key"].map(cssColor);
  const name = (i, text, isFar, chosen, chosenInk, isFaint) =>
    drawName(context, layout, text, i, isFar, i === chosen, i === chosen ? chosenInk : isFaint ? faint : ink);
  const colors = series.map(({ color }) => cssColor(color));
  for (let i = 0; i < layout.T; i++) {
    const isMasked = column ? i < token : i > token;
    const text = label(payload.tokens[i], longestLabel(layout));
    name(i, text, false, chosen.query, queryInk, column && isMasked);
    const nameWidth = name(i, text, true, chosen.key, keyInk, !column && isMasked);
    const numbers = readings.map(({ others }) => others[column ? i - token : i]);
    if (isMasked) drawMark(context, layout, i, [1]);
    else if (numbers[0].state === "out") drawMark(context, layout, i, [1, -1]);
    else if (series.length > 1) drawBars(context, layout, i, numbers, colors);
    else if (isDrawn(numbers[0].p, floor)) drawNumber(context, layout, i, numbers[0], nameWidth, ink);
  }
}

const longestLabel = ({ column, down, bars }) =>
  down ? 14 : Math.max(5, Math.floor((column - (bars ? 0 : 44)) / 7.5));

/** A token's name on the side of the queries or, `far`, of the keys; returns its width. */
function drawName(context, layout, text, i, isFar, isChosen, color) {
  const { row, from, to, near, far, down, turned, column, width } = layout;
  context.font = `${isChosen ? 700 : 400} ${down ? 13 : Math.min(13, row - 1)}px ${FONT}`;
  context.fillStyle = color;
  const place = along(layout, i);
  const [first, last] = down ? [from - near - 6, to + far + 6] : [column, width - column];
  const edge = isFar ? last : first;
  // turned names read upwards: the queries' begin at their lines, the keys' end there
  const startsAtLines = Boolean(down) !== isFar;
  context.textAlign = down && !turned ? "center" : startsAtLines ? "left" : "right";
  if (!down) context.fillText(text, edge, place);
  else if (!turned) context.fillText(text, place, edge + (isFar ? 8 : -8));
  else {
    context.save();
    context.translate(place, edge);
    context.rotate(-Math.PI / 2);
    context.fillText(text, 0, 0);
    context.restore();
  }
  return context.measureText(text).width;
}

/** The weight of the only head: behind a key's name, before a query's, or between name and lines. */
function drawNumber(context, layout, i, { p, off }, nameWidth, color) {
  const { down, width, column, isColumn, bars } = layout;
  context.fillStyle = color;
  if (down) {
    context.font = `10px ${FONT}`;
    context.textAlign = "center";
    context.fillText(certain(p, off, 2).replace(/^0/, ""), along(layout, i), barsFrom(layout) + bars / 2);
  } else {
    context.textAlign = isColumn ? "right" : "left";
    context.fillText(
      probability(p, off),
      isColumn ? column - nameWidth - 8 : width - column + nameWidth + 8,
      along(layout, i),
    );
  }
}

/** Where the bars of token `i` stand. */
function barBox(layout, i) {
  const { down, row, bars } = layout;
  const place = along(layout, i);
  if (down) return { x: place - row * 0.4, y: barsFrom(layout) + 2, wide: row * 0.8, high: bars - 4 };
  return { x: barsFrom(layout), y: place - row / 2 + 2, wide: bars, high: row - 4 };
}

/** A bar for each head, as high as its weight, in the order of the heads. */
function drawBars(context, layout, i, numbers, colors) {
  const { x, y, wide, high } = barBox(layout, i);
  const step = wide / numbers.length;
  context.fillStyle = cssColor("--hs-line");
  context.fillRect(x, y + high, wide, 1);
  numbers.forEach(({ p }, index) => {
    context.fillStyle = colors[index];
    context.fillRect(x + index * step + 0.5, y + high * (1 - p), Math.max(1, step - 1), high * p);
  });
}

/** Hatched where the mask hides a token, crossed where it was taken out, as everywhere. */
function drawMark(context, layout, i, angles) {
  const { x, y, wide, high } = barBox(layout, i);
  if (wide > 0 && high > 0)
    hatch(
      context,
      { left: x, top: y, right: x + wide, bottom: y + high },
      (path) => path.rect(x, y, wide, high),
      angles,
      cssColor("--hs-hatch"),
      5,
    );
}
