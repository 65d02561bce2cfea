// The words of the exercises, to be read in one go.

import { several } from "../../base/text.mjs";
import { ofPoints, points } from "../words.mjs";

export const TURN = {
  list: "Your turn",
  about:
    "Write the parts that are blank (____). This is one of the nine blocks of a course’s homework, a Transformer " +
    "in one file, so names, inputs, and outputs are given. You may use torch, nn, F (torch.nn.functional), math, and " +
    "the blocks of earlier exercises. Escape, then Tab, leaves the editor. What you write is kept in this browser.",
  check: "Check it",
  checking: "Checking …",
  stop: "Stop",
  over: "Start over",
  save: "Save my_llm_implementation.py",
  lesson: "◂ Back to the lesson",
  next: "Next exercise ▸",
  hints: "Hints",
  hint: ["First hint", "Second hint: the idea in words", "Third hint: every other blank filled in"],
  whole: "One way to write it",
  right: "It is right: it agrees with the reference in every test.",
  elsewhere:
    "Checking code means running it, so it is checked only on your own computer. Save the file and type this in a " +
    "terminal, in the folder that holds app.py:",
  here: "Or start the app so that it checks code for you, on this machine only:",
  before: "This result is for an earlier version of your code: check it again.",
  lost: "The check was stopped.",
};

export const titleOf = (title) => `Your turn: write ${title}`;
/** What torch says, and what helps. @type {[RegExp, string][]} */
const NOTES = [
  [
    /^It stops with RuntimeError: .*\b(size|shape)/i,
    "The shape went wrong on this line or an earlier one: compare the result of each line with the shape written " +
      "after it.",
  ],
  [
    /Target -1 is out of bounds/,
    "In this homework -1 marks padding, in idx and in targets: tell the loss to leave it out. The value that torch " +
      "leaves out by default is -100.",
  ],
];
/** What helps with what is said of a block, or nothing. */
export const noteOf = (sentence) => NOTES.find(([said]) => said.test(sentence))?.[1];

/** "3 of 9 blocks right: 3 of 11 points"; where nothing is checked, how many are written. */
export function doneSentence(states, exercises, possible, mayCheck) {
  const all = exercises.length;
  if (!mayCheck) return `${Object.values(states).filter(Boolean).length} of ${all} blocks written`;
  const right = exercises.filter(({ id }) => states[id] === "right");
  const reached = right.reduce((sum, one) => sum + one.points, 0);
  const rest = `; the other ${possible - reached} are for all blocks together: save the file and check it`;
  return `${right.length} of ${all} blocks right: ${reached} of ${points(possible)}${right.length === all ? rest : ""}`;
}

export const rightSentence = (block) => `${TURN.right} ${ofPoints(block)}.`;
export const blanksLeft = (count) => `${several(count, "blank")} left (____): fill them in first.`;
export const savedSentence = (count) =>
  count === 9
    ? "All nine blocks are in the file."
    : `${several(count, "block")} of nine ${count === 1 ? "is" : "are"} written; for the others, the file has the ` +
      "skeleton.";
