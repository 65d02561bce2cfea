"""One tiny model in training: step after step, what was measured, and the events worth reporting.

What a step does depends on the choices and the step alone: its examples, its dropout, and when heads are measured. So a
run that was paused has the losses of one that was not.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import torch
from torch import nn

from ..train.config import TrainConfig
from ..train.data import mix_seed
from ..train.loop import TrainingLoss, batch_loss
from ..train.optimizers import make_optimizer
from ..train.schedule import learning_rate
from .choices import Choices
from .observer import THRESHOLD, AttentionKind, Fresh, Observer
from .tasks import TOKENIZER
from .tiny import as_chosen, new_model

BATCH = 32  # examples per step
MEASURE_EVERY = 20  # steps
SOLVED = 0.99


@dataclass(frozen=True, slots=True)
class Point:
    """One step. ``loss`` in nats per answer, before the step."""

    step: int
    loss: float
    lr: float
    grad_norm: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something worth telling of a run, such as a head that takes on a role; fields that say nothing are None."""

    step: int
    what: str
    title: str
    sentence: str
    part: str | None = None
    role: str | None = None
    layer: int | None = None  # from 0
    head: int | None = None

    def to_dict(self) -> dict:
        """For JSON, without the fields that are None."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class TinyTrainer:
    """A tiny model in training, at step 0 when new."""

    def __init__(self, choices: Choices):
        self.choices, self.task = choices, choices.the_task
        self.model = new_model(choices).train()
        self.computing = as_chosen(self.model, choices).train()
        self.config = TrainConfig(
            steps=choices.steps,
            learning_rate=choices.learning_rate,
            final_lr_fraction=1.0,  # as it was chosen, all the time
            warmup_steps=50,
            weight_decay=0.0,
        )
        self.optimizer = make_optimizer(self.model, self.config)
        self.loss = TrainingLoss(self.computing)
        self.observer = Observer(self.computing, choices)
        self.step, self.num_tokens, self.seconds = 0, 0, 0.0
        self.last: Point | None = None
        self.fresh: tuple[int, Fresh] | None = None
        self._divergence = Divergence()
        self._reported: set[str | tuple] = set()

    @property
    def window(self) -> int:
        """The most tokens that one stack reads."""
        return self.task.window(self.choices.architecture)

    @property
    def uniform_loss(self) -> float:
        """Of guessing among all tokens alike, in nats."""
        return math.log(TOKENIZER.n_vocab)

    @property
    def is_done(self) -> bool:
        """Whether all the steps that were chosen are made."""
        return self.step >= self.choices.steps

    def advance(self) -> tuple[Point, list[Event]]:
        """One step. Raises ``FloatingPointError`` with a sentence when its loss or gradients are no numbers."""
        started = time.perf_counter()
        self.last = self._train()
        events = self._signs_of_trouble(self.last.loss)
        if self.step % MEASURE_EVERY == 0 or self.is_done:
            events += self.measure()
        self.seconds += time.perf_counter() - started
        return self.last, events

    def _train(self) -> Point:
        choices, lr = self.choices, learning_rate(self.config, self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        batch = self.task.batch(choices.architecture, choices.seed, self.step, BATCH)
        torch.manual_seed(mix_seed(choices.seed, self.step))  # for dropout
        loss = batch_loss(self.loss, batch)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.config.grad_clip)
        point = Point(self.step, loss.item(), lr, norm.item())
        self._require_numbers(point)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.num_tokens += batch.targets.numel() + (0 if batch.decoder_ids is None else batch.ids.numel())
        return point

    def _require_numbers(self, point: Point) -> None:
        if math.isfinite(point.loss) and math.isfinite(point.grad_norm):
            return
        what = "loss" if not math.isfinite(point.loss) else "size of the gradients"
        raise FloatingPointError(
            f"At step {point.step} the {what} is no longer a number (the computer calls it "
            f"{point.loss if what == 'loss' else point.grad_norm}), so there is nothing left to train: the weights "
            f"have become too large. Try a learning rate well below {self.choices.learning_rate:g}."
        )

    def _signs_of_trouble(self, loss: float) -> list[Event]:
        if not self._divergence.begins(loss):
            return []
        return [
            Event(
                step=self.step,
                what="diverging",
                title="The loss is diverging",
                sentence=f"It is far above where it was ({self._divergence.recent:.3g} instead of "
                f"{self._divergence.best:.3g}). Each step goes too far and lands where the loss is higher still; a "
                f"learning rate below {self.choices.learning_rate:g} takes smaller steps.",
            )
        ]

    def measure(self) -> list[Event]:
        """On fresh examples."""
        fresh = self.observer.fresh(self.step)
        self.fresh = self.step, fresh
        return [*self._solved(fresh), *self._new_roles(fresh)]

    def _solved(self, fresh: Fresh) -> list[Event]:
        if fresh.accuracy < SOLVED or "solved" in self._reported:
            return []
        self._reported.add("solved")
        sentence = f"{fresh.accuracy:.1%} of its answers on unseen examples are right."
        return [Event(step=self.step, what="solved", title="The task is solved", sentence=sentence)]

    def _new_roles(self, fresh: Fresh) -> Iterator[Event]:
        for role, (kind, lifts) in fresh.lifts.items():
            for layer, head in (lifts >= THRESHOLD).nonzero().tolist():
                if (role, kind, layer, head) not in self._reported:
                    self._reported.add((role, kind, layer, head))
                    yield Event(
                        step=self.step,
                        what="head becomes",
                        title=f"{_layer(kind, layer)}, head {head} becomes {role.title}",
                        sentence=role.sentence,
                        part=kind.name,
                        role=role.name,
                        layer=layer,
                        head=head,
                    )


def _layer(kind: AttentionKind, layer: int) -> str:
    where = {"encoder": "Encoder layer", "decoder": "Decoder layer", "cross": "Cross-attention, layer"}
    return f"{where[kind.name] if kind.stack else 'Layer'} {layer}"


class Divergence:
    """Notices when the loss, as a mean over some steps, has risen far above its lowest."""

    STEPS, RISE, BACK = 10, 1.5, 0.5  # nats

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.best, self.recent, self.is_on = math.inf, math.inf, False

    def begins(self, loss: float) -> bool:
        """True for the first step of a rise; after that only when it has come down in between."""
        self.best = min(self.best, loss) if not self.losses else self.best
        self.losses = [*self.losses, loss][-self.STEPS :]
        if len(self.losses) < self.STEPS:
            return False
        self.recent = sum(self.losses) / self.STEPS
        self.best = min(self.best, self.recent)
        before, rise = self.is_on, self.recent - self.best
        self.is_on = rise > (self.BACK if before else self.RISE)
        return self.is_on and not before
