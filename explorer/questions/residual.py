"""What the residual stream's panel asks: a token that a reader types, and how its logit came about."""

from dataclasses import fields

from ..engine.cache import Stored
from ..engine.panels import check_has
from ..engine.runner import MAX_CHARACTERS, Runner, look
from .asker import Asker
from .stream import asked_shares

LONGEST = 200  # characters of what is typed as a token; the longest tokens are far shorter


def shares(
    asker: Asker, text: str, token: str | int, model: str = "", stack: str = "", masked: int | None = None
) -> Stored:
    """The shares of the logits of a token, as it was typed or by its id, at every place of a text."""
    runner = asker.explored(model)
    token_id = token if isinstance(token, int) else token_named(runner.tokenizer, token)
    return shares_of(runner, text, token_id, stack, masked)


def shares_of(runner: Runner, text: str, token_id: int, stack: str = "", masked: int | None = None) -> Stored:
    """Raises ``ValueError`` for a token that does not exist, and for a model that predicts none."""

    def make(text: str) -> bytes:
        run = runner.operated(text, (), stack, masked)
        check_has(runner.model, run.attention, "residual")
        return asked_shares(runner, run, token_id)

    return runner.stored("shares", text[:MAX_CHARACTERS], make, f"{token_id}{look(stack, masked)}")


def attribution(runner: Runner, text: str, token: str, place: int = -1) -> dict:
    """The logit of a token behind ``place`` of ``text``, and the parts that sum to it."""
    from llm_core.analysis.attribution import logit_attribution

    run, token_id = runner.recorded(text[:MAX_CHARACTERS]), token_named(runner.tokenizer, token)
    T = len(run.ids)
    if not -T <= place < T:
        raise ValueError(f"place={place}: this text has {T} tokens, so it must be between {-T} and {T - 1}")
    found = logit_attribution(runner.model, run.trace, place % T, token_id)
    parts = {field.name: getattr(found, field.name) for field in fields(found)}
    return {"id": token_id, "place": place % T} | {n: part.tolist() for n, part in parts.items() if part is not None}


def token_named(tokenizer, typed: str) -> int:
    """The id of the one token that ``typed`` is, as it stands or with a space in front.

    Raises ``ValueError``, naming the pieces, for what is none or several.
    """
    if not typed.strip():
        raise ValueError("Type a token: a word, or a part of one.")
    typed = typed[:LONGEST]
    tried = [tokenizer.encode(text) for text in (typed, f" {typed}")]
    for ids in tried:
        if len(ids) == 1:
            return ids[0]
    pieces = [f"“{tokenizer.piece(id)}”" for id in min(tried, key=len)]
    shown = ", ".join(pieces[:6]) + (", …" if len(pieces) > 6 else "")
    raise ValueError(f"“{typed}” is not one token but {len(pieces)}: {shown}. Type one of them.")
