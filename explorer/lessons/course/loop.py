"""Lesson 4: loop or batch. The heads one after the other, and all in one product: the same picture, another time, other
last digits, and a number of matrix products that gives the loop away.

What is called the batch here is the model's own attention, in steps. Times are taken on a click and at no other moment.
"""

import copy
import math
import statistics
import time
from collections.abc import Callable
from functools import cached_property

import numpy as np

from ...engine.runner import Runner
from ..lesson import (
    OWN,
    Bars,
    Control,
    Facts,
    Formula,
    Lesson,
    Message,
    Operand,
    Option,
    Panel,
    Question,
    Scene,
    Shown,
    Step,
)
from ..questions import distinct
from ..settings import layer_control
from ..source import code_of

STEPS, TIME_STEP = 7, 3
COUNTS = (1, 2, 4, 8, 16)  # of heads that are tried, where they divide C
ROUNDS, SECONDS = 40, 0.8  # of measuring at most,
LEAST_ROUNDS = 5  # but so many however long they take
STEADY = 1.5  # quartiles of one time further apart than this: something else was running
PRODUCTS = ("mm", "bmm", "addmm", "baddbmm", "matmul", "linear", "einsum", "mv", "dot")
UNIT = 2.0**-23  # the gap between 1 and the next number that float32 has


def one_head_after_the_other(attn, x, visible):
    """What attention computes, with a loop over its heads: x (B, T, C) -> z, H times (B, T, D), and out (B, T, C)."""
    D = x.shape[-1] // attn.n_head
    z, out = [], 0 if attn.out_proj.bias is None else attn.out_proj.bias
    for head in range(attn.n_head):
        rows = slice(head * D, head * D + D)
        q, k, v = (part(layer, rows, x) for layer in (attn.q_proj, attn.k_proj, attn.v_proj))  # (B, T, D) each
        scores = q @ k.transpose(-2, -1) / math.sqrt(D)  # (B, T, S)
        pattern = scores.where(visible, -math.inf).softmax(dim=-1)
        z.append(pattern @ v)  # (B, T, D)
        out = out + z[head] @ attn.out_proj.weight[:, rows].T  # (B, T, C)
    return z, out


def part(layer, rows: slice, x):
    """Some rows of a projection: x (B, T, C) -> (B, T, D)."""
    from torch.nn import functional as F

    return F.linear(x, layer.weight[rows], None if layer.bias is None else layer.bias[rows])


def all_heads_at_once(attn, x):
    """The same without a loop, through the model's own functions: x (B, T, C) -> z (B, H, T, D) and out (B, T, C)."""
    from llm_core.model.attention import merge_heads, split_heads

    q, k, v = (split_heads(layer(x), attn.n_head) for layer in (attn.q_proj, attn.k_proj, attn.v_proj))
    z = attn._attend_in_steps(q, k, v, None, is_causal=True)  # (B, H, T, D)
    return z, attn.out_proj(merge_heads(z))


def count_products(function: Callable, *arguments: object) -> int:
    """How many matrix products torch is really asked for while ``function`` runs."""
    from torch.utils._python_dispatch import TorchDispatchMode

    seen = []

    class Listener(TorchDispatchMode):
        def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
            seen.append(operation.overloadpacket.__name__)
            return operation(*args, **(kwargs or {}))

    with Listener():
        function(*arguments)
    return sum(name in PRODUCTS for name in seen)


class Layer:
    """The attention of one layer on the learner's text, as the model computed it, and in a loop."""

    def __init__(self, scene: Scene):
        import torch

        self.scene, self.layer, self.labels = scene, scene.inputs["layer"], scene.labels
        self.attn = scene.model.blocks[self.layer].attn
        with torch.no_grad():
            self.x = self.recorded("ln_1").clone()  # (B, T, C); recorded tensors hide what a product is made of
            self.loop_z, self.loop_out = one_head_after_the_other(self.attn, self.x, self.visible)
        self.z, self.out = self.recorded("attn.z"), self.recorded("attn.out")
        _, self.H, self.T, self.D = self.z.shape
        self.C = self.x.shape[-1]

    def recorded(self, point: str):
        return self.scene.recorded.trace[f"blocks.{self.layer}.{point}"]

    @property
    def visible(self):
        from llm_core.model.masks import causal_mask

        return causal_mask(self.x.shape[1])[0]  # (1, T, S)

    def with_heads(self, n_head: int):
        """The layer's own weights, cut into another number of heads. The model keeps its number."""
        attn = copy.copy(self.attn)
        attn.n_head = n_head
        return attn

    @property
    def counts(self) -> list[int]:
        return sorted({H for H in (*COUNTS, self.H) if self.C % H == 0})

    @cached_property
    def products(self) -> dict[str, list[int]]:
        """Matrix products for each of ``counts``, counted while the functions run."""
        import torch

        with self.scene.runner.alone(), torch.no_grad():
            attns = [self.with_heads(H) for H in self.counts]
            return {
                "loop": [count_products(one_head_after_the_other, a, self.x, self.visible) for a in attns],
                "batch": [count_products(all_heads_at_once, a, self.x) for a in attns],
            }

    def times(self) -> tuple[dict[str, list[float]], int, float]:
        """Microseconds for each of ``counts``, medians of rounds in which both take turns; how many rounds; and the
        largest ratio of quartiles, which tells how steady they were."""
        import torch

        taken: dict[str, list[list[float]]] = {"loop": [[] for _ in self.counts], "batch": [[] for _ in self.counts]}
        visible, attns, rounds = self.visible, [self.with_heads(H) for H in self.counts], 0
        with self.scene.runner.alone(), torch.no_grad():
            for attn in attns:  # once for nothing: the first call of anything is slow
                one_head_after_the_other(attn, self.x, visible)
                all_heads_at_once(attn, self.x)
            end = time.perf_counter() + SECONDS
            while rounds < ROUNDS and (rounds < LEAST_ROUNDS or time.perf_counter() < end):
                for i, attn in enumerate(attns):
                    taken["loop"][i].append(seconds(one_head_after_the_other, attn, self.x, visible))
                    taken["batch"][i].append(seconds(all_heads_at_once, attn, self.x))
                rounds += 1
        medians = {name: [statistics.median(some) * 1e6 for some in lists] for name, lists in taken.items()}
        quartiles = [statistics.quantiles(some) for lists in taken.values() for some in lists]
        return medians, rounds, max(high / low for low, _, high in quartiles)

    @cached_property
    def drift(self):
        """out of the loop - out of the batch, (T, C)."""
        return (self.loop_out - self.out)[0]

    @cached_property
    def worst(self) -> tuple[int, int]:
        """Token and place of the largest difference."""
        return divmod(int(self.drift.abs().argmax()), self.C)

    @property
    def looked_at(self) -> tuple[int, int]:
        """The last token, and its largest number: the same on every machine, as ``worst`` is not."""
        return self.T - 1, int(self.out[0, -1].abs().argmax())

    @cached_property
    def stages(self) -> dict[str, tuple]:
        """Loop and batch, (loop, batch), at four stations of the way."""
        import torch

        q, k, v = (self.recorded(f"attn.{name}") for name in "qkv")  # (B, H, T, D)
        alike = [looped(q[:, h], k[:, h], v[:, h], self.visible) for h in range(self.H)]
        rows = [slice(h * self.D, (h + 1) * self.D) for h in range(self.H)]
        with torch.no_grad():
            own_q = torch.stack([part(self.attn.q_proj, cut, self.x) for cut in rows], dim=1)
            return {
                "z, given q, k, v": (torch.stack(alike, dim=1), self.z),
                "q, in parts": (own_q, q),
                "z, from that q": (torch.stack(self.loop_z, dim=1), self.z),
                "out, in parts": (self.loop_out, self.out),
            }


def looped(q, k, v, visible):
    """One round of the loop, from a q, k and v (B, T, D) that were projected for all heads together."""
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])  # (B, T, S)
    return scores.where(visible, -math.inf).softmax(dim=-1) @ v


def seconds(function: Callable, *arguments: object) -> float:
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def steps_apart(a: float, b: float) -> int:
    """How many numbers that float32 has one must go on to come from one to the other."""
    places = np.array([a, b], np.float32).view(np.int32).astype(np.int64)
    ordered = np.where(places < 0, -(places & 0x7FFFFFFF), places)
    return int(abs(ordered[0] - ordered[1]))


def build(scene: Scene) -> list[Step]:
    layer = Layer(scene)
    return [
        the_loop(layer),
        the_batch(layer),
        the_time(layer, measure=scene.inputs["measure"]),
        the_difference(layer),
        the_order(layer),
        where_it_comes_in(layer),
        how_tests_can_tell(layer),
    ]


def the_loop(layer: Layer) -> Step:
    return Step(
        title="One head after the other",
        text=f"The obvious way to write it is a loop. In each of its {layer.H} rounds one head gets its own `q`, `k` and `v`, "
        f"computes its attention, and appends a `z` of (T={layer.T}, D={layer.D}) numbers. Nothing is wrong with these "
        "numbers. Press Next to see them made without a loop.",
        show=[round_panel(layer, head) for head in range(layer.H)],
        code=[code_of(one_head_after_the_other, "for head in range", "z.append(")],
    )


def round_panel(layer: Layer, head: int) -> Panel:
    """What the loop has appended in one round; the cells go on to the batch."""
    size = layer.T * layer.D
    return Panel(
        name=f"z[{head}]",
        values=layer.loop_z[head][0],
        letters="TD",
        title=f"round {head}",
        limit=float(layer.z.abs().max()),
        origin=np.arange(head * size, (head + 1) * size).reshape(layer.T, layer.D),
        family="z",
        formula=weighted(layer, "TS", "SD", head),
        cell=7,
    )


def weighted(layer: Layer, pattern: str, values: str, head: int | None = None) -> Formula:
    """z = pattern @ v, of one head or of all."""
    of = (lambda point: layer.recorded(point)[0]) if head is None else (lambda point: layer.recorded(point)[0, head])
    return Formula(
        kind="products",
        a=Operand(name="pattern", values=of("attn.pattern"), letters=pattern),
        b=Operand(name="v", values=of("attn.v"), letters=values),
        over="S",
    )


def the_batch(layer: Layer) -> Step:
    B, H, T, D = layer.z.shape
    z = Panel(
        name="z",
        values=layer.z[0],
        letters="HTD",
        title="all heads in one tensor",
        where=f"blocks.{layer.layer}.attn.z[0, {{0}}, {{1}}, {{2}}]",
        origin=np.arange(H * T * D).reshape(H, T, D),
        rows=layer.labels,
        blocks=[f"head {h}" for h in range(H)],
        formula=weighted(layer, "HTS", "HSD"),
        cell=7,
    )
    scores = layer.recorded("attn.scores")[0]  # (H, T, S)
    return Step(
        title="All heads at once",
        text="After the split, `q` and `k` have a dimension for the heads. `@` multiplies the last two dimensions "
        "and treats all others as a batch: one call computes the `scores` of every head, a second call mixes every "
        "head's values. `z` is the same picture that the loop made.",
        show=[
            Panel(
                name="scores",
                values=scores,
                letters="HTS",
                title="of every head, scaled and masked",
                where=f"blocks.{layer.layer}.attn.scores[0, {{0}}, {{1}}, {{2}}]",
                hidden=~layer.visible.expand_as(scores),
                rows=layer.labels,
                blocks=[f"head {h}" for h in range(H)],
                cell=12,
            ),
            z,
        ],
        code=[batch_code("scores = q @", "self.attn_dropout(pattern) @ v")],
        question=ask(
            f"`q` is (B={B}, H={H}, T={T}, D={D}), and `k` has the same shape. How many times must Python call a matrix "
            "product to get the scores of all heads?",
            Option("1", True, "`@` treats everything before the last two dimensions as a batch of matrices."),
            Option(str(H), False, "That is the loop: one call for each head. `@` can do them in one call."),
            Option(
                str(H * T),
                False,
                "One for each head and token: but a matrix product takes all tokens of a head together.",
            ),
        ),
    )


def batch_code(*marked: str):
    from llm_core.model.attention import MultiHeadAttention

    return code_of(MultiHeadAttention._attend_in_steps, *marked)


def the_time(layer: Layer, measure: bool) -> Step:
    text = (
        "The numbers look the same. What about the time? The button runs the whole layer both ways, in turns, for "
        f"several numbers of heads H, on this machine, for your {layer.T} {count(layer.T, 'token')}. C stays "
        f"{layer.C}, so more heads means narrower heads, and the amount of arithmetic is nearly the same."
    )
    shown = measured(layer) if measure else [nothing_measured()]
    code = [code_of(one_head_after_the_other, "for head in range"), code_of(all_heads_at_once, "z = attn.")]
    source = f"{OWN} Times are those of this machine."
    return Step(title="How long each takes", text=text, show=shown, code=code, source=source)


def nothing_measured() -> Message:
    return Message(text="", words="Not measured yet. Press “Measure now”: it takes about a second.")


def measured(layer: Layer) -> list[Shown]:
    times, rounds, spread = steady_times(layer)
    ratios = [loop / batch for loop, batch in zip(times["loop"], times["batch"])]
    names = [f"H = {H}" for H in layer.counts]
    own, most = layer.counts.index(layer.H), len(names) - 1
    facts = [(f"loop : batch, with {names[i]}", f"{ratios[i]:.1f} ×", "") for i in dict.fromkeys((own, most))]
    facts.append(("medians of", f"{rounds} rounds", ""))
    title = f"One layer, T = {layer.T}, C = {layer.C}, on this machine, just now"
    return [
        Bars(title=title, names=names, series=times, decimals=0, unit="µs"),
        Facts(facts=facts),
        Message(
            text="",
            words=told_of_times(spread, ratios),
        ),
    ]


def steady_times(layer: Layer) -> tuple[dict[str, list[float]], int, float]:
    """The times, measured again where they were not steady; then the steadier ones."""
    first = layer.times()
    return first if first[-1] <= STEADY else min(first, layer.times(), key=lambda found: found[-1])


def told_of_times(spread: float, ratios: list[float]) -> str:
    if spread > STEADY:
        return (
            f"These numbers cannot be trusted: measured twice, some of them still vary by a factor of {spread:.1f}, so the "
            "machine is busy with something else. Measure again when it is idle."
        )
    if ratios[-1] <= ratios[0]:
        return "Here the loop does not get slower with more heads, although it usually does. Measure again."
    return (
        "Each call of torch costs a few microseconds, however small the tensors are. The loop pays that for every head, "
        "the batch only once. Click again: the numbers move a little, but the growth with H stays."
    )


def the_difference(layer: Layer) -> Step:
    t, c = layer.worst
    loop, batch = float(layer.loop_out[0, t, c]), float(layer.out[0, t, c])
    differing, cells = int((layer.drift != 0).sum()), layer.drift.numel()
    largest = (
        f"The largest difference is at `out[0, {t}, {c}]`: {loop - batch:.2e}."
        if differing
        else "This time there is none."
    )
    return Step(
        title="The same to the last bit?",
        text=f"Loop minus batch, for all {cells:,} numbers that the layer returns. {largest} float32 rounds each "
        "number to about seven digits. The rounding error is small compared with the products that are added. Where "
        "they cancel, it is large compared with their sum, and more than the last digit may differ. Click a cell to "
        "see both values.",
        show=[drift_panel(layer, differing), Facts(facts=drift_facts(layer, loop, batch, differing))],
        code=[
            code_of(one_head_after_the_other, "out = out + z[head]"),
            code_of(all_heads_at_once, "return z, attn.out_proj"),
        ],
        question=same_question(layer, differing),
    )


def drift_panel(layer: Layer, differing: int) -> Panel:
    """Differences in units of 2^-23. Times a power of two is exact, so no digit is lost."""
    return Panel(
        name="loop - batch",
        values=layer.drift / UNIT,
        letters="TC",
        title="times 2²³, so that 1 is the gap between 1 and the next float32 number",
        rows=layer.labels,
        marks=[layer.worst] if differing else [],
        formula=Formula(
            kind="difference",
            a=Operand(name="loop × 2²³", values=layer.loop_out[0] / UNIT, letters="TC"),
            b=Operand(name="batch × 2²³", values=layer.out[0] / UNIT, letters="TC"),
        ),
    )


def drift_facts(layer: Layer, loop: float, batch: float, differing: int) -> list[tuple[str, str, str]]:
    t, c = layer.worst
    share = f"{differing:,} of {layer.drift.numel():,}"
    if not differing:
        return [("numbers that differ", share, "")]
    return [
        ("numbers that differ", share, ""),
        (f"loop, out[0, {t}, {c}]", f"{loop:.9g}", ""),
        (f"batch, out[0, {t}, {c}]", f"{batch:.9g}", ""),
        ("apart, in float32 numbers", str(steps_apart(loop, batch)), ""),
    ]


def same_question(layer: Layer, differing: int) -> Question:
    share = f"{differing:,} of {layer.drift.numel():,} numbers differ"
    size = f"by at most {float(layer.drift.abs().max()):.1e}"
    equal = "Here they are: every single bit." if not differing else f"Close, but {share}, {size}."
    almost = f"{share}, {size}." if differing else "Often so, but not with this text and layer: here all bits agree."
    return Question(
        prompt="Loop and batch use the same weights and the same `x`. Is their `out` the same?",
        options=[
            Option("yes, to the last bit", not differing, equal),
            Option("almost: they differ by rounding", bool(differing), almost),
            Option(
                "no, a loop computes something else",
                False,
                "No head sees another head, so in the mathematics their order cannot matter.",
            ),
        ],
    )


def the_order(layer: Layer) -> Step:
    big = 2**24
    t, c = layer.looked_at
    return Step(
        title="Why: float32 rounds after every addition",
        text=f"`out[0, {t}, {c}]` is a sum of {layer.C} products, and a bias. A matrix product may add them in "
        "whatever order is fast, and the shapes of the matrices decide which. Below are these `products`, actually "
        "added in float32 in several orders. Each addition rounds, so another order may give a slightly different "
        "sum.",
        show=[products_panel(layer), Facts(facts=sums(layer))],
        code=[code_of(sums, "from_left =", "from_right =", "by_heads =", "exact =")],
        question=Question(
            prompt=f"float32 has no odd numbers above {big:,}. What is ({big:,} + 1) + 1 in float32?",
            options=[
                Option(
                    f"{int(np.float32(big) + np.float32(1) + np.float32(1)):,}",
                    True,
                    f"The first + 1 is rounded away, and so is the second. Yet {big:,} + (1 + 1) is "
                    f"{int(np.float32(big) + (np.float32(1) + np.float32(1))):,}: the order matters.",
                ),
                Option(f"{big + 2:,}", False, f"The true sum, and what {big:,} + (1 + 1) gives: brackets matter."),
                Option(f"{big + 1:,}", False, "float32 does not have this number: it is rounded to a neighbor."),
            ],
        ),
    )


def products_of(layer: Layer) -> np.ndarray:
    """What is added up to one number of out, (H, D): z times a row of the projection's weights."""
    t, c = layer.looked_at
    weight = layer.attn.out_proj.weight[c].detach().reshape(layer.H, layer.D)
    return (layer.z[0, :, t] * weight).numpy()


def products_panel(layer: Layer) -> Panel:
    t, c = layer.looked_at
    weight = layer.attn.out_proj.weight[c].detach().reshape(layer.H, layer.D)
    return Panel(
        name="products",
        values=products_of(layer),
        letters="HD",
        title=f"z × weight, for “{layer.labels[t]}” and column {c}",
        rows=[f"head {h}" for h in range(layer.H)],
        formula=Formula(
            kind="product",
            a=Operand(name="z", values=layer.z[0, :, t], letters="HD"),
            b=Operand(name="W_out", values=weight, letters="HD"),
        ),
    )


def sums(layer: Layer) -> list[tuple[str, str, str]]:
    products = products_of(layer)  # (H, D), float32
    from_left = np.add.accumulate(products.ravel())[-1]
    from_right = np.add.accumulate(products.ravel()[::-1])[-1]
    by_heads = np.add.accumulate(np.add.accumulate(products, axis=1)[:, -1])[-1]
    exact = products.sum(dtype=np.float64)
    return [
        ("from left to right", f"{from_left:.9g}", ""),
        ("from right to left", f"{from_right:.9g}", ""),
        ("each head, then the heads", f"{by_heads:.9g}", ""),
        ("with twice the digits", f"{exact:.12g}", ""),
    ]


def where_it_comes_in(layer: Layer) -> Step:
    shares = {name: float((a != b).float().mean()) * 100 for name, (a, b) in layer.stages.items()}
    alike, others = next(iter(shares.values())), list(shares.values())[1:]
    given = (
        "Given the batch's own q, k and v, the loop's `z` is equal to the last bit here. "
        if alike == 0
        else f"Even given the batch's own q, k and v, {alike:.0f} % of `z` differ here: a small product on its own "
        "may be added up in another order than the same product in a batch. "
    )
    then = (
        "“In parts” means that the heads are projected or added up one after the other: the products have other "
        "shapes, so last digits may change. "
        if any(others)
        else "With this text no stage differs; with longer texts, some do. "
    )
    largest = [float((a - b).abs().max()) / UNIT for a, b in layer.stages.values()]
    return Step(
        title="Where the difference comes in",
        text=f"{given}{then}Another machine or another number of threads may give other shares.",
        show=[
            Bars(
                title="Numbers that differ",
                names=list(shares),
                series={"share": list(shares.values())},
                decimals=1,
                unit="%",
            ),
            Bars(
                title="Largest difference, where 1 is 2⁻²³ ≈ 0.00000012",
                names=list(shares),
                series={"difference": largest},
                decimals=2,
            ),
        ],
        code=[code_of(looped, "softmax"), code_of(one_head_after_the_other, "q, k, v =", "out = out + z[head]")],
    )


def how_tests_can_tell(layer: Layer) -> Step:
    products, H = layer.products, layer.H
    own = layer.counts.index(H)
    loop, batch = products["loop"][own], products["batch"][own]
    return Step(
        title="How a test can tell",
        source="Counts depend on the number of heads, not on the model's numbers or your text.",
        text="The homework forbids the loop. Comparing to the last bit cannot detect it: correct batched code that "
        "projects q, k and v in one product, or uses einsum, rounds differently too. The number of matrix products "
        f"that torch is asked for does detect it; the bars count them. With H = {H} the loop asks for {loop}, the "
        f"batch for {batch}; only the loop's number grows with H.",
        show=[
            Bars(
                title="Matrix products in one layer, counted while it ran",
                names=[f"H = {n}" for n in layer.counts],
                series={name: [float(n) for n in numbers] for name, numbers in products.items()},
                decimals=0,
            )
        ],
        code=[code_of(count_products, "seen.append", "return sum(")],
        question=ask(
            f"The batch needs {batch} matrix products for a layer with H = {H}: for q, k, v, scores, z and out. How many "
            f"does the loop need?",
            Option(str(loop), True, f"All six in each round: {loop // H} × {H}."),
            Option(str(batch), False, "That is the number in each round, and there is a round for each head."),
            Option(
                str(4 + 2 * H),
                False,
                "That would be a loop over scores and z alone; this one projects in the loop too.",
            ),
            Option(str(loop * H), False, "A round uses one head's part of the weights, not those of all heads again."),
        ),
    )


def ask(prompt: str, *options: Option) -> Question | None:
    """A question, unless its wrong answers all read like the right one, as with one head."""
    kept = distinct(*options)
    return Question(prompt=prompt, options=kept) if len(kept) > 1 else None


def count(n: int, noun: str) -> str:
    return noun if n == 1 else f"{noun}s"


def controls(runner: Runner) -> list[Control]:
    button = Control(
        name="measure",
        label="Measure now",
        kind="action",
        value=False,
        info="about a second; each click measures again",
        steps=(TIME_STEP,),
    )
    return [layer_control(runner), button]


LESSON = Lesson(
    id="loop",
    title="Loop or batch",
    summary="The same heads, one after the other or all at once.",
    build=build,
    num_steps=STEPS,
    controls=controls,
)
