"""What a probe has seen: named tensors in the order in which they are computed, and what ended it."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

EXACT = 2e-5
LARGEST = 4_000_000  # numbers in one answer


class Misshapen(TypeError):
    """A block gave something else than what was asked for; the message is a whole clause about the student's value."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """An error of the student's code: its type and message, the innermost line of the file that it passed."""

    kind: str
    message: str
    line: int | None = None

    @property
    def is_misshapen(self) -> bool:
        return self.kind == Misshapen.__name__

    @property
    def is_blank(self) -> bool:
        return self.kind == NotImplementedError.__name__


class Differs(Exception):
    """From what is wanted: the rest need not be computed."""


@dataclass
class Observations:
    """``chance`` is the difference that sampling may make, for those tensors that are statistics.

    ``only`` says that it stopped with more than one row, and with one it worked. With ``wanted`` the first tensor that
    is another one there ends the probe.
    """

    tensors: dict[str, Tensor] = field(default_factory=dict)
    chance: dict[str, float] = field(default_factory=dict)
    error: Stopped | None = None
    only: bool = False
    wanted: "Observations | None" = None

    def add(self, name: str, value: object, chance: float = 0.0) -> None:
        """Raises ``Misshapen`` if it is no tensor."""
        tensor = tensor_of(name, value)
        if tensor.numel() > LARGEST:
            raise Misshapen(f"{name}: the shape is {tuple(tensor.shape)}, which is far too large")
        self.tensors[name] = tensor.detach().double()
        if chance:
            self.chance[name] = chance
        if self.wanted and not tensor.isnan().all() and not self.wanted._agrees(self, name):
            raise Differs(name)

    def first_difference(self, other: "Observations") -> str | None:
        """The name of the first tensor that differs, None if all agree."""
        names = list(dict.fromkeys([*other.tensors, *self.tensors]))
        return next((name for name in names if not self._agrees(other, name)), None)

    def agrees(self, other: "Observations") -> bool:
        """All tensors agree, and the same error ended both, or none."""
        return _said(self.error) == _said(other.error) and self.first_difference(other) is None

    def _agrees(self, other: "Observations", name: str) -> bool:
        """NaN of the other says nothing (a row that sees no key is NaN, or 0 from the fused kernel), but if all is."""
        mine, theirs = self.tensors.get(name), other.tensors.get(name)
        if mine is None or theirs is None or mine.shape != theirs.shape:
            return False
        if any(not x.isnan().all() for x in other.tensors.values()):
            mine, theirs = mine[~theirs.isnan()], theirs[~theirs.isnan()]
        if name in other.chance:  # total difference relative to the size: single numbers may stray
            return bool((mine - theirs).abs().sum() <= other.chance[name] * (theirs.abs().sum() + 1e-12))
        return torch.allclose(mine, theirs, rtol=1e-4, atol=EXACT, equal_nan=True)


def _said(error: Stopped | None) -> tuple[str, str] | None:
    return None if error is None else (error.kind, error.message)


def tensor_of(name: str, value: object) -> Tensor:
    if not isinstance(value, Tensor):
        raise Misshapen(f"{name}: there should be a tensor, and there is {spoken(value)}")
    return value


def shaped(name: str, value: object, *shape: int) -> Tensor:
    """The value, if it is a tensor of this shape."""
    tensor = tensor_of(name, value)
    if tuple(tensor.shape) != shape:
        raise Misshapen(f"{name}: the shape is {tuple(tensor.shape)} instead of {shape}")
    return tensor


def tokens_of(value: object, cache: object) -> Tensor:
    """What a model is called with, (B, T); and there is something to read, in the tokens or in the cache (B, P, C)."""
    tokens = tensor_of("the tokens that you give the model", value)
    if tokens.dim() != 2:
        raise Misshapen(f"you pass tokens of shape {tuple(tokens.shape)} to the model, which takes (B, T)")
    if isinstance(cache, tuple | list):
        raise Misshapen(
            f"hidden_cache is {spoken(cache)}: without return_hidden=True, encoder(...) returns (logits, loss)"
        )
    if cache is not None:
        tensor_of("hidden_cache", cache)
    elif not tokens.numel():
        raise Misshapen(f"you pass tokens of shape {tuple(tokens.shape)} and no hidden_cache: there is nothing to read")
    return tokens


def pair_of(name: str, value: object) -> tuple[object, object]:
    """What should be (logits, loss)."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise Misshapen(f"{name}: there should be a pair (logits, loss), and there is {spoken(value)}")
    return tuple(value)


def spoken(value: object) -> str:
    if value is None:
        return "None (is a return missing?)"
    if isinstance(value, Tensor):
        return f"one tensor of shape {tuple(value.shape)}"
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a value of type {type(value).__name__}"


def spoken_error(error: BaseException) -> str:
    """Its type and message; the message of a stranger's exception may fail."""
    try:
        message = str(error).strip().split("\n")[0][:300]
    except BaseException:
        message = ""
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
