// plotly.js, for charts that want zoom, legends and selection. It is large: loaded when the first of them is drawn.

import { make } from "../base/dom.mjs";

const ADDRESS = "../vendor/plotly.min.js"; // of no file here: see static_files.py

let loading = null;
let gl = null;

/** plotly's own object. Rejects if it cannot be loaded; then it is tried anew the next time. */
export function plotly() {
  loading ??= added().catch((problem) => {
    loading = null;
    throw problem;
  });
  return loading;
}

function added() {
  return new Promise((done, fail) => {
    const lost = () => fail(new Error(`${ADDRESS} is not there`));
    const src = new URL(ADDRESS, import.meta.url);
    document.head.append(make("script", { src, onload: () => done(globalThis.Plotly), onerror: lost }));
  });
}

/** Whether the browser draws with WebGL, as many points and three dimensions want it. */
export function hasGl() {
  if (gl === null) {
    const context = document.createElement("canvas").getContext("webgl2");
    context?.getExtension("WEBGL_lose_context")?.loseContext(); // there are only some sixteen at a time
    gl = context !== null;
  }
  return gl;
}
