"""Lesson 3: one head, step by step. From x to q, k and v, to scores, to the pattern, to what the layer adds.

Everything is recorded from the trained model, or recomputed from what was recorded and the weights; every cell can
be clicked, and says how it was computed.
"""

from functools import cached_property

from ..lesson import Bars, Control, Facts, Formula, Lesson, Message, Operand, Option, Panel, Question, Scene, Step
from ..questions import distinct
from ..settings import head_control, layer_control
from ..source import code_of

SEED = 1  # of the dropout that is shown
GPT2_RATE = 0.1  # shown for a model that was trained without dropout


class Head:
    """One head of one layer at work on the learner's text. All tensors are those of a batch of one, without the B."""

    def __init__(self, scene: Scene):
        self.scene, self.layer, self.head = scene, scene.inputs["layer"], scene.inputs["head"]
        self.trace, self.labels = scene.recorded.trace, scene.labels
        self.attn = scene.model.blocks[self.layer].attn
        self.T, self.C = self.x.shape
        self.H, self.D = self.attn.n_head, self.C // self.attn.n_head
        self.last = self.T - 1

    def name(self, point: str, *index: str) -> str:
        """The recorded tensor and index behind a cell: "blocks.2.attn.q[0, 3, {0}, {1}]"."""
        return f"blocks.{self.layer}.{point}[{', '.join(('0', *index))}]"

    def recorded(self, point: str):
        return self.trace[f"blocks.{self.layer}.{point}"][0]

    @cached_property
    def x(self):
        return self.recorded("ln_1")  # (T, C)

    def of_head(self, point: str):
        return self.recorded(f"attn.{point}")[self.head]

    def weight(self, layer) -> tuple:
        """The rows of a projection that belong to this head: (D, C) and (D,) or None."""
        rows = slice(self.head * self.D, (self.head + 1) * self.D)
        return layer.weight[rows], None if layer.bias is None else layer.bias[rows]

    @cached_property
    def products(self):
        """q k^T before anything is done to it, (T, S)."""
        return self.of_head("q") @ self.of_head("k").T

    @cached_property
    def future(self):
        """(T, S), True where the mask hides a key."""
        import torch

        return torch.ones(self.T, self.T, dtype=torch.bool).triu(1)

    @cached_property
    def looks_at(self) -> int:
        """The place that the last token looks at most."""
        return int(self.of_head("pattern")[self.last].argmax())

    def token(self, place: int) -> str:
        return f"“{self.labels[place]}” (position {place})"

    # panels that several steps show

    def vectors(self, name: str) -> Panel:
        """q, k or v, (T, D)."""
        weight, bias = self.weight(getattr(self.attn, f"{name}_proj"))
        return Panel(
            name=name,
            values=self.of_head(name),
            letters="TD",
            title={"q": "queries", "k": "keys", "v": "values"}[name],
            where=self.name(f"attn.{name}", str(self.head), "{0}", "{1}"),
            rows=self.labels,
            formula=Formula(
                kind="products",
                a=Operand(name="x", values=self.x, letters="TC"),
                b=Operand(name=f"W_{name}", values=weight, letters="DC"),
                bias=None if bias is None else Operand(name=f"b_{name}", values=bias, letters="D"),
                over="C",
            ),
            cell=17,
        )

    def pairs(self, name: str, values, title: str, **more) -> Panel:
        """Something for every pair of a query and a key, (T, S)."""
        return Panel(
            name=name,
            values=values,
            letters="TS",
            title=title,
            rows=self.labels,
            columns=self.labels,
            family="pairs",
            **{"cell": 36, **more},
        )

    def scores(self) -> Panel:
        return self.pairs(
            "scores",
            self.products / self.D**0.5,
            "scaled",
            formula=Formula(
                kind="quotient",
                a=Operand(name="q @ kᵀ", values=self.products, letters="TS"),
                number=self.D**0.5,
                number_text=f"√{self.D}",
            ),
        )

    def pattern(self, **more) -> Panel:
        return self.pairs(
            "pattern",
            self.of_head("pattern"),
            "attention: every row sums to 1",
            color="probability",
            hidden=self.future,
            where=self.name("attn.pattern", str(self.head), "{0}", "{1}"),
            formula=Formula(
                kind="softmax", a=Operand(name="scores", values=self.of_head("scores"), letters="TS"), over="S"
            ),
            **more,
        )


def build(scene: Scene) -> list[Step]:
    head = Head(scene)
    return [
        rows_of_numbers(head),
        three_vectors(head),
        one_product(head),
        all_products(head),
        scaled(head),
        masked(head),
        softmax_of_a_row(head),
        whole_pattern(head),
        dropout(head, scene.inputs["mode"]),
        mixed(head),
        merged(head),
        projected(head),
    ]


def attention_code(*marked: str):
    from llm_core.model.attention import MultiHeadAttention

    return code_of(MultiHeadAttention._attend_in_steps, *marked)


def forward_code(*marked: str):
    from llm_core.model.attention import MultiHeadAttention

    return code_of(MultiHeadAttention.forward, *marked)


def rows_of_numbers(head: Head) -> Step:
    from llm_core.model.blocks import Block

    return Step(
        title="What comes in: a row of numbers for each token",
        text=f"`x` is the input of attention in layer {head.layer}, after the layer's first norm: {head.C} numbers "
        f"for each of the {head.T} tokens of your text. Hover over a cell to read it. Attention in this layer has "
        "not mixed the tokens yet: it is the step in which rows exchange information.",
        show=[x_panel(head)],
        code=[code_of(Block.forward, "self.attn(self.ln_1(x)")],
    )


def x_panel(head: Head) -> Panel:
    return Panel(
        name="x",
        values=head.x,
        letters="TC",
        title="the layer's input, normed",
        where=head.name("ln_1", "{0}", "{1}"),
        rows=head.labels,
    )


def three_vectors(head: Head) -> Step:
    from llm_core.model.attention import MultiHeadAttention

    return Step(
        title="Three vectors for every token",
        text="Each row of `x` is turned into a query `q` (what am I looking for?), a key `k` (what can I be found "
        f"by?) and a value `v` (what do I pass on?). Head {head.head} has {head.D} numbers of each. Click a cell to "
        "see how it was computed: a row of `x` times a row of learned weights.",
        show=[head.vectors("q"), head.vectors("k"), head.vectors("v")],
        code=[
            forward_code("q = self.q("),
            code_of(MultiHeadAttention._keys_and_values, "k = self.k(", "v = self.v("),
        ],
        question=Question(
            prompt=f"`x` has {head.C} numbers for each token and the model has {head.H} heads. How many numbers does one "
            "head's query have?",
            options=distinct(
                Option(str(head.D), True, f"D = C / H = {head.C} / {head.H}: the heads share the width."),
                Option(str(head.C), False, "All heads together have that many; each head gets its share."),
                Option(str(head.H), False, "That is the number of heads."),
                Option(str(head.T), False, "That is the number of tokens: each of them has a query."),
            ),
        ),
    )


def one_product(head: Head) -> Step:
    i, j = head.last, head.looks_at
    q, k = head.of_head("q")[i], head.of_head("k")[j]

    def row(name: str, values, title: str, point: str = "", place: int = 0, formula: Formula | None = None) -> Panel:
        where = head.name(f"attn.{point}", str(head.head), str(place), "{0}") if point else ""
        return Panel(name=name, values=values, letters="D", title=title, where=where, formula=formula, cell=19)

    product = Formula(
        kind="product",
        a=Operand(name="query", values=q, letters="D"),
        b=Operand(name="key", values=k, letters="D"),
    )
    return Step(
        title="One dot product, number by number",
        text=f"How strongly should {head.token(i)} attend to {head.token(j)}? Multiply the `query` of the first token "
        f"by the `key` of the second, number by number, and add up the {head.D} products. Where both numbers have "
        "the same sign, the sum grows; otherwise it shrinks.",
        show=[
            row("query", q, f"q of {head.token(i)}", "q", i),
            row("key", k, f"k of {head.token(j)}", "k", j),
            row("products", q * k, "query × key", formula=product),
            Facts(facts=[("the sum of the products", f"{(q * k).sum().item():.4f}", "")]),
        ],
        code=[attention_code("scores = q @ k")],
    )


def all_products(head: Head) -> Step:
    shape = f"(T={head.T}, S={head.T})"
    return Step(
        title="All pairs at once",
        text="One matrix product computes that sum for every query (row) and every key (column). Click a cell to see its "
        f"{head.D} products. The letter S stands for tokens in their role as keys.",
        show=[
            head.pairs(
                "q @ kᵀ",
                head.products,
                "not yet scaled",
                formula=Formula(
                    kind="products",
                    a=Operand(name="q", values=head.of_head("q"), letters="TD"),
                    b=Operand(name="k", values=head.of_head("k"), letters="SD"),
                    over="D",
                ),
            )
        ],
        code=[attention_code("scores = q @ k")],
        question=Question(
            prompt=f"`q` and `k` are (T={head.T}, D={head.D}) each. What is the shape of `q @ k.transpose(-2, -1)`?",
            options=distinct(
                Option(shape, True, "One number for each pair of a query and a key; D is summed away."),
                Option(
                    f"(D={head.D}, D={head.D})",
                    False,
                    "That would be `q.transpose(-2, -1) @ k`: it sums over tokens, and no pair of tokens is left.",
                ),
                Option(
                    f"(T={head.T}, D={head.D})",
                    False,
                    "Multiplying cell by cell keeps the shape; a matrix product sums over D.",
                ),
            ),
        ),
    )


def scaled(head: Head) -> Step:
    rows = {"scaled": head.products[head.last] / head.D**0.5, "not scaled": head.products[head.last]}
    shares = {name: row.softmax(-1).tolist() for name, row in rows.items()}
    most = {name: max(row) for name, row in shares.items()}
    return Step(
        title="Scaled by √D",
        text=f"A score is a sum of D = {head.D} products. If they vary independently, the spread of the sum grows "
        f"with √D, not with D, and softmax turns large differences into nearly all or nothing. Dividing by √{head.D} "
        f"≈ {head.D**0.5:.2f} keeps the spread of `scores` the same whatever D is. The bars show the last token's "
        "weights with and without the scale.",
        show=[
            head.scores(),
            Bars(
                title=f"Where {head.token(head.last)} would look",
                names=[f"{place} {label}" for place, label in enumerate(head.labels)],
                series=shares,
            ),
        ],
        code=[attention_code("scores = q @ k")],
        question=Question(
            prompt="Without the scale, what happens to the largest weight of a row?",
            options=[
                Option(
                    "it grows or stays",
                    True,
                    f"Larger differences make softmax sharper: here {most['scaled']:.3f} becomes {most['not scaled']:.3f}.",
                ),
                Option("it shrinks", False, "Smaller scores make weights more equal, and these scores are larger."),
                Option(
                    "nothing",
                    False,
                    "Softmax ignores a number added to all scores, but not one that multiplies all of them.",
                ),
            ],
        ),
    )


def masked(head: Head) -> Step:
    return Step(
        title="Masked: no token sees the future",
        text="This model predicts the next token, so no token may see a later one. The hatched `scores` become -∞. "
        "The first token sees only itself; the last token sees all tokens.",
        show=[
            head.pairs(
                "scores",
                head.of_head("scores"),
                "scaled and masked",
                hidden=head.future,
                where=head.name("attn.scores", str(head.head), "{0}", "{1}"),
                formula=Formula(
                    kind="hidden",
                    a=Operand(name="scores", values=head.products / head.D**0.5, letters="TS"),
                ),
            )
        ],
        code=[attention_code("scores = scores.where(")],
        question=Question(
            prompt="Which number must a hidden score get, so that its weight after the softmax is 0?",
            options=[
                Option("-∞", True, "e^-∞ is exactly 0, and the other weights of the row still sum to 1."),
                Option("0", False, "e^0 is 1: a score of 0 is an ordinary score and would still get weight."),
                Option("-1", False, "e^-1 is 0.37: less, but not 0."),
            ],
        ),
    )


def softmax_of_a_row(head: Head) -> Step:
    import torch

    row = head.of_head("scores")[head.last]  # (S,)
    largest = row.max()
    powers = (row - largest).exp()
    total = powers.sum()

    def line(name: str, values, formula: Formula | None = None, **more) -> Panel:
        return Panel(name=name, values=values, letters="S", columns=head.labels, formula=formula, cell=44, **more)

    score = Operand(name="row", values=row, letters="S")
    return Step(
        title="Softmax, written out for one row",
        text=f"The `row` of {head.token(head.last)}: subtract the largest score from every score (this keeps the "
        "numbers small and does not change the result), raise e to each difference, and divide by the sum. The "
        "results are positive and sum to 1.",
        show=[
            line("row", row, where=head.name("attn.scores", str(head.head), str(head.last), "{0}"), title="scores"),
            line(
                "row - largest",
                row - largest,
                Formula(
                    kind="difference", a=score, b=Operand(name="largest", values=torch.stack([largest]), letters="")
                ),
            ),
            line(
                "e^(row - largest)",
                powers,
                Formula(kind="power", a=score, number=float(largest)),
                color="probability",
            ),
            line(
                "weights",
                powers / total,
                Formula(kind="softmax", a=score, over="S"),
                color="probability",
                where=head.name("attn.pattern", str(head.head), str(head.last), "{0}"),
            ),
            Facts(facts=[("largest", f"{largest:.4f}", ""), ("sum of e^…", f"{total:.4f}", "")]),
        ],
        code=[attention_code("pattern = F.softmax(")],
        question=Question(
            prompt="Add 5 to every score of the row. What happens to its weights?",
            options=[
                Option("nothing", True, "e^5 appears in numerator and denominator: it cancels."),
                Option("all grow", False, "They must still sum to 1, so they cannot all grow."),
                Option(
                    "the largest grows",
                    False,
                    "That happens when scores are multiplied; a number added to all of them cancels.",
                ),
            ],
        ),
    )


def whole_pattern(head: Head) -> Step:
    return Step(
        title="The pattern: which token attends to which",
        text="Softmax does the same to every row. `pattern` is what pictures of attention show: row = query token, "
        "column = key token. Click a cell to see its row's softmax in full.",
        show=[head.pattern()],
        code=[attention_code("pattern = F.softmax(")],
    )


def dropout(head: Head, mode: str) -> Step:
    import torch
    from torch.nn import functional as F

    p, pattern = head.attn.attn_dropout.p or GPT2_RATE, head.of_head("pattern")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        kept = F.dropout(torch.ones_like(pattern), p, training=mode == "train")  # 1/(1-p), or 0 where dropped
    number_of_dropped = int(((kept == 0) & ~head.future).sum())
    words = {
        "eval": "In eval mode, as here, dropout does nothing: `dropped` is `pattern`. Switch to training above to see it act.",
        "train": f"In training, each weight is set to 0 with probability {p:g}, and the others are divided by "
        f"{1 - p:g} so that the expected value stays the same. This draw dropped {number_of_dropped} of the visible "
        "weights (outlined).",
    }
    if not head.attn.attn_dropout.p:
        words["train"] += f" (This model was trained without dropout; {p:g} is GPT-2's rate.)"
    return Step(
        title="Dropout, in training only",
        text=words[mode] + " The next steps continue in eval mode.",
        show=[
            head.pairs(
                "dropped",
                pattern * kept,
                f"{mode} mode",
                color="probability",
                hidden=head.future,
                marks=((kept == 0) & ~head.future).nonzero().tolist(),
                formula=Formula(
                    kind="product",
                    a=Operand(name="pattern", values=pattern, letters="TS"),
                    b=Operand(name="kept", values=kept, letters="TS"),
                ),
            )
        ],
        code=[attention_code("self.attn_dropout(pattern)")],
    )


def mixed(head: Head) -> Step:
    question = whose_value_counts_most(head)
    return Step(
        title="Weights mix values",
        text="Each row of `z` is a mixture of the rows of `v`, weighted by the same row of the `pattern`. This is "
        "exactly what a token learns from the others in this head.",
        show=[head.pattern(cell=18), head.vectors("v"), z_panel(head)],
        code=[attention_code("self.attn_dropout(pattern)")],
        question=question if len(question.options) > 1 else None,
    )


def whose_value_counts_most(head: Head) -> Question:
    """Decided by weight × length of the value: a large weight on a short value adds little (Kobayashi et al. 2020)."""
    row, lengths = head.of_head("pattern")[head.last], head.of_head("v").norm(dim=-1)
    added = row * lengths  # (T,)
    order = added.argsort(descending=True).tolist()
    most, heaviest = order[0], int(row.argmax())

    def told(place: int) -> str:
        return f"{row[place]:.3f} × {lengths[place]:.2f} = {added[place]:.3f}"

    beyond = "" if heaviest == most else " Its weight is not the largest of the row, but its value vector is longer."
    right = Option(head.token(most), True, f"Weight × length of its `v`: {told(most)}, the largest.{beyond}")
    others = dict.fromkeys(place for place in (heaviest, *order[1:2], order[-1]) if added[place] < added[most])
    wrong = [
        Option(head.token(place), False, f"Weight × length: {told(place)}. {told(most)} is more.") for place in others
    ]
    return Question(
        prompt=f"Which token adds the longest vector, weight × `v`, to the last row of `z`, that of {head.token(head.last)}?",
        options=distinct(right, *wrong),
    )


def z_panel(head: Head) -> Panel:
    return Panel(
        name="z",
        values=head.of_head("z"),
        letters="TD",
        title="mixed values",
        where=head.name("attn.z", str(head.head), "{0}", "{1}"),
        rows=head.labels,
        family="z",
        origin=z_origins(head)[head.head],
        formula=Formula(
            kind="products",
            a=Operand(name="pattern", values=head.of_head("pattern"), letters="TS"),
            b=Operand(name="v", values=head.of_head("v"), letters="SD"),
            over="S",
        ),
        cell=17,
    )


def z_origins(head: Head):
    """A number for each cell of z of all heads, (H, T, D)."""
    import torch

    return torch.arange(head.H * head.T * head.D).view(head.H, head.T, head.D)


def merged(head: Head) -> Step:
    from llm_core.model.attention import merge_heads

    first, last = head.head * head.D, (head.head + 1) * head.D - 1
    return Step(
        title="All heads side by side",
        text=f"The {head.H} heads have worked in parallel. Their `z` are put side by side again: columns {first} to "
        f"{last} of `merged` come from this head, the others from the other heads. Every token has {head.C} numbers "
        "again.",
        show=[
            z_panel(head),
            Panel(
                name="merged",
                values=merge_heads(head.recorded("attn.z")[None])[0],
                letters="TC",
                title=f"head {head.head} is in columns {first} to {last}",
                rows=head.labels,
                family="z",
                origin=merge_heads(z_origins(head)[None])[0],
            ),
        ],
        code=[code_of(merge_heads, "x = x.transpose(1, 2)", "return x.reshape("), forward_code("merge_heads(z)")],
    )


def projected(head: Head) -> Step:
    from llm_core.model.attention import merge_heads

    layer = head.attn.out_proj
    bias = None if layer.bias is None else Operand(name="b_out", values=layer.bias, letters="C")
    return Step(
        title="Projected, and added to the stream",
        text=f"One more matrix of learned weights mixes the {head.C} numbers of each token: this combines what the "
        "heads found. `out` is added to the token's row of the residual stream, and the MLP continues from there. "
        "That is all there is to attention.",
        show=[
            Panel(
                name="out",
                values=head.recorded("attn.out"),
                letters="TC",
                title="what this layer's attention adds",
                where=head.name("attn.out", "{0}", "{1}"),
                rows=head.labels,
                formula=Formula(
                    kind="products",
                    a=Operand(name="merged", values=merge_heads(head.recorded("attn.z")[None])[0], letters="TK"),
                    b=Operand(name="W_out", values=layer.weight, letters="CK"),
                    bias=bias,
                    over="K",
                ),
            ),
            Message(text="", words="Next: the same for all heads at once, and why nobody loops over them."),
        ],
        code=[forward_code("merge_heads(z)")],
    )


def controls(runner) -> list[Control]:
    modes = [("eval", "eval"), ("train", "training")]
    return [
        layer_control(runner, 3),
        head_control(runner, 0),
        Control(name="mode", label="Mode", kind="choice", value="train", options=modes, steps=(9,)),
    ]


LESSON = Lesson(
    id="attention",
    title="One head, step by step",
    summary="From vectors to attention and back, every number with its formula.",
    build=build,
    num_steps=12,
    controls=controls,
)
