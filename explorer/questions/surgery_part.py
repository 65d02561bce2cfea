"""The changed model's run as a payload of its own, and beside it what a reader wants to compare it with."""

import numpy as np

from ..engine.payload import TOP, trace_payload

SWAPPED_TOKENS = 2048  # that run to measure what the answers themselves do


def surgery(runner, run) -> bytes:
    """The ordinary payload of ``run``, whose header has its ``edits``, with these arrays more:

    loss_before and loss_after (T-1,), nats, of each token but the first; of the tokens in next_ids what they had
    before the edits, before_probs (T, TOP); of the likeliest ones before, what they have after_probs (T, TOP); and,
    if a mask lets the future through, reach (T, T): 2 where a query sees a key directly, 1 where only through others;
    and of places that could know their own answer, swapped_places (n,), the loss with another token in its place,
    swapped_losses (n,).
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
        places = places_to_swap(known)
        arrays["swapped_places"] = ("uint32", places)
        arrays["swapped_losses"] = ("float32", swapped_losses(runner, run, places))
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


def places_to_swap(known: np.ndarray) -> np.ndarray:
    """Places that could know of the token that they have to predict, evenly chosen where there are many."""
    T = len(known)
    leaking = np.flatnonzero(np.diagonal(known, 1))
    most = max(1, min(len(leaking), SWAPPED_TOKENS // T))
    return leaking[np.linspace(0, len(leaking) - 1, most).round().astype(int)] if len(leaking) else leaking


def swapped_losses(runner, run, places: np.ndarray) -> np.ndarray:
    """(n,), nats: at each place, the loss of its true next token in the changed model, whose text has a random token
    there. So the answer cannot be read off; what is left of a fall has other reasons."""
    import torch
    from torch.nn import functional as F

    from llm_core import intervene
    from llm_core.analysis.surgery import interventions

    if not len(places):
        return np.zeros(0, dtype=np.float32)
    rows, at = torch.arange(len(places)), torch.from_numpy(places)
    ids = torch.tensor([run.ids]).repeat(len(places), 1)  # (n, T)
    answers = ids[rows, at + 1].clone()  # (n,)
    shift = torch.randint(1, runner.tokenizer.n_vocab, answers.shape, generator=torch.Generator().manual_seed(0))
    ids[rows, at + 1] = (answers + shift) % runner.tokenizer.n_vocab
    means = runner.means if any(edit.how == "mean" for edit in run.edits) else None
    device = runner.model.device
    with runner.alone(), torch.inference_mode(), intervene(runner.model, interventions(runner.model, run.edits, means)):
        logits = runner.model(ids.to(device))[rows, at].float().cpu()  # (n, V)
    return F.cross_entropy(logits, answers, reduction="none").numpy()


def described(edits: tuple) -> list[dict]:
    """Edits as JSON has them."""
    fields = ("what", "how", "layer", "head", "n", "rows")
    return [{name: getattr(edit, name) for name in fields if getattr(edit, name) is not None} for edit in edits]
