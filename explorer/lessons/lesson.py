"""A lesson is data: steps, each with a picture, a few sentences, the code that ran, and perhaps a question.

    Lesson      what the table of contents shows, its controls, and ``build``: a Scene -> its steps
    Step        one picture and what is said about it
    Panel       a tensor, drawn as cells; Bars, Facts, Message and TokenMap stand beside tensors
    Question    asked before the picture is shown; its right answer is computed from the tensors

Nothing here draws: the browser does, from the payload that ``encode`` makes of the steps.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..engine.runner import MAX_CHARACTERS, Runner
from .source import Code

if TYPE_CHECKING:
    from torch import Tensor

    Array: TypeAlias = Tensor | np.ndarray

Text = str  # words between backticks are names: they light up the tensor of that name


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """A tensor inside a formula. ``letters`` name its dimensions, so that the browser finds the right cell."""

    name: str
    values: "Array"
    letters: str  # "TD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula:
    """How a cell came to be, written out with its numbers when it is clicked. By ``kind``:

    "products"   sum over ``over`` of a x b, plus bias       "softmax"    exp(a - max) / sum over ``over``
    "quotient"   a / number                                  "product"    a x b
    "sum"        a + b                                       "difference" a - b
    "ratio"      a / b                                       "power"      e^(a - number)
    "hidden"     a, or -inf where the panel is hidden        "copy"       a, unchanged

    An operand broadcasts as in torch: where its size is 1, that one number counts for every index of the panel.
    """

    kind: str
    a: Operand
    b: Operand | None = None
    bias: Operand | None = None
    over: str = ""
    number: float | None = None
    number_text: str = ""  # how the number is written, "√32"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tape:
    """The memory behind a tensor: a flat storage, read with strides from an offset."""

    storage: "Array"  # (N,) values
    origin: "Array"  # (N,) which cell each place was first
    strides: tuple[int, ...]
    offset: int
    block: int = 0  # tapes of one block of memory have one number: a copy gets another


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One tensor as cells: the last two dimensions are rows and columns, those before them are blocks of it."""

    name: str  # the variable in the code
    values: "Array"  # of 1 to 4 dimensions
    letters: Sequence[str]  # one for each dimension: "B", "T", "C" ...; "" where a size has no name
    title: str = ""  # what it is, in a few words
    where: str = ""  # the recorded tensor: "blocks.2.attn.q[0, 3, {T}, {D}]"
    color: str = "diverging"  # "origin" (by token and dimension), "diverging" (around 0), "probability" (0..1)
    limit: float | None = None  # diverging: the value at the end of the scale; None takes the largest
    origin: "Array | None" = None  # the same shape: which cell it was first; None counts them
    width: int = 1  # with color "origin": how many of those first cells belong to one token
    family: str = ""  # cells of one family and origin are the same ones, and move from step to step
    rows: Sequence[str] = ()  # labels
    columns: Sequence[str] = ()
    blocks: Sequence[str] = ()
    hidden: "Array | None" = None  # the same shape, True = hatched
    marks: Sequence[Sequence[int]] = ()  # indices of outlined cells
    decimals: int = 2
    cell: int | None = None  # the largest side of a cell in px; None makes them as large as fits
    tape: Tape | None = None
    formula: Formula | None = None
    note: Text = ""  # one sentence under it


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Named numbers as bars, one bar for each of the series."""

    title: str
    names: Sequence[str]
    series: Mapping[str, Sequence[float]]
    decimals: int = 3
    unit: str = ""
    full: float | None = None  # the number that fills a bar; None takes the largest
    by_row: bool = False  # each row has a scale of its own: its largest number fills the bar
    words: Mapping[str, Sequence[str]] = field(default_factory=dict)  # columns of words beside the bars
    marks: Sequence[int] = ()  # rows that stand out


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A few large numbers: (what, value as it is written, "right" | "wrong" | "")."""

    facts: Sequence[tuple[str, str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What Python said, word for word, and the same in plain words."""

    text: str
    words: Text = ""
    links: Sequence[tuple[str, str]] = ()  # (address, what it says)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenMap:
    """All tokens on a map, which the page asks for by itself (``token_map``); ``chosen`` is the one marked at first."""

    chosen: int  # its id


Shown = Panel | Bars | Facts | Message | TokenMap


@dataclass(frozen=True, slots=True)
class Option:
    text: str
    right: bool
    why: Text  # what is right about it, or which mistake leads here


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Answered before the step's own picture is revealed. Exactly one option is right."""

    prompt: Text
    options: Sequence[Option]
    before: Sequence[Shown] | None = None  # what stands there until then; None leaves the step before

    def __post_init__(self) -> None:
        texts = [option.text for option in self.options]
        if sum(option.right for option in self.options) != 1 or len(set(texts)) != len(texts):
            raise ValueError(f"{self.prompt!r} needs one right answer among different ones, not {self.options}")


OWN = "{own}"  # stands for: the numbers are the lesson's model's, for the learner's text


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    title: str
    text: Text
    show: Sequence[Shown]
    code: Sequence[Code] = ()
    question: Question | None = None
    source: str = OWN  # under the picture: whose numbers they are, for which text


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """Something that the learner sets. ``kind``: "choice", "slider", "text", or "action" (a button)."""

    name: str
    label: str
    kind: str
    value: Any  # at first
    options: Sequence[tuple[Any, str]] = ()  # choice: (value, label)
    least: int = 0  # slider
    most: int = 0
    info: str = ""
    steps: Sequence[int] = ()  # where it is shown, the first step is 1; () = everywhere

    def read(self, given: Any) -> Any:
        """What the page sent, checked. Raises ``ValueError`` in a sentence."""
        if self.kind == "choice" and given not in [value for value, _ in self.options]:
            raise ValueError(f"{self.label}: {given!r} is not one of {', '.join(label for _, label in self.options)}")
        if self.kind == "slider" and not (type(given) is int and self.least <= given <= self.most):
            raise ValueError(f"{self.label}: {given!r} must be a whole number from {self.least} to {self.most}")
        if self.kind == "action" and type(given) is not bool:
            raise ValueError(f"{self.label}: {given!r} must be true or false")
        if self.kind == "text" and not (isinstance(given, str) and len(given) <= 400):
            raise ValueError(f"{self.label}: at most 400 characters")
        return given


@cache
def shipped(name: str) -> Runner:
    """A model that ships, for who has no shelf of models."""
    return Runner(name)


@dataclass(slots=True)
class Scene:
    """What a lesson is built from: the model at work on a text, and what the learner has set."""

    runner: Runner
    text: str
    controls: Sequence[Control]
    inputs: dict[str, Any]
    models: Callable[[str], Runner] = shipped  # others, by their names

    @property
    def model(self):
        return self.runner.model

    @property
    def recorded(self):
        """Ids, tokens and the Trace of everything, of the first ``LIMIT`` tokens."""
        return self.runner.recorded(self.text[:MAX_CHARACTERS], LIMIT)

    @property
    def labels(self) -> list[str]:
        """The tokens as they are written beside rows and columns, and in sentences."""
        return [readable(token) for token in self.recorded.tokens]


LIMIT = 16  # tokens that a lesson shows
ROLES = {"<|startofarticle|>": "start", "<|endoftext|>": "end", "<|padding|>": "padding", "<|mask|>": "mask"}
SEEN = {"\n": "⏎", "\t": "⇥", "`": "ˋ"}  # a backtick would make a name of what follows it
LONGEST_LABEL = 14


def written(piece: str) -> str:
    """A token inside a sentence: white space and control characters are made visible, its space too."""
    return "".join(SEEN.get(c) or ("␣" if c == " " else c if c.isprintable() else f"U+{ord(c):04X}") for c in piece)


def readable(token: dict) -> str:
    """A short label: special tokens by their role, white space and control characters made visible."""
    if token["special"]:
        return ROLES[token["text"]]
    text = token["text"].strip(" ") or "␣"
    shown = "".join(SEEN.get(c) or (c if c.isprintable() else f"U+{ord(c):04X}") for c in text)
    return shown if len(shown) <= LONGEST_LABEL else shown[: LONGEST_LABEL - 1] + "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    id: str
    title: str
    summary: str  # one sentence
    build: Callable[[Scene], list[Step]]
    num_steps: int
    controls: Callable[[Runner], Sequence[Control]] = lambda runner: ()
    uses_text: bool = True
    model: str = ""  # whose numbers they are, where it is not the app's model

    def scene(self, runner: Runner, text: str, given: dict, models: Callable[[str], Runner] = shipped) -> Scene:
        """The scene of a learner's text and settings; what is not set has its first value."""
        controls = self.controls(runner)
        inputs = {control.name: control.read(given.get(control.name, control.value)) for control in controls}
        return Scene(runner, text, controls, inputs, models)


def as_array(values: "Array") -> np.ndarray:
    """A tensor or array -> float32, int64 as int32, or bool."""
    array = values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values)
    return {"f": np.float32, "i": np.int32, "b": np.bool_}[array.dtype.kind](array)
