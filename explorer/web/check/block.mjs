// One block, opened: what is wrong, see it, why it matters, where to read.

import { breakable, make } from "../base/dom.mjs";
import { visible } from "../base/text.mjs";
import { diverging, sequential } from "../color/scale.mjs";
import { linkedCells } from "./cells.mjs";
import {
  BLOCK,
  codeLine,
  differences,
  exact,
  isWhole,
  lessonText,
  limit,
  lineLabel,
  lineTitle,
  looksAt,
  mapsKey,
  mapsTitle,
  ofPoints,
  placeName,
  STATUS,
  short,
  shouldBe,
  tensorKey,
  tensorNote,
} from "./words.mjs";

/** {element, repaint}: the panel of a block; `lessons` is the table of contents of the Learn page. */
export function blockPanel(block, lessons) {
  const { sign, word } = STATUS[block.status];
  const repaints = [];
  const parts =
    block.status === "failed"
      ? failed(block, lessons, repaints)
      : [make("p", { text: block.sentence || BLOCK.agrees, dir: "auto" })];
  const element = make(
    "section",
    { className: "hs-check-block" },
    make(
      "h2",
      { dir: "auto" },
      make("span", {
        className: `hs-check-sign hs-check-${block.status.replace(" ", "-")}`,
        text: sign,
        "aria-hidden": "true",
      }),
      " ",
      ...breakable(block.title),
      " ",
      make("small", { text: `${word}, ${ofPoints(block)}` }),
    ),
    ...parts,
  );
  return {
    element,
    repaint: () => {
      for (const repaint of repaints) repaint();
    },
  };
}

function failed(block, lessons, repaints) {
  const { faults, line, difference, patterns } = block;
  const parts = [part(BLOCK.wrong, ...whatIsWrong(block), lineAndIdea(line, faults))];
  if (difference || patterns)
    parts.push(
      part(
        BLOCK.see,
        ...(difference ? tensors(difference, repaints) : []),
        ...(patterns ? maps(patterns, repaints) : []),
      ),
    );
  if (faults.some(({ effect }) => effect))
    parts.push(
      part(
        BLOCK.why,
        ...faults.filter(({ effect }) => effect).map(({ effect }) => make("p", { text: effect, dir: "auto" })),
      ),
    );
  const links = faults.map(({ lesson }) => lesson && lessonLink(lesson, lessons)).filter(Boolean);
  if (links.length)
    parts.push(part(BLOCK.read, make("p", {}, ...links), make("p", { className: "hs-hint", text: BLOCK.newTab })));
  return parts;
}

const part = (title, ...children) =>
  make("section", { className: "hs-check-part" }, make("h3", { text: title }), ...children.filter(Boolean));

/** The faults that fit; and the block's own sentence, if that says more. */
function whatIsWrong({ sentence, faults }) {
  const told = faults.map((fault) =>
    make(
      "p",
      { className: "hs-check-sentence", dir: "auto" },
      make("strong", { text: fault.title }),
      make("br"),
      fault.sentence,
    ),
  );
  const isTold = faults.some((fault) => sentence.includes(fault.sentence));
  return isTold ? told : [make("p", { className: "hs-check-sentence", text: sentence, dir: "auto" }), ...told];
}

/** The student's line beside what the reference does there, in words. */
function lineAndIdea(line, faults) {
  const ideas = [...new Set(faults.map(({ idea }) => idea).filter(Boolean))];
  const code =
    line &&
    make(
      "figure",
      { className: "hs-check-line" },
      make("figcaption", { text: lineTitle(line) }),
      make(
        "pre",
        { dir: "ltr", tabindex: "0", "aria-label": lineLabel(line) },
        make(
          "code",
          {},
          make("span", { className: "hs-check-number", text: line.number, "aria-hidden": "true" }),
          codeLine(line),
        ),
      ),
    );
  const idea = ideas.length
    ? make(
        "figure",
        { className: "hs-check-idea" },
        make("figcaption", { text: BLOCK.idea }),
        ...ideas.map((text) => make("p", { text, dir: "auto" })),
      )
    : null;
  return code || idea ? make("div", { className: "hs-check-pair" }, ...[code, idea].filter(Boolean)) : null;
}

/** The first tensor that differs, beside what it should be. */
function tensors(difference, repaints) {
  const { tensor, rows, columns, expected, found, differs } = difference;
  const [most, whole] = [limit(expected, found), isWhole(expected, found)];
  const broken = (r, c) => expected[r][c] !== null && found[r][c] === null;
  const table = (caption, values) => ({
    caption,
    values,
    broken,
    scale: (dark) => diverging(most, dark),
    write: (value) => short(value, whole),
    say: exact,
  });
  return drawing(
    {
      title: tensor,
      note: tensorNote(difference),
      key: tensorKey(most),
      cells: {
        tables: [table(BLOCK.expected, expected), table(BLOCK.found, found)],
        rows,
        columns,
        marked: (r, c) => differs[r][c],
        start: first(differs),
      },
      told: (r, c) => shouldBe(placeName(difference, r, c), expected[r][c], found[r][c]),
    },
    repaints,
  );
}

/** Attention of both with the trained model's weights, and the difference. */
function maps({ tokens, layer, head, expected, found }, repaints) {
  const labels = tokens.map((token) => visible(token).trim() || "␣");
  const apart = differences(expected, found);
  const marks = apart.map((row, r) =>
    row.map((value, c) => (value === null ? expected[r][c] !== found[r][c] : Math.abs(value) > 0.0005)),
  );
  const most = limit(apart);
  const broken = (r, c) => found[r][c] === null;
  const hides =
    (...values) =>
    (r, c) =>
      values.every((value) => value[r][c] === 0);
  const weights = (caption, values) => ({
    caption,
    values,
    scale: sequential,
    write: short,
    say: exact,
    hidden: hides(expected, values),
    broken,
  });
  const between = {
    hidden: hides(expected, found),
    broken,
    caption: BLOCK.apart,
    values: apart,
    scale: (dark) => diverging(most, dark),
    write: short,
    say: (value) => exact(value === null ? null : Number(value.toPrecision(6))),
  };
  return drawing(
    {
      title: mapsTitle(layer, head),
      note: BLOCK.mapsHint,
      key: mapsKey(most),
      cells: {
        tables: [weights(BLOCK.expected, expected), weights(BLOCK.found, found), between],
        rows: labels,
        columns: labels,
        axes: ["query", "key"],
        marked: (r, c) => marks[r][c],
        start: first(marks),
      },
      told: (r, c) => shouldBe(looksAt(labels[r], labels[c]), expected[r][c], found[r][c]),
    },
    repaints,
  );
}

/** Linked tables under a title, with what is pointed at in words. */
function drawing({ title, note, key, cells, told }, repaints) {
  const readout = make("p", { className: "hs-check-readout", "aria-live": "polite" });
  const write = (piece) =>
    typeof piece === "string" ? piece : make("strong", { className: "hs-number", text: exact(piece) });
  const { elements, repaint } = linkedCells({
    ...cells,
    tell: (r, c) => readout.replaceChildren(...told(r, c).map(write)),
  });
  repaints.push(repaint);
  return [
    make("h4", { text: title, dir: "auto" }),
    make("p", { className: "hs-hint", text: note, dir: "auto" }),
    make("div", { className: "hs-check-beside" }, ...elements),
    readout,
    make("p", { className: "hs-hint", text: key }),
  ];
}

/** The first cell that is marked. */
function first(marks) {
  const row = marks.findIndex((line) => line.includes(true));
  return row < 0 ? [0, 0] : [row, marks[row].indexOf(true)];
}

function lessonLink({ lesson, step }, lessons) {
  const found = lessons.find(({ id }) => id === lesson);
  if (!found) return null;
  const isStep = step >= 1 && step <= found.num_steps;
  return make("a", {
    className: "hs-check-lesson",
    href: `?lesson=${lesson}${isStep ? `&step=${step}` : ""}`,
    target: "_blank",
    rel: "noopener",
    text: lessonText(found.title, isStep ? step : null),
  });
}
