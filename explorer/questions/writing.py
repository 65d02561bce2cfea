"""What the Generate page asks of the model: tokens behind a text, and a look at the step that chose one.

A text is what the user typed, and ``written``, the ids of the tokens that follow it so far.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from ..engine.cache import Stored
from ..engine.payload import pack
from ..engine.runner import MAX_CHARACTERS, Runner

MAX_NEW_TOKENS = 256
SHOWN = 50  # likeliest tokens that are listed one by one
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
    ids, end = ids_of(runner, text, written), runner.tokenizer.end
    if written and written[-1] == end:
        raise ValueError("The model has ended this text: undo, choose another token, or look inside it")
    if len(written) == MAX_NEW_TOKENS:
        raise ValueError(
            f"the limit of {MAX_NEW_TOKENS} tokens is reached: undo some, press Clear, or look inside the text"
        )
    room = min(count, MAX_NEW_TOKENS - len(written))
    for step in _steps(runner, ids, room, seed_of(seed), len(written), settings):
        drawn = {"logprob": step.logprob, "rank": step.rank, "u": step.u, "slid": step.slid}
        yield {**runner.describe([step.id])[0], **drawn}


def _steps(runner: Runner, ids: list[int], count: int, seed: int, draws_before: int, settings: dict) -> Iterator:
    """In one batch with all others who write, or, where the window will slide, alone, and free between two steps."""
    from llm_core import stream
    from llm_core.generation.sampling import Request
    from llm_core.generation.together import can_join
    from llm_core.generation.warping import Warping

    end = runner.tokenizer.end
    request = Request(runner.model, ids, count, Warping(**settings), seed, end, None)
    if can_join(request):
        for _ in range(draws_before):
            request.draw_random()
        yield from runner.writers.steps(request)
        return
    steps = stream(runner.model, ids, count, seed=seed, stop=end, draws_before=draws_before, **settings)
    while True:
        with runner.alone():
            step = next(steps, None)
        if step is None:
            return
        yield step


def random_numbers(seed: object) -> list[float]:
    """The numbers in [0, 1) that a seed draws for the 1st, 2nd, ... new token."""
    import torch

    generator = torch.Generator().manual_seed(seed_of(seed))
    return [torch.rand(1, 1, generator=generator).item() for _ in range(MAX_NEW_TOKENS)]


def look(runner: Runner, text: str, written: Sequence[int]) -> Stored:
    """The payload about the newest token: what it looks at, and what is expected behind it.

    Arrays: ids and logits of the whole vocabulary, likeliest first (V,); pattern, the newest token's row of
    attention in every head (L, H, T). T tokens are in the window, and described in the header.
    """
    ids = ids_of(runner, text, written)
    window = ids[-runner.facts.block_size :]
    return runner.payloads.stored([runner.id, "look", window, len(ids)], lambda: _looked(runner, window, len(ids)))


def vocabulary(runner: Runner) -> Stored:
    """The text of every token, by id, and which are special or part of a character."""

    def make() -> bytes:
        tokens = runner.describe(list(range(runner.facts.vocab_size)))
        header = {kind: [token["id"] for token in tokens if token[kind]] for kind in ("special", "partial")}
        return pack({"pieces": [token["text"] for token in tokens], **header}, {})

    return runner.payloads.stored(["vocabulary", runner.tokenizer_name], make)


def whole_text(runner: Runner, text: str, written: Sequence[int]) -> str:
    """The text with what was written; special tokens are no text."""
    tokenizer = runner.tokenizer
    return tokenizer.decode([*tokenizer.encode(text), *(id for id in written if not tokenizer.is_special(id))])


def _looked(runner: Runner, window: list[int], total: int) -> bytes:
    import torch

    from llm_core import record

    model, facts = runner.model, runner.facts
    with runner.alone(), torch.inference_mode(), record(model, ["blocks.*.attn.pattern", "logits"]) as trace:
        model(torch.tensor([window]))
    trace = trace.on_cpu()
    logits, ids = trace["logits"][0, -1].sort(descending=True)  # (V,)
    rows = np.stack([trace.attention(layer)[0, :, -1].numpy() for layer in range(facts.n_layer)])  # (L, H, T)
    header = {
        "tokens": runner.describe(window),
        "total": total,
        "block_size": facts.block_size,
        "cache_bytes": cache_bytes(model),
        "names": {"pattern": "blocks.{layer}.attn.pattern"},
    }
    arrays = {
        "ids": ("uint32", ids.numpy()),
        "logits": ("float32", logits.numpy()),
        "pattern": ("unit16", rows),
    }
    return pack(header, arrays)


def cache_bytes(model) -> int:
    """Of one token: its k and v in every layer, K heads of width D each."""
    config = model.config
    return 2 * config.n_layer * config.kv_heads * config.head_width * model.lm_head.weight.element_size()


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
    likeliest = [
        {"id": id, "text": runner.tokenizer.piece(id), **dict(zip(STAGES, stages[:, id].tolist()))}
        for id in best.tolist()
    ]
    others = {"count": stages.shape[1] - len(likeliest), **dict(zip(STAGES, rest.clamp(min=0).tolist()))}
    left = dict(zip(STAGES, (stages > 0).sum(1).tolist()))
    return {"tokens": likeliest, "others": others, "tokens_left": left, "slid": len(ids) > runner.facts.block_size}


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
