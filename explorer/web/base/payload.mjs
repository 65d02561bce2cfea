// The binary payload of payload.py, decoded: header (JSON) and typed arrays. Pure: no DOM.

const MAGIC = 0x31505348; // "HSP1", little-endian
const KINDS = {
  unit16: Uint16Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  float32: Float32Array,
};

export function parsePayload(buffer) {
  const view = new DataView(buffer);
  if (buffer.byteLength < 8 || view.getUint32(0, true) !== MAGIC)
    throw new Error("The server sent something that is not a result.");
  const start = 8 + view.getUint32(4, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, start - 8)));
  const arrays = {};
  for (const { name, dtype, shape, offset } of header.arrays) {
    const length = shape.reduce((a, b) => a * b, 1);
    arrays[name] = { data: new KINDS[dtype](buffer, start + offset, length), shape };
  }
  if (header.pattern_shape)
    arrays.pattern = { data: null, shape: header.pattern_shape, layers: new Map(), problems: new Map() };
  return { ...header, arrays };
}

/**
 * One head's T×S block of the pattern array, as integers 0..65535 (a view, nothing is copied); S is T but in
 * cross-attention. Of a large model only layers that have come have one.
 * @param {Payload} payload
 */
export function headBlock(payload, layer, head) {
  const { data, shape, layers } = payload.arrays.pattern;
  const [, H, T, S] = shape;
  const start = ((layers ? 0 : layer * H) + head) * T * S;
  return (layers ? layers.get(layer) : data).subarray(start, start + T * S);
}

/**
 * The small picture of a head: {rows, columns, row(query)}, the numbers as in `headBlock`. What a mask hides has none.
 * @param {Payload} payload
 */
export function thumbnailOf(payload, layer, head) {
  const [, H, T, S] = payload.arrays.pattern.shape;
  const { thumbnails } = payload.arrays;
  if (!thumbnails) {
    const block = headBlock(payload, layer, head);
    const row = (query) => block.subarray(query * S, query * S + lastSeen(payload, query) + 1);
    return { rows: T, columns: S, row };
  }
  const [, , rows, columns] = thumbnails.shape;
  const start = (layer * H + head) * rows * columns;
  const seen = (i) => (lastSeen(payload, Math.ceil(((i + 1) * T) / rows) - 1) + 1) / S;
  const row = (i) => thumbnails.data.subarray(start + i * columns, start + i * columns + Math.ceil(seen(i) * columns));
  return { rows, columns, row };
}

/** How many keys a query of `layer` sees at most, itself the last of them: Infinity without a window. */
export const windowOf = ({ model }, layer) => model?.windows?.[layer] ?? Infinity;

/** The last key that a query sees: itself under a causal mask, else the last of all. */
export function lastSeen({ mask, tokens, keys = tokens }, query) {
  return mask === "none" ? keys.length - 1 : query;
}

/** What the model calls the layer, or the head, at a place: a saved page may hold only some of them. */
export const layerOf = (/** @type {Payload} */ { layers }, layer) => layers?.[layer] ?? layer;
export const headOf = (/** @type {Payload} */ { heads }, head) => heads?.[head] ?? head;

/**
 * How far a weight may be off that has traveled in 16 bits. Of a single one 2, 3 and 4 decimals are the tensor's all
 * the same (see payload.py); of what is computed from several they need not be.
 */
export const OFF = 1.6e-5;
export const OFF_NEAREST = 8e-6; // of one that is the nearest of all fractions, in timelines and live runs

/**
 * Attention weight of one cell, 0..1.
 * @param {Payload} payload
 */
export function weight(payload, layer, head, query, key) {
  const T = payload.arrays.pattern.shape[2];
  return headBlock(payload, layer, head)[query * T + key] / 65535;
}

/**
 * What the model predicts at a place: "next", the token behind it, or "own", the one that stands there; null: nothing.
 * @param {Payload} payload
 */
export function predictsAt({ predicts = "next", prefix = 0 }, place) {
  return place < prefix ? null : predicts;
}

/**
 * The token of the text that the prediction at a place is about; undefined behind its end.
 * @param {Payload} payload
 * @returns {Token | undefined}
 */
export function trueToken({ tokens, predicts, masked, hidden }, place) {
  if (predicts !== "own") return tokens[place + 1];
  return place === masked ? hidden : tokens[place];
}

/**
 * The likeliest next tokens behind `query`: [{id, text, p}], and what is left for all others.
 * @param {Payload} payload
 */
export function nextTokens(payload, query, count) {
  const { data: ids, shape } = payload.arrays.next_ids;
  const probs = payload.arrays.next_probs.data;
  const K = shape[1];
  const best = [];
  for (let i = 0; i < Math.min(count, K); i++) {
    const id = ids[query * K + i];
    best.push({ id, text: payload.pieces[id], p: probs[query * K + i] });
  }
  const rest = Math.max(0, 1 - best.reduce((sum, { p }) => sum + p, 0));
  return { best, rest, others: payload.model.vocab_size - best.length };
}

/**
 * What the text really has where the model predicts at `query`: {text, p, rank}, or null at its end.
 * @param {Payload} payload
 */
export function actualNext(payload, query) {
  const token = trueToken(payload, query);
  if (!token) return null;
  return {
    text: token.text,
    p: payload.arrays.actual_probs.data[query],
    rank: payload.arrays.actual_ranks.data[query],
  };
}

/**
 * The head that adds most to the logit of the likeliest token after `query`: {layer, head, logits}; null where that
 * was not computed.
 * @param {Payload} payload
 */
export function leadingHead({ arrays }, query) {
  if (!arrays.leading) return null;
  const [layer, head] = arrays.leading.data.subarray(2 * query, 2 * query + 2);
  return { layer, head, logits: arrays.leading_logits.data[query] };
}

/**
 * Of a model that predicts nothing: the head in which `query` puts most weight on another token, special ones left out:
 * {layer, head, weight}; null where there is none, and of a large model, whose layers come one by one.
 * @param {Payload} payload
 */
export function strongestHead(payload, query) {
  const { arrays, tokens, keys } = payload;
  const [L, H, T, S] = arrays.pattern.shape;
  if (arrays.leading || arrays.pattern.layers) return null;
  const others = (keys ?? tokens).flatMap((token, k) => (token.special || (!keys && k === query) ? [] : [k]));
  const found = { layer: 0, head: 0, weight: 0 };
  for (let i = 0; i < L * H; i++) {
    for (const key of others) {
      const weight = arrays.pattern.data[(i * T + query) * S + key] / 65535;
      if (weight > found.weight) Object.assign(found, { layer: Math.floor(i / H), head: i % H, weight });
    }
  }
  return found.weight ? found : null;
}

/** How the code calls the patterns of a layer. */
export function patternName(payload, layer) {
  return payload.names.pattern.replace("{layer}", String(layerOf(payload, layer)));
}

/**
 * Name and index of the tensor cell behind a number, as one would write it in Python.
 * @param {Payload} payload
 */
export function cellName(payload, layer, head, query, key) {
  return `${patternName(payload, layer)}[0, ${headOf(payload, head)}, ${query}, ${key}]`;
}
