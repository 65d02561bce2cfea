"""From text to vectors: merges, ids, the embedding table as a lookup and as a product, positions, neighbors, a map.

The three ways to say where a token stands are computed side by side; only one of them is the model's.
"""

from dataclasses import replace
from functools import cached_property

from ..lesson import (
    Bars,
    Control,
    Facts,
    Formula,
    Lesson,
    Operand,
    Option,
    Panel,
    Question,
    Scene,
    Step,
    TokenMap,
    written,
)
from ..questions import distinct
from ..settings import head_control
from ..source import code_of
from .merges import Merging, bytes_first, every_merge, first_pair, same_ids

STEPS = 11
MOST_MERGES = 24  # that can be looked at one by one
MOST_PLACES = 48  # of position tables
FURTHER = 100  # places
NEIGHBORS = 10
EXACT = 1e-4  # differences below this are rounding


def one_hot_product(ids, table):
    """Ids (T,) -> (T, C): a 1 in the column of each id, times the table (V, C)."""
    import torch
    from torch.nn import functional as F

    one_hot = F.one_hot(torch.tensor(ids), len(table)).to(table)  # (T, V)
    return one_hot @ table  # (T, C)


def sinusoidal(T: int, C: int):
    """Vaswani et al. 2017, section 3.5: sine and cosine of the place, at C/2 wavelengths from 2π to 20,000π, (T, C)."""
    import torch

    place = torch.arange(T)[:, None]  # (T, 1)
    wave = 10000.0 ** (-torch.arange(0, C, 2) / C)  # (C/2,)
    table = torch.zeros(T, C)
    table[:, 0::2] = (place * wave).sin()
    table[:, 1::2] = (place * wave).cos()[:, : C // 2]
    return table


def alike(rows):
    """Cosine of the angle between each two rows: (N, C) -> (N, N)."""
    unit = rows / rows.norm(dim=-1, keepdim=True).clamp(min=1e-9)  # (N, C)
    return unit @ unit.T  # (N, N)


class Table:
    """The embedding table of the model, and the rows of the learner's tokens."""

    def __init__(self, scene: Scene):
        self.scene, self.model, self.trace = scene, scene.model, scene.recorded.trace
        self.ids, self.labels = scene.recorded.ids, scene.labels
        self.tokenizer, self.sizes = scene.runner.tokenizer, scene.runner.facts
        self.T, self.C, self.head = len(self.ids), self.sizes.n_embd, scene.inputs["head"]
        self.rows = self.model.embedding.token_table.weight.detach().float().cpu()  # (V, C)

    @cached_property
    def distinct(self) -> list[int]:
        return sorted(set(self.ids))

    def piece(self, id: int) -> str:
        return written(self.tokenizer.piece(id))

    @property
    def chosen(self) -> int:
        """The token whose neighbors are wanted: of a word as it stands inside a text, the last token."""
        typed = self.tokenizer.encode(f" {self.scene.inputs['word'].strip()}")
        return typed[-1] if typed else self.ids[-1]

    def by_token(self, name: str, values, title: str, where: str = "", **more) -> Panel:
        return Panel(name=name, values=values, letters="TC", title=title, where=where, rows=self.labels, **more)


def build(scene: Scene) -> list[Step]:
    merging, table = Merging(scene), Table(scene)
    return [
        bytes_first(merging),
        first_pair(merging),
        every_merge(merging, scene.inputs["merge"]),
        same_ids(merging),
        lookup(table),
        as_product(table),
        learned(table),
        waves(table),
        rotary(table),
        neighbors(table),
        on_a_map(table),
    ]


def token_panel(table: Table, formula: Formula | None = None) -> Panel:
    return table.by_token(
        "token",
        table.trace["embedding.token"][0],
        "the embedding of each token",
        "embedding.token[0, {0}, {1}]",
        formula=formula,
        family="token",
    )


def lookup(table: Table) -> Step:
    rows = table.rows[table.distinct]  # (U, C)
    seen = [table.distinct.index(id) for id in table.ids]
    origin = [[row * table.C + column for column in range(table.C)] for row in seen]
    counted = [[row * table.C + column for column in range(table.C)] for row in range(len(rows))]
    return Step(
        title="The embedding table is looked up",
        text=f"The table has a row of {table.C} numbers for each of the {len(table.rows):,} tokens, "
        f"{table.rows.numel():,} learned numbers. An id says which row to take: `token` holds a copy of it for each "
        "position in the text. The same token has the same row wherever it occurs; nothing was computed. The "
        "picture shows the rows of the tokens that occur.",
        show=[
            Panel(
                name="token_table",
                values=rows,
                letters=("", "C"),
                title=f"{len(rows)} of its {len(table.rows):,} rows",
                rows=[f"{id} {table.piece(id)}"[:14] for id in table.distinct],
                family="token",
                origin=counted,
            ),
            replace(token_panel(table), origin=origin),
        ],
        code=embedding_code(table, "token = self.token("),
        question=rows_question(table),
    )


def embedding_code(table: Table, mark: str) -> list:
    from llm_core.model.blocks import Embedding

    kind = type(table.model.embedding)
    return [code_of(kind.forward, mark) if kind is Embedding else code_of(kind.forward)]


def rows_question(table: Table) -> Question | None:
    options = distinct(
        Option(str(len(table.distinct)), True, "One for each different token: the same token reads the same row."),
        Option(
            str(table.T), False, "That is the number of positions. A token that occurs twice reads the same row twice."
        ),
        Option(f"{len(table.rows):,}", False, "That is the whole table."),
    )
    prompt = f"The text has {table.T} tokens. How many different rows of the table are read?"
    return Question(prompt=prompt, options=options) if len(options) > 1 else None


def as_product(table: Table) -> Step:
    import torch
    from torch.nn import functional as F

    T, V, C = table.T, len(table.rows), table.C
    chosen = torch.tensor([table.distinct.index(id) for id in table.ids])
    one_hot = F.one_hot(chosen, len(table.distinct)).float()  # (T, U)
    rows = table.rows[table.distinct]  # (U, C)
    whole = one_hot_product(table.ids, table.rows)
    difference = float((whole - table.trace["embedding.token"][0]).abs().max())
    return Step(
        title="The same as a product with one-hot rows",
        text="Written as a matrix product, a lookup is a row of zeros with a single 1 in the column of the id, times "
        "the table: every other row is multiplied by 0. So in training, only the rows of tokens that occur learn "
        f"from it. Computed over all {V:,} columns it gives the same numbers, for {2 * T * V * C:,} operations "
        "instead of none. The columns of the tokens that occur are shown; all others hold only zeros.",
        show=[
            Panel(
                name="one_hot",
                values=one_hot,
                letters="TU",
                title="a single 1 in each row",
                rows=table.labels,
                columns=[table.piece(id)[:14] for id in table.distinct],
                color="probability",
                decimals=0,
                cell=22,
            ),
            token_panel(
                table,
                Formula(
                    kind="products",
                    a=Operand(name="one_hot", values=one_hot, letters="TU"),
                    b=Operand(name="token_table", values=rows, letters="UC"),
                    over="U",
                ),
            ),
            Facts(
                facts=[
                    (
                        "largest difference over all columns",
                        f"{difference:g}",
                        "right" if difference < EXACT else "wrong",
                    )
                ]
            ),
        ],
        code=[code_of(one_hot_product, "return one_hot @ table")],
        question=flops_question(T, V, C),
    )


def flops_question(T: int, V: int, C: int) -> Question | None:
    options = distinct(
        Option(
            f"{2 * T * V * C:,}",
            True,
            "T rows times C columns, each a sum of V products: a multiplication and an addition.",
        ),
        Option(f"{T * C:,}", False, "That is how many numbers come out. Each of them is a sum of V products."),
        Option(f"{2 * V * C:,}", False, "That is one token's; there are T of them."),
    )
    prompt = f"(T={T}, V={V:,}) times (V={V:,}, C={C}): how many multiplications and additions is that?"
    return Question(prompt=prompt, options=options) if len(options) > 1 else None


# positions


def learned(table: Table) -> Step:
    if "embedding.position" not in table.trace:
        return Step(
            title="Positions, learned",
            text="GPT-2 adds a learned row for each position to the row of the token. This model does not: its "
            "attention finds out by itself where tokens are, as the next steps show. The next layer gets `x`, the "
            "token's row alone.",
            show=[table.by_token("x", table.trace["embedding.sum"][0], "what goes on", "embedding.sum[0, {0}, {1}]")],
            code=embedding_code(table, ""),
        )
    position = table.trace["embedding.position"]  # (T, C)
    return Step(
        title="Positions, learned",
        text="Attention treats its keys as a set: without positions, “dog bites man” and “man bites dog” would be "
        f"the same to it. GPT-2 has a second learned table, a row for each of {table.sizes.block_size} positions, "
        "and adds it to the token's row. The sum is `x`, which the model continues with. The model cannot read a "
        "text longer than the table.",
        show=[
            token_panel(table),
            table.by_token("position", position, "of each position", "embedding.position[{0}, {1}]"),
            table.by_token(
                "x",
                table.trace["embedding.sum"][0],
                "what goes on",
                "embedding.sum[0, {0}, {1}]",
                formula=Formula(
                    kind="sum",
                    a=Operand(name="token", values=table.trace["embedding.token"][0], letters="TC"),
                    b=Operand(name="position", values=position, letters="TC"),
                ),
            ),
        ],
        code=embedding_code(table, "return self.dropout(self.sum(token + position"),
    )


def likeness(name: str, rows, title: str) -> Panel:
    return Panel(name=name, values=alike(rows), letters=("", ""), title=title, limit=1, cell=9, decimals=3)


def waves(table: Table) -> Step:
    N = min(MOST_PLACES, table.sizes.block_size)
    rows = sinusoidal(N, max(2, table.C // 2 * 2))  # a sine and a cosine of each wave
    return Step(
        title="Positions as waves: sinusoidal",
        source="Computed from a formula; neither the model nor your text plays a part.",
        text="The first Transformer learned nothing here: column by column, its positions are sines and cosines with "
        "ever longer waves, like the hands of many clocks. They were added to the token's row, too. The similarity "
        "of two positions (the cosine of their angle) depends only on their distance: in the lower picture, every "
        "diagonal has one color. There is no table that could end.",
        show=[
            Panel(name="sinusoidal", values=rows, letters=("T", "C"), title="position by column", limit=1, cell=9),
            likeness("likeness", rows, "of every two positions"),
        ],
        code=[code_of(sinusoidal)],
        question=distance_question(alike(rows)),
    )


def distance_question(nearness) -> Question | None:
    """Do two places three apart look as alike at the start as at the end?"""
    N = len(nearness)
    if N < 8:
        return None
    a, b = float(nearness[0, 3]), float(nearness[N - 4, N - 1])
    same = abs(a - b) < EXACT
    return Question(
        prompt=f"The similarity of positions 0 and 3 is {a:.3f}. What is the similarity of positions {N - 4} and "
        f"{N - 1}?",
        options=[
            Option("the same", same, f"It is {b:.3f}: the sum of cos(3 · w) over all waves w, whatever the position."),
            Option("smaller", not same and b < a, f"It is {b:.3f}. Only the distance counts, not the position."),
            Option("larger", not same and b > a, f"It is {b:.3f}. Only the distance counts, not the position."),
        ],
    )


def turned_by(x, start: int):
    """Vectors (T, D) turned as rotary positions ``start``, ``start`` + 1, … turn them: each pair of numbers (i, i + D/2)
    by an angle that grows with the place. Su et al. 2021, RoFormer."""
    import torch

    from llm_core.model.config import ModelConfig
    from llm_core.model.sight import turn_of, turned

    D = x.shape[-1] // 2 * 2  # pairs of numbers are turned
    config = ModelConfig(vocab_size=1, block_size=1, n_layer=1, n_head=1, n_embd=max(2, D), positions="rotary")
    turn = turn_of(config, torch.arange(len(x)) + start)  # (T, D) each
    return turned(x[None, None, :, :D], turn)[0, 0] if D else x  # (T, D)


def rotary(table: Table) -> Step:
    q, k = (table.trace[f"blocks.0.attn.{name}"][0] for name in "qk")  # (H, T, D), (K, T, D)
    q, k = q[table.head], k[table.head * len(k) // len(q)]  # (T, D)
    turned_q, turned_k = turned_by(q, 0), turned_by(k, 0)
    scores, further = turned_q @ turned_k.T, turned_by(q, FURTHER) @ turned_by(k, FURTHER).T  # (T, S)
    difference = float((scores - further).abs().max())
    same = difference < EXACT * max(1.0, float(scores.abs().max()))
    counts = [("learned", table.sizes.block_size * table.C), ("sinusoidal", 0), ("rotary", 0)]

    def vectors(name: str, values, title: str, where: str = "") -> Panel:
        return Panel(
            name=name, values=values, letters="TD", title=title, where=where, rows=table.labels, family="q", cell=17
        )

    place = f"blocks.0.attn.q[0, {table.head}, {{0}}, {{1}}]"
    return Step(
        title="Positions as rotations: rotary",
        text="Llama adds nothing. It rotates each query and key, one pair of numbers at a time, by an angle that "
        "grows with the position. Two vectors that are rotated by the same angle keep their dot product, so "
        f"`scores` depend only on the distance between two tokens: move the whole text by {FURTHER} positions, and "
        f"they stay the same. The pictures show head {table.head}'s queries in layer 0, which was trained without "
        "rotation.",
        show=[
            vectors("q", q, "queries", place),
            vectors("turned", turned_q, "the same, rotated by their positions"),
            Panel(
                name="scores",
                values=scores,
                letters="TS",
                title="rotated queries · rotated keys",
                rows=table.labels,
                columns=table.labels,
                cell=36,
                formula=Formula(
                    kind="products",
                    a=Operand(name="turned", values=turned_q, letters="TD"),
                    b=Operand(name="turned_k", values=turned_k, letters="SD"),
                    over="D",
                ),
            ),
            Facts(
                facts=[
                    (
                        f"largest change of a score, {FURTHER} positions later",
                        f"{difference:.1e}",
                        "right" if same else "wrong",
                    ),
                    *((f"learned numbers, {name}", f"{count:,}", "") for name, count in counts),
                ]
            ),
        ],
        code=[code_of(turned_by), code_of(turned_source(), "part = part * cos +")],
        question=Question(
            prompt=f"Rotary positions: the same text, but its first token is at position {FURTHER}. What happens to "
            "the scores?",
            options=[
                Option("they stay", same, "Query and key are rotated further by the same angle; only distances count."),
                Option(
                    "all shrink",
                    False,
                    "Rotation changes no length, and the distance between the tokens is the same as before.",
                ),
                Option(
                    "they become different numbers",
                    not same,
                    "With learned positions they would: other rows are added. Rotating both by the same angle cancels out.",
                ),
            ],
        ),
    )


def turned_source():
    from llm_core.model.sight import turned

    return turned


def neighbors(table: Table) -> Step:
    unit = table.rows / table.rows.norm(dim=-1, keepdim=True).clamp(min=1e-9)  # (V, C)
    cosines = unit @ unit[table.chosen]  # (V,)
    own = cosines.clone()
    own[table.chosen] = -2.0  # everyone's nearest is itself
    nearest = own.topk(min(NEIGHBORS, len(own) - 1)).indices.tolist()
    typical = float(cosines.abs().median())
    bars = Bars(
        title=f"Similarity to “{table.piece(table.chosen)}”: cosine of the angle between two rows",
        names=[table.piece(id) for id in nearest],
        series={"cosine": [float(cosines[id]) for id in nearest]},
    )
    options = distinct(
        Option(
            table.piece(nearest[0]), True, f"The cosine of their rows is {float(cosines[nearest[0]]):.3f}, the largest."
        ),
        *(
            Option(table.piece(id), False, f"Its cosine is {float(cosines[id]):.3f}: near, but not the nearest.")
            for id in (nearest[len(nearest) // 2], nearest[-1])
        ),
    )
    return Step(
        title="Neighbors in the table",
        source=f"The numbers are those of the {table.sizes.name} model's token table; your text plays no part.",
        text="Nobody told the table what words mean. But tokens that occur in the same contexts are pushed the same "
        "way in training, so their rows end up pointing in similar directions: the same word with and without a "
        "space, with a capital, in the plural, words of the same kind. Half of all tokens have a cosine of less "
        f"than ±{typical:.2f} with this one. Type another word.",
        show=[bars],
        code=[code_of(alike)],
        question=Question(
            prompt=f"Of all {len(table.rows):,} rows, which one is nearest to the row of "
            f"“{table.piece(table.chosen)}”?",
            options=options,
            before=[token_panel(table)],
        )
        if len(options) > 1
        else None,
    )


def on_a_map(table: Table) -> Step:
    from llm_core.analysis.embeddings import principal_components

    at, shares = principal_components(table.rows, 3)
    percent = [f"{100 * float(share):.1f} %" for share in shares]
    along = at[:, 0].argsort().tolist()
    low, high = (", ".join(f"“{table.piece(id)}”" for id in ids) for ids in (along[:3], along[:-4:-1]))
    return Step(
        title="All tokens on a map",
        source=f"The numbers are those of the {table.sizes.name} model's token table; your text plays no part.",
        text=f"A row has {table.C} numbers, a screen two directions, or three. Principal components are the "
        f"directions in which the rows differ most: the first holds {percent[0]} of all their variance, the next two "
        f"{percent[1]} and {percent[2]}. {low} lie at one end of the first, {high} at the other. So tokens that are "
        "close together here can be far apart in the directions that are not drawn: the marked neighbors are the "
        f"nearest in all {table.C} directions.",
        show=[TokenMap(chosen=table.chosen)],
        code=[code_of(principal_components)],
        question=Question(
            prompt=f"Of all the variance of the {len(table.rows):,} rows, what share is left on a flat map, along the "
            f"best two of {table.C} directions?",
            options=variance_options(float(shares[:2].sum())),
            before=[token_panel(table)],
        ),
    )


def variance_options(share: float) -> list[Option]:
    """The share in percent, and two that are far from it."""
    others = [percent for percent in (5, 25, 50, 75, 95) if abs(percent / 100 - share) > 0.15]
    wrong = [Option(f"about {percent} %", False, f"It is {100 * share:.1f} %.") for percent in (others[0], others[-1])]
    why = f"{100 * share:.1f} %: the rest lies along directions that are not drawn."
    return [Option(f"about {100 * share:.0f} %", True, why), *wrong]


def controls(runner) -> list[Control]:
    return [
        Control(
            name="merge",
            label="Merge",
            kind="slider",
            value=1,
            least=0,
            most=MOST_MERGES,
            info="0: after the last",
            steps=(3,),
        ),
        head_control(runner, steps=(9,)),
        Control(name="word", label="Neighbors of", kind="text", value="paper", info="its last token", steps=(10,)),
    ]


LESSON = Lesson(
    id="vectors",
    title="From text to vectors",
    summary="Merges, ids, embeddings and positions: how a text becomes numbers, and where the tokens lie.",
    build=build,
    num_steps=STEPS,
    controls=controls,
)
