// Every letter and term that the app uses, each in one sentence.

/** @type {{[term: string]: string}} */
export const GLOSSARY = {
  B: "Batch size: how many sequences a tensor holds.",
  T: "The number of tokens in a sequence; in attention, the number of queries.",
  S: "The number of keys; in self-attention it equals T.",
  C: "The width of the model: how many numbers represent each token in the residual stream.",
  H: "The number of attention heads in a layer.",
  D: "The width of one head, C / H.",
  V: "The size of the vocabulary: how many different tokens the model knows.",
  K: "How many of the likeliest tokens are kept, in top-k sampling for example.",
  token: "A piece of text that the model reads as one unit: a word, a part of one, or a punctuation mark.",
  embedding: "The learned vector of C numbers that stands for a token, or for a position.",
  attention:
    "The part of a layer in which each token reads from other tokens, weighted by how well its query fits their keys.",
  head:
    "One of the H attention mechanisms that work side by side in a layer, each with queries, keys, and values of " +
    "its own.",
  query: "The vector with which a token asks: it is compared with the keys of all tokens it may see.",
  key: "The vector by which a token is found: the better it fits a query, the more attention it gets.",
  value: "The vector that a token passes on to the tokens that attend to it.",
  scores: "The dot products of queries and keys, divided by √D: attention before the softmax.",
  softmax:
    "A function that turns numbers into positive weights that sum to 1, in proportion to e to the power of each.",
  "attention pattern": "The weights after the softmax: one row per query, one column per key, and each row sums to 1.",
  "causal mask": "Hides later tokens from earlier ones, so that a model cannot see what it has to predict.",
  "cross-attention": "Attention in which queries come from the decoder, and keys and values from the encoder.",
  padding: "Filler that makes all sequences of a batch equally long; a mask hides it.",
  "residual stream":
    "The C numbers per token that run through the whole model; each layer reads them and adds to them.",
  norm: "Rescales a token's vector, usually to mean 0 and variance 1, and then applies learned weights (LayerNorm).",
  MLP: "The part of a layer that transforms each token on its own: two linear maps with a nonlinearity between them.",
  logits: "The model's raw scores, one for each token of the vocabulary; softmax turns them into probabilities.",
  temperature: "Divides the logits before the softmax: below 1 the distribution gets sharper, above 1 flatter.",
  "top-k": "Sampling only from the k likeliest tokens.",
  "top-p": "Sampling only from the smallest set of likeliest tokens whose probabilities sum to at least p.",
  "beam search": "Keeps several of the likeliest continuations at each step, instead of a single one.",
  "KV cache": "Keys and values of earlier tokens, kept so that each new token needs only its own computed.",
  loss: "The mean of −ln p, where p is the probability the model gave to the right token; lower is better.",
  nats: "The unit of a loss or entropy computed with natural logarithms; 1 nat is 1.44 bits.",
  perplexity: "e to the power of the loss: as if the model chose among that many equally likely tokens.",
  entropy: "How undecided a distribution is: 0 when one token is certain, ln V when all V tokens are equally likely.",
  KL:
    "Kullback–Leibler divergence: how many nats are lost by using one distribution in place of another; 0 if they " +
    "are equal.",
  FLOPs: "Floating-point operations: here, the multiplications and additions in matrix products.",
  dropout:
    "During training, sets random numbers to 0 and scales up the rest, so that the model relies on no single one.",
  induction:
    "A pattern in which a head finds an earlier occurrence of the current token, attends to what followed it " +
    "(matching), and raises the logit of just that token (copying).",
  "logit lens":
    "Reads the residual stream after each layer as if it were the last, to see what the model would predict there.",
  "zero ablation": "Replaces a component's output by zeros, to measure how much the model depends on it.",
  "mean ablation":
    "Replaces a component's output by its average over other texts, so that it no longer reacts to this one.",
  "held-out":
    "Not used in training, so that a measurement shows what the model has learned and not what it has memorized.",
  strides: "How many places in memory lie between neighbors along each dimension of a tensor.",
};

/** The id of a term's sentence, which stands in the glossary of the header's dialog. */
export const idOf = (term) => `hs-term-${term.replace(/\W/g, "-")}`;
