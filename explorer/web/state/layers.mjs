// What of a large model comes by layers: patterns, q and k, the tensors of the pipeline. Small models have all at once.

const isLarge = ({ arrays }) => Boolean(arrays.pattern.layers);

/**
 * Names of the parts that hold the patterns that are drawn; none where all are here.
 * @param {Payload} payload
 */
export function patternsOf(payload, { layer, draw, by, over }) {
  if (!isLarge(payload)) return [];
  const isAll = draw === "flow" || (draw !== "neuron" && by !== "one" && over !== "heads");
  if (!isAll) return [`layer.${layer}`];
  return Array.from({ length: payload.arrays.pattern.shape[0] }, (_, one) => `layer.${one}`);
}

/** The pattern of the chosen layer alone. */
export const patternOf = (payload, { layer }) =>
  patternsOf(payload, { layer, draw: "matrix", by: "one", over: "heads" });

/** A part by its name, or of a large model the chosen layer's; then the patterns that are drawn beside it. */
export const layered = (name) => (payload, focus) =>
  isLarge(payload) ? [`${name}.${focus.layer}`, ...patternOf(payload, focus)] : [name];
