// The timeline: what a model computed at recorded steps of its training.

export function mount(element) {
  element.dataset.ready = "true";
}
