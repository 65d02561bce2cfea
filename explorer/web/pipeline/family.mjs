// What the stages of other families are otherwise than GPT-2's: for each stage its changes, or null where there is
// none. Pure: no DOM.

const ACTIVATIONS = {
  gelu_tanh: { name: "GELU", formula: "½ · x · (1 + tanh(√(2/π) · (x + 0.044715 · x³)))" },
  gelu: { name: "GELU", formula: "½ · x · (1 + erf(x / √2))" },
  relu: { name: "ReLU", formula: "max(0, x)" },
  silu: { name: "SiLU", formula: "x / (1 + e^-x)" },
};
/** By how much: see the test. */
export const TANH_FORM = "The formula approximates the exact GELU, x · Φ(x), and is off by at most 0.0005.";
const GATES = { swiglu: "silu", geglu: "gelu", geglu_tanh: "gelu_tanh" };

/** The activation of a model's MLP, by its name in the config. */
export const activationOf = ({ mlp = "gelu_tanh" }) => GATES[mlp] ?? mlp;

/** What differs in a model's stages; `model` is what the payload says of it. */
export const variations = (model) => ({
  ...ofPositions(model),
  ...ofHeads(model),
  ...ofNorms(model),
  ...ofMlp(model),
  ...ofBlocks(model),
  ...ofHead(model),
});

function ofPositions({ positions = "learned" }) {
  const none = positions === "rotary" ? {} : { rot_q: null, rot_k: null };
  if (positions === "learned") return none;
  const later =
    positions === "rotary"
      ? "Position comes in later: queries and keys are rotated by an angle that depends on it."
      : "";
  const embedding = {
    title: "Stream starts",
    says: `The row is the start of the residual stream. ${later}`,
    formula: "token",
  };
  return { ...none, position: null, embedding };
}

function ofHeads({ n_head: H, n_kv_head: K = H, positions, scales }) {
  const [q, k] = positions === "rotary" ? ["rot_q", "rot_k"] : ["q", "k"];
  const plain = {
    says:
      "How well each query fits each key, in each head: their dot product, scaled in this model's own way. " +
      "Keys that come later are masked: their score is -∞.",
  };
  const scores = { formula: `${q} · ${k}${scales ? "" : " / √D"}`, ...(scales ? plain : {}) };
  if (K === H) return { scores };
  const letters = ["K", "T", "D"];
  const shared = `There are ${K} of them for ${H} query heads: every ${H / K} share one.`;
  return {
    scores,
    k: { letters, says: `What each token can be found by: the same row, times another matrix. ${shared}` },
    rot_k: { letters },
    v: {
      letters,
      says: `What each token passes on to the tokens that attend to it: the same row, times a third matrix. ${shared}`,
    },
  };
}

function ofNorms({ norm = "layer" }) {
  if (norm === "layer") return {};
  const formula = "x / √(mean of x² + ε) · weight";
  const says =
    "Each row is divided by its root mean square, then each dimension gets its learned weight. The stream " +
    "itself stays as it is: ";
  return {
    ln_1: { title: "RMSNorm", says: `${says}attention reads this copy.`, formula },
    ln_2: { title: "RMSNorm", says: `${says}the MLP reads this copy.`, formula },
    ln_f: {
      formula,
      says:
        "The blocks only add to the stream, and normalize nothing but their own copies of it. One last RMSNorm " +
        "brings every token's row to one scale before the logits are read off.",
    },
  };
}

function ofMlp(model) {
  const { mlp = "gelu_tanh", n_embd: C, mlp_width: F = 4 * C } = model;
  const letters = ["T", F === 4 * C ? "4C" : "F"];
  const { name, formula } = ACTIVATIONS[activationOf(model)];
  const form = activationOf(model) === "gelu_tanh" ? ` ${TANH_FORM}` : "";
  const keeps = `${name} keeps what is clearly positive and sends the rest almost to 0.${form}`;
  if (!GATES[mlp]) {
    const wide = {
      says:
        "Each token on its own: its row times a matrix that makes it wider. Each of these numbers is called a " +
        "neuron.",
    };
    const post =
      mlp === "gelu_tanh" ? {} : { title: name, formula, says: `${keeps} Most neurons are silent for a token.` };
    return { gate: null, up: null, pre: { letters, ...(F === 4 * C ? {} : wide) }, post: { letters, ...post } };
  }
  return {
    pre: {
      letters,
      title: "MLP: gate in",
      formula: "ln_2 · W_gate",
      says: "Each token on its own: its row times a matrix that makes it wider. The gate is made of these numbers.",
    },
    gate: { letters, title: name, formula, says: `${keeps} This decides how much of each neuron passes.` },
    up: { letters },
    post: {
      letters,
      title: "Gate × up",
      formula: "gate · up",
      says: "The two wide versions, multiplied number by number: each of these numbers is called a neuron.",
    },
  };
}

function ofBlocks({ parallel = false }) {
  if (!parallel) return {};
  return {
    resid_mid: null,
    ln_2: { normOf: "resid_pre" },
    resid_post: {
      title: "Stream + both",
      says:
        "Attention and MLP read the same stream, and what both wrote is added to it at once. The next block " +
        "reads this; after the last block comes the final norm.",
      formula: "x + attn.out + mlp.out",
    },
  };
}

function ofHead({ head = "tied" }) {
  if (head === "tied") return {};
  const says =
    "A score for every token of the vocabulary: the normed row times each row of an output matrix of its own. " +
    "The 20 largest for each position are shown, largest first.";
  return { logits: { says, formula: "ln_f · output_matrixᵀ" } };
}
