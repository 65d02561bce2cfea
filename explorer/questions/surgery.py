"""What edits of the model do: to a text, to the held-out sentences, and which of all heads and MLPs does most."""

from collections.abc import Iterator
from dataclasses import asdict

from ..engine.runner import MAX_CHARACTERS, Runner
from .asker import Asker
from .surgery_part import described, losses, reached

MAX_EDITS = 300
LIKELIEST = 10  # next tokens that an answer in JSON names


def surgery_effect(asker: Asker, edits: list, model: str = "") -> Iterator[dict]:
    """What the page shows of ``effect``."""
    yield from effect(asker.decoder(model), read_edits(edits))


def surgery_sweep(asker: Asker, how: str, model: str = "") -> Iterator[dict]:
    """What the page shows of ``sweep``."""
    yield from sweep(asker.decoder(model), how)


def head_effects(asker: Asker, text: str, model: str = "") -> Iterator[dict]:
    """What the page shows of ``effects_on``."""
    yield from effects_on(asker.decoder(model), text)


def read_edits(items: list[dict]) -> tuple:
    """Edits of llm_core.analysis.surgery from JSON. Raises ``ValueError`` for what is none, in one sentence."""
    from llm_core.analysis.surgery import edits_from

    if not isinstance(items, list) or len(items) > MAX_EDITS:
        raise ValueError(f"edits: give a list of at most {MAX_EDITS}")
    return edits_from(items)


def before_and_after(runner: Runner, text: str, edits: tuple) -> dict:
    """A text in the changed model and in the one as it is, in numbers."""
    text = text[:MAX_CHARACTERS]
    before, after = runner.recorded(text), runner.operated(text, edits)
    was, now = (losses(run.trace["logits"][0], run.ids) for run in (before, after))
    known = reached(runner, after)
    leaking = [place for place in range(len(was)) if known[place, place + 1]]
    return {
        "tokens": [token["text"] for token in after.tokens],
        "edits": described(edits),
        "loss_before": float(was.mean()) if len(was) else None,
        "loss_after": float(now.mean()) if len(now) else None,
        "token_losses_before": was.tolist(),
        "token_losses_after": now.tolist(),
        "next_before": next_tokens(runner, before),
        "next_after": next_tokens(runner, after),
        "saw_own_answer": [{"place": place, "directly": bool(known[place, place + 1] == 2)} for place in leaking],
    }


def next_tokens(runner: Runner, run) -> list[dict]:
    """The likeliest tokens behind the last one."""
    best = run.trace["logits"][0, -1].softmax(-1).topk(LIKELIEST)
    return [
        {"id": id, "text": runner.tokenizer.piece(id), "probability": p}
        for id, p in zip(best.indices.tolist(), best.values.tolist())
    ]


def effect(runner: Runner, edits: tuple) -> Iterator[dict]:
    """The effect of all edits together on the held-out sentences: {done, of} after each piece, the effect at last."""
    means = means_for(runner, edits)
    batches = runner.held_out
    before, after, of = [], [], sum(map(len, batches))
    yield {"done": 0, "of": of}
    for batch in batches:
        before += batch.losses.tolist()
        after += losses_with(runner, batch, edits, means)
        yield {"done": len(after), "of": of}
    yield {"done": of, "of": of, "effect": paired(before, after)}


def sweep(runner: Runner, how: str) -> Iterator[dict]:
    """Every head and MLP on its own, switched off: {done, of, one} after each, ``one`` with its place and effect."""
    from llm_core.analysis.effects import single_edits

    edits = single_edits(runner.model, how)
    means = means_for(runner, edits)
    batches = runner.held_out
    before = [loss for batch in batches for loss in batch.losses.tolist()]
    yield {"done": 0, "of": len(edits)}
    for done, edit in enumerate(edits, 1):
        after = [loss for batch in batches for loss in losses_with(runner, batch, (edit,), means)]
        yield {"done": done, "of": len(edits), "one": {**described((edit,))[0], **paired(before, after)}}


def effects_on(runner: Runner, text: str) -> Iterator[dict]:
    """Every head on its own, switched off, in a text as it is shown: {loss, of} first, then {layer, changes} of each of
    the layers: by how much the text's mean loss grows, nats per token, (H,)."""
    from llm_core.analysis.effects import text_batch
    from llm_core.analysis.surgery import Edit

    ids = runner.recorded(text[:MAX_CHARACTERS]).ids
    with runner.alone():
        batch = text_batch(runner.model, ids)
    loss = batch.losses.item()
    yield {"loss": loss, "of": runner.facts.n_layer}
    for layer in range(runner.facts.n_layer):
        edits = [Edit(what="head", layer=layer, head=head, how="zero") for head in range(runner.facts.n_head)]
        changes = [losses_with(runner, batch, (edit,), None)[0] - loss for edit in edits]
        yield {"layer": layer, "changes": changes}


def means_for(runner: Runner, edits) -> dict | None:
    return runner.means if any(edit.how == "mean" for edit in edits) else None


def losses_with(runner: Runner, batch, edits: tuple, means: dict | None) -> list[float]:
    """One short piece of work; others have their turn between two."""
    from llm_core.analysis.effects import edited_losses

    with runner.alone():
        return edited_losses(runner.model, batch, edits, means).tolist()


def paired(before: list[float], after: list[float]) -> dict:
    from llm_core.analysis.effects import paired_effect

    return asdict(paired_effect(before, after))
