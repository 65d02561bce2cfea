// A picture that belongs to an earlier question is dimmed, and says what it is of; the style is in shell/loading.css.

/** What a picture says that still shows `of`. */
export const staleText = (of) => `Still ${of}: your request is being computed.`;

/** The same where nothing is being computed: `sentence` says what it is about. Nothing that is empty is dimmed. */
export function outdated(element, sentence) {
  if (element.hasChildNodes()) element.dataset.stale = sentence;
}

/** @param {HTMLElement} element @param {string | null} of what it still shows; null when it is right */
export function stale(element, of) {
  if (of === null) {
    delete element.dataset.stale;
    element.removeAttribute("aria-busy");
  } else {
    element.dataset.stale = staleText(of);
    element.setAttribute("aria-busy", "true");
  }
}
