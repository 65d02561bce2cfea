"""ModelConfig: the sizes of a model, checked when they are written down.

The letters of the shape legend come from here: C = ``n_embd``, H = ``n_head``, D = C // H,
V = ``vocab_size``; T never exceeds ``block_size``.
"""

from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """The sizes of one stack of blocks, with GPT-2's names.

    Raises ``ValueError`` naming the field, its value, and what would be allowed.
    """

    vocab_size: int  # V
    block_size: int  # the longest sequence the position table covers
    n_layer: int
    n_head: int  # H
    n_embd: int  # C
    attn_pdrop: float = 0.1  # on the attention weights, after the softmax
    resid_pdrop: float = 0.1  # on what attention and MLP add to the residual stream
    embd_pdrop: float = 0.1  # on the sum of the embeddings
    bias: bool = True

    def __post_init__(self) -> None:
        for name in ("vocab_size", "block_size", "n_layer", "n_head", "n_embd"):
            _check_size(name, getattr(self, name))
        for name in ("attn_pdrop", "resid_pdrop", "embd_pdrop"):
            _check_probability(name, getattr(self, name))
        if not isinstance(self.bias, bool):
            raise ValueError(f"bias={self.bias!r}: must be True or False")
        if self.n_embd % self.n_head:
            divisors = [n for n in range(1, min(self.n_embd, 4096) + 1) if self.n_embd % n == 0]
            raise ValueError(
                f"n_head={self.n_head} does not divide n_embd={self.n_embd}: every head needs the "
                f"same width; allowed here are {', '.join(map(str, divisors[:24]))}"
            )

    @property
    def head_width(self) -> int:
        """D, the width of one head."""
        return self.n_embd // self.n_head

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> "ModelConfig":
        """The config written by ``to_dict``; unknown and missing fields are a ``ValueError``."""
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise ValueError(f"unknown config field {unknown[0]!r}; known are {', '.join(sorted(known))}")
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(f"incomplete config: {error}") from None


def _check_size(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name}={value!r}: must be a whole number of at least 1")


def _check_probability(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise ValueError(f"{name}={value!r}: must be a probability, at least 0 and below 1")
