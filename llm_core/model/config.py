"""ModelConfig: the sizes of a model, and what its family does otherwise than GPT-2, checked when they are written down.

The letters of the shape legend come from here: C = ``n_embd``, H = ``n_head``, K = ``n_kv_head``,
D = ``head_width``, V = ``vocab_size``; T never exceeds ``block_size`` where positions are learned.
"""

from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

NORMS = ("layer", "rms")
POSITIONS = ("learned", "rotary", "relative", "none")
ACTIVATIONS = ("gelu_tanh", "gelu", "relu", "silu")
GATED = {"swiglu": "silu", "geglu": "gelu", "geglu_tanh": "gelu_tanh"}  # and the activation of the gate
MLPS = (*ACTIVATIONS, *GATED)
HEADS = ("tied", "own", "none")
MOST_LAYERS = 512  # four times the deepest that anybody has published; each costs memory before a weight is read
ALWAYS = 9  # the first fields, which are written even where they are the default


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """The sizes of one stack of blocks, with GPT-2's names. What is left out is as in GPT-2.

    Raises ``ValueError`` naming the field, its value, and what would be allowed.
    """

    vocab_size: int  # V
    block_size: int  # the longest sequence that the model was made for
    n_layer: int
    n_head: int  # H
    n_embd: int  # C
    attn_pdrop: float = 0.1  # on the attention weights, after the softmax
    resid_pdrop: float = 0.1  # on what attention and MLP add to the residual stream
    embd_pdrop: float = 0.1  # on the sum of the embeddings
    bias: bool = True  # in every linear layer of a block, and in every norm, unless one of the next four says otherwise
    qkv_bias: bool | None = None
    out_bias: bool | None = None
    mlp_bias: bool | None = None
    norm_bias: bool | None = None

    norm: str = "layer"  # or "rms": no mean, no bias (Zhang and Sennrich 2019)
    norm_eps: float = 1e-5
    post_norm: bool = False  # after each sum instead of before each part, and none at the end (Vaswani et al. 2017)
    parallel: bool = False  # attention and MLP read the same stream, and one sum takes both (GPT-J)

    positions: str = "learned"  # or "rotary" (Su et al. 2021), "relative" (Raffel et al. 2020, T5), "none"
    rope_theta: float = 10000.0
    rope_fraction: float = 1.0  # of each head's width that is turned
    rope_scaling: tuple[float, ...] | None = None  # Llama 3's: factor, low and high frequency factor, original window
    relative_buckets: int = 32
    relative_distance: int = 128  # from which all distances share a bucket

    n_kv_head: int | None = None  # K, None for H (Ainslie et al. 2023)
    head_dim: int | None = None  # D, None for C // H
    qk_norm: bool = False  # an RMSNorm over each head's query and key
    attn_scale: float | None = None  # None for 1 / sqrt(D)
    scale_by_layer: bool = False  # and divided by the layer's number, counted from 1
    window: int | None = None  # a query sees that many keys, itself the last of them
    window_layers: tuple[int, ...] | None = None  # the layers that have it; None for all

    mlp: str = "gelu_tanh"  # or one of MLPS
    mlp_width: int | None = None  # None for 4 C

    n_segment: int = 0  # rows of a table of segments; a text is all of segment 0
    embedding_norm: bool = False
    embedding_scale: float = 1.0  # on the token's row

    head: str = "tied"  # to the token table; or a matrix of its "own", or "none": the model makes no logits
    head_bias: bool = False
    head_scale: float = 1.0  # on the states
    head_mlp: str | None = None  # BERT's: a square layer, this activation and a norm before the matrix

    def __post_init__(self) -> None:
        for name in ("vocab_size", "block_size", "n_layer", "n_head", "n_embd", "relative_buckets"):
            _check_size(name, getattr(self, name))
        if self.n_layer > MOST_LAYERS:
            raise ValueError(f"n_layer={self.n_layer}: must be at most {MOST_LAYERS}")
        for name in ("n_kv_head", "head_dim", "window", "mlp_width"):
            if getattr(self, name) is not None:
                _check_size(name, getattr(self, name))
        for name in ("attn_pdrop", "resid_pdrop", "embd_pdrop"):
            _check_probability(name, getattr(self, name))
        for name in ("norm_eps", "rope_theta", "rope_fraction", "embedding_scale", "head_scale", "attn_scale"):
            if getattr(self, name) is not None:
                _check_positive(name, getattr(self, name))
        if self.n_segment:
            _check_size("n_segment", self.n_segment)
        for name in ("bias", "post_norm", "parallel", "qk_norm", "scale_by_layer", "embedding_norm", "head_bias"):
            _check_flag(name, getattr(self, name))
        for name in ("qkv_bias", "out_bias", "mlp_bias", "norm_bias"):
            if getattr(self, name) is not None:
                _check_flag(name, getattr(self, name))
        choices = {"norm": NORMS, "positions": POSITIONS, "mlp": MLPS, "head": HEADS, "head_mlp": (None, *ACTIVATIONS)}
        for name, allowed in choices.items():
            _check_choice(name, getattr(self, name), allowed)
        self._check_together()

    def _check_together(self) -> None:
        """What is allowed by itself, and impossible beside other fields."""
        if self.head_dim is None and self.n_embd % self.n_head:
            divisors = [n for n in range(1, min(self.n_embd, 4096) + 1) if self.n_embd % n == 0]
            raise ValueError(
                f"n_head={self.n_head} does not divide n_embd={self.n_embd}: every head needs the "
                f"same width; allowed here are {', '.join(map(str, divisors[:24]))}"
            )
        if self.n_head % self.kv_heads:
            raise ValueError(f"n_kv_head={self.n_kv_head}: must divide n_head={self.n_head}, as query heads share keys")
        if self.parallel and self.post_norm:
            raise ValueError("parallel=True: a parallel block has its norms before its parts, so post_norm is False")
        if self.positions == "rotary" and (self.turned_width < 2 or self.turned_width % 2):
            raise ValueError(
                f"rope_fraction={self.rope_fraction!r}: turns {self.turned_width} of a head's {self.head_width} "
                "numbers, and must turn pairs of them"
            )
        for name in ("rope_scaling", "window_layers"):
            if not isinstance(getattr(self, name), (tuple, type(None))):
                raise ValueError(f"{name}={getattr(self, name)!r}: must be several numbers, or None")
        if self.rope_scaling is not None and len(self.rope_scaling) != 4:
            raise ValueError(
                f"rope_scaling={self.rope_scaling!r}: must be factor, low and high frequency factor, original window"
            )
        for layer in self.window_layers or ():
            if layer not in range(self.n_layer):
                raise ValueError(f"window_layers={self.window_layers!r}: must be layers, 0 to {self.n_layer - 1}")

    @property
    def head_width(self) -> int:
        """D, the width of one head."""
        return self.head_dim or self.n_embd // self.n_head

    @property
    def kv_heads(self) -> int:
        """K, how many heads the keys and values have."""
        return self.n_kv_head or self.n_head

    @property
    def hidden_width(self) -> int:
        """The inner width of the MLP."""
        return self.mlp_width or 4 * self.n_embd

    @property
    def turned_width(self) -> int:
        """R, how many numbers of each head rotary positions turn."""
        return int(self.head_width * self.rope_fraction)

    @property
    def is_bounded(self) -> bool:
        """True if no sequence may be longer than ``block_size``: a place needs its own row of a table."""
        return self.positions == "learned"

    def has_bias(self, part: str) -> bool:
        """Whether ``part`` ("qkv", "out", "mlp" or "norm") has biases."""
        own = getattr(self, f"{part}_bias")
        return self.bias if own is None else own

    def window_of(self, layer: int) -> int | None:
        """How many keys a query of ``layer`` sees at most, None for all."""
        return self.window if self.window_layers is None or layer in self.window_layers else None

    def to_dict(self) -> dict:
        """For JSON: GPT-2's own fields, and of the others those that are not as in GPT-2."""
        values = asdict(self)
        always = [field.name for field in fields(self)[:ALWAYS]]
        return {f.name: values[f.name] for f in fields(self) if f.name in always or values[f.name] != f.default}

    @classmethod
    def from_dict(cls, values: dict) -> "ModelConfig":
        """The config written by ``to_dict``; unknown and missing fields are a ``ValueError``."""
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise ValueError(f"unknown config field {unknown[0]!r}; known are {', '.join(sorted(known))}")
        if missing := [f.name for f in fields(cls) if f.default is MISSING and f.name not in values]:
            raise ValueError(f"incomplete config: {', '.join(map(repr, missing))} must be given")
        given: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in values.items()}
        return cls(**given)


def _check_size(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name}={value!r}: must be a whole number of at least 1")


def _check_probability(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise ValueError(f"{name}={value!r}: must be a probability, at least 0 and below 1")


def _check_positive(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise ValueError(f"{name}={value!r}: must be a number above 0")


def _check_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise ValueError(f"{name}={value!r}: must be True or False")


def _check_choice(name: str, value: object, allowed: tuple) -> None:
    if value not in allowed:
        raise ValueError(f"{name}={value!r}: must be one of {', '.join(map(str, allowed))}")
