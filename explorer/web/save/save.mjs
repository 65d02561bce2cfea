// "Save" below a view: its picture, its numbers, and below the tokens what belongs to the whole text.

import { make } from "../base/dom.mjs";
import { grouped } from "../base/text.mjs";
import { ask } from "../state/ask.mjs";
import { isDark, store } from "../state/store.mjs";
import { csv, numbersOf } from "./numbers.mjs";
import { svgOf } from "./svg_page.mjs";

const SHARPNESS = 2; // pixels of a PNG for each of the page
const KEEP_MS = 60_000; // a browser may still be reading what a link offers

const OF_VIEW = {
  PNG: {
    title: "This view as a picture, twice as fine as on the screen",
    save: (view) => saveFile(pngOf(svgNow(view)), nameOf(view, "png")),
  },
  SVG: {
    title: "This view as a drawing that stays sharp at every size",
    save: (view) => saveFile(blob(svgNow(view), "image/svg+xml"), nameOf(view, "svg")),
  },
  CSV: { title: "The numbers that this view shows, for a spreadsheet", save: saveNumbers },
};
const OF_TEXT = {
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

/** Put "Save" below a view; `wholeText`: below the tokens of a text, offer what belongs to all of it, too. */
export function attach(view, { wholeText = view.dataset.view === "tokens_view" } = {}) {
  const note = make("span", { className: "hs-save-note", role: "status" });
  const menu = make(
    "details",
    { className: "hs-save" },
    make("summary", { text: "Save" }),
    ...buttons("this view", OF_VIEW, view, note),
    ...(wholeText ? buttons("this text", OF_TEXT, view, note) : []),
    note,
  );
  view.after(menu);
}

function buttons(label, actions, view, note) {
  const made = Object.entries(actions).map(([name, { title, save }]) =>
    make("button", { type: "button", text: name, title, onclick: () => say(note, save, view) }),
  );
  return [make("span", { className: "hs-save-label", text: `${label}:` }), ...made];
}

async function say(note, save, view) {
  note.textContent = "Being made …";
  try {
    note.replaceChildren((await save(view)) ?? "");
  } catch (problem) {
    note.textContent = problem.message;
  }
}

function svgNow(view) {
  const { model, text } = subject(view);
  const caption = model ? `Headscope · ${model.name}${text ? ` · “${beginning(text, 70)}”` : ""}` : "Headscope";
  const ground = getComputedStyle(document.body).getPropertyValue("--hs-ground").trim() || (isDark() ? "#000" : "#fff");
  return svgOf(view, { redraw: () => (view.redraw ? view.redraw() : store.redraw(view)), caption, ground });
}

/** {model, text} that a view is of: a view of something else than the text that all share says so itself. */
function subject(view) {
  return view?.about?.() ?? store.payload ?? {};
}

async function pngOf(svg) {
  const image = new Image();
  const url = URL.createObjectURL(blob(svg, "image/svg+xml"));
  image.src = url;
  await image.decode();
  const canvas = make("canvas", { width: image.width * SHARPNESS, height: image.height * SHARPNESS });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(url);
  const found = await new Promise((done) => canvas.toBlob(done, "image/png"));
  if (!found) throw new Error("This view is too large for a PNG: save it as SVG.");
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
  if (!rows) throw new Error("This view shows no table of numbers now.");
  // the mark tells a spreadsheet that it is UTF-8
  return saveFile(blob(`\ufeff${csv(rows)}`, "text/csv"), nameOf(view, "csv"));
}

async function copyLink() {
  store.address.write();
  const { href, searchParams } = new URL(location.href);
  const but = searchParams.has("cut")
    ? " It holds only the beginning of the text, which is too long for an address."
    : "";
  try {
    await navigator.clipboard.writeText(href);
    return `The link is copied.${but}`;
  } catch {
    return make("a", { href, text: `Copy this link.${but}` });
  }
}

/** What the app makes of the text, in the changed model if that is shown: it has tensors that the page has not. */
async function saveFrom(name, more, ending) {
  const { text, model, edits = [] } = store.payload;
  const read = (response) => response.blob();
  const file = await ask(name, { text, model: model.name, edits, ...more }, { read, quiet: true });
  return saveFile(file, nameOf(null, ending));
}

const saveTensors = (kind) => saveFrom("numbers", { kind }, kind);

async function saveFile(promised, name) {
  const file = await promised;
  const href = URL.createObjectURL(file);
  make("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), KEEP_MS);
  return `${name} (${size(file.size)})`;
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

function beginning(text, length) {
  const letters = [...text.replace(/\s+/g, " ")];
  return letters.length > length ? `${letters.slice(0, length - 1).join("")}…` : letters.join("");
}

function blob(text, type) {
  return new Blob([text], { type: `${type};charset=utf-8` });
}

function size(bytes) {
  return bytes < 1e6 ? `${grouped(Math.ceil(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
