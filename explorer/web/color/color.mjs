// Attention weights as colours. Pure: no DOM.
// One hue, lightness only: safe for colour-blind eyes. The scale is the square root of the weight, so that
// small weights show; the legend carries its ticks.

const LIGHT = [
  [255, 255, 255],
  [214, 196, 240],
  [150, 108, 214],
  [91, 44, 160],
  [46, 12, 92],
];
const DARK = [
  [19, 19, 24],
  [58, 36, 100],
  [110, 72, 184],
  [172, 138, 236],
  [238, 228, 255],
];

export const TICKS = [0, 0.05, 0.25, 0.5, 1];

/** 256 RGBA colours (as little-endian 32-bit numbers) from weight 0 to 1. */
export function palette(dark) {
  const colors = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    const [r, g, b] = colorAt(i / 255, dark);
    colors[i] = (255 << 24) | (b << 16) | (g << 8) | r;
  }
  return colors;
}

/** Where a weight stands on the scale, 0..1. */
export function position(weight) {
  return Math.sqrt(weight);
}

export function css(weight, dark) {
  return `rgb(${colorAt(position(weight), dark).join(" ")})`;
}

/** Black or white, whichever reads better on that colour: a contrast of at least 4.5. */
export function ink(weight, dark) {
  const [r, g, b] = colorAt(position(weight), dark).map((c) => ((c / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}

/** Fill `pixels` (Uint32Array, T*T) with the colours of `block` (integers 0..65535); cells behind `last(query)` stay clear. */
export function paint(block, T, colors, pixels, last = (query) => query) {
  for (let q = 0; q < T; q++) {
    const end = last(q);
    for (let k = 0; k <= end; k++) pixels[q * T + k] = colors[(Math.sqrt(block[q * T + k] / 65535) * 255 + 0.5) | 0];
    pixels.fill(0, q * T + end + 1, (q + 1) * T);
  }
}

function colorAt(t, dark) {
  const stops = dark ? DARK : LIGHT;
  const x = Math.min(Math.max(t, 0), 1) * (stops.length - 1);
  const i = Math.min(Math.floor(x), stops.length - 2);
  return stops[i].map((from, c) => Math.round(from + (stops[i + 1][c] - from) * (x - i)));
}
