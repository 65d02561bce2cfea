"""The residual stream: what the model would predict after each layer, and how much was added to it where."""

import numpy as np

from ..payload import pack

SHOWN = 10  # tokens of a row of the lens


def stream(runner, run) -> bytes:
    """Arrays of the logit lens: lens_ids and lens_probs (L+1, T, SHOWN), entropy and kl (L+1, T), in nats."""
    from llm_core.lens import logit_lens

    with runner.alone():
        lens = logit_lens(runner.model, run.trace, SHOWN)
    ids = lens.tokens[0].numpy()
    arrays = {
        "lens_ids": ("uint16", ids),
        "lens_probs": ("float32", lens.probabilities[0].numpy()),
        "entropy": ("float32", lens.entropy[0].numpy()),
        "kl": ("float32", lens.kl[0].numpy()),
    }
    return pack({"pieces": {int(id): runner.tokenizer.piece(int(id)) for id in np.unique(ids)}}, arrays)
