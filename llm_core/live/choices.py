"""What can be chosen for a tiny model, and one sentence for every choice that is impossible."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from difflib import get_close_matches

import torch

from ..model.checkpoints import Model, num_parameters
from ..model.config import ModelConfig
from ..train.loop import build_model
from .tasks import ARCHITECTURES, TASKS, TOKENIZER, Task

WIDTHS = (16, 32, 48, 64, 96, 128)
DROPOUT = {
    "none": "No dropout",
    "right": "In the right two places",
    "wrong": "In a third place too",
}
DROPPED = 0.1
MOST_PARAMETERS = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """Checked where they are written down: ``ValueError`` with a sentence that says what is allowed."""

    task: str = "copy"
    architecture: str = "decoder"
    n_layer: int = 2  # of each stack
    n_head: int = 4
    n_embd: int = 64
    learning_rate: float = 1e-3
    positions: bool = True
    scale: bool = True
    dropout: str = "none"
    steps: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        for choice in CHOICES:
            choice.check(getattr(self, choice.name))
        if self.n_embd % self.n_head:
            allowed = [n for n in range(1, 9) if self.n_embd % n == 0]
            raise ValueError(
                f"{self.n_head} heads cannot share a width of {self.n_embd} evenly: choose {_listed(allowed)} heads, "
                "or another width."
            )
        if why := self.the_task.impossible.get(self.architecture):
            raise ValueError(why)
        if self.num_parameters > MOST_PARAMETERS:
            raise ValueError(
                f"These sizes make {self.num_parameters:,} parameters, and a tiny model has at most "
                f"{MOST_PARAMETERS:,}: choose fewer layers or a smaller width."
            )

    @property
    def the_task(self) -> Task:
        """What is learned, with its examples."""
        return TASKS[self.task]

    @property
    def sizes(self) -> ModelConfig:
        """Of each stack, as a model is built from them."""
        dropped = 0.0 if self.dropout == "none" else DROPPED
        return ModelConfig(
            vocab_size=TOKENIZER.n_vocab,
            block_size=self.the_task.window(self.architecture),
            n_layer=self.n_layer,
            n_head=self.n_head,
            n_embd=self.n_embd,
            attn_pdrop=dropped,
            resid_pdrop=dropped,
            embd_pdrop=0.0,
        )

    @property
    def num_parameters(self) -> int:
        """Of the model that these choices make; weights that are shared count once."""
        with torch.device("meta"):  # only shapes: no weights, and nobody's random numbers
            return num_parameters(self.build())

    def build(self) -> Model:
        """The model of these sizes, with PyTorch's own first weights."""
        name = "encoder-decoder-cross" if self.architecture == "encoder-decoder" else self.architecture
        return build_model(name, self.sizes)


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice(ABC):
    """One of the choices: what it is called, what it means, what is allowed."""

    name: str
    title: str
    sentence: str

    def check(self, value: object) -> None:
        if not self.allows(value):
            raise ValueError(f"{self.title} cannot be {_quoted(value)}: {self.allowed}.")

    @abstractmethod
    def allows(self, value: object) -> bool: ...

    @property
    @abstractmethod
    def allowed(self) -> str: ...

    @abstractmethod
    def describe(self) -> dict: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class OneOf(Choice):
    titles: dict  # value -> what it is called

    def allows(self, value: object) -> bool:
        return any(value == one and type(value) is type(one) for one in self.titles)

    @property
    def allowed(self) -> str:
        return f"choose {_listed(list(self.titles))}"

    def describe(self) -> dict:
        return {"kind": "one of", "allowed": list(self.titles), "titles": self.titles}


@dataclass(frozen=True, kw_only=True, slots=True)
class Number(Choice):
    least: float
    most: float
    whole: bool = True

    def allows(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int if self.whole else (int, float)):
            return False
        return math.isfinite(value) and self.least <= value <= self.most

    @property
    def allowed(self) -> str:
        return f"choose a {'whole ' if self.whole else ''}number from {self.least:,} to {self.most:,}"

    def describe(self) -> dict:
        return {"kind": "whole" if self.whole else "number", "least": self.least, "most": self.most}


@dataclass(frozen=True, kw_only=True, slots=True)
class YesOrNo(Choice):
    def allows(self, value: object) -> bool:
        return isinstance(value, bool)

    @property
    def allowed(self) -> str:
        return "choose true or false"

    def describe(self) -> dict:
        return {"kind": "yes or no"}


CHOICES: tuple[Choice, ...] = (
    OneOf(
        name="task",
        title="The task",
        sentence="What the model should learn.",
        titles={name: task.title for name, task in TASKS.items()},
    ),
    OneOf(
        name="architecture",
        title="The architecture",
        sentence="Which tokens may attend to which.",
        titles={name: name.capitalize() for name in ARCHITECTURES},
    ),
    Number(
        name="n_layer",
        title="The number of layers",
        sentence="Attention and an MLP, one after the other; an induction head needs two layers.",
        least=1,
        most=6,
    ),
    Number(
        name="n_head",
        title="The number of heads",
        sentence="Per layer; they share the width evenly.",
        least=1,
        most=8,
    ),
    OneOf(
        name="n_embd",
        title="The width",
        sentence="Numbers per token, C.",
        titles={width: str(width) for width in WIDTHS},
    ),
    Number(
        name="learning_rate",
        title="The learning rate",
        sentence="How far one step goes; 0.001 is usual, 1 is far too much.",
        least=1e-6,
        most=100,
        whole=False,
    ),
    YesOrNo(
        name="positions",
        title="Positions",
        sentence="Whether tokens carry their position.",
    ),
    YesOrNo(
        name="scale",
        title="Scaled scores",
        sentence="Whether scores are divided by √D, the square root of a head's width.",
    ),
    OneOf(
        name="dropout",
        title="Dropout",
        sentence="Correct: on the attention weights and on the outputs of attention and MLP. The third, wrong place: "
        "on the heads' results in between.",
        titles=DROPOUT,
    ),
    Number(
        name="steps",
        title="The number of steps",
        sentence="How many training steps the run takes.",
        least=1,
        most=50_000,
    ),
    Number(
        name="seed",
        title="The seed",
        sentence="The same seed gives the same run; another seed gives other weights and examples.",
        least=0,
        most=2**31 - 1,
    ),
)


def parse(chosen: object) -> Choices:
    """``Choices`` from what came as JSON; whatever is not chosen is the default. ``ValueError`` for the impossible."""
    if not isinstance(chosen, dict):
        raise ValueError('The choices must be one JSON object, such as {"task": "copy"}.')
    known = [field.name for field in fields(Choices)]
    if unknown := [name for name in chosen if name not in known]:
        near = get_close_matches(str(unknown[0]), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}."
        raise ValueError(f"There is no choice {_quoted(unknown[0])}: {hint}")
    return Choices(**chosen)


def describe() -> dict:
    """Everything a form needs: the choices with what is allowed, and the tasks."""
    default = Choices()
    return {
        "choices": [
            {
                "name": choice.name,
                "title": choice.title,
                "sentence": choice.sentence,
                "default": getattr(default, choice.name),
                **choice.describe(),
            }
            for choice in CHOICES
        ],
        "tasks": [
            {
                "name": task.name,
                "title": task.title,
                "sentence": task.sentence,
                "example": task.example,
                "impossible": task.impossible,
            }
            for task in TASKS.values()
        ],
    }


def _listed(values: list) -> str:
    *most, last = map(str, values)
    return f"{', '.join(most)} or {last}" if most else last


def _quoted(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
