// What is known of one training run: the frames of its engine, put together. Pure: no DOM, no network.

export const OVER = ["stopped", "failed", "done", "lost"];

/** A run that has just been asked for; `number` is how the page calls it. */
export function newRecord(number, choices) {
  return {
    number,
    choices,
    state: "starting",
    sentence: "", // in the words of llm_core.live, "waiting" of the server, "lost" of the page
    place: 0,
    training: 0, // in the queue
    facts: null, // the frame "ready"
    step: 0,
    seconds: 0,
    tokensPerSecond: null,
    points: { step: [], loss: [], lr: [], grad_norm: [] }, // of every step, on what was just learned from
    fresh: [], // {step, loss, accuracy} on sequences that were never trained on
    events: [],
    now: null, // the newest attention, answer and roles
    isShown: true,
  };
}

/** Take a frame, as parsePayload gives it, into the record. */
export function hear(record, frame) {
  const { kind } = frame;
  if (kind === "waiting") Object.assign(record, { state: "waiting", place: frame.place, training: frame.training });
  if (kind === "ready") record.facts = frame;
  if (kind === "event") record.events.push(frame);
  if (kind === "refused") record.refused = frame.sentence;
  if (kind === "state")
    Object.assign(record, { state: frame.state, sentence: frame.sentence, step: frame.step ?? record.step });
  if (kind === "measured") measured(record, frame);
  return record;
}

function measured(record, frame) {
  for (const [name, all] of Object.entries(record.points)) for (const value of frame.points[name]) all.push(value);
  Object.assign(record, { step: frame.step, seconds: frame.seconds, tokensPerSecond: frame.tokens_per_second });
  if (frame.fresh && frame.fresh.step !== record.fresh.at(-1)?.step) record.fresh.push(frame.fresh);
  if (Object.keys(frame.arrays).length) record.now = frame; // an older one may have lost its attention on the way
}

/**
 * The attention of each part now: who looks (T) at whom (S), what the mask lets be seen, and each head's block, in
 * the form that the views of one head take.
 */
export function partsOf({ facts, now }) {
  if (!facts || !now) return [];
  return facts.parts.map(({ name, title, causal, queries, keys }) => {
    const {
      data,
      shape: [L, H, T, S],
    } = now.arrays[name];
    const mask = Uint8Array.from({ length: T * S }, (_, at) => Number(!causal || at % S <= Math.floor(at / S)));
    const block = (layer, head) => data.subarray((layer * H + head) * T * S, (layer * H + head + 1) * T * S);
    return {
      name,
      title,
      tensor: tensorName(name, facts.parts),
      shape: [L, H],
      T,
      S,
      mask,
      prefix: 0,
      queries,
      keys,
      block,
    };
  });
}

/** What records of llm_core call the pattern. */
function tensorName(name, parts) {
  const stack = { cross: "decoder.", encoder: "encoder.", decoder: "decoder." }[name];
  return `${parts.length > 1 ? stack : ""}blocks.{layer}.${name === "cross" ? "cross_attn" : "attn"}.pattern`;
}

/** The part that gives the answer, whose heads can become one thing or another. */
export function answeringPart(facts) {
  return facts.parts.some(({ name }) => name === "decoder") ? "decoder" : "encoder";
}

/** What the heads of a part do, in the form that badges take. */
export function rolesOf({ facts, now }, part) {
  const found = (now?.roles ?? []).filter((role) => role.part === part);
  return found.map(({ role, lifts }) => ({ name: role, lifts, threshold: facts.threshold }));
}

/** What the model is asked on its fixed input, as text. */
export function probeText({ parts }) {
  const text = (tokens) => tokens.map((token) => (token.special ? "" : token.text)).join("");
  const source = parts.find(({ name }) => name === "encoder") ?? parts[0];
  return text(source.queries);
}

/** Curves as a table: a row for each step of each run; what was not measured at a step stays empty. */
export function curveRows(records, names) {
  const rows = [
    [
      "run",
      "step",
      "loss on the batch (nats)",
      "learning rate",
      "gradient norm",
      "loss on fresh sequences (nats)",
      "accuracy on fresh sequences",
    ],
  ];
  records.forEach(({ points, fresh }, r) => {
    const measured = new Map(fresh.map((one) => [one.step, one]));
    const told = new Set(points.step);
    const line = (step, ...values) =>
      rows.push([
        names[r],
        step,
        ...[...values, measured.get(step)?.loss, measured.get(step)?.accuracy].map((value) => value ?? ""),
      ]);
    for (const { step } of fresh) if (!told.has(step)) line(step, null, null, null);
    for (const [i, step] of points.step.entries()) line(step, points.loss[i], points.lr[i], points.grad_norm[i]);
  });
  return rows;
}
