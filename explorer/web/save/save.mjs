// What can be saved of a view, its picture and its numbers, and of a text; and "Save" below a view.

import { make } from "../base/dom.mjs";
import { ask } from "../state/ask.mjs";
import { isDark, store } from "../state/store.mjs";
import { csv, numbersOf } from "./numbers.mjs";
import { svgOf } from "./svg_page.mjs";
import { beginning, captionText, copiedSentence, copySentence, SAVE, savedText } from "./words.mjs";

const SHARPNESS = 2; // pixels of a PNG for each of the page
const KEEP_MS = 60_000; // a browser may still be reading what a link offers

/** By name: what a button says more, and what it does with a view. */
export const OF_VIEW = {
  PNG: {
    title: "This view as a picture, at twice the screen's resolution",
    save: (view) => saveFile(pngOf(svgNow(view)), nameOf(view, "png")),
  },
  SVG: {
    title: "This view as a drawing that stays sharp at every size",
    save: (view) => saveFile(blob(svgNow(view), "image/svg+xml"), nameOf(view, "svg")),
  },
  CSV: { title: "The numbers that this view shows, for a spreadsheet", save: saveNumbers },
};
export const OF_TEXT = {
  Link: { title: "Copy an address that opens what you see now", save: copyLink },
  NumPy: { title: "Every tensor that was recorded, for numpy.load", save: () => saveTensors("npz") },
  safetensors: {
    title: "Every tensor that was recorded, for Trace.load",
    save: () => saveTensors("safetensors"),
  },
  "HTML page": {
    title: "These views in one file that works without this app and without a network",
    save: () => saveFrom("standalone", { focus: store.focus.locked }, "html"),
  },
};

/** Put "Save" below a view. */
export function attach(view) {
  const note = saveNote();
  view.after(
    make(
      "details",
      { className: "hs-save" },
      make("summary", { text: SAVE.save }),
      ...buttons(OF_VIEW, note, view),
      note,
    ),
  );
}

/** Says how saving went. */
export const saveNote = () => make("span", { className: "hs-save-note", role: "status" });

/** A button for each of OF_VIEW or OF_TEXT. */
export function buttons(actions, note, view = null) {
  return Object.entries(actions).map(([name, { title, save }]) =>
    make("button", { type: "button", text: name, title, onclick: () => say(note, save, view) }),
  );
}

async function say(note, save, view) {
  note.textContent = SAVE.busy;
  try {
    note.replaceChildren((await save(view)) ?? "");
  } catch (problem) {
    note.textContent = problem.message;
  }
}

/** What is seen of an element as SVG. */
export function svgNow(view, caption = captionOf(view)) {
  const ground = getComputedStyle(document.body).getPropertyValue("--hs-ground").trim() || (isDark() ? "#000" : "#fff");
  return svgOf(view, { redraw: () => (view.redraw ? view.redraw() : store.redraw(view)), caption, ground });
}

function captionOf(view) {
  const { model, text } = subject(view);
  return model ? captionText(model, text) : "Headscope";
}

/** {model, text} that a view is of: a view of something else than the text that all share says so itself. */
function subject(view) {
  return view?.about?.() ?? store.payload ?? {};
}

/** An SVG, ready to be drawn on a canvas. */
export async function imageOfSvg(svg) {
  const image = new Image();
  const url = URL.createObjectURL(blob(svg, "image/svg+xml"));
  image.src = url;
  await image.decode();
  URL.revokeObjectURL(url);
  return image;
}

async function pngOf(svg) {
  const image = await imageOfSvg(svg);
  const canvas = make("canvas", { width: image.width * SHARPNESS, height: image.height * SHARPNESS });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  const found = await new Promise((done) => canvas.toBlob(done, "image/png"));
  if (!found) throw new Error(SAVE.noPng);
  return found;
}

function saveNumbers(view) {
  const rows =
    view.numbers?.() ??
    (store.payload &&
      numbersOf(
        view,
        store.payload,
        store.focus.locked,
        store.query(store.focus.locked),
        (name) => store.part(name).value,
      ));
  if (!rows) throw new Error(SAVE.noNumbers);
  // the mark tells a spreadsheet that it is UTF-8
  return saveFile(blob(`\ufeff${csv(rows)}`, "text/csv"), nameOf(view, "csv"));
}

/** Copy the address of what is seen; what to say of it. */
export async function copyLink() {
  store.address.write();
  const { href, searchParams } = new URL(location.href);
  const isCut = searchParams.has("cut");
  try {
    await navigator.clipboard.writeText(href);
    return copiedSentence(isCut);
  } catch {
    return make("a", { href, text: copySentence(isCut) });
  }
}

/** What the app makes of the text, in the changed model if that is shown: it has tensors that the page has not. */
async function saveFrom(name, more, ending) {
  const { text, model, edits = [], masked } = store.payload;
  const read = (response) => response.blob();
  const hidden = typeof masked === "number" ? { masked } : {};
  const file = await ask(name, { text, model: model.name, edits, ...hidden, ...more }, { read, quiet: true });
  return saveFile(file, nameOf(null, ending));
}

const saveTensors = (kind) => saveFrom("numbers", { kind }, kind);

export async function saveFile(promised, name) {
  const file = await promised;
  const href = URL.createObjectURL(file);
  make("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), KEEP_MS);
  return savedText(name, file.size);
}

function nameOf(view, ending) {
  const { model, text } = subject(view);
  const parts = [
    "headscope",
    model?.name,
    beginning(text ?? "", 30),
    view && (view.querySelector("h2")?.textContent ?? view.dataset.view.replace("_view", "")),
  ];
  const plain = (part) =>
    part
      .normalize("NFKC")
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, "-")
      .replace(/^-|-$/g, "");
  return `${parts.filter(Boolean).map(plain).filter(Boolean).join("-")}.${ending}`;
}

function blob(text, type) {
  return new Blob([text], { type: `${type};charset=utf-8` });
}
