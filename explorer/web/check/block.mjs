// One block, opened: what is wrong, see it, why it matters, where to read.

import { make } from "../base/dom.mjs";
import { quoted, visible } from "../base/text.mjs";
import { diverging, sequential } from "../color/scale.mjs";
import { linkedCells } from "./cells.mjs";
import { breakable } from "./tiles.mjs";
import {
  capital,
  codeLine,
  countOf,
  differences,
  displaced,
  exact,
  gap,
  isWhole,
  limit,
  ofPoints,
  STATUS,
  short,
  slice,
} from "./words.mjs";

/** {element, repaint}: the panel of a block; `lessons` is the table of contents of the Learn page. */
export function blockPanel(block, lessons) {
  const { sign, word } = STATUS[block.status];
  const repaints = [];
  const parts =
    block.status === "failed"
      ? failed(block, lessons, repaints)
      : [
          make("p", {
            text: block.sentence || "It agrees with the reference in every test.",
            dir: "auto",
          }),
        ];
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
  const parts = [part("What is wrong", ...whatIsWrong(block), lineAndIdea(line, faults))];
  if (difference || patterns)
    parts.push(
      part(
        "See it",
        ...(difference ? tensors(difference, repaints) : []),
        ...(patterns ? maps(patterns, repaints) : []),
      ),
    );
  if (faults.some(({ effect }) => effect))
    parts.push(
      part(
        "Why it matters",
        ...faults.filter(({ effect }) => effect).map(({ effect }) => make("p", { text: effect, dir: "auto" })),
      ),
    );
  const links = faults.map(({ lesson }) => lesson && lessonLink(lesson, lessons)).filter(Boolean);
  if (links.length)
    parts.push(
      part(
        "Where to read",
        make("p", {}, ...links),
        make("p", { className: "hs-hint", text: "It opens in a new tab; your report stays here." }),
      ),
    );
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
      make("figcaption", {
        text: line.cell ? `Your cell ${line.cell}, line ${line.number}` : `Your line ${line.number}`,
      }),
      make(
        "pre",
        {
          dir: "ltr",
          tabindex: "0",
          "aria-label": `Line ${line.number} of ${line.cell ? `cell ${line.cell}` : "your file"}`,
        },
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
        make("figcaption", { text: "The idea" }),
        ...ideas.map((text) => make("p", { text, dir: "auto" })),
      )
    : null;
  return code || idea ? make("div", { className: "hs-check-pair" }, ...[code, idea].filter(Boolean)) : null;
}

/** The first tensor that differs, beside what it should be. */
function tensors(difference, repaints) {
  const { tensor, where, shape, rows, columns, expected, found, differs } = difference;
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
  const place = (r, c) => (rows.length > 1 ? `row ${rows[r]}, column ${columns[c]}` : `number ${columns[c]}`);
  const [count, all, cut] = [countOf(differs), rows.length * columns.length, slice(difference)];
  return drawing(
    {
      title: tensor,
      note:
        `${capital(visible(where))}. Shape ` +
        `${shape.join(" × ") || "a single number"}${cut ? `; here is its part ${cut}` : ""}. ${count} of the ` +
        `${all} numbers shown differ (thick border, bold digits). ${displaced(difference)}`,
      key:
        `Teal is above 0, brown below; the strongest color is ${exact(Number(most.toPrecision(3)))}. ` +
        "Striped: not a finite number (NaN; or −∞, where the mask hides), in red where it should be one.",
      cells: {
        tables: [table("It should be", expected), table("Yours", found)],
        rows,
        columns,
        marked: (r, c) => differs[r][c],
        start: first(differs),
      },
      told: (r, c) => [
        `${place(r, c)}: it should be `,
        expected[r][c],
        ", yours is ",
        found[r][c],
        gap(expected[r][c], found[r][c]),
      ],
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
    caption: "Yours minus what it should be",
    values: apart,
    scale: (dark) => diverging(most, dark),
    write: short,
    say: (value) => exact(value === null ? null : Number(value.toPrecision(6))),
  };
  return drawing(
    {
      title: `Attention in the trained model, layer ${layer}, head ${head}`,
      note:
        "Your attention ran with the trained model's weights on a text; this is the head where it is furthest " +
        "off. Each row is a query token, each column a key token.",
      key:
        "The first two: weight 0 is the background; 1 is darkest in light mode and brightest in dark mode; " +
        "striped cells are hidden by the mask (in red: NaN). The third: teal where you have more, brown " +
        `where less, up to ${exact(Number(most.toPrecision(3)))}.`,
      cells: {
        tables: [weights("It should be", expected), weights("Yours", found), between],
        rows: labels,
        columns: labels,
        axes: ["query", "key"],
        marked: (r, c) => marks[r][c],
        start: first(marks),
      },
      told: (r, c) => [
        `${quoted(labels[r])} looks at ${quoted(labels[c])}: it should be `,
        expected[r][c],
        ", yours is ",
        found[r][c],
        gap(expected[r][c], found[r][c]),
      ],
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
    text: `The lesson that explains it: ${found.title}${isStep ? `, step ${step}` : ""} ↗`,
  });
}
