"""Masks: who may see whom. The causal mask, the padding mask, both at once, and what becomes of a row that sees nothing.

Two texts run through the model as one batch, padded on either side; what is shown of them is recorded or recomputed.
"""

import math
from functools import cached_property

from ..batch import BOTH_TEXTS, Padded, padded, rows_of, second_control
from ..lesson import Bars, Control, Facts, Formula, Lesson, Operand, Option, Panel, Question, Scene, Step
from ..questions import distinct
from ..settings import head_control, layer_control
from ..source import code_of

STEPS = 9
ROW_STEPS = (6, 7)
FILLS = {"-∞": -math.inf, "-1e4": -1e4, "-1": -1.0, "0": 0.0}
LIKELY = 5  # next tokens that are compared


def wrong_masks(T):
    import torch

    ones = torch.ones(T, T, dtype=torch.bool)
    return {"tril(1)": ones.tril(1), "tril(-1)": ones.tril(-1), "triu()": ones.triu()}


def both(causal, padding):
    return causal & padding  # (1, 1, T, S) and (B, 1, 1, S) -> (B, 1, T, S)


def rows_hidden(attention_mask):
    return attention_mask[:, None, :, None]  # (B, 1, T, 1)


def weights_with(scores, visible, number):
    return scores.where(visible, number).softmax(dim=-1)  # (T, S)


class Masked:
    """Both texts, padded on the right and on the left, and what the model makes of them."""

    def __init__(self, scene: Scene):
        self.scene, self.runner = scene, scene.runner
        self.layer, self.head = scene.inputs["layer"], scene.inputs["head"]
        self.rows = rows_of(scene)
        self.right, self.left = (padded(scene, self.rows, side) for side in ("right", "left"))
        self.T, self.length = len(self.rows[0]), len(self.rows[1])
        self.missing = self.T - self.length
        self.labels = scene.labels

    @cached_property
    def causal(self):
        from llm_core.model.masks import causal_mask

        return causal_mask(self.T)  # (1, 1, T, S)

    def padding(self, batch: Padded):
        from llm_core.model.masks import padding_mask

        return padding_mask(batch.mask)  # (B, 1, 1, S)

    def visible(self, batch: Padded):
        return both(self.causal, self.padding(batch))  # (B, 1, T, S)

    def logits(self, ids, mask=None, replaced: dict | None = None):
        """(B, T) -> (B, T, V), and what every layer hands on."""
        import torch

        from llm_core import intervene, record

        model, points = self.scene.model, ["blocks.*.resid_post", "blocks.*.attn.pattern"]
        changed = intervene(model, replaced or {})
        with self.runner.alone(), torch.inference_mode(), changed, record(model, points) as trace:
            logits = model(ids, mask)
        return logits, [trace[f"blocks.{i}.resid_post"] for i in range(len(model.blocks))]

    @cached_property
    def products(self):
        """q kᵀ / √D of one head on the second text, padded on the left, before any mask: (T, S)."""
        import torch

        from llm_core import record

        point = f"blocks.{self.layer}.attn."
        with self.runner.alone(), torch.inference_mode(), record(self.scene.model, [f"{point}[qk]"]) as trace:
            self.scene.model(self.left.ids, self.left.mask)
        q, k = (trace[f"{point}{name}"][1] for name in "qk")  # (H, T, D)
        h = min(self.head, len(q) - 1)
        return q[h] @ k[h * len(k) // len(q)].T / math.sqrt(q.shape[-1])  # (T, S)

    def square(self, name: str, mask, title: str, **more) -> Panel:
        """A mask as ones and zeros."""
        return Panel(
            name=name,
            values=mask.int(),
            letters="BHTS",
            title=title,
            color="probability",
            decimals=0,
            **{"cell": 26, **more},
        )


def build(scene: Scene) -> list[Step]:
    masked = Masked(scene)
    return [
        causal(masked),
        off_by_one(masked),
        a_batch(masked),
        padding(masked),
        both_at_once(masked),
        minus_infinity(masked),
        sees_nothing(masked),
        either_side(masked),
        alone_or_padded(masked),
    ]


def causal(masked: Masked) -> Step:
    from llm_core.model.masks import causal_mask

    T, count = masked.T, int(masked.causal.sum())
    return Step(
        title="Causal: a token sees itself and what comes before it",
        source="A mask depends only on the number of tokens, here those of your text.",
        text=f"`causal` has a row for each of the {T} tokens in its role as a query, and a column for each as a key. "
        "1 means visible. Everything to the right of the diagonal is the future and is hidden. One mask serves all "
        "texts and all heads: its sizes for B and H are 1.",
        show=[
            masked.square("causal", masked.causal, "1 = the row sees the column", rows=masked.labels, columns=masked.labels),
            Facts(facts=[("visible pairs", f"{count} of {T * T}", "")]),
        ],
        code=[code_of(causal_mask, "torch.ones(T, S")],
        question=Question(
            prompt=f"A causal mask for T = {T} tokens: how many of the {T * T} pairs are visible?",
            options=distinct(
                Option(str(count), True, f"1 + 2 + … + {T}: the diagonal, and everything to the left of it."),
                Option(str(T * T), False, "That is attention without a mask, as in an encoder."),
                Option(str(T * (T - 1) // 2), False, "The diagonal is missing: a token also sees itself."),
                Option(str(T), False, "That is the diagonal alone: each token would see only itself."),
            ),
        ),
    )  # fmt: skip


def off_by_one(masked: Masked) -> Step:
    import torch

    masks = wrong_masks(masked.T)
    return Step(
        title="Off by one: masks that only look right",
        source="A mask depends only on the number of tokens, here those of your text.",
        text="Each of these runs without an error. `tril(1)` shows each token the next one, which is what it has to "
        "predict: the training loss looks wonderful, but the model cannot write. `tril(-1)` hides a token from "
        "itself, and leaves the first token with nothing to see. `triu()` reverses time. Read one row aloud: who "
        "sees whom?",
        show=[
            Panel(
                name="wrong",
                values=torch.stack(list(masks.values())).int(),
                letters=("", "T", "S"),
                title="three wrong masks",
                color="probability",
                decimals=0,
                blocks=list(masks),
                rows=masked.labels,
                cell=20,
            )
        ],
        code=[code_of(wrong_masks, "ones.tril(1)")],
        question=Question(
            prompt="A model trains to a loss close to 0 within minutes, and then writes nonsense. Which mask was it?",
            options=[
                Option(
                    "tril(1)", True, "It sees the answer while it trains, and has no answer to look at when it writes."
                ),
                Option("tril(-1)", False, "It sees less than it may, so its loss is too high, not too low."),
                Option("tril()", False, "That is the right one: no token sees what it has to predict."),
            ],
        ),
    )


def a_batch(masked: Masked) -> Step:
    from llm_core.model.padding import pad

    T, n = masked.T, masked.length
    batch = masked.right
    return Step(
        title="A batch is a rectangle: short rows are padded",
        source=BOTH_TEXTS,
        text=f"Your text has {T} {tokens(T)}, the second {n}. A tensor needs rows of one length, so the shorter row "
        "is filled with the padding token (hatched). `attention_mask` says which positions are real. Without it the "
        "model would read padding as text.",
        show=[
            batch.row(0, "ids[0]", "your text"),
            batch.row(1, "ids[1]", "the second text"),
            Panel(
                name="attention_mask",
                values=batch.mask.int(),
                letters="BT",
                title="1 = a token, 0 = padding",
                color="probability",
                decimals=0,
                rows=["your text", "second text"],
                cell=44,
            ),
        ],
        code=[code_of(pad, "ids[i, place] =", "mask[i, place] =")],
    )


def tokens(count: int) -> str:
    return "token" if count == 1 else "tokens"


def padding(masked: Masked) -> Step:
    from llm_core.model.masks import padding_mask

    T, mask = masked.T, masked.padding(masked.right)
    names = ["your text", "second text"]
    return Step(
        title="Padding hides keys: columns, not rows",
        source=BOTH_TEXTS,
        text="No token may look at padding, so padding is hidden as a key: a column. `padding` has the shape (B, 1, "
        "1, S): one row for each text, the same for all heads and all queries. `rows` is the common mistake: it "
        "hides padding as a query. Then real tokens still look at padding, and padded queries see nothing.",
        show=[
            masked.square("padding", mask, "right: (B, 1, 1, S)", blocks=names),
            masked.square("rows", rows_hidden(masked.right.mask), "wrong: (B, 1, T, 1)", blocks=names),
        ],
        code=[
            code_of(padding_mask, "[:, None, None, :]", tone="right"),
            code_of(rows_hidden, "[:, None, :, None]", tone="wrong"),
        ],
        question=Question(
            prompt=f"`attention_mask` is (B=2, S={T}). Which shape lets it say which keys are visible, to every head and query?",
            options=distinct(
                Option(f"(2, 1, 1, {T})", True, "It broadcasts over heads and queries; the last dimension is for the keys."),
                Option(f"(2, 1, {T}, 1)", False, "The third dimension is for the queries: this hides rows."),
                Option(f"(1, 1, 2, {T})", False, "The texts would be in the dimension of the queries."),
                Option(f"(2, {T})", False, "torch would line it up with the last two dimensions, queries and keys."),
            ),
        ),
    )  # fmt: skip


def both_at_once(masked: Masked) -> Step:
    from llm_core.model.architectures import Decoder

    T, seen = masked.T, masked.visible(masked.right)
    names = ["your text", "second text"]
    square = Formula(
        kind="product",
        a=Operand(name="causal", values=masked.causal.int(), letters="BHTS"),
        b=Operand(name="padding", values=masked.padding(masked.right).int(), letters="BHTS"),
    )
    return Step(
        title="Both at once: the masks broadcast",
        source=BOTH_TEXTS,
        text=f"A key is visible if both masks say so. (1, 1, {T}, {T}) & (2, 1, 1, {T}) gives (2, 1, {T}, {T}): where "
        "a size is 1, its one entry counts for every index. Click a cell of `mask`: it combines one entry of "
        "`causal` and one of `padding`. H stays 1 and broadcasts to all heads in attention.",
        show=[
            masked.square("causal", masked.causal, "for all texts", cell=16),
            masked.square("padding", masked.padding(masked.right), "for all queries", blocks=names, cell=16),
            masked.square("mask", seen, "causal & padding", blocks=names, formula=square, cell=22),
        ],
        code=[code_of(Decoder._own_mask, "mask = mask if visible is None else mask & padding_mask(visible)")],
        question=Question(
            prompt=f"`causal` is (1, 1, {T}, {T}), `padding` is (2, 1, 1, {T}). What is the shape of `causal & padding`?",
            options=distinct(
                Option(str(tuple(seen.shape)), True, "In each dimension the larger size wins: the other is 1."),
                Option(f"(1, 1, {T}, {T})", False, "One mask for all texts would hide the same keys in each of them."),
                Option(f"(2, {masked.runner.facts.n_head}, {T}, {T})", False, "H appears only when the mask is applied to the scores."),
                Option("an error", False, "Sizes that differ are fine wherever one of the two is 1."),
            ),
        ),
    )  # fmt: skip


def minus_infinity(masked: Masked) -> Step:
    import torch

    from llm_core.model.attention import MultiHeadAttention

    query = masked.missing + masked.length // 2
    seen = masked.visible(masked.left)[1, 0, query]  # (S,)
    scores = masked.products[query]  # (S,)
    labels = masked.left.labels[1]
    filled = torch.stack([scores.where(seen, number) for number in FILLS.values()])  # (N, S)
    weights = torch.stack([weights_with(scores, seen, number) for number in FILLS.values()])
    leaks = (weights * ~seen).sum(-1).tolist()
    after = float((scores.softmax(-1) * seen).sum())
    return Step(
        title="Hidden means -∞, before the softmax",
        source=BOTH_TEXTS,
        text=f"One row of scores in layer {masked.layer}, head {masked.head}: the query “{labels[query]}” of the "
        "second text, padded on the left. In each row of `filled`, hidden scores get the number written on the "
        "left. Only e^-∞ is 0. A score of 0 is an ordinary score. -1e4 is small enough as long as the row sees "
        "anything at all. Hiding after the softmax is wrong too: the row no longer sums to 1.",
        show=[
            Panel(
                name="filled",
                values=filled,
                letters="NS",
                title="hidden scores replaced in four ways",
                limit=float(scores.abs().max()),
                decimals=1,
                rows=list(FILLS),
                columns=labels,
                cell=46,
            ),
            Panel(
                name="weights",
                values=weights,
                letters="NS",
                title="after the softmax; outlined: hidden keys",
                color="probability",
                rows=list(FILLS),
                columns=labels,
                cell=46,
                marks=[[n, s] for n in range(len(FILLS)) for s in range(masked.T) if not seen[s]],
                formula=Formula(kind="softmax", a=Operand(name="filled", values=filled, letters="NS"), over="S"),
            ),
            Facts(
                facts=[
                    *[
                        (f"hidden keys get, with {name}", f"{leak:.4f}", "wrong" if leak > 1e-6 else "right")
                        for name, leak in zip(FILLS, leaks)
                    ],
                    ("weights set to 0 after the softmax sum to", f"{after:.4f}", "wrong" if after < 0.9999 else ""),
                ]
            ),
        ],
        code=[code_of(MultiHeadAttention._attend_in_steps, "scores.where(attention_mask"), code_of(weights_with, "softmax")],
        question=share_question(leaks[-1], int((~seen).sum()), masked.T),
    )  # fmt: skip


def share_question(leak: float, hidden: int, T: int) -> Question | None:
    """How much hidden keys get if their score becomes 0."""
    if not hidden:
        return None
    return Question(
        prompt=f"In this row {hidden} of {T} keys are hidden. Somebody sets their scores to 0 instead of -∞. What "
        "share of the row's weight do they get together?",
        options=distinct(
            Option(f"{leak:.1%}", True, "e^0 = 1 for each of them, divided by the sum of the row."),
            Option("0.0%", False, "Only e^-∞ is 0; e^0 is 1."),
            Option(f"{hidden / T:.1%}", False, "That would be their share if all scores were equal."),
            Option("100.0%", False, "Visible keys keep the rest: softmax gives some weight to every finite score."),
        ),
    )


def sees_nothing(masked: Masked) -> Step:
    from llm_core.model.attention import MultiHeadAttention

    seen = masked.visible(masked.left)[1, 0]  # (T, S)
    softmax = weights_with(masked.products, seen, -math.inf)
    empty = ~seen.any(-1, keepdim=True)  # (T, 1)
    shares = shares_of_nan(masked)
    labels = masked.left.labels[1]
    square = {
        "letters": "TS", "rows": labels, "color": "probability", "hidden": ~seen & ~empty, "cell": 34, "family": "w",
    }  # fmt: skip
    scores = Operand(name="scores", values=masked.products.where(seen, -math.inf), letters="TS")
    return Step(
        title="A query that sees nothing",
        source=BOTH_TEXTS,
        text="With padding on the left the first queries have no visible key: in their rows every score is -∞, and "
        "the softmax divides 0 by 0. `softmax` is NaN there, not a number. The NaN spreads: in the next layer a "
        "weight of 0 times a value of NaN is NaN, in every row. So `pattern` sets these rows to 0; no token reads "
        "them."
        if empty.any()
        else "Every row of this batch has a visible key. Type a text of at least two tokens to see what happens otherwise.",
        show=[
            Panel(
                name="softmax",
                values=softmax,
                title="of the masked scores",
                formula=Formula(kind="softmax", a=scores, over="S"),
                **square,
            ),
            Panel(
                name="pattern",
                values=softmax.nan_to_num(),
                title="softmax.nan_to_num()",
                formula=Formula(kind="copy", a=Operand(name="softmax", values=softmax, letters="TS")),
                note="Where `softmax` is NaN, `pattern` is 0.",
                **square,
            ),
            Bars(
                title="Share of the stream that is NaN, if the NaN of layer 0 is left in",
                names=[f"after layer {i}" for i in range(len(shares))],
                series={"share": [100 * share for share in shares]},
                decimals=0,
                unit="%",
            ),
        ],
        code=[code_of(MultiHeadAttention._attend_in_steps, "pattern.nan_to_num()")],
        question=nothing_question() if empty.any() else None,
    )


def shares_of_nan(masked: Masked) -> list[float]:
    """The share of NaN in the stream after each layer, if a row without a visible key stays NaN in the first."""
    empty = ~masked.visible(masked.left).any(-1, keepdim=True)  # (B, 1, T, 1)
    replaced = {"blocks.0.attn.pattern": lambda pattern: pattern.masked_fill(empty, math.nan)}
    _, streams = masked.logits(masked.left.ids, masked.left.mask, replaced)
    return [float(stream[1].isnan().float().mean()) for stream in streams]


def nothing_question() -> Question:
    import torch

    values = torch.full((3,), -math.inf).softmax(-1).tolist()
    right = "NaN" if all(map(math.isnan, values)) else str(values)
    return Question(
        prompt="Every score of a row is -∞. What does torch's softmax give?",
        options=[
            Option(right, True, "-∞ minus the largest, -∞, is not defined; without that step it would be 0 / 0."),
            Option("0 everywhere", False, "That would be convenient, but the row would not sum to 1, and softmax divides by the sum."),
            Option("equal weights", False, "That is what equal finite scores give, -1e4 for instance: then tokens look at padding."),
        ],
    )  # fmt: skip


def either_side(masked: Masked) -> Step:
    from llm_core.model.architectures import Stack

    right, left = masked.right, masked.left
    places = [(batch.mask.long().cumsum(1) - 1).clamp(min=0) for batch in (right, left)]  # (B, T)

    def panel(name: str, values, title: str) -> Panel:
        return Panel(
            name=name,
            values=values,
            letters="BT",
            title=title,
            color="origin",
            origin=values,
            rows=["your text", "second text"],
            decimals=0,
            hidden=~(right if "right" in title else left).mask,
            family=name,
            cell=38,
        )

    return Step(
        title="Padding on the right or on the left",
        source=BOTH_TEXTS,
        text="Training usually pads on the right, writing on the left: then the last position of every row holds its "
        "last real token, and the next token belongs right after it. `positions` count real tokens only, so that a "
        "token has the same position embedding wherever the padding is.",
        show=[
            right.row(1, "right", "the second text, padded on the right"),
            left.row(1, "left", "and on the left"),
            panel("positions", places[0], "padded on the right"),
            panel("positions of left", places[1], "padded on the left"),
        ],
        code=[code_of(Stack.embed, "attention_mask.long().cumsum(1)")],
        question=Question(
            prompt="`logits[:, -1]` should predict the next token of every row of a batch. Where must the padding be?",
            options=[
                Option("on the left", True, "Then position -1 is the last real token of each row."),
                Option("on the right", False, "Then position -1 of a short row is padding, and nothing sensible follows it."),
                Option("it does not matter", False, "It does not matter for the numbers of real tokens, but position -1 must be a real token."),
            ],
        ),
    )  # fmt: skip


def alone_or_padded(masked: Masked) -> Step:
    import torch

    n, short = masked.length, torch.tensor([masked.rows[1]])
    alone = masked.logits(short)[0][0]  # (T', V)
    results = {
        "padded right": masked.logits(masked.right.ids, masked.right.mask)[0][1, :n],
        "padded left": masked.logits(masked.left.ids, masked.left.mask)[0][1, -n:],
        "left, without mask": masked.logits(masked.left.ids)[0][1, -n:],
        "right, without mask": masked.logits(masked.right.ids)[0][1, :n],
    }
    off = {name: float((logits - alone).abs().max()) for name, logits in results.items()}
    likely = alone[-1].topk(LIKELY).indices
    shown = {"alone": alone, **{name: results[name] for name in ("padded left", "left, without mask")}}
    return Step(
        title="Alone or padded: the same numbers",
        source=BOTH_TEXTS,
        text="Alone or in the batch, the second text gets the same prediction, wherever the padding is. That is how "
        "to test a mask: run each text alone, and compare. Without a padding mask the left side fails. The right "
        "side passes, because the causal mask hides what comes later; an encoder would fail there, too.",
        show=[
            Bars(
                title="Next token after the second text",
                names=[masked.runner.tokenizer.piece(id) for id in likely.tolist()],
                series={name: logits[-1].softmax(-1)[likely].tolist() for name, logits in shown.items()},
            ),
            Facts(
                facts=[
                    (f"largest difference of a logit, {name}", f"{value:.4f}", "right" if value < 1e-3 else "wrong")
                    for name, value in off.items()
                ]
            ),
        ],
        code=[code_of(Masked.logits, "logits = model(ids, mask)")],
        question=forgotten_question(off["right, without mask"]) if masked.missing else None,
    )


def forgotten_question(off: float) -> Question:
    """Decided by what was measured."""
    same = off < 1e-3
    return Question(
        prompt="A decoder, padding on the right, and the padding mask is forgotten. Do predictions at real tokens change?",
        options=[
            Option("no", same, f"Padding comes after every real token: the causal mask hides it. Largest difference: {off:.4f}."),
            Option("yes, all of them", not same, "A real token would have to see padding for that, and padding comes after it."),
        ],
    )  # fmt: skip


def controls(runner) -> list[Control]:
    return [
        second_control("Cut the paper in half"),
        layer_control(runner, 4, ROW_STEPS),
        head_control(runner, 0, ROW_STEPS),
    ]


LESSON = Lesson(
    id="masks",
    title="Masks: who may see whom",
    summary="Causal and padding masks, how they broadcast, and why hidden means -∞.",
    build=build,
    num_steps=STEPS,
    controls=controls,
)
