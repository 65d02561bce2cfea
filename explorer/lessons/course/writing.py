"""Writing: from the last row of logits to a token, and from one token to a text.

Every distribution, draw and cached key is that of the code that writes in the app, with the learner's settings.
"""

import json
import math
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from ...engine.runner import Runner
from ..batch import BOTH_TEXTS, padded, rows_of, second_control
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
    Step,
    readable,
)
from ..mistakes.effects import ARTICLES
from ..questions import distinct
from ..settings import head_control, layer_control
from ..source import code_of

if TYPE_CHECKING:
    from torch import Tensor

STEPS = 9
DRAW, HEAT, TOP_K, TOP_P, LOOP, END, BATCH, CACHE = range(2, 10)
SHOWN = 10  # likeliest tokens
DRAWS, NEW = 1000, 8
TEMPERATURES = ("0.2", "0.5", "0.8", "1", "1.5", "2")
NUCLEI = ("0.5", "0.8", "0.9", "0.95", "1")


class Writer:
    """The model behind the learner's text, about to write the next token."""

    def __init__(self, scene: Scene):
        self.scene, self.runner, self.labels = scene, scene.runner, scene.labels
        inputs = scene.inputs
        self.temperature, self.top_k, self.top_p = float(inputs["heat"]), inputs["k"], float(inputs["nucleus"])
        self.seed, self.layer, self.head = inputs["seed"], inputs["layer"], inputs["head"]
        self.ids = scene.recorded.ids
        self.T = len(self.ids)

    @property
    def end(self) -> int:
        return self.runner.tokenizer.end or 0

    @cached_property
    def logits(self) -> "Tensor":
        return self.scene.recorded.trace["logits"][0]  # (T, V)

    @property
    def last(self) -> "Tensor":
        return self.logits[-1]  # (V,)

    @cached_property
    def likely(self) -> list[int]:
        return self.last.topk(SHOWN).indices.tolist()

    @cached_property
    def names(self) -> list[str]:
        return [self.label(id) for id in self.likely]

    def label(self, id: int) -> str:
        return readable(self.runner.describe([id])[0])

    @cached_property
    def warped(self):
        from llm_core.generation.warping import warp_logits

        return warp_logits(self.last[None], self.temperature, self.top_k, self.top_p).row(0)

    @cached_property
    def written(self) -> list:
        """The steps of ``stream`` with the learner's settings: NEW of them."""
        return written(self.runner, tuple(self.ids), self.temperature, self.top_k, self.top_p, self.seed)

    def line(self, name: str, values: "Tensor", title: str, **more) -> Panel:
        """(K,) of the likeliest tokens."""
        return Panel(
            name=name,
            values=values,
            letters="K",
            title=title,
            columns=self.names,
            **{"cell": 50, "color": "probability", "decimals": 3, **more},
        )


@lru_cache(maxsize=32)
def written(runner: Runner, ids: tuple, temperature: float, top_k: int, top_p: float, seed: int) -> list:
    from llm_core.generation.sampling import stream

    with runner.alone():
        return list(stream(runner.model, list(ids), NEW, temperature, top_k, top_p, seed, tokenizer=runner.tokenizer))


def build(scene: Scene) -> list[Step]:
    writer = Writer(scene)
    return [
        last_row(writer),
        drawing(writer),
        temperature(writer),
        top_k(writer),
        top_p(writer),
        fed_back(writer),
        end_of_text(writer),
        several_prompts(writer),
        cache(writer),
    ]


def last_row(writer: Writer) -> Step:
    from llm_core.generation.sampling import Context

    T, V = writer.logits.shape
    return Step(
        title="Only the last position counts",
        text=f"The model predicts at every position; the columns of the {len(writer.likely)} likeliest of {V:,} next "
        "tokens are shown. In training all rows of `logits` count. To continue the text, only the last row matters "
        "(outlined): what follows the earlier tokens is already known. So only the last state goes through the "
        "head, which saves most of the head's work.",
        show=[
            Panel(
                name="logits",
                values=writer.logits[:, writer.likely],
                letters="TK",
                title="at every position",
                rows=writer.labels,
                columns=writer.names,
                marks=[[T - 1, k] for k in range(len(writer.likely))],
                cell=42,
            )
        ],
        code=[code_of(Context._read, "predict(hidden[:, -1:])")],
        question=Question(
            prompt=f"The text has {T} {'token' if T == 1 else 'tokens'}, and `logits` is (B=1, T={T}, V={V}). Which part says what "
            "comes next?",
            options=distinct(
                Option("logits[:, -1]", True, "The last position has read the whole text."),
                Option("logits[:, 0]", False, "That predicts the second token, from the first alone."),
                Option("logits[:, :, -1]", False, "That is one token of the vocabulary at every position."),
                Option("the mean over T", False, "It mixes in predictions of tokens that are already known."),
            ),
        ),
    )  # fmt: skip


def reached(logits: "Tensor", id: int) -> list[tuple[str, str, str]]:
    """Where a token stands among all, the likeliest first, and the sum of probabilities before and with it."""
    from llm_core.generation.warping import Warping

    p, ids = (row[0] for row in Warping().most_likely(logits[None]))  # (V,)
    rank = ids.tolist().index(id)
    before, with_it = float(p[:rank].sum()), float(p[: rank + 1].sum())
    return [
        ("its rank", f"{rank + 1:,}", ""),
        ("sum before it", f"{before:.5f}", ""),
        ("sum with it", f"{with_it:.5f}", ""),
    ]


def drawing(writer: Writer) -> Step:
    import torch

    from llm_core.generation.warping import Warping, draw

    p = writer.last.softmax(-1)[writer.likely]  # (K,)
    random = torch.Generator().manual_seed(writer.seed)
    u = torch.rand(1, 1, generator=random)
    drawn = int(draw(writer.last[None], u, Warping()))
    many = drawn_often(writer.last, torch.rand(DRAWS, generator=random))
    shares = [float((many == id).float().mean()) for id in writer.likely]
    place = writer.likely.index(drawn) if drawn in writer.likely else None
    return Step(
        title="Greedy takes the likeliest, sampling draws",
        text=f"Greedy always writes “{writer.names[0]}”, and often ends in a loop. Sampling draws a number u between "
        "0 and 1 and goes along `cumulative`, the likeliest first, until the sum is larger than u. A token with "
        f"probability {float(p[0]):.2f} is drawn about that often. The seed determines every u.",
        show=[
            writer.line("p", p, "softmax of the last row"),
            writer.line("cumulative", p.cumsum(0), "p added up from the left", marks=[] if place is None else [[place]]),
            Facts(facts=[("u", f"{float(u):.4f}", ""), ("drawn", writer.label(drawn), ""), *reached(writer.last, drawn)]),
            Bars(
                title=f"Probability, and how often it was drawn in {DRAWS:,} draws",
                names=writer.names,
                series={"p": p.tolist(), "share": shares},
            ),
        ],
        code=[code_of(draw, "torch.searchsorted(")],
        question=Question(
            prompt=f"u = {float(u):.4f}. Which token is drawn?",
            options=distinct(
                Option(f"“{writer.label(drawn)}”", True, "It is the first at which the sum of probabilities exceeds u."),
                *[
                    Option(f"“{name}”", False, f"Up to it the probabilities sum to {float(p.cumsum(0)[k]):.4f}.")
                    for k, name in enumerate(writer.names[:3])
                    if k != place
                ],
            ),
            before=[writer.line("p", p, "softmax of the last row"), writer.line("cumulative", p.cumsum(0), "added up")],
        ),
    )  # fmt: skip


def drawn_often(logits: "Tensor", u: "Tensor") -> "Tensor":
    """The ids that (N,) numbers draw from one row of logits (V,), as ``draw`` does, which would sort it N times."""
    import torch

    p, ids = logits.double().softmax(-1).sort(descending=True)
    return ids[torch.searchsorted(p.cumsum(-1), u.double(), right=True).clamp(max=len(ids) - 1)]  # (N,)


def temperature(writer: Writer) -> Step:
    from llm_core.generation.warping import Warping

    logits, heat = writer.last[writer.likely], writer.temperature
    before, after = writer.warped.before[writer.likely], writer.warped.after_temperature[writer.likely]
    most = [float(x[0]) for x in (before, after)]
    change = "stays" if abs(most[1] - most[0]) < 1e-6 else "grows" if most[1] > most[0] else "shrinks"
    return Step(
        title="Temperature divides the logits",
        text=f"`logits` divided by {heat:g}, and then the softmax. Below 1 differences grow and likely tokens get "
        "likelier; above 1 all become more alike; near 0 sampling becomes greedy. The order never changes. If you "
        "multiply instead of dividing, the effect is reversed.",
        show=[
            writer.line("logits", logits, "of the last position", color="diverging", decimals=2),
            writer.line(
                "scaled",
                logits / heat,
                f"logits / {heat:g}",
                color="diverging",
                decimals=2,
                formula=Formula(
                    kind="quotient",
                    a=Operand(name="logits", values=logits, letters="K"),
                    number=heat,
                    number_text=f"{heat:g}",
                ),
            ),
            Bars(
                title="Probabilities",
                names=writer.names,
                series={"temperature 1": before.tolist(), f"temperature {heat:g}": after.tolist()}
                if heat != 1
                else {"temperature 1": before.tolist()},
            ),
        ],
        code=[code_of(Warping.tempered, "/ self.temperature")],
        question=Question(
            prompt=f"The temperature is {heat:g}. What happens to the largest probability, {most[0]:.3f}?",
            options=[
                Option(f"it {change}", True, f"It becomes {most[1]:.3f}."),
                *[
                    Option(f"it {other}", False, f"It becomes {most[1]:.3f}: the logits were divided by {heat:g}.")
                    for other in ("grows", "shrinks", "stays")
                    if other != change
                ],
            ],
        ),
    )


def top_k(writer: Writer) -> Step:
    from llm_core.generation.warping import Warping

    k = writer.top_k
    before, after = writer.warped.after_temperature, writer.warped.after_top_k
    kept = float(before[after > 0].sum())
    first = [float(x[writer.likely[0]]) for x in (before, after)]
    return Step(
        title="Top-k: only the k likeliest stay",
        text=f"The {k} likeliest tokens stay, all others get 0, and what stays is divided by its sum, {kept:.4f}, so "
        "that it sums to 1 again. This cuts off the long tail: thousands of tokens that are unlikely one by one, "
        f"but not together. Here they had {1 - kept:.1%} in total.",
        show=[
            writer.line("p", before[writer.likely], f"at temperature {writer.temperature:g}"),
            cut_line(writer, "top-k", "p", before, after, kept, f"the first {k}, divided by their sum"),
            Facts(facts=[("kept", f"{int((after > 0).sum())} of {len(after):,}", ""), ("their sum before", f"{kept:.4f}", "")]),
        ],
        code=[code_of(Warping.most_likely, "logits.topk(")],
        question=Question(
            prompt=f"k = {k}. The likeliest token had {first[0]:.4f}. What does it have afterwards?",
            options=distinct(
                Option(f"{first[1]:.4f}", True, f"{first[0]:.4f} / {kept:.4f}: what was cut off is shared out."),
                Option(f"{first[0]:.4f}", False, "Then the rest would sum to less than 1."),
                Option(f"{1 / k:.4f}", False, "They keep their proportions: equal shares would be another method."),
                Option(f"{first[0] + (1 - kept) / k:.4f}", False, "What was cut off is shared out in proportion, not equally."),
            ),
        ),
    )  # fmt: skip


def cut_line(writer: Writer, name: str, source: str, before, after, kept: float, title: str) -> Panel:
    """What is left of a distribution (V,), each number divided by the sum of those that stay."""
    values = after[writer.likely]
    return writer.line(
        name,
        values,
        title,
        hidden=values == 0,
        formula=Formula(
            kind="quotient",
            a=Operand(name=source, values=before[writer.likely], letters="K"),
            number=kept,
            number_text="their sum",
        ),
    )


def top_p(writer: Writer) -> Step:
    from llm_core.generation.warping import Warping

    before, after, p = writer.warped.after_top_k, writer.warped.after_top_p, writer.top_p
    sums = before[writer.likely].cumsum(0)
    stay, kept = int((after > 0).sum()), float(before[after > 0].sum())
    return Step(
        title="Top-p: as many as it takes",
        text=f"The fewest tokens whose probabilities sum to at least p = {p:g} stay. Where the model is sure, that "
        "may be one token; where it is unsure, dozens. The number follows the model, while top-k keeps a fixed "
        "number. The token that crosses p stays. In the app, top-p comes after temperature and top-k.",
        show=[
            writer.line("top-k", before[writer.likely], f"after temperature and top-k {writer.top_k}"),
            writer.line("cumulative", sums, "added up from the left"),
            cut_line(writer, "top-p", "top-k", before, after, kept, "the nucleus, divided by its sum"),
            Facts(
                facts=[("kept", f"{stay} of {int((before > 0).sum())}", ""), ("their sum before", f"{kept:.4f}", "")]
            ),
        ],
        code=[code_of(Warping.nucleus, "before < self.top_p")],
        question=Question(
            prompt=f"p = {p:g}. How many tokens stay?",
            options=distinct(
                Option(str(stay), True, f"With {stay} the sum is {kept:.4f}; with one fewer it would not reach {p:g}."),
                Option(str(stay - 1 or 2), False, "The token that crosses p stays, too: at least one always does."),
                Option(str(stay + 1), False, "The sum reaches p with fewer tokens."),
                Option(str(round(p * SHOWN)), False, "p is a share of the probability, not of the tokens."),
            ),
            before=[writer.line("top-k", before[writer.likely], "before"), writer.line("cumulative", sums, "added up")],
        ),
    )


def fed_back(writer: Writer) -> Step:
    import torch

    from llm_core.generation.sampling import Request

    T, steps = writer.T, writer.written
    ids = [*writer.ids, *(step.id for step in steps)]
    hidden = torch.ones(NEW, T + NEW, dtype=torch.bool).triu(T + 1)  # (N, T + N)
    config = writer.scene.model.config
    seen = min(T + 1, config.block_size) if config.is_bounded else T + 1
    return Step(
        title="Drawn, appended, fed back",
        text="The model writes one token at a time: predict, draw, append. The next prediction reads the longer "
        f"text. Each row of `context` is the text after one more draw, with the new token outlined: {NEW} draws with "
        f"your settings and seed {writer.seed}. Nothing is taken back: a strange token becomes part of the text that "
        "everything after it builds on.",
        show=[
            Panel(
                name="context",
                values=torch.tensor(ids).expand(NEW, -1),
                letters=("N", "T"),
                title="ids; hatched: not yet written",
                color="origin",
                origin=torch.arange(T + NEW).expand(NEW, -1),
                rows=[f"draw {i}" for i in range(1, NEW + 1)],
                columns=[writer.label(id) for id in ids],
                decimals=0,
                hidden=hidden,
                marks=[[i, T + i] for i in range(NEW)],
                cell=34,
            ),
            Bars(
                title="What was drawn, and how likely it was before temperature, top-k and top-p",
                names=[writer.label(step.id) for step in steps],
                series={"p": [math.exp(step.logprob) for step in steps]},
            ),
            Message(text="", words=f"The new tokens read: “{text_of(steps)}”"),
        ],
        code=[code_of(Request.choices, "ids, u = self._draw(logits)", "context.append(ids)")],
        question=Question(
            prompt=f"The text has {T} {'token' if T == 1 else 'tokens'}, and one more was drawn. How many tokens is "
            "the next prediction based on?",
            options=distinct(
                Option(str(seen), True, "On everything that is there now, the new token included."),
                Option(str(T), False, "Then every draw would continue the prompt alone, and none the longer text."),
                Option("1", False, "The new token alone: the model would forget what it writes about."),
            ),
        ),
    )  # fmt: skip


def text_of(steps: list) -> str:
    return "".join(step.piece or "" for step in steps).strip().replace("`", "ˋ")  # a backtick would make a name of it


def end_of_text(writer: Writer) -> Step:
    from llm_core.generation.sampling import Request

    inside, behind = ends_of_article(writer.runner)
    here = [float(step.logits.softmax(-1)[writer.end]) for step in writer.written]
    stopped = any(step.id == writer.end for step in writer.written)
    return Step(
        title="End of text: who stops?",
        source=f"{OWN} The first chart is about an article that the model was not trained on.",
        text="Every article in the training data ends with an end token, so the model has learned when to expect it. "
        "The loop has to check: when the end token is drawn, it stops. Otherwise the model begins another article. "
        "In a batch, rows that have ended are filled with end tokens until the last row ends.",
        show=[
            Bars(
                title="Probability of the end token, inside an article on average and after it",
                names=["inside", "after its last token"],
                series={"p": [inside, behind]},
                decimals=4,
            ),
            Bars(
                title="At each draw of the step before",
                names=[f"draw {i}: {writer.label(step.id)}" for i, step in enumerate(writer.written, 1)],
                series={"p": here},
                decimals=4,
            ),
            Facts(facts=[(f"drawn within {NEW} tokens", "yes" if stopped else "no", "")]),
        ],
        code=[code_of(Request.choices, "finished |= ids == self.stop")],
        question=Question(
            prompt="Where is the end token likelier: inside an article that people wrote, or after its last token?",
            options=[
                Option("after its last token", behind > inside, f"{behind:.4f} there, {inside:.4f} inside."),
                Option("inside", behind <= inside, f"{inside:.4f} inside, {behind:.4f} after the last token."),
            ],
        ),
    )


@lru_cache(maxsize=4)
def ends_of_article(runner: Runner) -> tuple[float, float]:
    """How likely the end token is inside a held-out article and behind it: the shortest, its end."""
    import torch

    articles = map(json.loads, ARTICLES.read_text(encoding="utf-8").splitlines())
    texts = sorted((f"{a['title']}\n{a['text']}" for a in articles), key=len)
    ids = runner.encode(texts[0])[-runner.facts.token_limit :]
    with runner.alone(), torch.inference_mode():
        p = runner.model(torch.tensor([ids]))[0].softmax(-1)[:, runner.tokenizer.end or 0]  # (T,)
    return float(p[:-1].mean()), float(p[-1])


def several_prompts(writer: Writer) -> Step:
    from llm_core.generation.sampling import _as_batch

    rows = rows_of(writer.scene)
    batch = padded(writer.scene, rows, "left")
    alone, together = next_tokens(writer.runner, tuple(map(tuple, rows)))
    labels = [[" ".join(writer.label(id) for id in row) for row in way] for way in (alone, together)]
    same = alone == together
    return Step(
        title="Prompts of different lengths",
        source=BOTH_TEXTS,
        text="Two prompts are continued at once. The shorter is padded on the left, so that the last position of "
        "both is their last token: `logits[:, -1]` serves both, and new tokens go into the same column. Padding is "
        "masked and positions count only real tokens, so each row gets the text that it would have gotten alone.",
        show=[
            batch.row(0, "ids[0]", "your text"),
            batch.row(1, "ids[1]", "the second text"),
            Facts(
                facts=[
                    *[(f"{who}, alone", row, "") for who, row in zip(("your text", "the second text"), labels[0])],
                    *[
                        (f"{who}, in the batch", row, "right" if same else "wrong")
                        for who, row in zip(("your text", "the second text"), labels[1])
                    ],
                ]
            ),
        ],
        code=[code_of(_as_batch, "_padded(name, ids, side)")],
        question=Question(
            prompt="Two prompts of different lengths in one batch. On which side are they padded for writing?",
            options=[
                Option("left", True, "The last column then holds the last token of each, and the new ones come right after it."),
                Option("right", False, "New tokens would come after the padding, and `logits[:, -1]` would belong to padding."),
                Option("either", False, "The mask allows both, but the loop reads the last column."),
            ],
        ),
    )  # fmt: skip


@lru_cache(maxsize=32)
def next_tokens(runner: Runner, rows: tuple, count: int = 4) -> tuple[list[list[int]], list[list[int]]]:
    """The next ids of each row, greedily: written alone, and in one batch."""
    from llm_core.generation.sampling import generate

    with runner.alone():
        alone = [generate(runner.model, [list(row)], count, temperature=0)[0] for row in rows]
        together = generate(runner.model, [list(row) for row in rows], count, temperature=0)
    return [row[-count:] for row in alone], [row[-count:] for row in together]


def cache(writer: Writer) -> Step:
    from llm_core.generation.sampling import Context
    from llm_core.model.attention import KVCache

    T, D = writer.T, writer.scene.recorded.trace[f"blocks.{writer.layer}.attn.k"].shape[-1]
    kept, grown, off = cached_keys(writer)
    where = f"blocks.{writer.layer}.attn.k[0, {writer.head}, {{0}}, {{1}}]"
    with_cache, without = T + NEW - 1, sum(range(T, T + NEW))
    config = writer.scene.model.config
    size = 2 * config.n_layer * config.kv_heads * config.head_width * 4

    def keys(name: str, values: "Tensor", title: str, **more) -> Panel:
        return Panel(
            name=name,
            values=values,
            letters="SD",
            title=title,
            where=where,
            rows=writer.labels[: len(values)],
            family="k",
            cell=16,
            **more,
        )

    panels = [keys("kept", kept, "keys of the tokens before")] if T > 1 else []
    return Step(
        title="The KV cache: what is known is not computed again",
        text="A token's key and value never change, because the token cannot see what comes later. So they are kept, "
        "and only the newest token goes through the layers: its query meets all keys. `grown` is `kept` plus one "
        f"more row of {D} numbers (outlined). For {NEW} new tokens, {with_cache} positions are computed instead of "
        f"{without}; the price is memory.",
        show=[
            *panels,
            keys("grown", grown, "with the newest token's", marks=[[T - 1, d] for d in range(D)]),
            Facts(
                facts=[
                    ("largest difference of a logit, with and without cache", f"{off:.5f}", "right" if off < 1e-3 else "wrong"),
                    ("kept for each token, all layers", f"{size:,} bytes", ""),
                ]
            ),
            Bars(
                title=f"Positions that go through the model for {NEW} new tokens",
                names=["with the cache", "without"],
                series={"positions": [with_cache, without]},
                decimals=0,
            ),
        ],
        code=[
            code_of(KVCache.append, "narrow(2, start, k.shape[2]).copy_(k)"),
            code_of(Context.next_logits, "self.decoder.hidden(newest"),
        ],
        question=Question(
            prompt=f"{T} {'token has' if T == 1 else 'tokens have'} been read with a cache. For the next one, how many new keys does "
            "a head compute?",
            options=distinct(
                Option("1", True, "That of the newest token; the others are in the cache."),
                Option(str(T + 1), False, "That is how many keys its query meets, but all others are known already."),
                Option("0", False, "The newest token is not in the cache yet: its key is computed and appended."),
            ),
        ),
    )  # fmt: skip


def cached_keys(writer: Writer) -> tuple["Tensor", "Tensor", float]:
    """Keys of one head before and after the last token was read with a cache, and how far its logits are off."""
    import torch

    model, ids = writer.scene.model, torch.tensor([writer.ids])
    with writer.runner.alone(), torch.inference_mode():
        cache = model.new_cache(1)
        own = cache.layers[writer.layer][0]
        head = min(writer.head, own.k.shape[1] - 1)
        if writer.T > 1:
            model(ids[:, :-1], cache=cache)
        kept = own.filled()[0][0, head].clone()  # (S - 1, D)
        logits = model(ids[:, -1:], cache=cache)[0, -1]  # (V,)
        return kept, own.filled()[0][0, head].clone(), float((logits - writer.last).abs().max())


def controls(runner: Runner) -> Sequence[Control]:
    def choice(name: str, label: str, value: str, options: Sequence[str], steps: Sequence[int]) -> Control:
        pairs = [(option, option) for option in options]
        return Control(name=name, label=label, kind="choice", value=value, options=pairs, steps=steps)

    loop = (LOOP, END)
    return [
        Control(name="seed", label="Seed", kind="slider", value=8, least=1, most=20, steps=(DRAW, *loop)),
        choice("heat", "Temperature", "0.8", TEMPERATURES, (HEAT, TOP_K, TOP_P, *loop)),
        Control(name="k", label="Top-k", kind="slider", value=8, least=1, most=SHOWN, steps=(TOP_K, TOP_P, *loop)),
        choice("nucleus", "Top-p", "0.95", NUCLEI, (TOP_P, *loop)),
        second_control("Fold the", (BATCH,)),
        layer_control(runner, 0, (CACHE,)),
        head_control(runner, 0, (CACHE,)),
    ]


LESSON = Lesson(
    id="writing",
    title="Writing, one token at a time",
    summary="From the last logits to a drawn token, and on, with temperature, top-k, top-p and a cache.",
    build=build,
    num_steps=STEPS,
    controls=controls,
)
