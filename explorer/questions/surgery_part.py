"""The changed model's run as a payload of its own, and beside it what a reader wants to compare it with."""

import numpy as np

from ..engine.payload import TOP, trace_payload


def surgery(runner, run) -> bytes:
    """The ordinary payload of ``run``, whose header has its ``edits``, with these arrays more:

    loss_before and loss_after (T-1,), nats, of each token but the first; of the tokens in next_ids what they had
    before the edits, before_probs (T, TOP); of the likeliest ones before, what they have after_probs (T, TOP); and,
    if a mask lets the future through, reach (T, T): 2 where a query sees a key directly, 1 where only through others.
    """
    clean = runner.recorded(run.text).trace["logits"][0]  # (T, V)
    changed = run.trace["logits"][0]
    was, now = clean.softmax(-1), changed.softmax(-1)
    count = min(TOP, was.shape[1])
    arrays = {
        "loss_before": ("float32", losses(clean, run.ids)),
        "loss_after": ("float32", losses(changed, run.ids)),
        "before_probs": ("float32", was.gather(1, now.topk(count).indices).numpy()),
        "after_probs": ("float32", now.gather(1, was.topk(count).indices).numpy()),
    }
    known = reached(runner, run)
    if np.triu(known, 1).any():
        arrays["reach"] = ("uint8", known)
    header = {"edits": described(run.edits)}
    return trace_payload(
        runner.facts, run.text, run.tokens, runner.tokenizer.piece, run.total, run.trace, runner.roles,
        more=(header, arrays),
    )  # fmt: skip


def losses(logits, ids: list[int]) -> np.ndarray:
    """(T-1,), nats: how surprised the model is by each token but the first."""
    from torch.nn import functional as F

    return F.cross_entropy(logits[:-1], logits.new_tensor(ids[1:]).long(), reduction="none").numpy()


def reached(runner, run) -> np.ndarray:
    """(T, T), uint8: 2 where a query sees a key in some head, 1 where it could know of it through others."""
    from llm_core.analysis.surgery import reach

    direct, through = reach(run.edits, runner.facts.n_layer, runner.facts.n_head, len(run.ids))
    return np.where(direct, 2, through).astype(np.uint8)


def described(edits: tuple) -> list[dict]:
    """Edits as JSON has them."""
    fields = ("what", "how", "layer", "head", "n", "rows")
    return [{name: getattr(edit, name) for name in fields if getattr(edit, name) is not None} for edit in edits]
