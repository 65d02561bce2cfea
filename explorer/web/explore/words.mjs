// The words of the Explore page around its pictures, to be read in one go.

import { byHand } from "../base/hand.mjs";
import { grouped, label, modelName, probability, quoted, several, visible } from "../base/text.mjs";

export const PAGE = {
  examples: "Examples",
  exampleList: "Example texts",
  heads: "All heads",
  headsHint: byHand(
    "One picture per head: a row for each token, colored where it attends. Hover to preview, click to pin.",
  ),
  byPlace: "All heads: one row for each layer",
  order: "Order of the heads",
  usual: "layer and head",
  several: "Outlined: the heads combined in the picture.",
  badges: "Badges: ",
  next: "Next token",
  nextTable: "The likeliest next tokens",
  end: "This is the end of your text: the model would continue from here.",
  cut: "Your text continues, but the model was not given the rest, so this prediction is not compared with it.",
  roles: "What each role means",
  noRoles: "This model's window is too short to measure what its heads do.",
  noCrossRoles:
    "Roles are measured within one text. Cross-attention looks at another text, so its heads have no roles.",
  stack: "Whose attention",
  own: "Prediction at this token",
  nothing: "Prediction",
  inFront: "This token is the encoder's: it comes before the decoder's text, and the model predicts nothing after it.",
  crossing: byHand("These tokens look at the encoder's text, which is in the picture. Click a token to pin it."),
  tokens: "Tokens",
  tokenList: "Tokens of your text",
  picture: "Picture of the model",
  change: "Change text, model or example",
  headBefore: "head before",
  headNext: "next head",
};

export const TABS = {
  attention: "Attention",
  pipeline: "Pipeline",
  lens: "Lens",
  residual: "Residual",
  surgery: "Surgery",
  patch: "Patch",
};
export const ABOUT = {
  attention: "",
  pipeline: "The whole way from text to next token, in one picture.",
  lens: "What the model would predict if it stopped after each layer.",
  residual: "Who wrote what: how much every head and MLP adds to a token's score.",
  surgery: "Switch heads off, freeze them, paint their mask, and see what changes.",
  patch: "Put what the model computed for one text into another, and see what brings the answer back.",
};

// heads by two scores

export const SCATTER = {
  title: "Heads by two scores",
  hint: byHand(
    "Each point is a head. Dotted: the score of uniform attention, or no change of the loss. Click a point to look " +
      "at its head.",
  ),
  across: ["Across", "previous token"],
  up: ["Up", "induction"],
  head: "head",
  effect: "loss when switched off",
  effectTitle: "change of the loss, nats per token",
};
export const score = (x) => x.toFixed(3).replace("-", "−");
export const pointText = (layer, head, ...axes) =>
  [headTitle(layer, head), ...axes.map(({ name, scores }) => `${name}: ${score(scores[layer][head])}`)].join("\n");
export function effectsSentence({ changes, loss, of }) {
  if (!of) return "Waiting for the measurement …";
  if (changes.length < of) return `Switching off one head after another: ${changes.length} of ${of} layers are done …`;
  return (
    `Your text's mean loss is ${loss.toFixed(3)} nats per token. Each head was set to zero on its own: above 0, the ` +
    "loss grew without it."
  );
}
export const scatterLabel = (across, up, count) =>
  `${count} heads, by their scores as “${across}” across and “${up}” up. The table has every number.`;

// heads

export const roleOption = (role) => `role: ${role}`;
export const byRole = (role) => `All heads, those with the highest score in the role “${role}” first`;
export const headTitle = (layer, head) => `Layer ${layer}, head ${head}`;
export const stepperText = (layer, head) => `Layer ${layer} · head ${head}`;
export const openText = (text) => `“${text.trim()}” ✎`;
export const doesTitle = (layer, head) => `What layer ${layer}, head ${head} does`;

/** @typedef {{layer: number, head: number, logits?: number, weight?: number}} Lead */

/** `logits`: what the head adds to the likeliest token; where nothing is predicted, `weight`: what it looks with. */
export function leadsSentence(/** @type {Lead} */ { layer, head, logits = 0, weight }, isHere, token) {
  const who = isHere ? "This head" : headTitle(layer, head);
  if (weight !== undefined) return `${who} puts most weight on one other token: ${probability(weight)}`;
  const adds = `${logits < 0 ? "−" : "+"}${Math.abs(logits).toFixed(2)}`;
  return `${who} adds most to the logit of ${quoted(token)}: ${adds}`;
}

export function badgeSentence(names) {
  if (names.length)
    return `Badge: ${names.join(", ")}. Measured on sample articles and on repeated random tokens, not on your text.`;
  return (
    "No badge: in every role, its score is too low for one. Measured on sample articles and on repeated random " +
    "tokens, not on your text."
  );
}

/** What the attentions of a model are called. */
export const STACKS = { encoder: "Encoder", decoder: "Decoder", cross: "Cross-attention" };

// the next token, or the one at a place

export const expectsHidden = (place) => `What the model expects at position ${place}, which is hidden from it`;
export const expectsAt = (token) => `What the model expects at ${quoted(label(token, 24))}, which it sees`;
export const ownSentence = ({ text, p, rank }, V, isHidden) =>
  `${isHidden ? "The hidden token is" : "Your text has"} ${quoted(visible(text))}: probability ` +
  `${probability(p)}, rank ${grouped(rank)} of ${grouped(V)}.`;
export const hideText = (token) => `Hide ${quoted(label(token, 24))} from the model`;
export const unhideText = (token) => `Show ${quoted(label(token, 24))} again`;
export const likeliest = (count) => `The ${count} likeliest as a table`;
export const expectsAfter = (token) => `What the model expects after ${quoted(label(token, 24))}`;
export const restSentence = (others, rest) =>
  `The other ${grouped(others)} tokens of the vocabulary share ${probability(rest)}.`;
export const actualSentence = ({ text, p, rank }, V) =>
  `Your text continues with ${quoted(visible(text))}: probability ${probability(p)}, rank ` +
  `${grouped(rank)} of ${grouped(V)}.`;

/** Why nothing comes behind the last token that ran. */
export const endSentence = ({ tokens, total }) => (total > tokens.length ? PAGE.cut : PAGE.end);

// the token strip

export function colorSentence({ draw }, { column }, title) {
  const way = column
    ? "how strongly each token attends to the outlined one"
    : `how strongly the outlined token ${draw === "flow" ? "draws on" : "attends to"} each`;
  return byHand(`Color: ${way} (${title}). Hover to preview, click to pin.`);
}

export function tokenTitle(token, i) {
  if (token.special && token.id !== null) return `position ${i}: token ${token.id}, a special token, not text`;
  const part = token.partial ? ", bytes of a character that needs several tokens" : "";
  return `position ${i}${token.id === null ? "" : `: token ${token.id}`}${part}`;
}

export function modelLine(model) {
  const size = [
    model.n_embd && `width ${model.n_embd}`,
    model.num_parameters && `${parameters(model.num_parameters)} parameters`,
  ];
  return [modelName(model.name), `${several(model.n_layer, "layer")} × ${several(model.n_head, "head")}`, ...size]
    .filter(Boolean)
    .join(" · ");
}

function parameters(count) {
  return count < 1e5 ? grouped(count) : `${(count / 1e6).toFixed(1)} M`;
}

export function usedLine({ tokens, total, was_cut, model }) {
  if (total <= tokens.length) return `${tokens.length} / ${model.token_limit} tokens`;
  return (
    `shown: the first ${tokens.length} of ${was_cut ? "more than " : ""}${grouped(total)} tokens; the ` +
    "model's window ends there"
  );
}
