"""What the tab Patch asks: two texts that differ, the map of what brings the answer back, and one cell of it.

Patching: see llm_core.analysis.patching. The text that is shown is the clean one.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..engine.runner import MAX_CHARACTERS, Runner
from .asker import Asker
from .residual import token_named

if TYPE_CHECKING:
    from torch import Tensor

    from llm_core.analysis.patching import Metric, Patching

MOST_TOKENS = 64  # of a text: each is a run of its own
METRICS = ("difference", "probability", "kl")
LIKELIEST = 5  # tokens of each run that a cell names


def patch(
    asker: Asker,
    text: str,
    corrupted: str,
    site: str = "resid_pre",
    metric: str = "difference",
    answer: str = "",
    other: str = "",
    model: str = "",
) -> Iterator[dict]:
    """One site's map: {tokens, corrupted_tokens}, then {facts} with the map as gradients estimate it, then each layer's
    exact {layer, values}. ``answer`` and ``other`` are tokens; left empty, what each text leads to."""
    runner = asker.decoder(model)
    clean_ids, corrupted_ids = (runner.encode(one[:MAX_CHARACTERS]) for one in (text, corrupted))
    yield {"tokens": runner.describe(clean_ids), "corrupted_tokens": runner.describe(corrupted_ids)}
    with runner.alone():
        patching, tokens = patching_of(runner, clean_ids, corrupted_ids, metric, answer, other)
        estimated = patching.by_gradients([site])[site].values
    yield {"facts": facts(runner, patching, tokens), "estimated": estimated.tolist()}
    rows = patching.layers(site)
    for layer in range(patching.L):
        with runner.alone():  # others have their turn between two layers
            values = next(rows)
        yield {"layer": layer, "values": values.tolist()}


def patch_cell(
    asker: Asker,
    text: str,
    corrupted: str,
    layer: int,
    site: str = "resid_pre",
    metric: str = "difference",
    answer: str = "",
    other: str = "",
    head: int | None = None,
    place: int | None = None,
    model: str = "",
) -> dict:
    """The likeliest next tokens of the clean run, the corrupted one, and the one with a single activation put in."""
    runner = asker.decoder(model)
    clean_ids, corrupted_ids = (runner.encode(one[:MAX_CHARACTERS]) for one in (text, corrupted))
    with runner.alone():
        patching, _ = patching_of(runner, clean_ids, corrupted_ids, metric, answer, other)
        patched = patching.one(site, layer, head=head, at=place)
    runs = dict(zip(("clean", "corrupted", "patched"), (*patching.logits, patched)))
    probabilities = {name: logits.softmax(-1).cpu() for name, logits in runs.items()}
    best = dict.fromkeys(id for p in probabilities.values() for id in p.topk(LIKELIEST).indices.tolist())
    tokens = [
        {"id": id, "text": runner.tokenizer.piece(id)} | {name: p[id].item() for name, p in probabilities.items()}
        for id in best
    ]
    return {"tokens": tokens, "metric": patching.metric(patched[None], patching.logits[0]).item()}


def patching_of(
    runner: Runner, clean: list[int], corrupted: list[int], metric: str, answer: str, other: str
) -> tuple["Patching", tuple[int, int]]:
    """The two texts through the model, and the ids of answer and other. ``ValueError`` for what cannot be compared."""
    import torch

    from llm_core.analysis.patching import Patching

    T = max(len(clean), len(corrupted))
    if T > MOST_TOKENS:
        raise ValueError(f"Patching reads texts of at most {MOST_TOKENS} tokens, and this one has {T}: shorten it")
    if metric not in METRICS:
        raise ValueError(f"metric={metric!r}: must be one of {', '.join(METRICS)}")
    _ = runner.facts  # a decoder, or a sentence that says why not
    first, second = (torch.tensor([ids], device=runner.model.device) for ids in (clean, corrupted))
    plain = Patching(runner.model, first, second, lambda logits, _clean: logits[:, 0])
    tokens = answers(runner, plain.logits, answer, other)
    plain.measure(_metric(metric, *tokens))
    return plain, tokens


def answers(runner: Runner, logits: tuple["Tensor", "Tensor"], answer: str, other: str) -> tuple[int, int]:
    """Ids of the two tokens: as they were typed, or what the clean and the corrupted text lead to."""
    clean, corrupted = logits
    one = token_named(runner.tokenizer, answer) if answer else int(clean.argmax())
    if other:
        return one, token_named(runner.tokenizer, other)
    best = corrupted.topk(2).indices.tolist()
    return one, best[best[0] == one]


def facts(runner: Runner, patching: "Patching", tokens: tuple[int, int]) -> dict:
    """The metric on both texts, and both tokens with their probability in each."""
    p = [logits.softmax(-1)[list(tokens)].tolist() for logits in patching.logits]
    named = [
        {"id": id, "text": runner.tokenizer.piece(id), "clean": p[0][i], "corrupted": p[1][i]}
        for i, id in enumerate(tokens)
    ]
    return {"clean": patching.clean, "corrupted": patching.corrupted, "answer": named[0], "other": named[1]}


def _metric(name: str, answer: int, other: int) -> "Metric":
    from llm_core.analysis.patching import kl_divergence, logit_difference, probability

    return {"difference": logit_difference(answer, other), "probability": probability(answer), "kl": kl_divergence}[
        name
    ]
