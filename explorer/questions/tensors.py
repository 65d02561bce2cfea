"""Every tensor of the forward pass, from embedding to logits, for the picture of the whole pipeline.

float32, so that every digit that is shown is the tensor's, and what is worked out from them is, too.
"""

import numpy as np

from ..engine.family import scales
from ..engine.payload import TOP, pack

ONCE = ("embedding.token", "embedding.position", "embedding.sum", "ln_f")  # (T, C)
PER_LAYER = (  # (L, T, C), (L, H or K, T, D) and (L, T, inner width)
    "ln_1", "attn.q", "attn.k", "attn.rot_q", "attn.rot_k", "attn.v", "attn.z", "attn.out", "resid_mid", "ln_2",
    "mlp.pre", "mlp.gate", "mlp.up", "mlp.post", "mlp.out", "resid_post",
)  # fmt: skip
TRIANGLES = ("attn.scores", "attn.pattern")


def tensors(runner, run, layer: int | None = None) -> bytes:
    """Arrays by hook point, as far as the family has it, those of the layers stacked under their name without the
    layer. Different are:

    attn.scores and attn.pattern: up to the query itself, row by row, (L, H, T·(T+1)/2); logits: the TOP largest of
    every place, largest first, with logits_ids, and log_sum_exp over all V of them, (T,); the weight and bias of every
    norm. With ``layer`` they are of that layer alone, (1, …), but for resid_post, in which each block begins.
    """
    model, trace, every = runner.model, run.trace, range(runner.facts.n_layer)
    layers = every if layer is None else [layer]
    once = [name for name in ONCE if name in trace]
    stacked = [name for name in PER_LAYER if f"blocks.0.{name}" in trace]
    found = {name: trace[name].reshape(-1, *trace[name].shape[-2:])[0].numpy() for name in once}
    for name in stacked:
        of = every if name == "resid_post" else layers
        found[name] = np.stack([trace[f"blocks.{i}.{name}"][0].numpy() for i in of])
    for name in TRIANGLES:
        found[name] = np.stack([visible(trace[f"blocks.{i}.{name}"][0].numpy()) for i in layers])
    logits = trace["logits"][0]  # (T, V)
    best = logits.topk(min(TOP, logits.shape[-1]), dim=-1)
    arrays = {name: ("float32", array) for name, array in found.items()}
    arrays["logits"] = ("float32", best.values.numpy())
    arrays["logits_ids"] = ("uint32", best.indices.numpy())
    arrays["log_sum_exp"] = ("float32", logits.logsumexp(-1).numpy())
    arrays |= {name: ("float32", array) for name, array in norms(model).items()}
    names = {name: name if name in ONCE else f"blocks.{{layer}}.{name}" for name in found}
    pieces = {int(id): runner.tokenizer.piece(int(id)) for id in best.indices.unique()}
    return pack(
        {"names": names, "pieces": pieces, "epsilon": model.config.norm_eps, "scale": scales(model.config)}, arrays
    )


def visible(scores: np.ndarray) -> np.ndarray:
    """(H, T, T) -> (H, T·(T+1)/2): for each query what it has for the keys up to itself."""
    queries, keys = np.tril_indices(scores.shape[-1])
    return scores[:, queries, keys]


def norms(model) -> dict[str, np.ndarray]:
    """ln_1 and ln_2 (L, C), ln_f (C,): each as "….weight", and "….bias" where the model has one."""
    found = {}
    for kind in ("weight", "bias"):
        once = getattr(model.ln_f, kind, None)  # an RMSNorm has no bias
        if once is None:
            continue
        found[f"ln_f.{kind}"] = _numbers(once)
        for name in ("ln_1", "ln_2"):
            found[f"{name}.{kind}"] = np.stack([_numbers(getattr(getattr(b, name), kind)) for b in model.blocks])
    return found


def _numbers(weight) -> np.ndarray:
    return weight.detach().float().cpu().numpy()
