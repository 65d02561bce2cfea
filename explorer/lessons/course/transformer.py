"""The first lesson: what a Transformer does, from text to the next token and on. Ten steps, for whoever comes in cold.

The words of the whole app are introduced here, each beside the tensor that it means.
"""

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
    Shown,
    Step,
    written,
)
from ..questions import distinct
from ..settings import head_control, layer_control
from ..source import code_of
from .attention import attention_code

STEPS = 10
LAYER, HEAD = 5, 0  # looked at first: the head of the first screen
LIKELIEST = 10  # tokens that are shown of the vocabulary
U = 85  # percent
FIRST_OF_LINE, BESIDE = 3, 2  # ranks shown of the line that u falls on: the first, and those on each side of u


def write_on(model, ids, u: float):
    """Ids (1, T) -> the same with one more token behind them, (1, T+1)."""
    import torch

    from llm_core.generation.warping import Warping, draw

    seen = ids[:, -model.config.block_size :]  # the window
    logits = model(seen)[:, -1]  # (1, V)
    new = draw(logits, torch.tensor([[u]]), Warping())  # (1, 1)
    return torch.cat([ids, new], dim=1)  # (1, T+1)


class Forward:
    """The model at work on the learner's text, from ids to logits. Tensors are those of a batch of one, without the B."""

    def __init__(self, scene: Scene):
        self.scene, self.layer, self.head = scene, scene.inputs["layer"], scene.inputs["head"]
        self.model, self.trace, self.labels = scene.model, scene.recorded.trace, scene.labels
        self.ids = scene.recorded.ids
        self.sizes = scene.runner.facts
        self.T = len(self.ids)

    def of_layer(self, point: str):
        return self.trace[f"blocks.{self.layer}.{point}"][0]

    def place(self, point: str, *index: str) -> str:
        return f"blocks.{self.layer}.{point}[{', '.join(('0', *index))}]"

    @cached_property
    def x(self) -> tuple:
        """What the layer reads, (T, C), and where it was recorded."""
        from llm_core.analysis.lens import residual_stream, stream_names

        return residual_stream(self.model, self.trace, self.layer)[0], stream_names(self.model)[self.layer]

    @cached_property
    def logits(self):
        """Of the token after the text, (V,)."""
        return self.trace["logits"][0, -1]

    @cached_property
    def likeliest(self) -> list[int]:
        """Ids, the likeliest first."""
        return self.logits.topk(min(LIKELIEST, len(self.logits))).indices.tolist()

    @cached_property
    def probabilities(self):
        return self.logits.softmax(-1)  # (V,)

    def piece(self, id: int) -> str:
        return self.scene.runner.tokenizer.piece(id)

    def quoted(self, id: int) -> str:
        return f"“{written(self.piece(id))}”"

    def last(self) -> str:
        return f"“{self.labels[-1]}” (position {self.T - 1})"

    def next_token(self, title: str = "What comes next") -> Bars:
        return Bars(
            title=title,
            names=[self.piece(id) for id in self.likeliest],
            series={"probability": [float(self.probabilities[id]) for id in self.likeliest]},
        )

    def rows(self, name: str, values, title: str, where: str = "", **more) -> Panel:
        """A row for each token, (T, C)."""
        return Panel(name=name, values=values, letters="TC", title=title, where=where, rows=self.labels, **more)


def build(scene: Scene) -> list[Step]:
    run = Forward(scene)
    return [
        the_task(run),
        tokens(run),
        embedding(run),
        one_head(run),
        all_heads(run),
        the_stream(run),
        the_mlp(run),
        block_after_block(run),
        to_probabilities(run),
        one_more_token(run),
    ]


def the_task(run: Forward) -> Step:
    from llm_core import Decoder

    best = run.likeliest[0]
    sizes = run.sizes
    return Step(
        title="One task: which token comes next?",
        text=f"A language model reads a text and gives every entry of its vocabulary, here {sizes.vocab_size:,} tokens, a "
        f"probability of coming next. That is all it does. This one is a Transformer with {sizes.num_parameters:,} learned "
        "numbers, trained on how-to articles, and these are its likeliest next tokens for your text. The next nine steps go "
        "through it from left to right.",
        show=[run.next_token()],
        code=[code_of(Decoder.forward, "return self.predict(")],
        question=Question(
            prompt=f"The model has read your text up to {run.last()}. Which token does it find likeliest to come next?",
            options=distinct(
                Option(run.quoted(best), True, f"It gets a probability of {float(run.probabilities[best]):.3f}."),
                *(
                    Option(
                        run.quoted(id), False, f"It gets {float(run.probabilities[id]):.3f}: less than the likeliest."
                    )
                    for id in run.likeliest[1:4]
                ),
            ),
            before=[ids_panel(run)],
        ),
    )


def ids_panel(run: Forward) -> Panel:
    return Panel(
        name="ids",
        values=[run.ids],
        letters=("", "T"),
        title="the number of each token in the vocabulary",
        columns=run.labels,
        where="embedding.ids[{0}, {1}]",
        family="ids",
        color="origin",
        origin=[range(run.T)],
        decimals=0,
    )


def tokens(run: Forward) -> Step:
    total = run.scene.recorded.total
    words = len(run.scene.text.split())
    return Step(
        title="Text becomes tokens",
        text="The model never sees letters. A tokenizer cuts the text into tokens, pieces that are frequent in its "
        "training texts: whole words, parts of words, punctuation marks. `ids` are their numbers in the vocabulary. "
        "“start” is a special token that comes before every text. Most words include the space before them.",
        show=[ids_panel(run), Facts(facts=[("words", str(words), ""), ("tokens", str(total), "")])],
        code=[code_of(type(run.scene.runner.tokenizer).encode)],
        question=counting(run, words, total),
    )


def counting(run: Forward, words: int, total: int) -> Question | None:
    characters, prefix = len(run.scene.text), len(run.scene.runner.tokenizer.prefix)
    options = distinct(
        Option(f"{total}", True, f"{prefix} before the text, and {total - prefix} for the text itself."),
        Option(
            f"{words}", False, "That counts words. Punctuation marks are tokens of their own, and rare words are cut."
        ),
        Option(f"{characters}", False, "That counts characters. A token is usually longer than one."),
    )
    prompt = f"Your text has {words} words and {characters} characters. How many tokens does the model read?"
    return Question(prompt=prompt, options=options, before=[run.next_token()]) if len(options) > 1 else None


def embedding(run: Forward) -> Step:
    C = run.sizes.n_embd
    show: list[Shown] = [
        run.rows("token", run.trace["embedding.token"][0], "what it is", "embedding.token[0, {0}, {1}]"),
    ]
    added = "In this model, attention has to find out by itself where the token is."
    formula = None
    if "embedding.position" in run.trace:
        position = run.trace["embedding.position"]  # (T, C)
        show.append(run.rows("position", position, "its position", "embedding.position[{0}, {1}]"))
        added = "A second table has a row for each position in the text; the two rows are added, number by number."
        formula = Formula(
            kind="sum",
            a=Operand(name="token", values=run.trace["embedding.token"][0], letters="TC"),
            b=Operand(name="position", values=position, letters="TC"),
        )
    show.append(
        run.rows(
            "x", run.trace["embedding.sum"][0], "the sum", "embedding.sum[0, {0}, {1}]", formula=formula, family="x"
        )
    )
    return Step(
        title="A token becomes a row of numbers",
        text=f"Its id picks a row of a learned table: {C} numbers, the embedding of the token. {added} The result `x` is all "
        f"that the model now knows: T = {run.T} tokens, C = {C} numbers each. Hover over a cell to read it; click one to see "
        "how it was computed.",
        show=show,
        code=[code_of(type(run.model.embedding).forward, "token = self.token(")]
        if formula
        else [code_of(type(run.model.embedding).forward)],
    )


def pattern_panel(run: Forward) -> Panel:
    import torch

    pattern = run.of_layer("attn.pattern")[run.head]
    return Panel(
        name="pattern",
        values=pattern,
        letters="TS",
        title="row: the token that looks, column: the token it looks at",
        where=run.place("attn.pattern", str(run.head), "{0}", "{1}"),
        rows=run.labels,
        columns=run.labels,
        color="probability",
        hidden=torch.ones(run.T, run.T, dtype=torch.bool).triu(1),
        family="pattern",
        origin=pattern_origins(run)[run.head],
        cell=36,
        formula=Formula(
            kind="softmax",
            a=Operand(name="scores", values=run.of_layer("attn.scores")[run.head], letters="TS"),
            over="S",
        ),
    )


def pattern_origins(run: Forward):
    """A number for each cell of all heads' patterns, (H, T, S)."""
    import torch

    return torch.arange(run.sizes.n_head * run.T * run.T).view(-1, run.T, run.T)


def one_head(run: Forward) -> Step:
    row = run.of_layer("attn.pattern")[run.head][-1]
    order = row.argsort(descending=True).tolist()

    def at(place: int) -> str:
        return f"“{run.labels[place]}” (position {place})"

    options = distinct(
        Option(at(order[0]), True, f"It gets a weight of {float(row[order[0]]):.3f}, the largest of the last row."),
        *(
            Option(at(place), False, f"It gets {float(row[place]):.3f}; the largest is {float(row[order[0]]):.3f}.")
            for place in (*order[1:2], *order[-1:])
            if row[place] < row[order[0]]
        ),
    )
    return Step(
        title="One head looks back",
        text="So far, each token knows only itself. In attention, tokens read from each other. A head compares what "
        "a token looks for, its query, with what every token offers, its key, and turns the scores into weights: "
        "`pattern`. Each row sums to 1. Later tokens are hidden (hatched), because they are what the model has to "
        "predict. Try other layers and heads: they look at other things.",
        show=[pattern_panel(run)],
        code=[attention_code("pattern = F.softmax(")],
        question=Question(
            prompt=f"Layer {run.layer}, head {run.head}: which token does the last token, {run.last()}, look at most?",
            options=options,
        )
        if len(options) > 1
        else None,
    )


def all_heads(run: Forward) -> Step:
    import torch

    from llm_core.model.attention import split_heads

    H, L = run.sizes.n_head, run.sizes.n_layer
    D = run.sizes.n_embd // H
    patterns = run.of_layer("attn.pattern")
    return Step(
        title="All heads of a layer look at once",
        text=f"A layer has H = {H} heads with queries, keys and values of their own, each D = {D} numbers wide. They work side "
        "by side on the same `x` and learn to look at different things: the token before, the same word earlier, the start. "
        f"With L = {L} layers there are {H * L} heads. What a head reads from the tokens it looks at is the mean of their "
        "values, weighted by the pattern.",
        show=[
            Panel(
                name="patterns",
                values=patterns,
                letters="HTS",
                title=f"all heads of layer {run.layer}",
                where=run.place("attn.pattern", "{0}", "{1}", "{2}"),
                blocks=[f"head {head}" for head in range(H)],
                color="probability",
                hidden=torch.ones(run.T, run.T, dtype=torch.bool).triu(1).expand(H, run.T, run.T),
                family="pattern",
                origin=pattern_origins(run),
            )
        ],
        code=[code_of(split_heads, "return x.transpose(1, 2)")],
    )


def stream_sum(run: Forward, name: str, before: tuple[str, object], added: tuple[str, object], point: str) -> Panel:
    """The stream after something was added to it."""
    return run.rows(
        name,
        run.of_layer(point),
        "the sum, which continues",
        run.place(point, "{0}", "{1}"),
        family="x",
        formula=Formula(
            kind="sum",
            a=Operand(name=before[0], values=before[1], letters="TC"),
            b=Operand(name=added[0], values=added[1], letters="TC"),
        ),
    )


def adds_up(run: Forward) -> bool:
    """Whether the layer adds what attention found, and then what the MLP made, as GPT-2 does."""
    return f"blocks.{run.layer}.resid_mid" in run.trace and not run.model.config.post_norm


def the_stream(run: Forward) -> Step:
    from llm_core.model.blocks import Block

    (x, where), out = run.x, run.of_layer("attn.out")
    show = [
        run.rows("x", x, "the layer's input", f"{where}[0, {{0}}, {{1}}]", family="x"),
        run.rows("attention", out, "what its heads found", run.place("attn.out", "{0}", "{1}")),
    ]
    if adds_up(run):
        show.append(stream_sum(run, "x + attention", ("x", x), ("attention", out), "resid_mid"))
    return Step(
        title="What they find is added",
        text="The heads' findings are mixed into one row for each token, and added to the token's row. Nothing is "
        "overwritten: one row of numbers for each token runs through the whole model, and each part reads it and "
        "adds to it. This is called the residual stream. The last token's row has to become the prediction.",
        show=show,
        code=[code_of(Block.forward, "x = self.resid_mid(")],
    )


def the_mlp(run: Forward) -> Step:
    from llm_core.analysis.costs import parameters
    from llm_core.model.blocks import MLP, Block

    out = run.of_layer("mlp.out")
    neurons = run.of_layer("mlp.post")
    active = int((neurons[-1] > 0).sum())
    share = f"{parameters(run.model)['MLP'] / run.sizes.num_parameters:.0%}"
    show: list[Shown] = [
        run.rows("neurons", neurons, "after the activation", run.place("mlp.post", "{0}", "{1}"), cell=9),
        run.rows("mlp", out, "what the MLP adds", run.place("mlp.out", "{0}", "{1}")),
    ]
    if adds_up(run):
        mid = run.of_layer("resid_mid")
        show.append(stream_sum(run, "x + mlp", ("x + attention", mid), ("mlp", out), "resid_post"))
    show.append(Facts(facts=[("active at the last token", f"{active} of {neurons.shape[1]}", "")]))
    return Step(
        title="The MLP: each token for itself",
        text=f"Then comes the second half of the layer. The MLP widens each row to {neurons.shape[1]} numbers, called "
        "neurons, sends each through an activation function that passes positive numbers and holds back most of the "
        f"negative ones, and narrows the row again. {share} of the model's numbers are in its MLPs. The result is "
        "added to the stream.",
        show=show,
        code=[code_of(MLP.forward), code_of(Block.forward, "return self.resid_post(")],
        question=whose_rows(run),
    )


def whose_rows(run: Forward) -> Question | None:
    """Which rows the MLP reads for the last token: tried, with every other row changed."""
    import torch

    if run.T == 1:
        return None
    block, rows = run.model.blocks[run.layer], run.of_layer("ln_2")
    with torch.no_grad(), run.scene.runner.alone():
        changed = torch.cat([rows[:-1] + 1, rows[-1:]])
        alone = bool(torch.allclose(block.mlp(changed)[-1], block.mlp(rows)[-1], atol=1e-4))
    return Question(
        prompt="Attention has mixed the tokens. Which rows does the MLP read to compute the last token's row?",
        options=[
            Option(
                "the last one only", alone, "Change all the others, and what it adds to the last one stays the same."
            ),
            Option("all rows", not alone, "Only attention carries anything from token to token."),
            Option("the rows that attention looked at", False, "What they passed on is in the last row already."),
        ],
    )


def block_after_block(run: Forward) -> Step:
    import torch

    from llm_core import Decoder
    from llm_core.analysis.lens import lens_logits, residual_stream

    L, best = run.sizes.n_layer, run.likeliest[0]
    with run.scene.runner.alone():
        lens = [lens_logits(run.model, run.trace, row)[0, -1].softmax(-1) for row in range(L + 1)]  # (V,) each
    stream = torch.stack([residual_stream(run.model, run.trace, row)[0, -1] for row in range(L + 1)])  # (L+1, C)
    names = ["embedding", *(f"after layer {layer}" for layer in range(L))]
    leaders = [int(probabilities.argmax()) for probabilities in lens]
    first = leaders.index(best)
    return Step(
        title="Layer after layer",
        text=f"Attention and MLP together are a layer, or block; the model has {L}, each with weights of its own. "
        "`stream` is the last token's row after each of them. Read early, as if the model ended there (the logit "
        f"lens), it says how far the prediction {run.quoted(best)} has come. Early rows were never trained to be "
        "read like this: treat the result as one view of them.",
        show=[
            Panel(name="stream", values=stream, letters=("", "C"), title="the last token's row", rows=names),
            Bars(
                title=f"If the model ended there: probability of {run.quoted(best)}, and the likeliest token",
                names=names,
                series={"probability": [float(probabilities[best]) for probabilities in lens]},
                words={"likeliest": [f"{run.quoted(id)} {float(p[id]):.3f}" for id, p in zip(leaders, lens)]},
                marks=[first],
            ),
        ],
        code=[code_of(Decoder.hidden, "x = block(")],
        question=where_it_leads(run, names, leaders),
    )


def where_it_leads(run: Forward, names: list[str], leaders: list[int]) -> Question | None:
    best, L = run.likeliest[0], run.sizes.n_layer
    first = leaders.index(best)
    options = distinct(
        Option(
            names[first],
            True,
            f"There {run.quoted(best)} is the likeliest token, and in no row before: see the last column.",
        ),
        *(
            Option(
                names[row],
                False,
                f"There the likeliest is {run.quoted(leaders[row])}"
                + (", but that was already so earlier." if leaders[row] == best else "."),
            )
            for row in (0, L // 2, L)
            if row != first
        ),
    )
    prompt = f"In the end the model predicts {run.quoted(best)}. Where does that token become the likeliest for the first time?"
    return Question(prompt=prompt, options=options) if len(options) > 1 else None


def to_probabilities(run: Forward) -> Step:
    from llm_core.model.architectures import Stack

    ids = run.likeliest
    hidden = run.trace["ln_f"][0, -1] if "ln_f" in run.trace else run.x[0][-1]  # (C,)
    rows = run.model.lm_head.weight.detach()[ids]  # (K, C)
    bias = run.model.lm_head.bias
    plain = type(run.model.before_head).__name__ == "Identity"  # else something stands between
    names = [written(run.piece(id)) for id in ids]
    logits = run.logits[ids]
    powers = (run.logits - run.logits.max()).exp()
    total = float(powers.sum())

    def row(name: str, values, title: str, formula: Formula | None, **more) -> Panel:
        return Panel(
            name=name, values=values, letters="K", title=title, columns=names, formula=formula, cell=54, **more
        )

    products = Formula(
        kind="products",
        a=Operand(name="last", values=hidden, letters="C"),
        b=Operand(name="rows", values=rows, letters="KC"),
        bias=None if bias is None else Operand(name="bias", values=bias[ids], letters="K"),
        over="C",
    )
    largest = float(run.logits.max())
    power = Formula(kind="power", a=Operand(name="logits", values=logits, letters="K"), number=largest)
    shares = Formula(
        kind="quotient",
        a=Operand(name="powers", values=powers[ids], letters="K"),
        number=total,
        number_text=f"sum over all {run.sizes.vocab_size:,}",
    )
    return Step(
        title="From a row to a probability for every token",
        text="The last token's row, normed, is compared with the embedding of every token of the vocabulary. The sum "
        "of products for each token is its logit: the better the match, the larger. Softmax turns logits into "
        f"probabilities: e to the power of each, divided by the sum over all {run.sizes.vocab_size:,}, so that they "
        f"are positive and sum to 1. Here are the {len(ids)} likeliest.",
        show=[
            row("logits", logits, "last row · token's embedding", products if plain else None),
            row("powers", powers[ids], "e^(logit - largest)", power, color="probability"),
            row("probabilities", run.probabilities[ids], "of coming next", shares, color="probability", decimals=3),
        ],
        code=[code_of(Stack.predict)],
        question=how_much_likelier(run, ids, logits),
    )


def how_much_likelier(run: Forward, ids: list[int], logits) -> Question:
    ratio = float((logits[0] - logits[1]).exp())
    return Question(
        prompt=f"The logit of {run.quoted(ids[0])} is {float(logits[0] - logits[1]):.2f} above that of "
        f"{run.quoted(ids[1])}. How many times likelier is it?",
        options=distinct(
            Option(
                f"{ratio:.2f} times",
                True,
                "A difference of logits becomes a ratio of probabilities: e to the power of the difference.",
            ),
            Option(
                f"{float(logits[0] / logits[1]):.2f} times",
                False,
                "That is the ratio of the logits. Softmax raises e to their power first.",
            ),
            Option(
                f"{float(logits[0] - logits[1]):.2f} times",
                False,
                "That is the difference itself; e to the power of it is the ratio.",
            ),
        ),
    )


def one_more_token(run: Forward) -> Step:
    import torch

    from llm_core.generation.warping import draw

    u = run.scene.inputs["u"] / 100
    with run.scene.runner.alone(), torch.inference_mode():
        ids = write_on(run.model, torch.tensor([run.ids]), u)  # (1, T+1)
        after = run.model(ids[:, -run.model.config.block_size :])[0, -1].softmax(-1)  # (V,)
    line = Line(run, int(ids[0, -1]), u)
    again = after.topk(min(5, len(after))).indices.tolist()
    return Step(
        title="One token is drawn, and it starts again",
        text=f"A random number u between 0 and 1 is drawn, here {u:.2f}. The probabilities are added up from the "
        f"likeliest on, and the first token at which the sum exceeds u is taken: {run.quoted(line.drawn)}. Always "
        "taking the likeliest is called greedy. The token is appended to the text, and the whole model runs once "
        f"more: now {run.quoted(again[0])} is likeliest. A model writes like this, one token at a time, until it "
        "draws the token for the end of the text.",
        show=[
            line.bars([line.shown.index(line.rank)]),
            Facts(
                facts=[
                    ("drawn", run.piece(line.drawn), ""),
                    ("greedy", run.piece(run.likeliest[0]), ""),
                    ("tokens now", str(ids.shape[1]), ""),
                ]
            ),
            Bars(
                title="What comes after that",
                names=[run.piece(id) for id in again],
                series={"probability": [float(after[id]) for id in again]},
                full=1,
            ),
        ],
        code=[code_of(write_on, "new = draw(", "return torch.cat("), code_of(draw, "place = torch.searchsorted(")],
        question=line.question(),
    )


class Line:
    """All tokens on a line from 0 to 1, the likeliest first, each as long as its probability; u falls on one of them."""

    def __init__(self, run: Forward, drawn: int, u: float):
        from llm_core.generation.warping import Warping

        self.run, self.drawn, self.u = run, drawn, u
        probabilities, ids = Warping().most_likely(run.logits[None])  # (1, V) each
        self.probabilities, self.ids = probabilities[0], ids[0].tolist()
        self.sums = self.probabilities.cumsum(-1)
        self.rank = self.ids.index(drawn)  # from 0

    @property
    def shown(self) -> list[int]:
        """Ranks: the first few, and those around the one that u falls on."""
        around = range(self.rank - BESIDE, self.rank + BESIDE + 1)
        return sorted({*range(FIRST_OF_LINE), *around} & set(range(len(self.ids))))

    @property
    def decimals(self) -> int:
        """As many as show that the sum exceeds u first at the token that is drawn."""
        reached = float(self.sums[self.rank])
        return next((decimals for decimals in range(3, 7) if round(reached, decimals) > self.u), 7)

    def bars(self, marks: list[int]) -> Bars:
        return Bars(
            title="The line that u falls on: tokens by rank, the likeliest first",
            names=[f"{rank + 1:,}. {self.run.piece(self.ids[rank])}" for rank in self.shown],
            series={
                "probability": self.probabilities[self.shown].tolist(),
                "sum so far": self.sums[self.shown].tolist(),
            },
            decimals=self.decimals,
            full=1,
            marks=marks,
        )

    def question(self) -> Question | None:
        others = [rank for rank in (0, self.rank - 1, self.rank + 1) if rank != self.rank and 0 <= rank < len(self.ids)]
        options = distinct(
            Option(
                self.run.quoted(self.drawn),
                True,
                f"From the likeliest token on, it is the first at which the sum exceeds {self.u:.2f}.",
            ),
            *(
                Option(
                    self.run.quoted(self.ids[rank]),
                    False,
                    f"The sum up to it, {float(self.sums[rank]):.{self.decimals}f}, does not exceed u."
                    if rank < self.rank
                    else "The sum already exceeds u one token earlier.",
                )
                for rank in others
            ),
        )
        prompt = f"The likeliest tokens come first on a line from 0 to 1. u = {self.u:.2f}: which token is drawn?"
        return Question(prompt=prompt, options=options, before=[self.bars([])]) if len(options) > 1 else None


def controls(runner) -> list[Control]:
    return [
        layer_control(runner, LAYER, steps=(4, 5, 6, 7)),
        head_control(runner, HEAD, steps=(4,)),
        Control(name="u", label="u", kind="slider", value=U, least=0, most=99, info="percent", steps=(STEPS,)),
    ]


LESSON = Lesson(
    id="transformer",
    title="What a Transformer does",
    summary="From text to the next token, through the whole model in ten steps.",
    build=build,
    num_steps=STEPS,
    controls=controls,
)
