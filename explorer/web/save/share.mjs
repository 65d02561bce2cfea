// "Share": copies the address of what is seen, and draws a card of it: a picture, a number and a text.

import { make } from "../base/dom.mjs";
import { nextTokens } from "../base/payload.mjs";
import { page } from "../state/pages.mjs";
import { store } from "../state/store.mjs";
import { copyLink, imageOfSvg, saveFile, svgNow } from "./save.mjs";
import { cardNumber, cardTitle, SHARE } from "./words.mjs";

const [WIDTH, HEIGHT, SIDE] = [1200, 630, 64]; // px, as other sites show the card of a link
const PICTURE = { top: 176, height: 370 };
const LEAST_SCALE = 0.9; // a picture that would be smaller is cut below
const FILE = "headscope-card.png";

// what each page's picture is; of several, the first that is seen
const PICTURES = {
  start: ".hs-start-stage",
  learn: ".hs-stage",
  explore: '[data-view="attention_view"]',
  compare: '[data-view="compare_view"]',
  generate: '[data-view="generate_view"]',
  train: '[data-view="timeline_view"], [data-view="live_view"]',
  check: '[data-view="check_view"]',
};

/** Copy the address, and show the card, to be saved. */
export async function share() {
  const [said, card] = await Promise.all([copyLink(), cardOf(page())]);
  const url = URL.createObjectURL(card);
  const dialog = make(
    "dialog",
    { className: "hs-share", "aria-label": SHARE.title, onclose: () => dialog.remove() },
    make("img", { src: url, alt: SHARE.alt }),
    make("p", { role: "status" }, said),
    make("button", { type: "button", text: SHARE.save, onclick: () => saveFile(card, FILE) }),
    make("button", { type: "button", text: SHARE.close, onclick: () => dialog.close() }),
  );
  document.body.append(dialog);
  dialog.showModal();
}

/** The card of a page as it is seen now, a PNG. @returns {Promise<Blob>} */
async function cardOf(name) {
  const view = [...document.querySelectorAll(PICTURES[name])].find((found) => found.checkVisibility());
  const picture = view ? await imageOfSvg(svgNow(view, "")) : null;
  const canvas = make("canvas", { width: WIDTH, height: HEIGHT });
  drawCard(canvas.getContext("2d"), { ...wordsOf(name), picture });
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

/** What a card says: the text or the step that it is of, and a number. */
function wordsOf(name) {
  const seen = (selector) => document.querySelector(selector)?.textContent.trim() ?? "";
  if (name === "start") {
    const [answer, , percent] = document.querySelector(".hs-start-next li").children;
    return { title: seen("#start h1"), number: `“${answer.textContent}” ${percent.textContent}` };
  }
  if (name === "learn") return { title: seen('[data-view="learn_view"] h2'), number: seen(".hs-step-number") };
  const { payload } = store;
  if (!["explore", "generate", "compare"].includes(name) || !payload)
    return { title: seen("#header [aria-current]"), number: "" };
  const [best] = nextTokens(payload, payload.tokens.length - 1, 1).best;
  return { title: cardTitle(payload.text), number: cardNumber(best) };
}

/** @param {CanvasRenderingContext2D} context */
function drawCard(context, { title, number, picture }) {
  const { fontFamily } = getComputedStyle(document.getElementById("header"));
  const color = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();
  const write = (text, x, y, size, weight, ink) => {
    context.font = `${weight} ${size}px ${fontFamily}`;
    context.fillStyle = color(ink);
    context.fillText(text, x, y);
  };
  context.fillStyle = color("--hs-ground");
  context.fillRect(0, 0, WIDTH, HEIGHT);
  context.font = `650 44px ${fontFamily}`;
  for (const [i, line] of linesOf(context, title).entries()) write(line, SIDE, 96 + 54 * i, 44, 650, "--hs-ink");
  if (picture) drawInside(context, picture);
  write("Headscope", SIDE, HEIGHT - 40, 28, 650, "--hs-ink");
  write(SHARE.app, SIDE + 180, HEIGHT - 40, 24, 400, "--hs-muted");
  context.textAlign = "right";
  write(number, WIDTH - SIDE, HEIGHT - 40, 32, 650, "--hs-attention");
}

/** As large as it fits; of what is higher than wide, the upper part. */
function drawInside(context, picture) {
  const width = WIDTH - 2 * SIDE;
  const scale = Math.min(width / picture.width, Math.max(PICTURE.height / picture.height, LEAST_SCALE));
  const part = Math.min(picture.height, PICTURE.height / scale);
  const left = SIDE + (width - picture.width * scale) / 2;
  const size = [picture.width * scale, part * scale];
  context.drawImage(picture, 0, 0, picture.width, part, left, PICTURE.top, ...size);
}

/** A text in at most two lines. */
function linesOf(context, text) {
  const lines = [""];
  for (const word of text.split(/\s+/)) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (context.measureText(longer).width <= WIDTH - 2 * SIDE) lines[lines.length - 1] = longer;
    else if (lines.length === 2) return [lines[0], `${lines[1]} …`];
    else lines.push(word);
  }
  return lines;
}
