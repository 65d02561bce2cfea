"""Which pictures of the Explore page a model has none of, and why, in one sentence each."""

from typing import Any

from .attentions import Attention

PREDICTS = {"encoder": "own", "decoder": "next", "cross": "next"}  # at a place its own token, or the one behind it


def predicts(model: Any, attention: Attention) -> str | None:
    """ "next", "own", or None where the stack makes no prediction."""
    is_first = attention.name == "encoder" and attention.stack
    return None if is_first or attention.model_of(model).config.head == "none" else PREDICTS[attention.name]


def missing(model: Any, attention: Attention) -> dict[str, str]:
    """By the name of the picture."""
    found = {}
    if attention.name != "decoder" or attention.stack:
        found["pipeline"] = "The pipeline shows one stack with a causal mask: a stand-alone decoder."
        found["surgery"] = (
            "Surgery compares what a model predicts next before and after a change, so it needs a stand-alone decoder."
        )
    if not predicts(model, attention):
        found["lens"] = found["residual"] = (
            "This encoder hands its states to the decoder and predicts no token, so there is no logit to read here: "
            "choose the decoder or the cross-attention."
            if attention.stack
            else "This model was saved without a language-model head: it predicts no token, so no logit can be read."
        )
    if attention.prefix:
        found["lens"] = found["residual"] = (
            "The title comes before this decoder's own tokens as a prefix, and nothing is predicted for it; the lens "
            "and the sum have columns only for predicted tokens, so they are not drawn here."
        )
    if attention.model_of(model).config.positions == "relative":
        found["neuron"] = (
            "This model adds to each score a learned number for the distance, so the products of q and k alone do "
            "not give the scores: see the matrix."
        )
    return found


def check_has(model: Any, attention: Attention, picture: str) -> None:
    """``ValueError`` with the sentence, for a picture that the model has not."""
    if picture in (sentences := missing(model, attention)):
        raise ValueError(sentences[picture])
