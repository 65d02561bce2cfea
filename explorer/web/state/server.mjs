// Whether the server is still there: Gradio lets a question to a dead one wait without a word.

export const GONE = "The server does not answer. Is the app still running?";

export async function isGone() {
  return fetch(import.meta.url, { method: "HEAD", cache: "no-store" }).then(
    () => false,
    () => true,
  );
}

/** While the page waits for a result: `say(GONE)` as soon as the server is no longer there. */
export async function watchServer(isWaiting, say) {
  do {
    if (await isGone()) return say(GONE);
    await new Promise((go) => setTimeout(go, 2000));
  } while (isWaiting());
}
