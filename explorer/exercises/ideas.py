"""The second hint of each exercise: the idea in words, in the order in which the block computes."""

_DRAW = (
    "The logits of the last place, divided by the temperature, become chances by softmax: draw one token from them.",
    "Append each new token to the old ones, and give the model all of them again.",
)

IDEAS = {
    "embedding": (
        "Every sequence has the same positions: 0 to T-1.",
        "Row t of position_embeddings is added to the row of token t.",
    ),
    "attention": (
        "Cut each token's row of C numbers into H pieces with view(B, T, H, D); only then transpose tokens and heads. "
        "With heads in a dimension of their own, one matrix product serves all of them.",
        "The attending token is the query (rows), the attended one the key (columns): q @ k transposed.",
        "A score is a sum of D = n_embd / n_head products, so its spread grows with √D: divide by that.",
        "1 in the mask means visible. Where it is 0 the score becomes -inf before the softmax, so that the weight is "
        "exactly 0.",
        "For every query, the weights of all keys sum to 1: softmax over the last dimension of (B, H, T, T).",
        "attn_dropout comes right after the softmax, on the weights.",
        "The weights mix the values; keys have done their part in the scores.",
        "Transpose (B, H, T, D) to (B, T, H, D); then the last two dimensions may be joined to C.",
        "The merged heads (B, T, C) go through c_proj, and then through hidden_dropout. There is no third dropout.",
    ),
    "block": (
        "Attention: norm first, then the layer, then add to the stream: x + attn(ln_1(x)). The mask goes to attn.",
        "The MLP the same way, on what the first sum gave: x + mlpf(ln_2(x)).",
    ),
    "transformer": (
        "In this homework -1 marks padding, in idx and in targets. num_tokens[b] is how many places of row b are not "
        "-1.",
        "Replace -1 by any real token before the look-up: the mask hides those places anyway.",
        "With a hidden cache, concatenate along the token dimension, the cache first; its P places count as tokens in "
        "the mask.",
        "Each block reads what the one before returned, with the same mask.",
        "After the last block, and only there, ln_f norms the stream. return_hidden gives this; otherwise lm_head "
        "reads it.",
        "A place's logits say which token comes next. Without a cache the caller has shifted the targets already: the "
        "logits of place t meet targets[:, t].",
        "With a cache, targets are the tokens themselves, not shifted: the last place of the cache (P-1) predicts the "
        "first token, the first token's place predicts the second, and so on: logits[:, P-1:-1].",
        "The loss is the mean over targets that are not -1: ignore_index=-1, since torch leaves out -100 by default.",
    ),
    "encoder mask": (
        "1 (or True) where a query may look at a key, 0 where it may not.",
        "Column j is visible in every row exactly when j < num_tokens[b]. Each b has its own.",
    ),
    "decoder mask": (
        "1 (or True) where a query may look at a key, 0 where it may not.",
        "Padding, as in the encoder: column j is hidden in every row unless j < num_tokens[b].",
        "Of those, query i sees the keys j <= i: itself and what came before it (a lower triangle with its diagonal).",
    ),
    "generate": ("Give the model the whole text so far.", *_DRAW),
    "encoder-decoder": (
        "decoder_config.vocab_size + 1: the last token is the end of the text.",
        "Call the encoder with return_hidden=True: its hidden states are the decoder's hidden_cache.",
        "The decoder's own tokens are the targets. Gradients flow through the states into the encoder.",
    ),
    "prefix generate": (
        "Call the encoder once, before the loop, and give its states to the decoder each time.",
        "Start from an empty text of shape (B, 0), not from the prefix.",
        *_DRAW,
        "Return only what was drawn: (B, max_new_tokens).",
    ),
}


def idea_of(block: str) -> str:
    """One idea a line, numbered."""
    return "\n".join(f"{i}. {idea}" for i, idea in enumerate(IDEAS[block], 1))
