// One Tab stop for many buttons: arrows, Home and End lead from one to the next.

const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -Infinity, End: Infinity };

/** @param {HTMLElement} container whose buttons may come and go; `rove(container, button)` says which is the stop */
export function roving(container) {
  container.addEventListener("keydown", (event) => {
    const buttons = enabled(container);
    const at = buttons.indexOf(/** @type {HTMLButtonElement} */ (event.target));
    const step = STEPS[event.key];
    if (step === undefined || at < 0) return;
    event.preventDefault();
    buttons[Math.max(0, Math.min(buttons.length - 1, at + step))].focus();
  });
  container.addEventListener("focusin", ({ target }) => rove(container, target));
}

/** Make one button the Tab stop: the first, if that one is not there. */
export function rove(container, button) {
  const buttons = enabled(container);
  const stop = buttons.includes(button) ? button : buttons[0];
  for (const one of buttons) one.tabIndex = one === stop ? 0 : -1;
}

/** @returns {HTMLButtonElement[]} */
const enabled = (container) => [...container.querySelectorAll("button:not(:disabled)")];
