"""The kinds of attention that a model has: who looks at whom, under which names."""

from dataclasses import dataclass
from typing import Any

from .inputs import Input

NAMES = ("encoder", "decoder", "cross")


@dataclass(frozen=True)
class Attention:
    """One kind of attention of a model: ``queries`` (T of them) look at ``keys`` (S), as tokens for the screen."""

    name: str  # one of NAMES
    stack: str  # "encoder" or "decoder" of an encoder-decoder, else ""
    queries: list[dict]
    keys: list[dict]
    n_layer: int
    total: int  # tokens of the whole text that looks
    prefix: int = 0  # how many of both stand in front of the decoder's own tokens

    @property
    def is_cross(self) -> bool:
        return self.name == "cross"

    @property
    def is_causal(self) -> bool:
        return self.name == "decoder"

    def point(self, name: str) -> str:
        """A hook point of every layer, with {layer} in it."""
        prefix = f"{self.stack}." if self.stack else ""
        return f"{prefix}blocks.{{layer}}.{'cross_attn' if self.is_cross else 'attn'}.{name}"

    def model_of(self, model: Any) -> Any:
        """The stack that it is in."""
        return getattr(model, self.stack) if self.stack else model

    def stacked(self, trace: Any, name: str, layer: int | None = None) -> Any:
        """A hook point of all layers, or of one, as one array without the batch: (L, …), or (1, …)."""
        import numpy as np

        point = self.point(name)
        layers = range(self.n_layer) if layer is None else [layer]
        return np.stack([trace[point.format(layer=layer)][0].numpy() for layer in layers])


def attentions_of(model: Any, given: Input, described: Any) -> list[Attention]:
    """Those of a model; ``described(ids)`` writes tokens for the screen."""
    from llm_core import Encoder

    tokens = described(given.ids)
    if given.decoder_ids is None:
        name = "encoder" if isinstance(model, Encoder) else "decoder"
        return [Attention(name, "", tokens, tokens, model.config.n_layer, given.total)]
    own, (M, N) = described(given.decoder_ids), (model.encoder.config.n_layer, model.decoder.config.n_layer)
    S, T = given.total + 1 - given.decoder_total, given.decoder_total
    encoder = Attention("encoder", "encoder", tokens, tokens, M, S)
    if model.conditioning == "prefix":
        both = [*tokens, *own]
        return [encoder, Attention("decoder", "decoder", both, both, N, S + T, len(tokens))]
    return [encoder, Attention("decoder", "decoder", own, own, N, T), Attention("cross", "decoder", own, tokens, N, T)]
