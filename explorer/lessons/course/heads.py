"""Lesson 2: splitting heads. The queries of the trained model cut into heads, rightly and wrongly, and merged again.

Cells carry the number of the place they had in (B, T, C), so that a colour is a token wherever a cell goes. The
pictures of the split follow the slider; what a mistake does to the model is shown with the model's own H.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from ...engine.runner import Runner
from ..lesson import OWN, Control, Facts, Formula, Lesson, Message, Operand, Option, Panel, Question, Scene, Step, Tape
from ..mistakes.effects import HELD_OUT, broken_model, loss_with, next_token_bars, right_and_wrong
from ..questions import distinct
from ..settings import layer_control
from ..source import code_of
from .reshape import refusal

if TYPE_CHECKING:
    from torch import Tensor

STEPS = 11
SPLIT_STEPS, WORDS_STEP, REFUSED_STEP = (2, 3, 4, 5), 7, 8
MOST_HEADS = 16
SAME = 0.0005  # losses nearer than this read the same


def wrong_split(x, n_head):
    B, T, C = x.shape
    return x.view(B, n_head, T, C // n_head)  # (B, H, T, D)


@dataclass(frozen=True, slots=True)
class Split:
    """The queries of one layer, before and after the split into ``n_head`` heads, each with its twin of origins."""

    layer: int
    n_head: int
    labels: list[str]  # tokens
    x: "Tensor"  # (B, T, C)
    pieces: "Tensor"  # (B, T, H, D)
    q: "Tensor"  # (B, H, T, D), right
    wrong: "Tensor"  # (B, H, T, D), wrong
    origin: "Tensor"  # (B, T, C), the cells counted
    own: bool  # whether n_head is the model's

    @property
    def T(self) -> int:
        return self.x.shape[1]

    @property
    def C(self) -> int:
        return self.x.shape[2]

    @property
    def D(self) -> int:
        return self.C // self.n_head

    @property
    def mixes(self) -> bool:
        """Whether the wrong split is another one: with one head, or one token, there is nothing to mix."""
        return self.n_head > 1 and self.T > 1

    def panel(self, name: str, tensor, origin, letters: str, **more) -> Panel:
        return Panel(
            name=name,
            values=tensor,
            letters=tuple(letters),
            color="origin",
            origin=origin,
            width=self.C,
            family="q",
            tape=tape(tensor, self.x, self.origin),
            **more,
        )

    def wide(self, **more) -> Panel:
        where = f"merge_heads(blocks.{self.layer}.attn.q)[{{0}}, {{1}}, {{2}}]"
        return self.panel("x", self.x, self.origin, "BTC", rows=self.labels, where=where, **more)

    def right(self, **more) -> Panel:
        from llm_core.model.attention import split_heads

        where = f"blocks.{self.layer}.attn.q[{{0}}, {{1}}, {{2}}, {{3}}]" if self.own else ""
        origin = split_heads(self.origin, self.n_head)
        return self.panel("q", self.q, origin, "BHTD", rows=self.labels, where=where, **more)

    def scrambled(self, **more) -> Panel:
        return self.panel("wrong", self.wrong, wrong_split(self.origin, self.n_head), "BHTD", rows=self.labels, **more)


def tape(tensor, memory, origin, block: int = 0) -> Tape:
    """``tensor`` reads all of ``memory``, which is contiguous, by its own strides."""
    return Tape(
        storage=memory.reshape(-1), origin=origin.reshape(-1), strides=tensor.stride(), offset=0, block=block
    )  # fmt: skip


def build(scene: Scene) -> list[Step]:
    layer, own = scene.inputs["layer"], scene.runner.facts.n_head
    split = split_of(scene, layer, scene.inputs["heads"])
    model_split = split_of(scene, layer, own)
    mistaken = run_with(scene.runner, "wrong-split", tuple(scene.recorded.ids))
    merge = merge_of(scene, layer)
    return [
        one_wide_row(split),
        cutting(split),
        transposing(split),
        wrong_way(split),
        side_by_side(split),
        other_attention(scene, model_split, mistaken),
        other_words(scene, mistaken),
        uneven(split),
        tokens_in_front(merge),
        joined(merge),
        merged_wrongly(scene, merge),
    ]


def split_of(scene: Scene, layer: int, n_head: int) -> Split:
    """Raises ``ValueError`` in a sentence if the width cannot be cut into ``n_head`` heads."""
    import torch

    from llm_core.model.attention import merge_heads, split_heads

    x = merge_heads(scene.recorded.trace[f"blocks.{layer}.attn.q"]).contiguous()  # (B, T, C), as q_proj made it
    try:
        q = split_heads(x, n_head)
    except ValueError as error:
        raise ValueError(f"Heads: {error}; {divisors(x.shape[2])} would work") from None
    pieces = x.view(*x.shape[:2], n_head, -1)
    origin = torch.arange(x.numel()).view(x.shape)
    own = n_head == scene.runner.facts.n_head
    return Split(layer, n_head, scene.labels, x, pieces, q, wrong_split(x, n_head), origin, own)


def divisors(C: int) -> str:
    """ "1, 2 and 4": the numbers of heads that divide C."""
    *first, last = [str(n) for n in range(1, MOST_HEADS + 1) if C % n == 0]
    return f"{', '.join(first)} and {last}" if first else last


# the split


def one_wide_row(split: Split) -> Step:
    from llm_core.model.attention import MultiHeadAttention

    return Step(
        title="One wide row for every token",
        text=f"The layer `q_proj` has made a query of C = {split.C} numbers for each of the T = {split.T} tokens: this is "
        "`x`, one row and one color per token. Several heads share this width; each has its own narrow query for "
        "every token. Press Next to watch the cut.",
        show=[split.wide(title="all queries of the layer, before the split")],
        code=[code_of(MultiHeadAttention.forward, "q = self.q(split_heads(")],
    )


def cutting(split: Split) -> Step:
    from llm_core.model.attention import split_heads

    H, D = split.n_head, split.D
    panel = split.panel(
        "x",
        split.pieces,
        split.origin.view(split.pieces.shape),
        "BTHD",
        title="one block per token, one row per head",
        where=f"blocks.{split.layer}.attn.q[{{0}}, {{2}}, {{1}}, {{3}}]" if split.own else "",
        rows=[f"head {h}" for h in range(H)],
        blocks=split.labels,
        note="Same memory as before: no number was moved.",
    )
    return Step(
        title="view cuts every row into pieces",
        text=f"`view` takes the row of each token and cuts it into H = {H} {count(H, 'piece')} of D = {D} "
        f"{count(D, 'number')}: the first piece is for head 0, and so on. Each block is still one token and has one "
        "color. The memory is the same; there is one more stride, to step from head to head.",
        show=[panel],
        code=[code_of(split_heads, "x = x.view(B, T, n_head")],
        question=strides_question(split),
    )


def strides_question(split: Split) -> Question | None:
    T, C, H, D = split.T, split.C, split.n_head, split.D
    right = split.pieces.stride()
    return ask(
        f"The strides of `x` are {split.x.stride()}. Those of `x.view(1, {T}, {H}, {D})`?",
        Option(
            str(right),
            True,
            f"In memory the next head's piece begins {D} {count(D, 'number')} later, the next token's row {C} later.",
        ),
        Option(
            str((T * C, C, 1, H)),
            False,
            "Then neighboring numbers would go to different heads in turn. view cuts contiguous pieces.",
        ),
        Option(str((T * C, D, C, 1)), False, f"The next token begins {C} numbers later, and the next head only {D}."),
    )


def transposing(split: Split) -> Step:
    from llm_core.model.attention import split_heads

    before, after = split.pieces.stride(), split.q.stride()
    return Step(
        title="transpose puts the heads first",
        text="Now blocks are heads, and each head has one row for every token: all it needs to work by itself. The "
        f"strides {before} have become {after}: the two in the middle changed places, and nothing was copied. All "
        "colors appear in every head.",
        show=[
            split.right(
                title="one block per head, one row per token",
                note="Same memory as `x`. The cells move on the screen only; in memory they stay where they are.",
            )
        ],
        code=[code_of(split_heads, "return x.transpose(1, 2)")],
        question=ask(
            "What will one block hold after `x.transpose(1, 2)`?",
            Option(
                "a piece of every token",
                True,
                "Heads come first now, then tokens: a block is one head.",
            ),
            Option(
                "all pieces of one token",
                False,
                "That was the case before the transpose: blocks were tokens. The transpose exchanges tokens and heads.",
            ),
            Option(
                "the same number of every piece",
                False,
                "Dimension 3, the numbers in a piece, stays where it is: only dimensions 1 and 2 trade places.",
            ),
        ),
    )


def wrong_way(split: Split) -> Step:
    return Step(
        title="The wrong way: view alone",
        text=told_of_mixture(split),
        show=[split.scrambled(title="same shape, other content", note=own_rows(split))],
        code=[code_of(wrong_split, "return x.view(B, n_head, T")],
        question=row_question(split) if split.mixes else None,
    )


def told_of_mixture(split: Split) -> str:
    if not split.mixes:
        return (
            f"`wrong` asks for (B, H, T, D) at once. With {single(split)} that gives the same tensor as the right "
            "split: there is nothing to mix. Use a longer text and more heads to see the mistake."
        )
    return (
        "`wrong` asks for (B, H, T, D) at once, and Python does not complain. But view fills the heads in the order "
        "of memory, so a head gets many pieces of a few tokens instead of one piece of every token. The labels say "
        "which token a row should belong to; the colors show whose numbers it holds."
    )


def own_rows(split: Split) -> str:
    """How many rows hold numbers of the token that they should belong to."""
    import torch

    token = wrong_split(split.origin, split.n_head)[0, :, :, 0] // split.C  # (H, T)
    right = int((token == torch.arange(split.T)).sum())
    return f"{right} of {token.numel()} rows hold numbers of the token that they should belong to."


def row_question(split: Split) -> Question | None:
    D = split.D
    first = int(wrong_split(split.origin, split.n_head)[0, 0, 1, 0])
    return ask(
        f"`x.view(1, {split.n_head}, {split.T}, {D})` without a transpose: what is in the second row of head 0?",
        Option(
            piece(first // split.C, first % split.C, D),
            True,
            f"The row begins at number {first} in memory, and the first {split.C} numbers belong to token 0.",
        ),
        Option(piece(1, 0, D), False, "That is what should be there: the second token's piece for head 0."),
        Option(piece(1, D, D), False, "That is the second token's piece for head 1, further on in the memory."),
        Option(
            "a mixture of tokens 0 and 1",
            False,
            "A row never mixes: pieces end where tokens end, as H divides C. What is mixed is the head, row by row.",
        ),
    )


def piece(token: int, start: int, D: int) -> str:
    return f"token {token}, its {'number ' if D == 1 else 'numbers '}{span(start, start + D - 1)}"


def side_by_side(split: Split) -> Step:
    from llm_core.model.attention import split_heads

    text = (
        "Both have the same shape, so every later line runs. In `q` each head shows all colors, in the order of "
        "the text. In `wrong` one color fills row after row, and a head knows little about most tokens."
        if split.mixes
        else f"With {single(split)} the two are the same, number for number. Use a longer text and more heads."
    )
    return Step(
        title="Right and wrong, side by side",
        text=text,
        show=[split.right(title="view, then transpose"), split.scrambled(title="view alone")],
        code=[
            code_of(split_heads, "x = x.view(B, T", "return x.transpose(1, 2)", tone="right"),
            code_of(wrong_split, "return x.view(B, n_head, T", tone="wrong"),
        ],
        question=picture_question(split) if split.mixes else None,
    )


def picture_question(split: Split) -> Question | None:
    return ask(
        "Blocks are heads, and row 0, 1, 2 … of a block should be token 0, 1, 2 … Which picture is right?",
        Option("A", True, "In every block each row has its own color, in the order of the tokens."),
        Option("B", False, "Look at the first block of B: one color fills several rows, and some tokens are missing."),
        before=[unnamed(split.right(), "A"), unnamed(split.scrambled(), "B")],
    )


def unnamed(panel: Panel, name: str) -> Panel:
    """The same picture without a hint at how it was made."""
    return Panel(
        name=name,
        values=panel.values,
        letters=("",) * len(panel.letters),
        color="origin",
        origin=panel.origin,
        width=panel.width,
        family=panel.family,
    )


def single(split: Split) -> str:
    return "one head" if split.n_head == 1 else "one token"


# what it does to the model


@dataclass(frozen=True, slots=True)
class Run:
    """The learner's text through a model: what the heads of all layers saw, and what comes next."""

    scores: list  # of (H, T, S)
    pattern: list  # of (H, T, S)
    next: "Tensor"  # (V,) probabilities


@lru_cache(maxsize=8)
def run_with(runner: Runner, mistake: str, ids: tuple[int, ...]) -> Run:
    """The same weights with the mistake."""
    import torch

    from llm_core import record

    model, names = broken_model(runner, mistake), ["blocks.*.attn.scores", "blocks.*.attn.pattern", "logits"]
    with runner.alone(), torch.inference_mode(), record(model, names) as trace:
        model(torch.tensor([ids]))
    return run_of(runner, trace)


def run_of(runner: Runner, trace) -> Run:
    scores, pattern = (
        [trace[f"blocks.{layer}.attn.{name}"][0] for layer in range(runner.facts.n_layer)]
        for name in ("scores", "pattern")
    )
    return Run(scores, pattern, trace["logits"][0, -1].softmax(-1))


def other_attention(scene: Scene, split: Split, mistaken: Run) -> Step:
    right = run_of(scene.runner, scene.recorded.trace)
    first, H = whose_first_row(split), split.n_head
    leak = (
        f"Row 0 of the last head holds numbers of token {first}, so token 0 reads a later token, mask or no mask."
        if first > 0
        else "With several heads and tokens the first token would read later ones, mask or no mask."
    )
    return Step(
        title="Wrong heads look elsewhere",
        text=f"Here is the trained model itself, with its own H = {H} {count(H, 'head')}, on your text: layer "
        f"{split.layer} as it is, and again with `q`, `k` and `v` of every layer split wrongly. This is the mistake "
        f"of step 4, made in the model's own code. The weights are the same. {leak}",
        show=[
            attention_panel("pattern", "right split", split, right, ""),
            attention_panel("wrong_pattern", "wrong split", split, mistaken, ", with the wrong split"),
        ],
        code=right_and_wrong("wrong-split"),
        question=leak_question(split, first) if split.mixes else None,
    )


def whose_first_row(split: Split) -> int:
    """The token whose numbers are in row 0 of the last head after the wrong split."""
    return int(wrong_split(split.origin, split.n_head)[0, -1, 0, 0]) // split.C


def leak_question(split: Split, first: int) -> Question | None:
    return ask(
        "With the wrong split, the causal mask still lets row 0 see row 0 only. Whose numbers does token 0 get from the "
        "last head then?",
        Option(
            f"those of token {first}",
            True,
            f"In memory the last head begins with numbers of token {first}, and the model treats row 0 as token 0.",
        ),
        Option(
            "those of token 0",
            False,
            "That is the right split. Here token 0's numbers are all in the first heads.",
        ),
        Option(
            f"those of token {split.T - 1}",
            False,
            "The last token ends in the last row of the last head; its first row lies earlier in memory.",
        ),
    )


def attention_panel(name: str, title: str, split: Split, run: Run, suffix: str) -> Panel:
    import torch

    pattern, scores = run.pattern[split.layer], run.scores[split.layer]  # (H, T, S)
    later = torch.ones(split.T, split.T, dtype=torch.bool).triu(1)
    return Panel(
        name=name,
        values=pattern,
        letters=("H", "T", "S"),
        title=title,
        where=f"blocks.{split.layer}.attn.pattern[0, {{0}}, {{1}}, {{2}}]{suffix}",
        color="probability",
        family=name,
        rows=split.labels,
        hidden=later.expand(pattern.shape),
        formula=Formula(kind="softmax", a=Operand(name="scores", values=scores, letters="HTS"), over="S"),
    )


def other_words(scene: Scene, mistaken: Run) -> Step:
    runner, recorded, T = scene.runner, scene.recorded, len(scene.recorded.ids)
    right = run_of(runner, recorded.trace)
    read = f"the first {T} tokens" if recorded.total > T else "the text"
    losses = loss_with(runner), loss_with(runner, "wrong-split")
    bars = next_token_bars(
        runner,
        {"right split": right.next, "wrong split": mistaken.next},
        title=f"What comes after {read}",
    )
    return Step(
        title="Wrong heads predict different words",
        source=f"{OWN} Losses are means over {HELD_OUT} other texts.",
        text="The bars show which next token the same weights expect with each split. The loss says how surprised "
        f"the model is by each next token of {HELD_OUT} texts it was not trained on, measured in nats. Lower is "
        "better; uniform guessing among all V tokens would give ln V.",
        show=[bars, loss_facts(runner, losses, "split")],
        code=right_and_wrong("wrong-split"),
        question=loss_question(losses) if runner.facts.n_head > 1 else None,
    )


def loss_facts(runner: Runner, losses: tuple[float, float], what: str) -> Facts:
    right, wrong = (f"{loss:.3f} nats" if math.isfinite(loss) else "not a number" for loss in losses)
    return Facts(
        facts=[
            (f"loss, right {what}", right, "right"),
            (f"loss, wrong {what}", wrong, "wrong"),
            ("guessing: ln V", f"{math.log(runner.facts.vocab_size):.3f} nats", ""),
        ]
    )


def loss_question(losses: tuple[float, float]) -> Question | None:
    right, wrong = losses
    happens = "same" if abs(wrong - right) < SAME else "falls" if wrong < right else "rises"
    told = f"It is {right:.3f} with the right split and {wrong:.3f} with the wrong one."
    whys = {
        "rises": "That would happen in a model trained with several heads and the right split. This model's loss does not rise.",
        "falls": "Tokens do read later ones now, and a model trained this way would use them. These weights never learned to.",
        "same": "Equal losses would need equal heads, but now they hold numbers of other tokens.",
    }
    texts = {"rises": "it rises", "falls": "it falls", "same": "it stays the same"}
    return ask(
        "The weights stay as they are; only the split is wrong. What happens to the loss on held-out text?",
        *[Option(texts[name], name == happens, told if name == happens else why) for name, why in whys.items()],
        Option("there is none: Python raises an error", False, "All shapes fit, so everything runs, to the end."),
    )


# a width that cannot be cut


def uneven(split: Split) -> Step:
    from llm_core.model.attention import split_heads

    C = split.C
    n = next(n for n in range(2, C + 2) if C % n)
    D, rest = C // n, C % n
    said = refusal_of(lambda: split_heads(split.x, n))
    torch_said = refusal(lambda: split.x.view(1, split.T, n, D))
    marks = [(0, t, c) for t in range(split.T) for c in range(C - rest, C)]
    left = "one number" if rest == 1 else f"{rest} numbers"
    return Step(
        title="A number of heads that does not divide C",
        text=f"All heads share one tensor, so they must have the same width D = C / H. {C} numbers do not give {n} equal "
        f"pieces: {n} × {D} = {n * D}, and {left} of each row would be left over (outlined). Set the slider to {n}: the "
        "lesson shows you this error and keeps its picture.",
        show=[
            split.wide(title="before any split", marks=marks),
            Message(
                text=f"ValueError: {said}",
                words=f"Up to {MOST_HEADS} heads, the width {C} can be cut into {divisors(C)}.",
            ),
            Message(
                text=f"RuntimeError: {torch_said}",
                words=f"Without that check, torch would say: (1, {split.T}, {n}, {D}) has room for fewer numbers.",
            ),
        ],
        code=[code_of(split_heads, "if n_head < 1 or C % n_head", "raise ValueError")],
        question=ask(
            f"What does `split_heads(x, {n})` do, for C = {C}?",
            Option("it raises an error", True, f"{C} divided by {n} leaves {rest}. The function says so at once."),
            Option(
                "the last head gets a different width",
                False,
                "A tensor has one size for each dimension: D is the same for all.",
            ),
            Option(
                f"it drops {left} of each token",
                False,
                f"C // n_head is {D}, rounded down, but a view must use every number: torch would refuse as well.",
            ),
        ),
    )


def refusal_of(action) -> str | None:
    """What our own code says when it refuses."""
    try:
        action()
    except ValueError as error:
        return str(error)
    return None


# the merge


@dataclass(frozen=True, slots=True)
class Merge:
    """What the heads of one layer computed, on its way back to one row for every token, with twins of origins."""

    layer: int
    labels: list[str]
    z: "Tensor"  # (B, H, T, D)
    x: "Tensor"  # (B, T, H, D)
    merged: "Tensor"  # (B, T, C)
    wrong: "Tensor"  # (B, T, C), merged without the transpose
    origin: "Tensor"  # (B, T, C), the cells counted as they lie in ``merged``

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """H, T, D, C."""
        _, H, T, D = self.z.shape
        return H, T, D, H * D

    @property
    def mixes(self) -> bool:
        H, T, _, _ = self.sizes
        return H > 1 and T > 1

    @property
    def origins(self) -> tuple:
        """Of ``z``, ``x`` and ``wrong``."""
        pieces = self.origin.view(self.x.shape)  # (B, T, H, D)
        heads = pieces.transpose(1, 2).contiguous()  # (B, H, T, D)
        return heads, pieces, heads.view(self.wrong.shape)

    def panel(self, name: str, tensor, origin, letters: str, copied: bool, **more) -> Panel:
        memory = (self.merged, self.origin) if copied else (self.z, self.origins[0])
        return Panel(
            name=name,
            values=tensor,
            letters=tuple(letters),
            color="origin",
            origin=origin,
            width=self.sizes[3],
            family="z",
            tape=tape(tensor, *memory, block=int(copied)),
            **more,
        )

    def heads(self, **more) -> Panel:
        where = f"blocks.{self.layer}.attn.z[{{0}}, {{1}}, {{2}}, {{3}}]"
        return self.panel("z", self.z, self.origins[0], "BHTD", False, rows=self.labels, where=where, **more)

    def rows(self, **more) -> Panel:
        where = f"merge_heads(blocks.{self.layer}.attn.z)[{{0}}, {{1}}, {{2}}]"
        return self.panel(
            "merged", self.merged, self.origin, "BTC", self.mixes, rows=self.labels, where=where, **more
        )  # fmt: skip


def merge_of(scene: Scene, layer: int) -> Merge:
    import torch

    from llm_core.model.attention import merge_heads

    z = scene.recorded.trace[f"blocks.{layer}.attn.z"].contiguous()  # (B, H, T, D), as matrix products leave it
    merged = merge_heads(z)
    origin = torch.arange(z.numel()).view(merged.shape)
    return Merge(layer, scene.labels, z, z.transpose(1, 2), merged, z.reshape(merged.shape), origin)


def tokens_in_front(merge: Merge) -> Step:
    from llm_core.model.attention import merge_heads

    H, T, D, C = merge.sizes
    panel = merge.panel(
        "x",
        merge.x,
        merge.origins[1],
        "BTHD",
        False,
        title="one block per token, one row per head",
        where=f"blocks.{merge.layer}.attn.z[{{0}}, {{2}}, {{1}}, {{3}}]",
        rows=[f"head {h}" for h in range(H)],
        blocks=merge.labels,
        note="Same memory as `z`: no number was moved.",
    )
    return Step(
        title="The way back: transpose first",
        text=f"Attention returns `z`: what each of the model's {H} {count(H, 'head')} computed for every token. The "
        "merge goes back the same way. The transpose puts the tokens first again, so that all pieces of a token are "
        "in one block, here `x`.",
        show=[panel],
        code=[code_of(merge_heads, "x = x.transpose(1, 2)")],
        question=ask(
            f"`z` has the shape (B, H, T, D) = {(1, H, T, D)}. To merge the heads, `z.transpose(1, 2)` comes first. "
            "What is its shape?",
            Option(f"(B, T, H, D) = {tuple(merge.x.shape)}", True, "Dimensions 1 and 2 trade places: tokens first."),
            Option(f"(B, H, D, T) = {(1, H, D, T)}", False, "That would be `z.transpose(2, 3)`. We count from 0."),
            Option(f"(B, T, C) = {(1, T, C)}", False, "A transpose never joins dimensions. That is the next step."),
            before=[merge.heads(title="one block per head, one row per token")],
        ),
    )


def joined(merge: Merge) -> Step:
    from llm_core.model.attention import merge_heads

    H, T, _, C = merge.sizes
    said = refusal(lambda: merge.x.view(1, T, C))
    words = (
        "The pieces of a token are far apart in memory, and view never moves a number. reshape makes the necessary "
        "copy: the strides show that the memory is new."
    )
    message = [Message(text=f"RuntimeError: {said}", words=f"This is torch's answer to x.view(1, {T}, {C}). {words}")]
    return Step(
        title="Then the pieces are joined",
        text=f"`reshape` joins the {H} {count(H, 'piece')} of each token to one row of C = {C} numbers: the same shape as "
        "before the split, ready for `out_proj`. "
        + ("This time numbers are copied." if said else "Here a view is enough: there is only one token, or one head."),
        show=[merge.rows(title="one row per token again"), *(message if said else [])],
        code=[code_of(merge_heads, "return x.reshape(B, T, H * D)")],
        question=ask(
            "Why must the last line be `reshape` and not `view`, if there are several heads and tokens?",
            Option(
                "the pieces of a token lie apart in memory",
                True,
                "A view never copies, and no single stride steps from one head's piece to the next head's. reshape copies.",
            ),
            Option(
                "view cannot join two dimensions into one",
                False,
                "It can, where they lie side by side in memory: it would undo the cut of step 2. After a transpose they don't.",
            ),
            Option(
                "view would mix the tokens, reshape does not",
                False,
                "Where view works both give the same tensor. Here it does not work at all.",
            ),
            Option(
                "view would also work",
                False,
                "After the transpose torch refuses it. The error is shown with the picture.",
            ),
        ),
    )


def merged_wrongly(scene: Scene, merge: Merge) -> Step:
    runner = scene.runner
    losses = loss_with(runner), loss_with(runner, "wrong-merge")
    wrong = merge.panel(
        "wrong", merge.wrong, merge.origins[2], "BTC", False, title="without the transpose", rows=merge.labels
    )  # fmt: skip
    text = (
        "Reshaped without the transpose, `z` has the right shape, but each row is made of several tokens: what head "
        "0 found for one token, then what it found for the next. Token 0 gets results of later tokens, which the "
        "mask had hidden from it. Only the loss gives the mistake away."
        if merge.mixes
        else "With one token, or one head, forgetting the transpose changes nothing in the picture. Use a longer "
        "text. The losses are measured on texts that are long enough."
    )
    return Step(
        title="The transpose forgotten",
        source=f"{OWN} Losses are means over {HELD_OUT} other texts.",
        text=text,
        show=[loss_facts(runner, losses, "merge"), merge.rows(title="right"), wrong],
        code=right_and_wrong("wrong-merge"),
        question=last_piece_question(merge) if merge.mixes else None,
    )


def last_piece_question(merge: Merge) -> Question | None:
    H, T, D, C = merge.sizes
    first = int(merge.origins[2][0, 0, -D])
    token, head = first // C, first % C // D
    return ask(
        f"Without the transpose: whose result is in the last {D} {count(D, 'number')} of token 0's row?",
        Option(
            f"token {token}'s, from head {head}",
            True,
            f"Memory holds head 0 token by token, then head 1. Counting pieces from 0, this is number {H - 1}.",
        ),
        Option(f"token 0's, from head {H - 1}", False, "That is the right merge: all heads of one token."),
        Option(
            f"token {T - 1}'s, from head {H - 1}",
            False,
            "That is the very last piece in memory, which ends the last row, not the first.",
        ),
    )


# words


def ask(prompt: str, *options: Option, before: Sequence[Panel] | None = None) -> Question | None:
    """A question, unless its wrong answers all read like the right one."""
    kept = distinct(*options)
    return Question(prompt=prompt, options=kept, before=before) if len(kept) > 1 else None


def count(n: int, noun: str) -> str:
    return noun if n == 1 else f"{noun}s"


def span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} to {last}"


def controls(runner: Runner) -> list[Control]:
    H = runner.facts.n_head
    heads = Control(
        name="heads",
        label="Heads",
        kind="slider",
        value=H,
        least=1,
        most=max(MOST_HEADS, H),
        info=f"the model has {H}",
        steps=(*SPLIT_STEPS, REFUSED_STEP),
    )
    everywhere_else = [step for step in range(1, STEPS + 1) if step != WORDS_STEP]
    return [layer_control(runner, steps=everywhere_else), heads]


LESSON = Lesson(
    id="heads",
    title="Splitting heads",
    summary="Cut a width into heads without mixing tokens.",
    build=build,
    num_steps=STEPS,
    controls=controls,
)
