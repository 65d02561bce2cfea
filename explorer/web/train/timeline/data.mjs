// The recorded timelines: which there are, one model's facts, and one prompt at all steps. Everything is fetched once;
// what the views ask for after that is in memory. Layers, heads and places count from 0.

import { parseSafetensors } from "../../base/safetensors.mjs";
import { load } from "../../state/ask.mjs";
import { OFF_SCORE } from "./words.mjs";

/** {models: [{name, title, sentence}], missing: what to do if there are none}. */
export function loadIndex() {
  return once("timeline/index.json", (answer) => answer.json());
}

export async function loadModel(index, name) {
  const { title, sentence, version } = index.models.find((model) => model.name === name);
  const info = await once(`timeline/${name}/timeline.json?v=${version}`, (answer) => answer.json());
  return modelOf(info, { title, sentence });
}

/** Prompt `k` of a model, at all of its steps: `at(i)` is what was recorded at the step with that index. */
export async function loadPrompt(model, k) {
  const prompt = model.prompts[k];
  const arrays = await once(`timeline/${model.name}/${prompt.file}?v=${prompt.sha256.slice(0, 12)}`, async (answer) =>
    parseSafetensors(await answer.arrayBuffer()),
  );
  return promptOf(model, prompt, arrays);
}

const once = (address, read) => load(address, { read, cached: true, quiet: true });

const MARKED = ["previous token", "prefix matching", "induction"];
const TITLES = { encoder: "Encoder", decoder: "Decoder", cross: "Cross-attention" };

/** What timeline.json says, as the views ask for it. */
export function modelOf(info, { title, sentence }) {
  const { steps, stacks, scores } = info;
  const known = new Map(); // roles by stack and step
  const roles = (stack, i) => {
    const key = `${stack} ${i}`;
    if (!known.has(key)) known.set(key, rolesAt(info.roles, scores[stack] ?? {}, i));
    return known.get(key);
  };
  const heldOut = steps.map((step, i) => [step, info.held_out.loss[i] ?? NaN]);
  return {
    name: info.name,
    title,
    sentence,
    architecture: info.architecture,
    masked: info.masked,
    vocabulary: info.vocab_size,
    pieces: info.pieces,
    sample: info.sample,
    prompts: info.prompts,
    steps,
    tokens: info.tokens,
    train: info.curve.map(([step, , loss]) => [step, loss ?? NaN]),
    restarts: info.restarts ?? [],
    heldOut,
    heldOutAt: (i) => heldOut[i][1],
    stacks: stacks.map((stack) => ({ ...stack, title: TITLES[stack.name] ?? stack.name })),
    events: info.marks,
    nearest: nearestTo(stacks, (stack) => roles(stack, steps.length - 1), steps.at(-1)),
    roles,
  };
}

/** The head that at the last step does most of a task that marks speak of; null if none does anything of it. */
function nearestTo(stacks, rolesOf, step) {
  let best = { lift: 0 };
  for (const { name: stack } of stacks) {
    for (const { name: role, scores, lifts, baseline } of rolesOf(stack).filter(({ name }) => MARKED.includes(name))) {
      for (const [layer, heads] of lifts.entries()) {
        heads.forEach((lift, head) => {
          if (lift > best.lift) best = { stack, layer, head, role, step, lift, score: scores[layer][head], baseline };
        });
      }
    }
  }
  return best.stack ? best : null;
}

/** What each head scores in each role that could be measured, at one step. */
function rolesAt(roles, scores, i) {
  return roles
    .filter(({ name }) => scores[name])
    .map((role) => {
      const { baseline } = scores[role.name];
      const found = scores[role.name].scores[i];
      const lift = (score) => (baseline > 0.9995 ? score : (score - baseline) / (1 - baseline)); // 1: "broad"
      const lifts = found.map((heads) => heads.map(lift));
      return { ...role, baseline, scores: found, off: OFF_SCORE, lifts };
    });
}

/** A prompt of `model` with its arrays. */
export function promptOf(model, prompt, arrays) {
  const parts = model.stacks.map((stack) => partOf(stack, prompt, arrays[`attention.${stack.name}`]));
  return {
    title: prompt.title,
    sentence: prompt.sentence,
    own: prompt.own,
    tokens: prompt.tokens,
    places: prompt.places,
    truth: prompt.truth,
    parts: (i) => parts.map((part) => ({ ...part, block: (layer, head) => part.blockAt(i, layer, head) })),
    predicted: (i, place) => predicted(model, prompt, arrays, i, place),
  };
}

/**
 * One kind of attention: who looks (T) at whom (S), what the mask lets be seen, and each head's weights. `asks` says at
 * which query the own tokens begin, null if they are none of the queries.
 */
function partOf({ name, title, tensor, n_layer: L, n_head: H, mask: rule }, { tokens, source, prefix }, attention) {
  const own = name === "decoder" ? [...source.slice(0, prefix), ...tokens] : tokens;
  const [queries, keys] = { encoder: source.length ? [source, source] : [own, own], cross: [tokens, source] }[name] ?? [
    own,
    own,
  ];
  const [T, S] = [queries.length, keys.length];
  const folded = rule === "causal";
  const mask = Uint8Array.from({ length: T * S }, (_, at) => Number(!folded || at % S <= Math.floor(at / S)));
  const size = folded ? (T * (T + 1)) / 2 : T * S;
  const blockAt = (i, layer, head) => {
    const start = ((i * L + layer) * H + head) * size;
    const block = attention.data.subarray(start, start + size);
    return folded ? unfolded(block, T) : block;
  };
  return {
    name,
    title,
    tensor,
    shape: [L, H],
    T,
    S,
    queries,
    keys,
    mask,
    prefix: name === "decoder" ? prefix : 0,
    asks: queries === source ? null : queries.length - tokens.length,
    blockAt,
  };
}

/** The lower triangle, row by row -> T×T with zeros above. */
export function unfolded(triangle, T) {
  const block = new Uint16Array(T * T);
  for (let q = 0; q < T; q++) block.set(triangle.subarray((q * (q + 1)) / 2, (q * (q + 1)) / 2 + q + 1), q * T);
  return block;
}

/** {best: [{id, text, p}], truth: null or {id, text, p, rank}} for a place that has a prediction. */
function predicted({ pieces }, { places, truth }, arrays, i, place) {
  const [, Q, K] = arrays["next.ids"].shape;
  const at = i * Q + places.indexOf(place);
  const ids = arrays["next.ids"].data.subarray(at * K, at * K + K);
  const best = Array.from(ids, (id, k) => ({ id, text: pieces[id], p: arrays["next.probs"].data[at * K + k] }));
  const id = truth[places.indexOf(place)];
  return {
    best,
    truth:
      id === null
        ? null
        : { id, text: pieces[id], p: arrays["truth.probs"].data[at], rank: arrays["truth.ranks"].data[at] },
  };
}
