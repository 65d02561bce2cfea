"""Tokens that an address names: what the page showed of each when they were written."""

from collections.abc import Sequence

from ..engine.runner import Runner
from .writing import ids_of


def read_again(runner: Runner, text: str, written: Sequence[int]) -> list[dict]:
    """Each token behind a text, with its log-probability and rank before warping, as ``write`` told them.

    Raises ``ValueError`` for ids that cannot be.
    """
    import torch
    from torch.nn import functional as F

    ids, size = ids_of(runner, text, written), runner.facts.block_size
    first = len(ids) - len(written)
    told = []
    with runner.alone(), torch.inference_mode():
        whole = runner.model(torch.tensor([ids[:size]]))[0]  # (T, V)
        for place, token in zip(range(first, len(ids)), runner.describe(list(written))):
            is_slid = place > size
            logits = (
                runner.model(torch.tensor([ids[place - size : place]]))[0, -1] if is_slid else whole[place - 1]
            )  # (V,)
            logprob = F.log_softmax(logits.double(), dim=-1)[ids[place]].item()
            rank = 1 + int((logits > logits[ids[place]]).sum())
            told.append({**token, "logprob": logprob, "rank": rank, "slid": is_slid})
    return told
