"""What families read from a config.json that transformers wrote, in its old and its new words."""

from collections.abc import Mapping
from typing import Any

from ...hub import CheckpointError

ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}
NEEDED = object()


class Settings:
    """A config.json. What is missing or cannot be honoured is a ``CheckpointError`` of one sentence."""

    def __init__(self, values: Mapping):
        self.values = values

    def get(self, name: str, default: Any = NEEDED) -> Any:
        """The value, or the default where it is absent or null."""
        value = self.values.get(name)
        if value is not None:
            return value
        if default is NEEDED:
            raise CheckpointError(f"config.json lacks {name}")
        return default

    def whole(self, name: str, default: Any = NEEDED) -> int | None:
        value = self.get(name, default)
        if value is not default and (isinstance(value, bool) or not isinstance(value, int)):
            raise CheckpointError(f"config.json: {name}={value!r} must be a whole number")
        return value

    def flag(self, name: str, default: bool) -> bool:
        return bool(self.get(name, default))

    def activation(self, name: str, default: str) -> str:
        """Our word for their activation function."""
        value = self.get(name, default)
        if value not in ACTIVATIONS:
            raise CheckpointError(f"config.json: {name}={value!r} is not supported, only {', '.join(ACTIVATIONS)}")
        return ACTIVATIONS[value]

    def refuse(self, name: str, *allowed: object) -> None:
        """Stop if ``name`` is set to something that our models cannot compute."""
        value = self.values.get(name)
        if value is not None and value not in allowed:
            raise CheckpointError(f"config.json: {name}={value!r} is not supported")

    def rope(self, theta: float = 10000.0, old_theta: str = "rope_theta") -> dict[str, Any]:
        """Rotary positions as fields of ``ModelConfig``, from ``rope_parameters`` or from the older fields."""
        new = self.get("rope_parameters", {})
        scaling = new or self.get("rope_scaling", {})
        kind = scaling.get("rope_type", scaling.get("type", "default"))
        if kind not in ("default", "llama3"):
            raise CheckpointError(f"config.json: rope_type {kind!r} is not supported, only default and llama3")
        theta = float(new.get("rope_theta", self.get(old_theta, theta)))
        found: dict[str, Any] = {"positions": "rotary", "rope_theta": theta}
        if kind == "llama3":
            names = ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")
            if missing := [name for name in names if name not in scaling]:
                raise CheckpointError(f"config.json: rope_type llama3 lacks {missing[0]}")
            found["rope_scaling"] = tuple(float(scaling[name]) for name in names)
        return found
