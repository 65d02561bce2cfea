"""What the Generate page asks of the model: tokens behind a text, and a look at the step that chose one.

A text is what the user typed, and ``written``, the ids of the tokens that follow it so far.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence

import numpy as np

from ..engine.payload import pack
from ..engine.runner import MAX_CHARACTERS, Runner

MAX_NEW_TOKENS = 256
SHOWN = 50  # likeliest tokens that are told one by one
STAGES = ("probability", "after_temperature", "after_top_k", "after_top_p")


def ids_of(runner: Runner, text: str, written: Sequence[int]) -> list[int]:
    """All ids so far; of a text that is too long, those of its end. Raises ``ValueError`` for ids that cannot be."""
    V = runner.facts.vocab_size
    if len(written) > MAX_NEW_TOKENS or not all(type(id) is int and 0 <= id < V for id in written):
        raise ValueError(f"written: must be at most {MAX_NEW_TOKENS} token ids from 0 to {V - 1}")
    return [*runner.encode((text or "")[-MAX_CHARACTERS:]), *written]


def seed_of(value: object) -> int:
    """The seed as it was typed -> a whole number, or ``ValueError``."""
    try:
        seed = int(str(value))
    except ValueError:
        seed = -1
    if not 0 <= seed < 2**63:
        raise ValueError(f"seed={value}: must be a whole number from 0 to 9,223,372,036,854,775,807")
    return seed


def write(runner: Runner, text: str, written: Sequence[int], count: int, seed: object, **settings) -> Iterator[dict]:
    """Write up to ``count`` tokens behind ``written``; a dict per token, and the model is free between two of them.

    Random numbers go on where ``written`` ended, so ten single steps write what one run of ten writes.
    Raises ``ValueError`` for settings that cannot be, and behind the end of a text.
    """
    from llm_core import stream

    ids, end = ids_of(runner, text, written), runner.tokenizer.end
    if written and written[-1] == end:
        raise ValueError("The model has ended this text: undo, choose another token, or look inside it")
    if len(written) == MAX_NEW_TOKENS:
        raise ValueError(f"{MAX_NEW_TOKENS} tokens are written: undo some, press Clear, or look inside the text")
    room = min(count, MAX_NEW_TOKENS - len(written))
    steps = stream(runner.model, ids, room, seed=seed_of(seed), stop=end, draws_before=len(written), **settings)
    while True:
        with runner.alone():
            step = next(steps, None)
        if step is None:
            return
        told = {"logprob": step.logprob, "rank": step.rank, "u": step.u, "slid": step.slid}
        yield {**runner.describe([step.id])[0], **told}


def random_numbers(seed: object) -> list[float]:
    """The numbers in [0, 1) that a seed draws for the 1st, 2nd, ... new token."""
    import torch

    generator = torch.Generator().manual_seed(seed_of(seed))
    return [torch.rand(1, 1, generator=generator).item() for _ in range(MAX_NEW_TOKENS)]


def look(runner: Runner, text: str, written: Sequence[int]) -> str:
    """The key of the payload about the newest token: what it looks at, and what is expected behind it.

    Arrays: ids and logits of the whole vocabulary, likeliest first (V,); pattern, the newest token's row of
    attention in every head (L, H, T). T tokens are in the window, and described in the header.
    """
    ids = ids_of(runner, text, written)
    window = ids[-runner.facts.block_size :]
    asked = json.dumps([runner.id, "look", window, len(ids)])
    key = hashlib.sha256(asked.encode()).hexdigest()[:24]
    if runner.payloads.get(key) is None:
        runner.payloads.put(key, _looked(runner, window, len(ids)))
    return key


def _looked(runner: Runner, window: list[int], total: int) -> bytes:
    import torch

    from llm_core import record

    model, facts = runner.model, runner.facts
    with runner.alone(), torch.inference_mode(), record(model, ["blocks.*.attn.pattern", "logits"]) as trace:
        model(torch.tensor([window]))
    logits, ids = trace["logits"][0, -1].float().sort(descending=True)  # (V,)
    rows = np.stack([trace.attention(layer)[0, :, -1].numpy() for layer in range(facts.n_layer)])  # (L, H, T)
    header = {
        "tokens": runner.describe(window),
        "total": total,
        "block_size": facts.block_size,
        "cache_bytes": 2 * facts.n_layer * facts.n_embd * model.lm_head.weight.element_size(),  # k and v of a token
        "names": {"pattern": "blocks.{layer}.attn.pattern"},
    }
    arrays = {
        "ids": ("uint16", ids.numpy()),
        "logits": ("float32", logits.numpy()),
        "pattern": ("unit16", rows),
    }
    return pack(header, arrays)


def next_token(runner: Runner, text: str, temperature: float, top_k: int | None, top_p: float | None) -> dict:
    """The distribution behind ``text`` after every step of warping: the likeliest tokens, and the exact rest."""
    import torch

    from llm_core.generation.warping import warp_logits

    ids = ids_of(runner, text, [])
    with runner.alone(), torch.inference_mode():
        logits = runner.model(torch.tensor([ids[-runner.facts.block_size :]]))[:, -1]  # (1, V)
        warped = warp_logits(logits, temperature, top_k, top_p).row(0)
    stages = torch.stack([warped.before, warped.after_temperature, warped.after_top_k, warped.after_top_p])  # (4, V)
    best = logits[0].topk(min(SHOWN, logits.shape[-1])).indices
    rest = stages.double().sum(1) - stages[:, best].double().sum(1)  # (4,)
    told = [
        {"id": id, "text": runner.tokenizer.piece(id), **dict(zip(STAGES, stages[:, id].tolist()))}
        for id in best.tolist()
    ]
    others = {"count": stages.shape[1] - len(told), **dict(zip(STAGES, rest.clamp(min=0).tolist()))}
    left = dict(zip(STAGES, (stages > 0).sum(1).tolist()))
    return {"tokens": told, "others": others, "tokens_left": left, "slid": len(ids) > runner.facts.block_size}
