"""Encoder and decoder: who sees whom in the four architectures, a masked prediction, cross-attention number by number,
encoder states as a prefix, and what another title does to attention, loss and what is written.

Each of the four models that ship is at work here, on a title and an article that the learner types.
"""

from ..lesson import (
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
    Step,
    written,
)
from ..questions import distinct
from ..settings import numbered
from ..source import code_of
from .attention import attention_code
from .four_models import CROSS, DECODER, ENCODER, PREFIX, Four, Pair, labels, recorded, token_losses

STEPS = 10
TITLE, ARTICLE, OTHER = "How to Make a Paper Boat", "Take a sheet of paper. Fold it in half.", "How to Bake Bread"
LIKELIEST = 6  # tokens
LAYERS, HEADS = 3, 8  # of the decoders that ship with an encoder
SAME = 0.005  # nats: losses nearer than this read the same


def build(scene: Scene) -> list[Step]:
    four = Four(scene)
    return [
        who_sees_whom(four),
        masked_prediction(four),
        memory(four),
        three_vectors(four),
        one_score(four),
        cross_pattern(four),
        mixed(four),
        in_front(four),
        another_title(four),
        written_on(four),
    ]


# who sees whom


def visible(trace, point: str):
    """(T, S), True where the mask lets a query see a key: a hidden score is -inf."""
    return trace[point][0, 0].isfinite()


def sight(name: str, seen, title: str, rows: list[str], columns: list[str] | None = None) -> Panel:
    return Panel(
        name=name,
        values=seen.float(),
        letters="TS",
        title=title,
        rows=rows,
        columns=rows if columns is None else columns,
        color="probability",
        hidden=~seen,
        decimals=0,
        cell=15,
    )


def masks_of(four: Four) -> dict:
    """What each model's first layer lets be seen, as it was recorded."""
    alone = {
        name: visible(recorded(four.models[name], tuple(four.text_ids)), "blocks.0.attn.scores")
        for name in (ENCODER, DECODER)
    }
    cross, prefix = four.cross.trace, four.prefix.trace
    return {
        "encoder": alone[ENCODER],
        "decoder": alone[DECODER],
        "prefix": visible(prefix, "decoder.blocks.0.attn.scores"),
        "own": visible(cross, "decoder.blocks.0.attn.scores"),
        "across": visible(cross, "decoder.blocks.0.cross_attn.scores"),
    }


def who_sees_whom(four: Four) -> Step:
    from llm_core.model.architectures import Decoder, Encoder

    masks = masks_of(four)
    text = labels(four.models[DECODER], four.text_ids)
    joined = [*four.prefix.keys, *four.prefix.queries]
    return Step(
        title="Four architectures: who sees whom",
        text="Each row is a token that looks, each column a token it may look at; hatched cells are hidden. An "
        "`encoder` sees everything, in both directions. A `decoder` sees what came before, because it predicts what "
        "comes next. An encoder-decoder reads the title in an encoder and writes the article in a decoder. With "
        "`prefix`, the title's states come before the article's tokens, as if they were tokens. With "
        "cross-attention, the decoder sees its `own` past in one attention, and the whole title in another, "
        "`across`.",
        show=[
            sight("encoder", masks["encoder"], "title and article, one model", text),
            sight("decoder", masks["decoder"], "title and article, one model", text),
            sight("prefix", masks["prefix"], "title's states, then the article", joined),
            sight("own", masks["own"], "the article, in the decoder", four.cross.queries),
            sight("across", masks["across"], "article to title", four.cross.queries, four.cross.keys),
        ],
        code=[
            code_of(Encoder.hidden, "x = block(x, mask)"),
            code_of(Decoder._own_mask, "return self._told(None, True"),
        ],
        question=counted(masks, four),
    )


def counted(masks: dict, four: Four) -> Question | None:
    """How much of all pairs a decoder's mask lets through."""
    T = len(four.text_ids)
    seen = int(masks["decoder"].sum())
    options = distinct(
        Option(str(seen), True, f"1 + 2 + … + {T} = {T} · {T + 1} / 2: each token sees itself and those before it."),
        Option(str(int(masks["encoder"].sum())), False, "An encoder sees that many: every token sees every token."),
        Option(str(T * (T - 1) // 2), False, "Then no token would see itself; the diagonal is visible, too."),
    )
    prompt = (
        f"{T} tokens make {T * T} pairs of a query and a key. How many of them does the decoder's mask let through?"
    )
    before = [ids_panel(four.text_ids, labels(four.models[DECODER], four.text_ids))]
    return Question(prompt=prompt, options=options, before=before) if len(options) > 1 else None


def masked_prediction(four: Four) -> Step:
    import torch

    from llm_core.generation.sampling import fill_masks

    encoder, decoder = four.models[ENCODER], four.models[DECODER]
    ids = four.text_ids
    place = max(1, len(ids) - 4) if len(ids) > 1 else 0
    masked = [*ids[:place], encoder.tokenizer.mask, *ids[place + 1 :]]
    with encoder.alone():
        (filled,) = fill_masks(encoder.model, masked, encoder.tokenizer.mask)
    left = torch.tensor([ids[:place] or ids[:1]])
    with decoder.alone(), torch.inference_mode():
        from_left = decoder.model(left)[0, -1].softmax(-1)  # (V,)
    both = filled.probabilities
    hidden = ids[place]
    likely = list(dict.fromkeys([hidden, *filled.best_ids[:LIKELIEST].tolist(), *from_left.topk(3).indices.tolist()]))

    def piece(id: int) -> str:
        return written(encoder.tokenizer.piece(id))

    best = int(filled.best_ids[0])
    options = distinct(
        Option(piece(best), True, f"The encoder gives it {float(both[best]):.3f}, more than any other."),
        *(
            Option(
                piece(id),
                False,
                f"The encoder gives it {float(both[id]):.3f}; its likeliest has {float(both[best]):.3f}.",
            )
            for id in (int(from_left.argmax()), *filled.best_ids[1:3].tolist())
        ),
    )
    shown = [*ids[:place], encoder.tokenizer.mask, *ids[place + 1 :]]
    return Step(
        title="The encoder fills in what is masked",
        text="An encoder cannot be asked for the next token: it already sees it. So it is trained to fill in tokens "
        f"that were replaced by “mask”. Here {piece(hidden)!r} is hidden, and the model sees both sides of it. A "
        "decoder at the same position knows only the left side, and guesses among everything that could follow.".replace(
            "`", "ˋ"
        ),
        show=[
            ids_panel(shown, labels(encoder, shown), place),
            Bars(
                title=f"Which token is at position {place}?",
                names=[encoder.tokenizer.piece(id) for id in likely],
                series={
                    "encoder": [float(both[id]) for id in likely],
                    "decoder": [float(from_left[id]) for id in likely],
                },
            ),
        ],
        code=[code_of(fill_masks, "probabilities = F.softmax(")],
        question=Question(
            prompt="What does the encoder find likeliest at the masked position?",
            options=options,
            before=[ids_panel(shown, labels(encoder, shown), place)],
        )
        if len(options) > 1
        else None,
    )


def ids_panel(ids: list[int], columns: list[str], *places: int) -> Panel:
    return Panel(
        name="ids",
        values=[ids],
        letters=("", "T"),
        title="what the model reads",
        columns=columns,
        color="origin",
        origin=[range(len(ids))],
        marks=[(0, place) for place in places],
        decimals=0,
    )


# cross-attention, number by number


def memory(four: Four) -> Step:
    from llm_core.model.architectures import EncoderDecoder

    C = four.memory.shape[1]
    return Step(
        title="The encoder reads the title, once",
        text="From here on, the lesson shows the model with cross-attention. Its encoder turns the title into "
        f"`memory`: C = {C} numbers for each of its S = {four.S} tokens, after all of the encoder's layers and its "
        "final norm. This is all that the decoder will ever know about the title. It is computed once, however long "
        "the article gets.",
        show=[
            Panel(
                name="memory",
                values=four.memory,
                letters="SC",
                title="the title's states",
                where=f"encoder.ln_f[0, {{0}}, {{1}}] of {CROSS}",
                rows=four.cross.keys,
            )
        ],
        code=[code_of(EncoderDecoder.hidden, "memory = self.encoder.hidden(")],
    )


def three_vectors(four: Four) -> Step:
    from llm_core.model.attention import MultiHeadAttention

    x = Operand(name="x", values=four.of("ln_cross"), letters="TC")
    states = Operand(name="memory", values=four.memory, letters="SC")
    D = four.of_head("q").shape[1]
    return Step(
        title="Queries from one text, keys and values from the other",
        text="Cross-attention is attention with two sources. The article asks: its rows become the queries `q`. The "
        "title answers: its `memory` becomes the keys `k` and the values `v`. One line of code chooses the source. "
        "Click a cell to see which row it was computed from.",
        show=[
            four.projected("q", x, "TD", "from the article", four.cross.queries),
            four.projected("k", states, "SD", "from the title", four.cross.keys),
            four.projected("v", states, "SD", "from the title", four.cross.keys),
        ],
        code=[
            code_of(MultiHeadAttention._keys_and_values, "source = x if memory is None else memory"),
            code_of(MultiHeadAttention.forward, "q = self.q("),
        ],
        question=shape_question(four, D),
    )


def shape_question(four: Four, D: int) -> Question | None:
    T, S = four.T, four.S
    options = distinct(
        Option(
            f"({T}, {S})",
            True,
            "One row for each query, from the article, and one column for each key, from the title.",
        ),
        Option(f"({T}, {T})", False, "That is self-attention: there the keys are the article's own."),
        Option(f"({S}, {T})", False, "Then the title would look at the article."),
        Option(f"({S}, {S})", False, "That is the encoder's own attention."),
    )
    prompt = f"The article has T = {T} tokens, the title S = {S}. What shape does one head's pattern have?"
    return Question(prompt=prompt, options=options) if len(options) > 1 else None


def one_score(four: Four) -> Step:
    D = four.of_head("q").shape[1]
    i, j = four.strongest
    q, k = four.of_head("q")[i], four.of_head("k")[j]

    def row(name: str, values, title: str, formula: Formula | None = None) -> Panel:
        return Panel(name=name, values=values, letters="D", title=title, formula=formula, cell=19)

    total = float((q * k).sum())
    return Step(
        title="One score between two texts",
        text=f"How strongly should “{four.cross.queries[i]}” of the article attend to “{four.cross.keys[j]}” of the "
        "title? Multiply the `query` of the first by the `key` of the second, number by number, add up the "
        f"products, and divide by √{D}. Only one thing is new: the two come from different texts.",
        show=[
            row("query", q, f"q of “{four.cross.queries[i]}” (article, position {i})"),
            row("key", k, f"k of “{four.cross.keys[j]}” (title, position {j})"),
            row(
                "products",
                q * k,
                "query × key",
                Formula(
                    kind="product",
                    a=Operand(name="query", values=q, letters="D"),
                    b=Operand(name="key", values=k, letters="D"),
                ),
            ),
            Facts(
                facts=[
                    ("the sum of the products", f"{total:.4f}", ""),
                    (f"divided by √{D}: the score", f"{total / D**0.5:.4f}", ""),
                ]
            ),
        ],
        code=[attention_code("scores = q @ k")],
    )


def cross_pattern(four: Four) -> Step:
    reader, _ = four.strongest
    row = four.of_head("pattern")[reader]
    order = row.argsort(descending=True).tolist()
    keys, name = four.cross.keys, four.cross.queries[reader]

    def at(place: int) -> str:
        return f"“{keys[place]}” (position {place})"

    options = distinct(
        Option(at(order[0]), True, f"Its weight is {float(row[order[0]]):.3f}, the largest of the row."),
        *(
            Option(
                at(place), False, f"Its weight is {float(row[place]):.3f}; the largest is {float(row[order[0]]):.3f}."
            )
            for place in (*order[1:2], *order[-1:])
            if row[place] < row[order[0]]
        ),
    )
    return Step(
        title="The pattern is a rectangle",
        text="`pattern` has a row for each token of the article and a column for each of the title. There is no "
        "causal mask: the title was complete before the article began, so every token may see all of it. Only "
        f"padding of the title would be hidden. This is layer {four.layer}, head {four.head}; try others.",
        show=[
            four.pairs(
                "scores",
                four.of_head("scores"),
                "q · k / √D",
                where=four.where("cross_attn.scores", str(four.head), "{0}", "{1}"),
            ),
            four.pattern(),
        ],
        code=[attention_code("pattern = F.softmax(")],
        question=Question(
            prompt=f"Which token of the title does “{name}”, row {reader}, read most from?", options=options
        )
        if len(options) > 1
        else None,
    )


def mixed(four: Four) -> Step:
    from llm_core.model.blocks import Block

    mid, out = four.of("resid_mid"), four.of("cross_attn.out")  # (T, C)
    states = Operand(name="memory", values=four.memory, letters="SC")

    def wide(name: str, values, point: str, title: str, formula: Formula | None = None) -> Panel:
        where = four.where(point, "{0}", "{1}")
        return Panel(
            name=name, values=values, letters="TC", title=title, where=where, rows=four.cross.queries, formula=formula
        )

    return Step(
        title="The title's values arrive in the article",
        text="Each row of `z` is a mixture of the title's values `v`, weighted by the pattern. All heads together "
        "give `out`, which is added to the article's residual stream between self-attention and the MLP: a decoder "
        "layer with cross-attention has three parts and three norms.",
        show=[
            four.projected("v", states, "SD", "the title's values", four.cross.keys),
            Panel(
                name="z",
                values=four.of_head("z"),
                letters="TD",
                title="mixed for the article",
                where=four.where("cross_attn.z", str(four.head), "{0}", "{1}"),
                rows=four.cross.queries,
                cell=17,
                formula=Formula(
                    kind="products",
                    a=Operand(name="pattern", values=four.of_head("pattern"), letters="TS"),
                    b=Operand(name="v", values=four.of_head("v"), letters="SD"),
                    over="S",
                ),
            ),
            wide("out", out, "cross_attn.out", "what all heads add"),
            wide(
                "x + out",
                four.of("resid_cross"),
                "resid_cross",
                "the article's stream",
                Formula(
                    kind="sum",
                    a=Operand(name="x", values=mid, letters="TC"),
                    b=Operand(name="out", values=out, letters="TC"),
                ),
            ),
        ],
        code=[code_of(Block.forward, "attended = self.cross_attn(", "x = self.resid_cross(x + attended)")],
    )


# states in front, and another title


def in_front(four: Four) -> Step:
    from llm_core.model.architectures import Decoder

    pair, layer = four.prefix, four.layer
    P, T = len(pair.ids), len(pair.own)
    pattern = pair.trace[f"decoder.blocks.{layer}.attn.pattern"][0, four.head]  # (P+T, P+T)
    scores = pair.trace[f"decoder.blocks.{layer}.attn.scores"][0, four.head]
    names = [*pair.keys, *pair.queries]
    share = float(pattern[P:, :P].sum(-1).mean())
    return Step(
        title="The other way: states as a prefix",
        text=f"The model with a prefix has no cross-attention. The encoder's P = {P} states are placed before the "
        f"article's T = {T} embeddings, and one causal attention runs over all P + T = {P + T} rows. A token reads "
        f"the title in the first P columns, and its own past in the others: here {share:.0%} of the article's "
        "attention goes to the title. The rows of the prefix predict nothing and are cut off at the end.",
        show=[
            Panel(
                name="pattern",
                values=pattern,
                letters=("T", "S"),
                title=f"the first {P} rows and columns are the title's",
                where=f"decoder.blocks.{layer}.attn.pattern[0, {four.head}, {{0}}, {{1}}] of {PREFIX}",
                rows=names,
                columns=names,
                color="probability",
                hidden=~scores.isfinite(),
                cell=26,
                formula=Formula(kind="softmax", a=Operand(name="scores", values=scores, letters="TS"), over="S"),
            ),
            Facts(facts=[("attention that goes to the title", f"{share:.3f}", "")]),
        ],
        code=[
            code_of(Decoder.hidden, "x = torch.cat([memory, x]", "return self.ln_f(x[:, -T:])"),
        ],
        question=prefix_question(P, T),
    )


def prefix_question(P: int, T: int) -> Question | None:
    options = distinct(
        Option(
            f"({P + T}, {P + T})",
            True,
            "Title and article form one sequence: each token looks at everything before it.",
        ),
        Option(f"({T}, {P})", False, "That is the shape in cross-attention. Here one attention reads both."),
        Option(f"({T}, {P + T})", False, "The prefix has queries, too: its states go on through the decoder's layers."),
    )
    prompt = f"{P} states come before {T} tokens. What shape does a head's pattern have in the decoder?"
    return Question(prompt=prompt, options=options) if len(options) > 1 else None


def another_title(four: Four) -> Step:
    other = four.crossed
    show: list = [
        four.pattern(),
        four.pairs(
            "pattern, other title",
            four.of_head("pattern", other),
            "the same article",
            other,
            color="probability",
            formula=Formula(
                kind="softmax", a=Operand(name="scores", values=four.of_head("scores", other), letters="TS"), over="S"
            ),
        ),
    ]
    if four.cross.losses:
        series = {"its title": four.cross.losses, "other title": other.losses}
        names = [written(label) for label in four.cross.queries[1:]]
        show.append(Bars(title="Loss of each token of the article, with cross-attention", names=names, series=series))
        show.append(Facts(facts=loss_facts(four)))
    return Step(
        title="Another title: attention and loss change",
        text="The article is the same, but the title is different. Every query before the first cross-attention is "
        "unchanged; keys and values are new, so attention changes, and so does the result. The loss says whether "
        "the title helped: it is the mean over the article of −ln p of each right token. Words that the title "
        "suggests cost more without it. Change the title, the other title and the article as you like.",
        show=show,
        code=[code_of(token_losses, "return F.cross_entropy(")],
        question=loss_question(four),
    )


def loss_facts(four: Four) -> list[tuple[str, str, str]]:
    pairs = {"cross": (four.cross, four.crossed), "prefix": (four.prefix, four.prefixed)}
    return [
        (f"{name}, {which}", f"{pair.loss:.4f}", "")
        for name, both in pairs.items()
        for which, pair in zip(("its title", "other title"), both)
    ]


def loss_question(four: Four) -> Question | None:
    own, other = four.cross.loss, four.crossed.loss
    if own is None or other is None:
        return None
    change = other - own
    why = f"From {own:.3f} to {other:.3f} nats per token."
    return Question(
        prompt=f"The article stays the same, the title becomes “{four.crossed.title}”. What happens to the article's "
        "loss?",
        options=[
            Option("it rises", change > SAME, f"{why} The model knew less of what was coming, or was led astray."),
            Option("it stays", abs(change) <= SAME, f"{why} It would stay if the decoder did not read the title."),
            Option("it falls", change < -SAME, f"{why} It would fall if the other title fit better."),
        ],
    )


def written_on(four: Four) -> Step:
    from llm_core.generation.sampling import Request

    return Step(
        title="Written from a title alone",
        text="To write, the model runs its encoder once, on the title. The decoder begins with the start token, "
        "predicts a token, and reads it as its next input. With cross-attention, keys and values of the title are "
        "kept and used at every step; with a prefix, its states are the first entries of the decoder's own cache. "
        "Here each model writes greedily, from both titles.",
        show=[told(pair) for pair in (four.cross, four.crossed, four.prefix, four.prefixed)],
        code=[
            code_of(Request._memory, "memory = self.model.encoder.hidden("),
            code_of(Request.choices, "ids, u = self._draw(logits)", "context.append(ids)"),
        ],
        question=once_question(four),
    )


def told(pair: Pair) -> Message:
    way = "Cross-attention" if pair.runner.architecture == CROSS else "Prefix"
    said = f"{way}, “{pair.title}”: {pair.written().strip()}"
    return Message(text="", words=said.replace("`", "ˋ").replace("\n", " ⏎ "))


def once_question(four: Four) -> Question:
    """How often the encoder runs while tokens are written: counted."""
    from llm_core import generate

    runs: list[int] = []
    model, tokenizer = four.cross.runner.model, four.cross.runner.tokenizer
    with four.cross.runner.alone():
        hook = model.encoder.ln_f.register_forward_hook(lambda *_: runs.append(1))
        try:
            generate(model, [four.cross.ids], 4, temperature=0, decoder_ids=[[tokenizer.start]])
        finally:
            hook.remove()
    return Question(
        prompt="Four tokens are written. How many times does the encoder run?",
        options=[
            Option("once", len(runs) == 1, "The title does not change while the article grows."),
            Option(
                "four times",
                len(runs) == 4,
                "The decoder runs four times; what it reads from the title stays the same.",
            ),
            Option("five times", len(runs) == 5, "Not even the start token makes it run again."),
        ],
    )


def controls(runner) -> list[Control]:
    """Of the models that ship: which one the app was started with does not matter here."""

    def typed(name: str, label: str, value: str, steps: tuple[int, ...] = ()) -> Control:
        return Control(name=name, label=label, kind="text", value=value, steps=steps)

    return [
        typed("title", "Title", TITLE),
        typed("article", "Article", ARTICLE),
        typed("other", "Other title", OTHER, steps=(9, 10)),
        numbered("layer", "Layer", LAYERS, 0, steps=(4, 5, 6, 7, 8, 9)),
        numbered("head", "Head", HEADS, 1, steps=(4, 5, 6, 7, 8, 9)),
    ]


LESSON = Lesson(
    id="encoder-decoder",
    title="Encoder and decoder",
    summary="Two texts, two stacks: masks, cross-attention, and states as a prefix.",
    build=build,
    num_steps=STEPS,
    controls=controls,
    uses_text=False,
)
