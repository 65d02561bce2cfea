"""Every tensor of the forward pass, from embedding to logits, for the picture of the whole pipeline.

float16: three digits are right, and no more are shown.
"""

import numpy as np

from ..payload import TOP, pack

ONCE = ("embedding.token", "embedding.position", "embedding.sum", "ln_f")  # (T, C)
PER_LAYER = (  # (L, T, C), (L, H, T, D) and (L, T, 4C)
    "ln_1", "attn.q", "attn.k", "attn.v", "attn.z", "attn.out", "resid_mid", "ln_2",
    "mlp.pre", "mlp.post", "mlp.out", "resid_post",
)  # fmt: skip


def tensors(runner, run) -> bytes:
    """Arrays by hook point, those of the layers stacked under their name without the layer; and, of the logits
    (T, V), the TOP largest of every place, largest first, with the logarithm of the sum of exp over all (T,)."""
    trace, layers = run.trace, range(runner.facts.n_layer)
    found = {name: trace[name].reshape(-1, *trace[name].shape[-2:])[0].numpy() for name in ONCE}
    found |= {name: np.stack([trace[f"blocks.{i}.{name}"][0].numpy() for i in layers]) for name in PER_LAYER}
    logits = trace["logits"][0]  # (T, V)
    best = logits.topk(min(TOP, logits.shape[-1]), dim=-1)
    arrays = {name: ("float16", array) for name, array in found.items()}
    arrays["logits"] = ("float32", best.values.numpy())
    arrays["logits_ids"] = ("uint16", best.indices.numpy())
    arrays["log_sum_exp"] = ("float32", logits.logsumexp(-1).numpy())
    names = {name: name if name in ONCE else f"blocks.{{layer}}.{name}" for name in found}
    pieces = {int(id): runner.tokenizer.piece(int(id)) for id in best.indices.unique()}
    return pack({"names": names, "pieces": pieces}, arrays)
