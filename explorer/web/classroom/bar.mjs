// In a class: a bar under the header, the teacher's or a visitor's. Who came by the teacher's link has a secret that
// the server knows; everybody else's page hears where the teacher points.

import { ask, isAborted } from "../state/ask.mjs";
import { Teacher } from "./teacher.mjs";
import { Visitor } from "./visitor.mjs";

const SECRET = "headscope.teach";
const AGAIN_MS = 5000;

/** The secret of the teacher's link. It leaves the address at once: what is shared must not hold it. */
function secretOf() {
  const given = /^#teach=([\w-]+)$/.exec(location.hash)?.[1];
  if (given) history.replaceState(history.state, "", location.pathname + location.search);
  try {
    if (given) localStorage.setItem(SECRET, given);
    return given ?? localStorage.getItem(SECRET) ?? "";
  } catch {
    return given ?? ""; // no storage allowed: the teacher until the page is loaded anew
  }
}

const isSeen = () => document.visibilityState === "visible";
let hidden = new AbortController();
let goOn = () => {};
document.addEventListener("visibilitychange", () => (isSeen() ? goOn() : hidden.abort()));

/** Hears each point while the page is seen: a browser has few connections for all its tabs. */
async function listen(secret, hear) {
  for (;;) {
    if (!isSeen()) await new Promise((go) => (goOn = () => go(null)));
    hidden = new AbortController();
    try {
      await ask("class_follow", { secret }, { quiet: true, signal: hidden.signal, onLine: hear });
    } catch (problem) {
      if (!isAborted(problem)) await new Promise((go) => setTimeout(go, AGAIN_MS));
    }
  }
}

const secret = secretOf();
let bar = null;
listen(secret, (point) => {
  bar ??= point.teaches ? new Teacher(secret) : new Visitor();
  bar.hear(point);
});
