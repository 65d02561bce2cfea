"""A block: the residual stream, what each part reads from it and adds to it, and how the stream becomes logits.

All numbers are recorded from the model or recomputed from its weights; norm before and after were both trained.
"""

import math
from collections.abc import Sequence
from copy import deepcopy
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from ...engine.runner import Runner
from ..lesson import Bars, Control, Facts, Formula, Lesson, Operand, Option, Panel, Question, Scene, Step, readable
from ..questions import distinct
from ..settings import layer_control
from ..source import code_of
from ..training.norms import measured

if TYPE_CHECKING:
    from torch import Tensor

STEPS = 8
LAYER_STEPS = (2, 3, 5)
SHOWN = 12  # numbers of a row that are written out
NEURONS = 24
POINTS = [x / 2 for x in range(-8, 9)]  # where GELU is drawn
LIKELY = 6


class Road:
    """The residual stream of the learner's text through all layers."""

    def __init__(self, scene: Scene):
        self.scene, self.runner, self.model = scene, scene.runner, scene.model
        self.trace, self.labels, self.layer = scene.recorded.trace, scene.labels, scene.inputs["layer"]
        check_kind(self.runner)
        self.block = self.model.blocks[self.layer]
        self.T, self.C = self.stream(0).shape
        self.L = len(self.model.blocks)

    def stream(self, layer: int) -> "Tensor":
        """What comes to a layer, (T, C); L is what comes to the final norm."""
        return self.trace["embedding.sum" if layer == 0 else f"blocks.{layer - 1}.resid_post"][0]

    def of_layer(self, point: str) -> "Tensor":
        return self.trace[f"blocks.{self.layer}.{point}"][0]

    def where(self, point: str) -> str:
        return f"blocks.{self.layer}.{point}[0, {{0}}, {{1}}]"

    @property
    def before(self) -> str:
        """The recorded name of the layer's input."""
        name = "embedding.sum" if self.layer == 0 else f"blocks.{self.layer - 1}.resid_post"
        return f"{name}[0, {{0}}, {{1}}]"

    def wide(self, name: str, values: "Tensor", title: str, **more) -> Panel:
        return Panel(name=name, values=values, letters="TC", title=title, rows=self.labels, **more)

    def row(self, name: str, values: "Tensor", title: str, **more) -> Panel:
        """The first numbers of one row, (C,)."""
        return Panel(name=name, values=values[:SHOWN], letters="C", title=title, **{"cell": 48, **more})

    @cached_property
    def likely(self) -> list[int]:
        return self.trace["logits"][0, -1].topk(LIKELY).indices.tolist()

    @cached_property
    def likely_names(self) -> list[str]:
        return [readable(token) for token in self.runner.describe(self.likely)]


def check_kind(runner: Runner) -> None:
    """``ValueError`` for a model whose blocks are of another kind than those that are explained."""
    config = runner.model.config
    kind = (config.norm, config.post_norm, config.parallel, config.mlp, config.head)
    if kind != ("layer", False, False, "gelu_tanh", "tied"):
        raise ValueError(
            f"{runner.model_name} is built differently from GPT-2: this lesson shows blocks with LayerNorm before "
            "each part, a GELU MLP and a tied head"
        )


def build(scene: Scene) -> list[Step]:
    road = Road(scene)
    return [
        the_road(road),
        read_and_add(road),
        norm_of_a_row(road),
        before_or_after(road),
        mlp(road),
        gelu(road),
        final_norm(road),
        tied(road),
    ]


def length(x: "Tensor") -> float:
    """The mean length of the rows of x, (T, C)."""
    return float(x.norm(dim=-1).mean())


def the_road(road: Road) -> Step:
    from llm_core.model.architectures import Decoder

    names = [f"layer {i}" for i in range(road.L)]
    parts = {
        "attention": [length(road.trace[f"blocks.{i}.attn.out"][0]) for i in range(road.L)],
        "MLP": [length(road.trace[f"blocks.{i}.mlp.out"][0]) for i in range(road.L)],
        "stream": [length(road.stream(i + 1)) for i in range(road.L)],
    }
    return Step(
        title="The residual stream is a road",
        text=f"Every token has a row of {road.C} numbers that runs through the whole model: the residual stream. It "
        "begins as `x`, token plus position. No layer replaces it: each attention and each MLP reads it and adds "
        "its own result. The bars show the mean length of the rows.",
        show=[
            road.wide("x", road.stream(0), "the stream before layer 0", where="embedding.sum[0, {0}, {1}]"),
            Bars(title="Mean length of rows: what attention and MLP add, and the stream after both", names=names, series=parts, decimals=1),
        ],
        code=[code_of(Decoder.hidden, "x = block(")],
        question=Question(
            prompt=f"The model has {road.L} {'layer' if road.L == 1 else 'layers'}. How many times is something added "
            "to a token's row on its way through the model?",
            options=distinct(
                Option(str(2 * road.L), True, "Twice in each layer: by attention, and by the MLP."),
                Option(str(road.L), False, "A layer has two parts, and both add."),
                Option(str(road.T), False, "That is the number of rows: each of them has its own road."),
                Option("0", False, "If layers replaced the row, the first token's number would be lost at once."),
            ),
        ),
    )  # fmt: skip


def read_and_add(road: Road) -> Step:
    from llm_core.model.blocks import Block

    x, out, mid = road.stream(road.layer), road.of_layer("attn.out"), road.of_layer("resid_mid")
    t, c = road.T - 1, int(out[-1].abs().argmax())
    a, b = float(x[t, c]), float(out[t, c])
    return Step(
        title="Read a copy, add the result",
        text=f"In layer {road.layer} attention reads a normed copy of `x` and returns `out`; the stream continues as "
        "`x + out`. The MLP does the same with that sum. Without the sums, each part would have to pass on "
        "everything itself, and deep models would not learn. The gradient takes the same road back, unchanged.",
        show=[
            road.wide("x", x, "the layer's input", where=road.before),
            road.wide("out", out, "what attention adds", where=road.where("attn.out")),
            road.wide(
                "x + out",
                mid,
                "what the MLP reads next",
                where=road.where("resid_mid"),
                marks=[[t, c]],
                formula=Formula(
                    kind="sum",
                    a=Operand(name="x", values=x, letters="TC"),
                    b=Operand(name="out", values=out, letters="TC"),
                ),
            ),
        ],
        code=[code_of(Block.forward, "x + self.attn(self.ln_1(x)", "x + self.mlp(self.ln_2(x))")],
        question=Question(
            prompt=f"For the last token, number {c} of `x` is {a:.2f}, and attention's `out` has {b:.2f} there. What does the stream "
            "hold after attention?",
            options=distinct(
                Option(f"{float(mid[t, c]):.2f}", True, f"{a:.2f} + {b:.2f}: the stream is added to, never replaced."),
                Option(f"{b:.2f}", False, "Then everything from before attention would be lost."),
                Option(f"{a * b:.2f}", False, "Products are the gate of a gated MLP, not the residual connection."),
                Option(f"{a:.2f}", False, "Attention would have had no effect on anything."),
            ),
        ),
    )  # fmt: skip


def norm_of_a_row(road: Road) -> Step:
    import torch

    from llm_core.model.norms import norm_of

    norm, row = road.block.ln_1, road.stream(road.layer)[-1]  # (C,)
    mean, spread = row.mean(), (row.var(correction=0) + norm.eps).sqrt()
    centered = row - mean
    normed = centered / spread
    weight = norm.weight.detach()
    bias = torch.zeros_like(weight) if norm.bias is None else norm.bias.detach()

    def operand(name: str, values: "Tensor") -> Operand:
        return Operand(name=name, values=values, letters="C")

    root = float(normed.norm())
    return Step(
        title="LayerNorm: minus the mean, divided by the spread",
        text=f"This is the row of the last token in layer {road.layer}: the first {SHOWN} of its {road.C} numbers. "
        "Subtract the row's mean and divide by its standard deviation; then each number gets a learned weight and "
        "bias of its own. Each token is normed by itself. Only the copy that attention reads is normed: the stream "
        "stays as it is.",
        show=[
            road.row("row", row, "of the stream"),
            road.row(
                "row - mean",
                centered,
                "centered",
                formula=Formula(kind="difference", a=operand("row", row), b=Operand(name="mean", values=mean[None], letters="C")),
            ),
            road.row(
                "normed",
                normed,
                "divided by the standard deviation",
                formula=Formula(
                    kind="ratio", a=operand("row - mean", centered), b=Operand(name="std", values=spread[None], letters="C")
                ),
            ),
            road.row(
                "weighted",
                normed * weight,
                "times the learned weight",
                formula=Formula(kind="product", a=operand("normed", normed), b=operand("weight", weight)),
            ),
            road.row(
                "ln_1",
                road.of_layer("ln_1")[-1],
                "plus the learned bias: what attention reads",
                where=f"blocks.{road.layer}.ln_1[0, {road.T - 1}, {{0}}]",
                formula=Formula(kind="sum", a=operand("weighted", normed * weight), b=operand("bias", bias)),
            ),
            Facts(
                facts=[
                    ("mean", f"{float(mean):.4f}", ""),
                    ("standard deviation", f"{float(spread):.4f}", ""),
                    ("length of the row", f"{float(row.norm()):.2f}", ""),
                    ("of normed", f"{root:.2f}", ""),
                ]
            ),
        ],
        code=[code_of(norm_of, "nn.LayerNorm(")],
        question=how_long(road, row, root),
    )  # fmt: skip


def how_long(road: Road, row: "Tensor", root: float) -> Question:
    return Question(
        prompt=f"What is the length of the vector `normed`, the root of the sum of its C = {road.C} squared numbers?",
        options=distinct(
            Option(f"{root:.1f}", True, f"Its numbers have a mean square of 1, so it is √{road.C} = {math.sqrt(road.C):.1f} long."),
            Option("1.0", False, "The spread of its numbers is 1, not the length of the row."),
            Option(f"{float(row.norm()):.1f}", False, "That is the length before the norm, which makes all rows the same length."),
            Option(f"{road.C:.1f}", False, "That is the square of the length."),
        ),
    )  # fmt: skip


def before_or_after(road: Road) -> Step:
    from llm_core.model.blocks import Block, PostNormBlock

    runs = measured()
    ends = {f"{name}, rate {rate}": run["loss"][-1] for rate, orders in runs.items() for name, run in orders.items()}
    rate = next(iter(runs))
    steps = runs[rate]["norm before"]["steps"]
    final = {name: run["loss"][-1] for name, run in runs[rate].items()}
    better = min(final, key=lambda name: final[name])
    return Step(
        title="Norm before or after",
        source="The numbers are those of the small decoders, on articles that they were not trained on; your text plays no part.",
        text="The 2017 Transformer normed the stream itself, after each sum. Since GPT-2 the norm comes before each "
        "part and works on a copy, so nothing blocks the road from end to end. Both were trained here: two small "
        "decoders of 8 layers on a few articles, byte by byte, with the same batches. With the norm after the sum, "
        "the model learned little more than how frequent each byte is. Xiong et al. 2020 explain this by the "
        "gradients at the start of training.",
        show=[
            Bars(
                title=f"Held-out loss in nats per byte, learning rate {rate}",
                names=[f"{step} steps" for step in steps],
                series={name: run["loss"] for name, run in runs[rate].items()},
            ),
            Bars(title="Final loss, at both learning rates", names=list(ends), series={"loss": list(ends.values())}),
        ],
        code=[
            code_of(Block.forward, "x + self.attn(self.ln_1(x)", "x + self.mlp(self.ln_2(x))"),
            code_of(PostNormBlock.forward, "self.ln_1(self.resid_mid(", "self.ln_2(self.resid_post("),
        ],
        question=Question(
            prompt=f"8 layers, learning rate {rate}: which reaches the lower loss?",
            options=[
                Option(
                    name,
                    name == better,
                    f"{final[name]:.3f} against {final[other]:.3f}: "
                    + ("the gradient reaches every layer along the sums." if name == "norm before" else "here it did better."),
                )
                for name, other in (("norm before", "norm after"), ("norm after", "norm before"))
            ],
        ),
    )  # fmt: skip


def mlp(road: Road) -> Step:
    from llm_core.model.blocks import MLP

    pre, post = road.of_layer("mlp.pre"), road.of_layer("mlp.post")  # (T, 4C)
    chosen = post[-1].abs().topk(min(NEURONS, post.shape[1])).indices.sort().values
    layers = road.block.mlp
    count = sum(p.numel() for p in layers.parameters())
    attention = sum(p.numel() for p in road.block.attn.parameters())
    C, inner = road.C, post.shape[1]
    off = float((pre > 0).float().mean())
    ln_2 = road.of_layer("ln_2")
    bias = layers.up_proj.bias
    names = [str(i) for i in chosen.tolist()]

    def neurons(name: str, values: "Tensor", title: str, **more) -> Panel:
        return Panel(
            name=name,
            values=values[:, chosen],
            letters="TN",
            title=title,
            rows=road.labels,
            columns=names,
            family="neurons",
            cell=30,
            **more,
        )

    return Step(
        title="The MLP: each token for itself",
        text=f"Attention has moved information between tokens; the MLP works on each row alone. It widens {C} numbers "
        f"to {inner} neurons, applies GELU to each, and narrows them to {C} numbers again, which are added to the "
        f"stream. The pictures show the {len(names)} neurons that are strongest at the last token. {off:.0%} of all "
        "values are above 0 before GELU.",
        show=[
            neurons(
                "pre",
                pre,
                "before GELU",
                formula=Formula(
                    kind="products",
                    a=Operand(name="ln_2", values=ln_2, letters="TC"),
                    b=Operand(name="W_up", values=layers.up_proj.weight[chosen], letters="NC"),
                    bias=None if bias is None else Operand(name="b_up", values=bias[chosen], letters="N"),
                    over="C",
                ),
            ),
            neurons("post", post, "after GELU: negative numbers almost vanish"),
        ],
        code=[code_of(MLP.forward, "self.up_proj(x)", "self.activation(pre)", "self.down_proj(post)")],
        question=Question(
            prompt=f"The MLP has two matrices, ({inner}, {C}) and ({C}, {inner}), with their biases. How many "
            "parameters does it have?",
            options=distinct(
                Option(f"{count:,}", True, f"Attention has {attention:,}: the MLP has two thirds of a block's parameters."),
                Option(f"{attention:,}", False, "That is attention: four matrices of (C, C)."),
                Option(f"{C * inner:,}", False, "That is one matrix without its bias."),
                Option(f"{C + inner:,}", False, "A matrix has C × 4C numbers, not C + 4C."),
            ),
        ),
    )  # fmt: skip


def gelu(road: Road) -> Step:
    import torch
    from torch.nn import functional as F

    from llm_core.model.gated import activation_of

    x = torch.tensor(POINTS)
    exact, tanh = F.gelu(x), F.gelu(x, approximate="tanh")
    off = with_exact_gelu(road.runner, tuple(road.scene.recorded.ids))
    names = [f"{point:g}" for point in POINTS]

    def line(name: str, values: "Tensor", title: str, **more) -> Panel:
        return Panel(
            name=name, values=values, letters="K", title=title, columns=names, **{"cell": 46, "decimals": 4, **more}
        )

    at = float(F.gelu(torch.tensor(-1.0)))
    return Step(
        title="GELU, exact and with tanh",
        source="The rows are computed from the two formulas; only the change of a logit is the model's, for your text.",
        text="GELU is x times the probability that a normal variable is below x: nearly x for large x, nearly 0 for "
        "very negative x, with a smooth bend and a dip below 0 in between. GPT-2 uses an approximation with tanh, "
        "which is close but not the same function. A model should run with the version that it was trained with.",
        show=[
            line("exact", exact, "x · Φ(x)"),
            line("tanh", tanh, "the approximation"),
            line(
                "tanh - exact",
                tanh - exact,
                "their difference",
                formula=Formula(
                    kind="difference",
                    a=Operand(name="tanh", values=tanh, letters="K"),
                    b=Operand(name="exact", values=exact, letters="K"),
                ),
            ),
            Facts(facts=[("largest change of a logit if this model runs with the exact GELU", f"{off:.4f}", "")]),
        ],
        code=[code_of(activation_of, 'nn.GELU(approximate="tanh")')],
        question=Question(
            prompt="What is GELU(-1)?",
            options=distinct(
                Option(f"{at:.3f}", True, "-1 times the probability of being below -1, 0.159."),
                Option("0", False, "That is ReLU: it cuts off everything below 0."),
                Option("-1", False, "GELU lets positive numbers through, not negative ones."),
                Option(f"{-at:.3f}", False, "x is negative and a probability is not: the product is negative."),
            ),
        ),
    )  # fmt: skip


@lru_cache(maxsize=32)
def with_exact_gelu(runner: Runner, ids: tuple[int, ...]) -> float:
    """The largest change of a logit if the exact GELU takes the place of the approximation."""
    import torch

    with runner.alone(), torch.inference_mode():
        batch = torch.tensor([ids])
        return float((exact_copy(runner)(batch) - runner.model(batch)).abs().max())


@lru_cache(maxsize=2)
def exact_copy(runner: Runner):
    from torch import nn

    model = deepcopy(runner.model)
    for block in model.blocks:
        block.mlp.activation = nn.GELU()
    return model


def final_norm(road: Road) -> Step:
    import torch

    from llm_core.model.architectures import Decoder

    stream, normed = road.stream(road.L)[-1], road.trace["ln_f"][0, -1]  # (C,)
    with torch.inference_mode():
        p = {
            "with the norm": road.trace["logits"][0, -1].softmax(-1),
            "without": road.model.predict(stream[None, None])[0, 0].softmax(-1),
        }
    likely = list(dict.fromkeys(id for q in p.values() for id in q.topk(LIKELY // 2).indices.tolist()))
    most = {name: float(q.max()) for name, q in p.items()}
    lengths = [length(road.stream(i)[-1:]) for i in range(road.L + 1)]
    change = "larger" if most["without"] > most["with the norm"] else "smaller"
    return Step(
        title="The final norm: the head reads normed rows, too",
        text="Each part reads a normed copy, and so does the head. The stream itself was never normed: every layer "
        "added to it, and its length differs from token to token. A logit is a dot product with the row, so the "
        "head would mistake that length for certainty. ln_f brings all rows to the same scale, with weights that "
        "were learned for the head.",
        show=[
            Bars(
                title="Length of the last token's row",
                names=["embedding", *[f"after layer {i}" for i in range(road.L)], "after ln_f"],
                series={"length": [*lengths, float(normed.norm())]},
                decimals=1,
            ),
            Bars(
                title="The next token, with the final norm and without",
                names=[road.runner.tokenizer.piece(id) for id in likely],
                series={name: [float(q[id]) for id in likely] for name, q in p.items()},
            ),
        ],
        code=[code_of(Decoder.hidden, "return self.ln_f(")],
        question=Question(
            prompt=f"The largest probability after your text is {most['with the norm']:.3f}. Without the final norm, is the largest "
            "one larger or smaller?",
            options=[
                Option(name, name == change, f"It is {most['without']:.3f}: the model was not trained on rows like these.")
                for name in ("larger", "smaller")
            ],
        ),
    )  # fmt: skip


def tied(road: Road) -> Step:
    from llm_core.model.architectures import Stack

    table = road.model.lm_head.weight.detach()  # (V, C)
    V, C = table.shape
    rows = table[road.likely]  # (K, C)
    hidden, logits = road.trace["ln_f"][0, -1], road.trace["logits"][0, -1][road.likely]
    total = sum(p.numel() for p in road.model.parameters())
    return Step(
        title="One table, read twice: embedding and head",
        text=f"The head needs a row of {C} numbers for each of {V:,} tokens, and the embedding already has rows of "
        "that kind. Here both are the same matrix: `table` says what a token is at the input, and scores it as the "
        "next token at the output. A logit is the dot product of the normed last row and the token's row. Click a "
        "logit to see it.",
        show=[
            Panel(
                name="hidden",
                values=hidden,
                letters="C",
                title="the last token's row after the final norm",
                where=f"ln_f[0, {road.T - 1}, {{0}}]",
            ),
            Panel(
                name="table",
                values=rows,
                letters="KC",
                title=f"rows of the likeliest of {V:,} tokens",
                rows=road.likely_names,
            ),
            Panel(
                name="logits",
                values=logits,
                letters="K",
                title="hidden · row",
                columns=road.likely_names,
                cell=48,
                formula=Formula(
                    kind="products",
                    a=Operand(name="hidden", values=hidden, letters="C"),
                    b=Operand(name="table", values=rows, letters="KC"),
                    over="C",
                ),
            ),
            Facts(facts=[("parameters in all", f"{total:,}", ""), ("in the table", f"{V * C:,}", "")]),
        ],
        code=[code_of(Stack.tie, "self.lm_head.weight = ")],
        question=Question(
            prompt=f"V = {V:,}, C = {C}. How many parameters does sharing the table save?",
            options=distinct(
                Option(f"{V * C:,}", True, f"V × C: one whole matrix. The model has {total:,} in all."),
                Option(f"{2 * V * C:,}", False, "One of the two is still needed."),
                Option(f"{V + C:,}", False, "A table has a row of C numbers for every token."),
                Option("0", False, "Untied, the head would be a second matrix of the same size."),
            ),
        ),
    )  # fmt: skip


def controls(runner: Runner) -> Sequence[Control]:
    return [layer_control(runner, 2, LAYER_STEPS)]


LESSON = Lesson(
    id="block",
    title="A block, and the road through it",
    summary="The residual stream, norms, the MLP, and how the stream becomes logits.",
    build=build,
    num_steps=STEPS,
    controls=controls,
)
