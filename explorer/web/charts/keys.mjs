// A chart by keyboard: + and − zoom, arrows move, or turn what has three dimensions, 0 shows everything.

const STEP = 0.15; // of what is seen
const CLOSER = 1.25;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

export function keyed(area) {
  area.addEventListener("keydown", (event) => {
    if (event.target !== area || event.ctrlKey || event.metaKey || event.altKey || !pressed(area, event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  });
}

/** Does what the key does, and says whether it does anything. */
export function pressed(area, key) {
  if (!area._fullLayout) return false;
  const { scene } = area._fullLayout;
  const change = scene ? turned(scene.camera, key) : moved(area, key);
  if (change) globalThis.Plotly.relayout(area, change);
  return change !== null;
}

/** Other ends of both axes; on an axis of logarithms they are logarithms, too. */
function moved({ _fullLayout: { xaxis, yaxis } }, key) {
  if (key === "0") return { "xaxis.autorange": true, "yaxis.autorange": true };
  const scale = { "+": 1 / CLOSER, "=": 1 / CLOSER, "-": CLOSER }[key];
  const [dx, dy] = ARROWS[key] ?? [0, 0];
  if (!scale && !ARROWS[key]) return null;
  return { "xaxis.range": ends(xaxis.range, dx, scale), "yaxis.range": ends(yaxis.range, dy, scale) };
}

function ends([low, high], steps, scale = 1) {
  const [middle, half] = [(low + high) / 2 + steps * STEP * (high - low), ((high - low) / 2) * scale];
  return [middle - half, middle + half];
}

/** The eye further around, higher, or closer. */
function turned({ eye: { x, y, z } }, key) {
  if (key === "0") return { "scene.camera.eye": { x: 1.25, y: 1.25, z: 1.25 } };
  const scale = { "+": 1 / CLOSER, "=": 1 / CLOSER, "-": CLOSER }[key];
  if (scale) return { "scene.camera.eye": { x: x * scale, y: y * scale, z: z * scale } };
  if (!ARROWS[key]) return null;
  const [around, up] = ARROWS[key].map((step) => step * STEP);
  const [cos, sin] = [Math.cos(around), Math.sin(around)];
  return { "scene.camera.eye": { x: x * cos - y * sin, y: x * sin + y * cos, z: z + up } };
}
