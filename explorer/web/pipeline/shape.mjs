// Shapes in the letters of the legend, each in its colour, and what the letters stand for.

import { make } from "../base/dom.mjs";

/** "(", T, ", ", C, ")": nodes. */
export function dimensions(letters, texts = letters) {
  const parts = letters.flatMap((letter, i) => [
    i ? ", " : "",
    make("span", { className: "hs-dimension", "data-letter": letter.at(-1), text: String(texts[i]) }),
  ]);
  return ["(", ...parts, letters.length === 1 ? ",)" : ")"];
}

/** How large each letter is for this text and model. */
export function sizes({ tokens, model }) {
  const { n_embd: C, n_head: H, vocab_size: V, n_kv_head: K = H, head_dim: D = C / H, mlp_width: F = 4 * C } = model;
  return { T: tokens.length, C, H, K, D, "4C": 4 * C, F, V };
}
