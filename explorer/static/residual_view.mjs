import { make } from "./dom.mjs";
import { store } from "./store.mjs";

export function mount(element) {
  const line = make("p");
  element.append(line);
  store.subscribe(element, (payload, focus, part) => {
    line.textContent = "Residual stream";
  }, "stream");
}
