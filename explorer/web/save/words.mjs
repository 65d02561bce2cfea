// The words of "Save" and "Share", to be read in one go; save.mjs says beside each format what it is.

import { grouped, label, modelName } from "../base/text.mjs";

export const SAVE = {
  save: "Save",
  menu: "Save and share",
  text: "This text",
  busy: "Preparing …",
  noPng: "This view is too large for a PNG: save it as SVG.",
  noNumbers: "This view has no table of numbers to save now.",
};

export const SHARE = {
  title: "Share",
  alt: "A card of what you see, with its picture",
  save: "Save the card",
  close: "Close",
  app: "see inside a real Transformer",
};

export const copiedSentence = (isCut) => `The link is copied.${cutSentence(isCut)}`;
export const copySentence = (isCut) => `Copy this link.${cutSentence(isCut)}`;
const cutSentence = (isCut) =>
  isCut ? " It holds only the beginning of the text: the whole text is too long for an address." : "";

export const captionText = (model, text) =>
  `Headscope · ${modelName(model.name)}${text ? ` · “${beginning(text, 70)}”` : ""}`;
export const cardTitle = (text) => `“${beginning(text, 90)}”`;
export const cardNumber = ({ text, p }) => `next: “${label({ text })}” ${Math.round(100 * p)}%`;
export const savedText = (name, bytes) => `${name} (${size(bytes)})`;

export function beginning(text, length) {
  const letters = [...text.replace(/\s+/g, " ")];
  return letters.length > length ? `${letters.slice(0, length - 1).join("")}…` : letters.join("");
}

function size(bytes) {
  return bytes < 1e6 ? `${grouped(Math.ceil(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
