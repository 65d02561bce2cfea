"""How a model is trained, checked where it is written down."""

from dataclasses import dataclass

from .devices import is_present
from .schedule import SCHEDULES

OPTIMIZERS = ("adamw", "muon")
COUNTS = ("steps", "cycles", "batch_size", "micro_batch_size", "eval_batches", "log_every", "eval_every", "save_every")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How to train. ``batch_size`` counts sequences per step over all processes and micro-batches."""

    steps: int = 5000
    schedule: str = "cosine"
    cycles: int = 1
    decay_steps: int = 0
    batch_size: int = 16
    micro_batch_size: int = 16
    learning_rate: float = 2e-3
    optimizer: str = "adamw"
    final_lr_fraction: float = 0.1
    warmup_steps: int = 200
    weight_decay: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.98
    grad_clip: float = 1.0
    seed: int = 0
    device: str = "cpu"
    bf16: bool = False
    compile: bool = False
    log_every: int = 10
    eval_every: int = 500
    eval_batches: int = 8
    save_every: int = 250
    snapshots: int = 0

    def __post_init__(self) -> None:
        for name in COUNTS:
            self._require(name, getattr(self, name) >= 1, "at least 1")
        for name in ("learning_rate", "grad_clip"):
            self._require(name, getattr(self, name) > 0, "above 0")
        for name in ("warmup_steps", "decay_steps", "weight_decay", "snapshots"):
            self._require(name, getattr(self, name) >= 0, "0 or more")
        for name in ("beta1", "beta2"):
            self._require(name, 0 <= getattr(self, name) < 1, "at least 0 and below 1")
        self._require("final_lr_fraction", 0 <= self.final_lr_fraction <= 1, "between 0 and 1")
        self._require("optimizer", self.optimizer in OPTIMIZERS, f"one of {', '.join(OPTIMIZERS)}")
        self._require("device", is_present(self.device), "a device that PyTorch finds on this machine, such as cpu")
        self._check_schedule()

    def _check_schedule(self) -> None:
        self._require("schedule", self.schedule in SCHEDULES, f"one of {', '.join(SCHEDULES)}")
        if self.schedule == "wsd":
            room = max(0, self.steps - self.warmup_steps)
            self._require("decay_steps", self.decay_steps <= room, f"at most {room}, the steps after the warm-up")
            self._require("cycles", self.cycles == 1, "1 with the schedule wsd")
        else:
            self._require("decay_steps", self.decay_steps == 0, "0 but with the schedule wsd")

    def _require(self, name: str, holds: bool, wanted: str) -> None:
        if not holds:
            raise ValueError(f"{name}={getattr(self, name)}: must be {wanted}")

    def accumulation(self, world_size: int) -> int:
        """Micro-batches that one process adds up in a step."""
        count, rest = divmod(self.batch_size, self.micro_batch_size * world_size)
        if rest or not count:
            raise ValueError(
                f"batch_size={self.batch_size} must be a multiple of micro_batch_size={self.micro_batch_size} "
                f"times {world_size} process{'es' if world_size > 1 else ''}"
            )
        return count
