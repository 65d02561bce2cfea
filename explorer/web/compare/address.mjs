// What the address says of the Compare page beside layer, head and text: ?models=encoder,decoder&mask=4&own=1.3,2.8
// Pure: no DOM. Layers and heads count from 1, as on the page.

export const MOST = 4;
export const START = { models: ["encoder", "decoder", "encoder-decoder-prefix"], masked: -1, second: null, own: null };
const NAMES = ["models", "mask", "second", "own"];

/** "?models=…" -> {models, masked, second, own}: what is not said, or not understood, is as at the start. */
export function readCompare(search) {
  const query = new URLSearchParams(search);
  const models = [...new Set((query.get("models") ?? "").split(",").filter(Boolean))].slice(0, MOST);
  const mask = query.get("mask") ?? "";
  const second = query.get("second");
  const own = (query.get("own") ?? "").split(",").map((place) => /^(\d{1,3})\.(\d{1,3})$/.exec(place));
  return {
    models: models.length
      ? second === null
        ? models
        : models.slice(0, 1)
      : second === null
        ? [...START.models]
        : ["decoder"],
    masked: /^\d{1,4}$/.test(mask) ? Number(mask) : START.masked,
    second,
    own: own.every(Boolean)
      ? own
          .map(([, ...place]) => place.map(Number))
          .map(([layer, head]) => ({
            layer: Math.max(0, layer - 1),
            head: Math.max(0, head - 1),
          }))
      : null,
  };
}

/** The address with what differs from the start. */
export function writeCompare(search, { models, masked, second, own }) {
  const query = new URLSearchParams(clearCompare(search));
  if (models.join() !== START.models.join()) query.set("models", models.join());
  if (masked !== START.masked) query.set("mask", masked);
  if (second !== null) query.set("second", second);
  if (own) query.set("own", own.map(({ layer, head }) => `${layer + 1}.${head + 1}`).join());
  return query.size ? `?${query}` : "";
}

export function clearCompare(search) {
  const query = new URLSearchParams(search);
  for (const name of NAMES) query.delete(name);
  return query.size ? `?${query}` : "";
}
