// The settings of a draw: what they are called, their limits, and what is made of whatever is typed. Pure: no DOM.

export const SETTINGS = [
  {
    name: "temperature",
    label: "Temperature",
    min: 0,
    max: 2,
    step: 0.05,
    value: 0.8,
    about: "divides the logits: below 1, likely tokens get likelier; 0 takes the likeliest",
  },
  { name: "top_k", label: "Top-k", min: 0, max: 200, step: 1, value: 0, about: "keep the k likeliest; 0 keeps all" },
  {
    name: "top_p",
    label: "Top-p",
    min: 0.05,
    max: 1,
    step: 0.05,
    value: 0.95,
    about: "keep the likeliest until they sum to p",
  },
  { name: "count", label: "Tokens", min: 1, max: 200, step: 1, value: 60, about: "the most that Write adds" },
];

/** A number inside the limits; what is no number becomes the start value. */
export function clamped({ min, max, step, value }, typed) {
  const number = String(typed).trim() === "" ? NaN : Number(typed);
  if (!Number.isFinite(number)) return value;
  const inside = Math.min(Math.max(number, min), max);
  return step === 1 ? Math.round(inside) : inside;
}

/**
 * As llm_core has them: no top-k is null.
 * @param {{[name: string]: number}} values
 */
export function forModel({ temperature, top_k, top_p }) {
  return { temperature, top_k: top_k || null, top_p };
}

/** "temperature 0.8, top-p 0.95" */
export function inWords({ temperature, top_k, top_p }) {
  if (temperature === 0) return "temperature 0";
  return [
    `temperature ${round(temperature)}`,
    top_k ? `top-k ${top_k}` : "",
    top_p && top_p < 1 ? `top-p ${round(top_p)}` : "",
  ]
    .filter(Boolean)
    .join(", ");
}

export function round(number) {
  return String(Math.round(number * 1000) / 1000);
}
