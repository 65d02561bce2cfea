// A text is given to the model from outside the row that asks for it. Gradio has no call for this: its textarea and its
// button are used as a person would, once they are there, for on a slow machine they come after the views.

export async function runText(text) {
  const prompt = await present("#prompt textarea");
  prompt.value = text;
  prompt.dispatchEvent(new Event("input", { bubbles: true }));
  await frame(); // the button takes what Gradio has noted by then
  await runAgain();
}

export async function runAgain() {
  (await present("#run")).click();
}

async function present(selector) {
  for (;;) {
    const found = document.querySelector(selector);
    if (found) return found;
    await frame();
  }
}

function frame() {
  return new Promise(requestAnimationFrame);
}
