// The words of the exercises, to be read in one go.

import { several } from "../../base/text.mjs";

export const TURN = {
  list: "Your turn",
  about:
    "Write the parts that are blank (____). The names, and what goes in and comes out, are the homework’s. You may " +
    "use torch, nn, F (torch.nn.functional), math, and the blocks of earlier exercises. Escape, then Tab, leaves the " +
    "editor. What you write is kept in this browser.",
  check: "Check it",
  checking: "Checking …",
  stop: "Stop",
  over: "Start over",
  save: "Save my_llm_implementation.py",
  lesson: "Back to the lesson ▸",
  next: "Next exercise ▸",
  hints: "Hints",
  hint: ["First hint", "Second hint: the idea in words", "Third hint: every other blank filled in"],
  whole: "One way to write it",
  right: "It is right: it agrees with the reference in every test.",
  elsewhere:
    "Checking code means running it, so it is checked only on your own computer. Save the file and type this in a " +
    "terminal, in the folder that holds app.py:",
  here: "Or start the app so that it checks code for you, on this machine only:",
  shapes:
    "Shapes that do not fit often went wrong on an earlier line: compare what each line gives with the shape that is " +
    "written after it.",
  lost: "The check was stopped.",
};

export const titleOf = (title) => `Your turn: write ${title}`;
/** Whether what is said of a block is torch's about shapes. */
export const isOfShapes = (sentence) => /^It stops with RuntimeError: .*\b(size|shape)/i.test(sentence);
export const blanksLeft = (count) => `${several(count, "blank")} left (____): fill them in first.`;
export const savedSentence = (count) =>
  count === 9
    ? "All nine blocks are in the file."
    : `${several(count, "block")} of nine ${count === 1 ? "is" : "are"} written; of the others the file holds the ` +
      "skeleton.";
