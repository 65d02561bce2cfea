// Gradio's own code editor. What is typed comes as an event, and what it should hold goes to it by a button that nobody
// sees: Gradio's client sets a component that way alone.

export class Editor {
  /** @param {(text: string) => void} onTyped */
  constructor(onTyped) {
    this.isSetting = false;
    document.addEventListener("hs-code", (/** @type {CustomEvent} */ { detail }) => {
      if (detail === this.text) this.isSetting = false;
      if (!this.isSetting) onTyped(detail);
    });
  }

  /** Until the editor holds it, what it says is of before. */
  set(text) {
    this.text = text;
    this.isSetting = true;
    globalThis.headscopeCode = text;
    document.getElementById("turn-set")?.click();
  }
}
