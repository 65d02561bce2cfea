"""The residual stream: what the model would predict after each layer, and how much was added to it where."""

from dataclasses import fields

import numpy as np

from ..engine.panels import predicts
from ..engine.payload import TOP, pack

LENS_TOP = 10  # tokens of a cell of the lens


def stream(runner, run) -> bytes:
    """What logit lens and residual stream draw. With L layers, T places, and K = TOP + 1 tokens at each of them:

    the lens, probabilities and nats: lens_ids and lens_probs (L+1, T, LENS_TOP), entropy and kl (L+1, T), and
    next_probs and next_ranks (L+1, T) of the text's next token, final_probs and final_ranks of the likeliest at the end
    (which stands for the next one behind the last place);
    lengths of vectors: norm_token, norm_position and norm_segment (T,), norm_stream (2L+1, T), norm_attention,
    norm_cross and norm_mlp (L, T); norm_stream has L+1 rows where blocks are parallel: there is no stream between
    attention and MLP; and 3L+1 with cross-attention;
    and ``shares`` of the logits of the TOP likeliest tokens and, last, of the text's next token.
    """
    import torch

    from llm_core.analysis.lens import decoder_of, logit_lens

    prefix = decoder_of(runner.model)[1]
    logits = run.trace[f"{prefix}logits"][0]  # (T, V)
    best = logits.topk(min(TOP, logits.shape[1])).indices  # (T, TOP)
    after = best[:, 0].clone()  # (T,)
    true = run.given.unhidden if predicts(runner.model, run.attention) == "own" else run.ids[1:]
    after[: len(true)] = after.new_tensor(true)
    lens = logit_lens(
        runner.model, run.trace, min(LENS_TOP, logits.shape[1]), torch.stack([after, best[:, 0]], -1)[None]
    )
    probs, ranks = lens.followed_probabilities[0].numpy(), lens.followed_ranks[0].numpy()  # (L+1, T, 2)
    arrays = {
        "lens_ids": ("uint32", lens.tokens[0].numpy()),
        "lens_probs": ("float32", lens.probabilities[0].numpy()),
        "entropy": ("float32", lens.entropy[0].numpy()),
        "kl": ("float32", lens.kl[0].numpy()),
        "next_probs": ("float32", probs[..., 0]),
        "next_ranks": ("uint32", ranks[..., 0]),
        "final_probs": ("float32", probs[..., 1]),
        "final_ranks": ("uint32", ranks[..., 1]),
    }
    arrays |= norms(runner.model, run.trace) | shares(runner, run, np.column_stack([best, after]))
    return packed(runner, arrays)


def asked_shares(runner, run, token_id: int) -> bytes:
    """``shares`` of one token's logits, at every place."""
    return packed(runner, shares(runner, run, np.full((len(run.ids), 1), token_id)))


def norms(model, trace) -> dict:
    """Euclidean lengths of what was added to the stream, and of the stream before, within and after each layer."""
    from llm_core.analysis.lens import decoder_of, stream_names

    stack, prefix = decoder_of(model)
    start, *ends = stream_names(model)
    blocks = [f"{prefix}blocks.{i}" for i in range(len(ends))]
    sums = ("ln_1", "ln_cross") if stack.config.post_norm else ("resid_mid", "resid_cross")  # the stream behind each
    behind = [[*(f"{block}.{name}" for name in sums), end] for block, end in zip(blocks, ends)]
    inside = [name for names in behind for name in names if name in trace]

    def lengths(*names: str) -> np.ndarray:
        """(N, T); positions may have no batch."""
        return np.stack([trace[name].reshape(-1, *trace[name].shape[-2:])[0].norm(dim=-1).numpy() for name in names])

    found = {
        "norm_stream": lengths(start, *inside),
        "norm_attention": lengths(*[f"{block}.attn.out" for block in blocks]),
        "norm_mlp": lengths(*[f"{block}.mlp.out" for block in blocks]),
    }
    if f"{blocks[0]}.cross_attn.out" in trace:
        found["norm_cross"] = lengths(*[f"{block}.cross_attn.out" for block in blocks])
    for part in ("token", "position", "segment"):
        if (name := f"{prefix}embedding.{part}") in trace:
            found[f"norm_{part}"] = lengths(name)[0]
    return {name: ("float32", array) for name, array in found.items()}


def shares(runner, run, ids: np.ndarray) -> dict:
    """What each part adds to the logits of ``ids`` (T, K): share_token, share_position, share_segment,
    share_norm_bias, share_head_bias (T, K), share_heads and share_cross_heads (L, H, T, K), share_attention_bias,
    share_cross_bias and share_mlps (L, T, K), which sum to share_logit (T, K). What the model does not have is left
    out."""
    import torch

    from llm_core.analysis.attribution import logit_attributions

    found = logit_attributions(runner.model, run.trace, torch.from_numpy(ids))
    values = {field.name: getattr(found, field.name) for field in fields(found)}
    arrays = {f"share_{name}": ("float32", value.numpy()) for name, value in values.items() if value is not None}
    return {"share_ids": ("uint32", ids), **arrays}


def packed(runner, arrays: dict) -> bytes:
    """With the texts of all tokens that are named."""
    ids = np.unique(np.concatenate([arrays[name][1].ravel() for name in ("lens_ids", "share_ids") if name in arrays]))
    return pack({"pieces": {int(id): runner.tokenizer.piece(int(id)) for id in ids}}, arrays)
