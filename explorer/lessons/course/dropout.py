"""Lesson 5: where dropout goes. Eval and train mode, the two places of GPT-2, what other places would change, and what
a model says that was left in training mode.

All draws come from generators of their own with fixed seeds: a lesson is the same each time, and nobody else's random
numbers are touched. They are the numbers that ``torch.nn.Dropout`` draws after ``torch.manual_seed`` with that seed.
The page's model stays in eval mode: what has to train is a copy that shares its weights.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, cached_property, lru_cache, partial

from ...engine.runner import Runner
from ..lesson import OWN, Bars, Control, Facts, Formula, Lesson, Message, Operand, Option, Panel, Question, Scene, Step
from ..mistakes.effects import HELD_OUT, held_out_loss, next_token_bars
from ..questions import distinct
from ..settings import head_control, layer_control
from ..source import code_of
from .attention import Head, attention_code, forward_code

STEPS = 8
LAYER, HEAD = 1, 4  # looked at first: one that looks at many tokens
RATE, MOST = 20, 80  # percent
SEEDS = (1, 2, 3, 4)  # that stand side by side
DRAWS = 1000
SOME = (1, 10, 100, DRAWS)  # of the draws, to see the mean settle
PLACES = ("pattern", "scores", "q", "v", "z")  # the first is the right one


def keep(shape: Sequence[int], p: float, generator):
    """What dropout multiplies with: 0 with probability p, and 1 / (1 - p) otherwise."""
    import torch

    kept = torch.empty(shape).bernoulli_(1 - p, generator=generator)
    return kept / (1 - p)


def seeded(seed: int):
    import torch

    return torch.Generator().manual_seed(seed)


def z_with_dropout(place: str, q, k, v, visible, drop: Callable):
    """One head, with dropout in one place: q, k, v (T, D) -> z (N, T, D), a draw for each of N."""
    q = drop(q) if place == "q" else q
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])  # (N, T, S)
    scores = drop(scores) if place == "scores" else scores
    pattern = scores.where(visible, -math.inf).softmax(dim=-1)
    pattern = drop(pattern) if place == "pattern" else pattern
    v = drop(v) if place == "v" else v
    z = pattern @ v  # (N, T, D)
    return drop(z) if place == "z" else z


def left_in_training(model, p: float, seed: int):
    """A copy with the same weights, in training mode, every dropout at rate p. Its draws are its own."""
    from copy import deepcopy

    from torch import nn

    from llm_core.model.packed import hooks_of

    memo = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    memo |= {id(hooks): type(hooks)() for hooks in hooks_of(model)}
    left = deepcopy(model, memo).train()
    generator = seeded(seed)
    for module in left.modules():
        if isinstance(module, nn.Dropout):
            module.p = p
            module.forward = partial(drop_in_training, module, generator)
    return left


def drop_in_training(module, generator, x):
    """What nn.Dropout does, with a generator of our own."""
    return x * keep(x.shape, module.p, generator) if module.training else x


class Dropped(Head):
    """A head, with random draws of what dropout keeps of it."""

    def __init__(self, scene: Scene):
        super().__init__(scene)
        self.p, self.seed = scene.inputs["rate"] / 100, scene.inputs["seed"]
        self.eval_pattern, self.visible = self.of_head("pattern"), ~self.future  # (T, S)

    def kept(self, seed: int):
        return keep((self.T, self.T), self.p, seeded(seed))

    @property
    def acts(self) -> bool:
        """False where nothing is ever dropped."""
        return self.p > 0

    @property
    def scale(self) -> str:
        return f"1 / {1 - self.p:g} = {1 / (1 - self.p):.4g}"

    def fallen(self, kept):
        return (kept == 0) & self.visible

    @cached_property
    def many(self):
        """The pattern of ``DRAWS`` draws, (N, T, S)."""
        return self.eval_pattern * keep((DRAWS, self.T, self.T), self.p, seeded(self.seed))

    def in_errors(self, mean, number: int):
        """(T, S): how far a mean of that many draws is from the eval pattern, in its standard errors."""
        error = self.eval_pattern * math.sqrt(self.p / (1 - self.p) / number)
        return ((mean - self.eval_pattern) / error).nan_to_num(0, 0, 0)  # 0 where nothing varies

    def drop(self, generator, x):
        """``DRAWS`` draws of x, one behind the other in a new first dimension (or in the one that it has already)."""
        return x * keep((DRAWS, *x.shape[-2:]), self.p, generator)

    @cached_property
    def placements(self) -> dict[str, tuple]:
        """Mean over draws (T, D) and its standard error (T, D), of z with dropout in each place."""
        q, k, v = (self.of_head(name) for name in "qkv")
        found = {}
        for place in PLACES:
            generator = seeded(self.seed)
            z = (
                z_with_dropout(place, q, k, v, self.visible, partial(self.drop, generator))
                .expand(DRAWS, self.T, self.D)
                .double()
            )
            found[place] = z.mean(0), z.std(0) / math.sqrt(DRAWS)
        return found


def build(scene: Scene) -> list[Step]:
    head = Dropped(scene)
    in_training = [
        some_weights_fall(head),
        other_seeds(head),
        the_second_place(head),
        the_mean_stays(head),
        before_the_softmax(head),
        every_place(head),
        left_on(head),
    ]
    if not head.acts:
        in_training = [
            replace(step, text=f"The rate is 0, so nothing falls: raise it. {step.text}") for step in in_training
        ]
    return [nothing_random(head), *in_training]


def nothing_random(head: Dropped) -> Step:
    return Step(
        title="Eval mode: nothing is random",
        text=f"The `pattern` of head {head.head} in layer {head.layer}, as the model computed it. The marked line "
        "calls `attn_dropout` every time, but in eval mode it returns its input unchanged. Every row sums to 1. "
        "Press Next to switch to training.",
        show=[
            head.pattern(),
            Facts(facts=[("mode", "eval", ""), ("sum of the last row", row_sum(head.eval_pattern), "")]),
        ],
        code=[attention_code("self.attn_dropout(pattern) @ v")],
    )


def row_sum(pattern) -> str:
    return f"{float(pattern[-1].sum()):.4f}"


def some_weights_fall(head: Dropped) -> Step:
    kept = head.kept(head.seed)
    fallen, visible = int(head.fallen(kept).sum()), int(head.visible.sum())
    return Step(
        title="Training: some weights fall to 0",
        text=f"In training, each weight is set to 0 with probability p = {head.p:g} (outlined cells), and the "
        "survivors are divided by 1 - p. This keeps a token from relying on any single other token. Change rate and "
        "seed above." + rate_of_the_model(head),
        show=[
            dropped_panel(head, kept),
            head.pairs("kept", kept, "what it was multiplied by", cell=18, limit=1 / (1 - head.p), hidden=head.future),
            Facts(facts=[("fell", f"{fallen} of {visible}", ""), ("survivors times", head.scale, "")]),
        ],
        code=[
            attention_code("self.attn_dropout(pattern) @ v"),
            code_of(keep, "bernoulli_(1 - p", "return kept / (1 - p)"),
        ],
        question=survivor_question(head, kept),
    )


def rate_of_the_model(head: Dropped) -> str:
    rate = head.attn.attn_dropout.p
    trained = f"with p = {rate:g}" if rate else "without dropout"
    return f" (This model was trained {trained}; GPT-2 uses 0.1.)"


def dropped_panel(head: Dropped, kept) -> Panel:
    return head.pairs(
        "dropped",
        head.eval_pattern * kept,
        "train mode: pattern × kept",
        color="probability",
        hidden=head.future,
        marks=head.fallen(kept).nonzero().tolist(),
        formula=Formula(
            kind="product",
            a=Operand(name="pattern", values=head.eval_pattern, letters="TS"),
            b=Operand(name="kept", values=kept, letters="TS"),
        ),
    )


def survivor_question(head: Dropped, kept) -> Question | None:
    """The last row's largest weight of those that survive this draw: what is it now?"""
    i = head.last
    surviving = head.eval_pattern[i] * (kept[i] != 0)  # (S,)
    j = int(surviving.argmax())
    weight, p = float(surviving[j]), head.p
    texts = [f"{number:.4f}" for number in (weight * float(kept[i, j]), weight, weight * (1 - p), 0)]
    if len(set(texts)) < len(texts):
        return None  # nothing is dropped, or nothing is left
    whys = (
        f"{weight:.4f} / {1 - p:g}: survivors grow, so that on average nothing is lost.",
        "It stays unchanged only in eval mode. If survivors kept their value, the sum would shrink on average.",
        "That makes survivors smaller too. They must make up for the dropped weights, so they are divided, not multiplied.",
        "That is the value of a dropped weight; this one survives.",
    )
    return Question(
        prompt=f"The outlined weight is {weight:.4f} in eval mode. Now p = {p:g}, and it survives. What is it in training?",
        options=[Option(text, not place, why) for place, (text, why) in enumerate(zip(texts, whys))],
        before=[head.pattern(marks=[[i, j]])],
    )


def other_seeds(head: Dropped) -> Step:
    import torch

    kept = torch.stack([head.kept(seed) for seed in SEEDS])  # (N, T, S)
    dropped = head.eval_pattern * kept
    sums = [float(one[-1].sum()) for one in dropped]
    names = [f"seed {seed}" for seed in SEEDS]
    return Step(
        title="The same text, other seeds",
        text="Four draws of the same head on the same text: each draw drops other weights, among those that the mask "
        "leaves visible. A row no longer sums to 1 in a single draw: it has lost some weights, and the others have "
        "grown.",
        show=[
            Panel(
                name="dropped",
                values=dropped,
                letters="BTS",
                title="a batch of one text, four times, in train mode",
                color="probability",
                rows=head.labels,
                blocks=names,
                hidden=head.future.expand_as(dropped),
                marks=((kept == 0) & head.visible).nonzero().tolist(),
                family="pairs",
                origin=torch.arange(head.T**2).reshape(1, head.T, head.T).expand_as(dropped),
                formula=Formula(
                    kind="product",
                    a=Operand(name="pattern", values=head.eval_pattern, letters="TS"),
                    b=Operand(name="kept", values=kept, letters="BTS"),
                ),
            ),
            Bars(
                title="Sum of the last row",
                names=["eval", *names],
                series={"sum": [float(head.eval_pattern[-1].sum()), *sums]},
            ),
        ],
        code=[attention_code("self.attn_dropout(pattern) @ v"), code_of(keep, "bernoulli_(1 - p")],
        question=sum_question(sums) if head.acts else None,
    )


def sum_question(sums: list[float]) -> Question:
    seen = ", ".join(f"{total:.3f}" for total in sums)
    return Question(
        prompt="In eval mode every row of `pattern` sums to 1. What does a row sum to after dropout, in training?",
        options=[
            Option(
                "to 1 on average, not in each draw",
                True,
                f"The last row's sums in four draws: {seen}. Dropped weights and enlarged survivors balance only on average.",
            ),
            Option(
                "always to 1",
                False,
                "That would need another softmax after it. Dropout divides by 1 - p, however many weights were really dropped.",
            ),
            Option(
                "always to less than 1",
                False,
                "Dropped weights make the sum smaller, but survivors are divided by 1 - p, which makes it larger.",
            ),
        ],
    )


def the_second_place(head: Dropped) -> Step:
    out = head.recorded("attn.out")  # (T, C)
    kept = keep(out.shape, head.p, seeded(head.seed))
    limit = float(out.abs().max()) / (1 - head.p)

    def panel(name: str, values, title: str, **more) -> Panel:
        return Panel(
            name=name, values=values, letters="TC", title=title, rows=head.labels, limit=limit, family="out", **more
        )

    return Step(
        title="The second place: the output",
        text="All heads are merged and projected to `out`; then `resid_dropout` drops individual numbers of it, "
        "before it is added to the residual stream. The rule is the same: a number becomes 0 or is divided by 1 - "
        "p. GPT-2's attention drops in these two places and in no other.",
        show=[
            panel("out", out, "eval mode, of all heads together", where=head.name("attn.out", "{0}", "{1}")),
            panel(
                "dropped out",
                out * kept,
                "train mode: out × kept",
                formula=Formula(
                    kind="product",
                    a=Operand(name="out", values=out, letters="TC"),
                    b=Operand(name="kept", values=kept, letters="TC"),
                ),
                note="To show this place alone, `out` comes from eval mode; in training, weights are dropped as well.",
            ),
            Facts(facts=[("fell", f"{int((kept == 0).sum()):,} of {kept.numel():,}", ""), ("survivors times", head.scale, "")]),
        ],
        code=[forward_code("resid_dropout")],
        question=Question(
            prompt="GPT-2's attention drops weights after the softmax. Where else?",
            options=[
                Option("the output, after the projection", True, "And nowhere else in attention: two places."),
                Option("the scores, before the softmax", False, "A score of 0 still gets weight, as step 6 shows."),
                Option("q, k and v", False, "They stay whole. Only what has been computed from them is dropped."),
                Option(
                    "z, before the heads are merged",
                    False,
                    "Some people do add this third place by mistake. GPT-2 drops the result of the projection, which "
                    "comes right after and mixes z.",
                ),
            ],
        ),
    )  # fmt: skip


def the_mean_stays(head: Dropped) -> Step:
    mean = head.many.mean(0)  # (T, S)
    means = {number: head.many[:number].mean(0) for number in SOME}
    off = [float((means[number] - head.eval_pattern).abs().max()) for number in SOME]
    errors = float(head.in_errors(mean, DRAWS).abs().max())
    return Step(
        title="The expected value stays",
        text=f"The mean of {DRAWS} draws is nearly the `pattern` of eval mode: dropped weights and enlarged survivors "
        "balance. This is why eval mode needs no correction. More draws bring the mean closer; the remaining "
        "difference is chance, a few standard errors at most.",
        show=[
            head.pairs(
                "mean", mean, f"of {DRAWS} draws in train mode", color="probability", hidden=head.future, cell=28
            ),
            head.pairs(
                "mean - pattern",
                mean - head.eval_pattern,
                "the remaining difference",
                hidden=head.future,
                cell=28,
                decimals=3,
                formula=Formula(
                    kind="difference",
                    a=Operand(name="mean", values=mean, letters="TS"),
                    b=Operand(name="pattern", values=head.eval_pattern, letters="TS"),
                ),
            ),
            Bars(
                title="Largest distance between mean and pattern",
                names=[f"{number} {'draw' if number == 1 else 'draws'}" for number in SOME],
                series={"distance": off},
            ),
            Facts(
                facts=[
                    ("largest, in standard errors", f"{errors:.1f}", ""),
                    ("sum of the last row, one draw", row_sum(head.many[0]), ""),
                    ("in the mean", row_sum(mean), ""),
                ]
            ),
        ],
        code=[code_of(keep, "return kept / (1 - p)")],
        question=mean_question(head) if head.acts else None,
    )


def mean_question(head: Dropped) -> Question:
    p, survives = head.p, 1 - head.p
    return Question(
        prompt="Suppose the division by 1 - p were forgotten. What would the mean over many draws be?",
        options=distinct(
            Option(
                f"{survives:g} × pattern",
                True,
                f"A weight survives with probability {survives:g}, and is 0 otherwise. In eval mode the model would meet "
                "larger weights than those it was trained with.",
            ),
            Option("pattern", False, "Zeros pull the mean down, and nothing would pull it up."),
            Option(f"{p:g} × pattern", False, "p is the probability of being dropped, not of surviving."),
            Option(
                f"{1 / survives:.3g} × pattern",
                False,
                "With the division, survivors grow by this factor; without it, nothing grows.",
            ),
        ),
    )


def before_the_softmax(head: Dropped) -> Step:
    kept = head.kept(head.seed)
    scores = head.products / math.sqrt(head.D) * kept  # (T, S)
    pattern = scores.where(head.visible, -math.inf).softmax(dim=-1)
    fallen = head.fallen(kept)
    marks = fallen.nonzero().tolist()
    return Step(
        title="Wrong: on the scores, before the softmax",
        text="Here dropout is applied to the `scores`, before the softmax. A score of 0 is not a weight of 0: e^0 is "
        "1, and the row still has to sum to 1. So a dropped token still gets weight, more than before if its score "
        "was negative, and the whole row shifts with it.",
        show=[
            head.pairs("scores", scores, "scores × kept", hidden=head.future, marks=marks, cell=28, note=MASK_NOTE),
            head.pairs(
                "pattern",
                pattern,
                "what the softmax makes of them",
                color="probability",
                hidden=head.future,
                marks=marks,
                cell=28,
                formula=Formula(
                    kind="softmax",
                    a=Operand(name="scores", values=scores.where(head.visible, -math.inf), letters="TS"),
                    over="S",
                ),
            ),
            risen(head, pattern, fallen),
        ],
        code=[code_of(z_with_dropout, 'if place == "scores"')],
        question=Question(
            prompt="Dropout sets one of the scores to 0, then the softmax follows. What weight does that token get?",
            options=[
                Option(
                    "a weight that is not 0",
                    True,
                    "Softmax turns it into e^0 = 1, divided by the sum of the row. Only -∞ would give 0.",
                ),
                Option("0", False, "e^0 is 1, not 0. To hide a token, its score must be -∞: that is what the mask does."),
                Option("1", False, "e^0 is 1, but then the softmax divides by the sum of the row."),
            ],
        ),
    )  # fmt: skip


MASK_NOTE = "Dropped before the mask. After it, -∞ × 0 would be NaN, not a number, and spoil the whole row."


def risen(head: Dropped, pattern, fallen) -> Facts | Message:
    """The dropped score whose weight changes most."""
    if not fallen.any():
        return Message(text="", words="No visible score was dropped in this draw: try another seed or a higher rate.")
    change = ((pattern - head.eval_pattern).abs() * fallen).argmax()
    i, j = divmod(int(change), head.T)
    scores = head.products[i, j] / math.sqrt(head.D)
    return Facts(
        facts=[
            (f"score that “{head.labels[i]}” gives “{head.labels[j]}”", f"{float(scores):.2f} becomes 0", ""),
            ("its weight, in eval mode", f"{float(head.eval_pattern[i, j]):.4f}", "right"),
            ("its weight, though it was dropped", f"{float(pattern[i, j]):.4f}", "wrong"),
        ]
    )


def every_place(head: Dropped) -> Step:
    import torch

    z = head.of_head("z")
    means = torch.stack([mean - z for mean, _ in head.placements.values()])  # (N, T, D)
    off, spread = off_by(head, z)
    return Step(
        title="Every other place, tried",
        text=f"The cells show the head's mean result over {DRAWS} draws with dropout in each place, minus `z` of eval "
        "mode. After the softmax there are only products and sums, so chance averages out. Before the softmax, "
        "which is not linear, dropout shifts the mean. On v or z the mean stays the same, yet GPT-2 drops neither."
        + (" (With a single token every weight is 1, whatever its score: type a longer text.)" if head.T == 1 else ""),
        show=[
            Panel(
                name="mean - z",
                values=means,
                letters=("", "T", "D"),
                title="only noise where the expected value stays the same",
                rows=head.labels,
                blocks=[f"dropout on {place}" for place in PLACES],
            ),
            Bars(
                title="How far the mean is off, in standard errors: about 1 is chance",
                names=list(PLACES),
                series={"off by": off},
                decimals=1,
            ),
            Bars(
                title="How much a single draw differs from the mean, in % of z",
                names=list(PLACES),
                series={"spread": spread},
                decimals=0,
                unit="%",
            ),
        ],
        code=[code_of(z_with_dropout, *(f'if place == "{place}"' for place in PLACES))],
        question=place_question() if head.acts and head.T > 1 else None,
    )


def off_by(head: Dropped, z) -> tuple[list[float], list[float]]:
    """For each place: the distance of mean and eval in standard errors, and the spread of a draw in % of z."""
    off, spread = [], []
    for mean, error in head.placements.values():
        varies = error > 0
        distance = ((mean - z) / error)[varies].square().mean().sqrt() if varies.any() else 0
        off.append(float(distance))
        spread.append(
            float(
                100
                * error.square().mean().sqrt()
                * math.sqrt(DRAWS)
                / z.double().square().mean().sqrt().clamp_min(1e-12)
            )
        )
    return off, spread


def place_question() -> Question:
    return Question(
        prompt="With dropout in one of these places the head's expected result is no longer that of eval mode. Which one?",
        options=[
            Option(
                "the scores",
                True,
                "Softmax is not linear: the mean of its results is not its result for the mean.",
            ),
            Option(
                "the pattern",
                False,
                "The right place: z is a weighted sum, and the means of the weights stay the same.",
            ),
            Option(
                "v",
                False,
                "z is a weighted sum of values, and the means of the values stay the same, so the mean of z does too.",
            ),
            Option(
                "z",
                False,
                "Each number is 0 or divided by 1 - p: its mean stays the same. Still, GPT-2 does not do this.",
            ),
        ],
    )


def left_on(head: Dropped) -> Step:
    runner, scene = head.scene.runner, head.scene
    ids = tuple(scene.recorded.ids)
    series = {"eval": next_of(runner, ids)}
    series |= {f"train, seed {seed}": next_of(runner, ids, head.p, seed) for seed in SEEDS[:2]}
    losses = loss_in(runner), loss_in(runner, head.p)
    return Step(
        title="Training mode left on by accident",
        source=f"{OWN} Losses are means over {HELD_OUT} other texts.",
        text=f"A finished model, but `model.eval()` was forgotten: every dropout acts, with p = {head.p:g}, in "
        "attention, MLP and embedding. The same text gets different predictions each time, and nothing raises an "
        "error. (What runs is a copy: this page's model stays in eval mode.)",
        show=[
            next_token_bars(runner, series, title=f"What comes after {'the first ' if cut(scene) else 'your '}{head.T} tokens"),
            Facts(
                facts=[
                    (f"loss on {HELD_OUT} unseen texts, eval", f"{losses[0]:.3f} nats", "right"),
                    ("train mode left on, seed 1", f"{losses[1]:.3f} nats", "wrong" if head.acts else ""),
                ]
            ),
        ],
        code=[code_of(left_in_training, ".train()", "module.p = p"), code_of(drop_in_training, "if module.training")],
        question=mode_question() if head.acts else None,
    )  # fmt: skip


def mode_question() -> Question:
    return Question(
        prompt="A trained model is used with `model.train()` still on. How can you tell?",
        options=[
            Option(
                "two runs on one text differ",
                True,
                "Each run draws new random numbers. In eval mode two runs agree: the quickest test there is.",
            ),
            Option("torch raises an error", False, "Training mode is a valid mode: torch cannot know that you did not want it."),
            Option("all logits become 0", False, "Some numbers become 0, and others grow: enough to blur the result."),
        ],
    )  # fmt: skip


def cut(scene: Scene) -> bool:
    return scene.recorded.total > len(scene.recorded.ids)


@lru_cache(maxsize=32)
def next_of(runner: Runner, ids: tuple[int, ...], p: float | None = None, seed: int = 1):
    """Probabilities of the next token, (V,); in training mode at rate p, if one is given."""
    import torch

    with in_mode(runner, p, seed) as model:
        return model(torch.tensor([ids]))[0, -1].softmax(-1)


@cache
def loss_in(runner: Runner, p: float | None = None) -> float:
    """Held-out loss, which does not depend on the learner's text; in training mode at rate p, if one is given."""
    with in_mode(runner, p, SEEDS[0]) as model:
        return held_out_loss(runner, model)


@contextmanager
def in_mode(runner: Runner, p: float | None, seed: int) -> Iterator:
    """The model in eval mode, or a copy in training mode. Watched, its attention runs in steps: the fused kernel would
    take its draws from everybody's random numbers."""
    import torch

    from llm_core import record

    with runner.alone(), torch.inference_mode():
        model = runner.model if p is None else left_in_training(runner.model, p, seed)
        with record(model, ["blocks.*.attn.pattern"]):
            yield model


def controls(runner: Runner) -> list[Control]:
    with_head = tuple(range(1, STEPS))  # all but the last
    rate = Control(
        name="rate",
        label="Dropout rate",
        kind="slider",
        value=RATE,
        least=0,
        most=MOST,
        info="percent",
        steps=tuple(range(2, STEPS + 1)),
    )
    seed = Control(name="seed", label="Seed", kind="slider", value=1, least=1, most=20, steps=(2, 4, 5, 6, 7))
    return [layer_control(runner, LAYER, with_head), head_control(runner, HEAD, with_head), rate, seed]


LESSON = Lesson(
    id="dropout",
    title="Where dropout goes",
    summary="The two places, and what any other place would change.",
    build=build,
    num_steps=STEPS,
    controls=controls,
)
