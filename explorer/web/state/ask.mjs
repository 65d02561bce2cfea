// The one way to ask the server: `ask` for what it computes, `load` for files that were made ahead.
//
// An answer that is not wanted any more is never given; a lost server is noticed here, said once ("hs-server"), and
// what was asked meanwhile is asked again when it is back. The busy bar is moved from here, too.

import { parsePayload } from "../base/payload.mjs";

export const BROKEN = "The connection broke before the whole answer arrived: try again.";
const GONE = "The server does not answer. Is the app still running?";
const PING_MS = 2000;
const CACHE_BYTES = 64e6;

/**
 * @typedef {object} Options
 * @property {string} [newest] questions with the same word: only the newest is answered, older ones are aborted
 * @property {AbortSignal} [signal] ends the question, and the server's work on a stream
 * @property {boolean | ((answer: object) => boolean)} [cached] whether the answer is remembered for the same question
 * @property {boolean} [quiet] the busy bar does not move for it
 * @property {(line: object) => void} [onLine] takes each line of a stream
 * @property {(frame: object) => void} [onFrame] takes each payload of a stream of them
 * @property {(response: Response) => Promise<any>} [read] for what is neither a payload nor JSON
 */

/**
 * Ask the question `name` with a body that is what its function takes. Resolves to a payload, or to what JSON says;
 * undefined at the end of a stream. Rejects with a sentence for the page, or as `isAborted` knows.
 * @param {string} name
 * @param {object} [body]
 * @param {Options} [options]
 */
export function ask(name, body = {}, options = {}) {
  const headers = { "Content-Type": "application/json" };
  return answered(`ask/${name}`, { method: "POST", headers, body: JSON.stringify(body) }, options);
}

/**
 * A file of the app; an address that holds its version may come from the browser's own cache.
 * @param {string} address relative to the app
 * @param {Options} [options]
 */
export function load(address, options = {}) {
  return answered(address, { cache: address.includes("?v=") ? "default" : "no-cache" }, options);
}

/** Tell the server something that must arrive although the page is being closed. */
export function tell(name, body) {
  navigator.sendBeacon(new URL(`ask/${name}`, document.baseURI), JSON.stringify(body));
}

/** Whether a question ended because it is not wanted any more: then nothing is to be said. */
export const isAborted = (problem) => problem.name === "AbortError";

async function answered(address, request, options) {
  const id = `${address} ${request.body ?? ""}`;
  const controller = begun(options);
  if (!options.quiet) moveBar(1);
  try {
    const answer = remembered(id) ?? (await fetched(address, { ...request, signal: controller.signal }, options));
    controller.signal.throwIfAborted();
    remember(id, answer, options.cached);
    return answer?.value;
  } finally {
    if (!options.quiet) moveBar(-1);
    if (newest.get(options.newest) === controller) newest.delete(options.newest);
  }
}

async function fetched(address, request, options) {
  const response = await reached(address, request);
  if (!response.ok) throw new Error((await response.text()).slice(0, 1000));
  try {
    return await answerIn(response, options);
  } catch (problem) {
    if (!(problem instanceof TypeError)) throw problem; // else the network's own words
    if (!(await isThere())) lose();
    throw new Error(BROKEN);
  }
}

// which question counts

const newest = new Map(); // by word: the AbortController of the newest question

/** A question's controller; the one before it with the same word ends. */
function begun({ newest: word, signal }) {
  const controller = new AbortController();
  if (signal?.aborted) controller.abort();
  signal?.addEventListener("abort", () => controller.abort());
  if (word) {
    newest.get(word)?.abort();
    newest.set(word, controller);
  }
  return controller;
}

// what is remembered

const cache = new Map(); // by question: {value, bytes}, the one that was used last at the end

function remembered(id) {
  const answer = cache.get(id);
  if (!answer) return null;
  cache.delete(id);
  cache.set(id, answer);
  return answer;
}

function remember(id, answer, cached) {
  const isWanted = typeof cached === "function" ? cached(answer.value) : cached;
  if (!isWanted || cache.has(id)) return;
  cache.set(id, answer);
  let bytes = [...cache.values()].reduce((sum, one) => sum + one.bytes, 0);
  for (const [oldest, one] of cache) {
    if (bytes <= CACHE_BYTES || oldest === id) break;
    cache.delete(oldest);
    bytes -= one.bytes;
  }
}

// the server, there or not

let lost = null; // resolves when the server is back

/** The response; while there is no server, it is waited for. */
async function reached(address, request) {
  for (;;) {
    const response = await fetch(new URL(address, document.baseURI), request).catch((problem) => {
      if (isAborted(problem)) throw problem;
      return null;
    });
    if (isOurs(response)) return response;
    await Promise.race([lose(), aborted(request.signal)]);
  }
}

/** False for no response, and for the page with which a proxy stands in for a server that is not there. */
function isOurs(response) {
  if (response === null) return false;
  const isUnavailable = [502, 503, 504].includes(response.status);
  return !(isUnavailable && response.headers.get("content-type")?.startsWith("text/html"));
}

function lose() {
  if (lost) return lost;
  lost = untilBack();
  say(GONE);
  return lost;
}

async function untilBack() {
  do await new Promise((go) => setTimeout(go, PING_MS));
  while (!(await isThere()));
  lost = null;
  say("");
}

function isThere() {
  const request = { method: "POST", body: "{}" };
  return fetch(new URL("ask/rights", document.baseURI), request).then(isOurs, () => false);
}

function say(sentence) {
  document.dispatchEvent(new CustomEvent("hs-server", { detail: sentence }));
  moveBar(0);
}

function aborted(signal) {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}

// the bar

let working = 0;

function moveBar(step) {
  working += step;
  document.body.dataset.busy = String(working > 0 && lost === null);
}

// what came

async function answerIn(response, { onLine, onFrame, read }) {
  if (onLine) return readLines(response.body, onLine);
  if (onFrame) return readFrames(response.body, onFrame);
  const bytes = Number(response.headers.get("content-length"));
  if (read) return { value: await read(response), bytes };
  if (response.headers.get("content-type")?.startsWith("application/json"))
    return { value: await response.json(), bytes };
  const buffer = await response.arrayBuffer();
  return { value: parsePayload(buffer), bytes: buffer.byteLength };
}

async function readLines(body, onLine) {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunksOf(body)) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop();
    for (const line of lines.map((text) => JSON.parse(text))) {
      if (line.error) throw new Error(line.error);
      onLine(line);
    }
  }
}

/** Payloads, each behind its length. */
async function readFrames(body, onFrame) {
  let rest = new Uint8Array();
  for await (const chunk of chunksOf(body)) {
    const bytes = new Uint8Array(rest.length + chunk.length);
    bytes.set(rest);
    bytes.set(chunk, rest.length);
    rest = takeFrames(bytes, onFrame);
  }
  if (rest.length) throw new Error(BROKEN);
}

/** What is left behind the frames that are whole. */
function takeFrames(bytes, onFrame) {
  const view = new DataView(bytes.buffer);
  let at = 0;
  while (bytes.length >= at + 4) {
    const end = at + 4 + view.getUint32(at, true);
    if (bytes.length < end) break;
    onFrame(parsePayload(bytes.buffer.slice(at + 4, end)));
    at = end;
  }
  return bytes.slice(at);
}

async function* chunksOf(body) {
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}
