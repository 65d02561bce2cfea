"""The four models that ship, at work on one title and one article: what *Encoder and decoder* is made of."""

from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from ...engine.inputs import around, halves
from ...engine.runner import Runner
from ..lesson import Formula, Operand, Panel, Scene, readable

ENCODER, DECODER, PREFIX, CROSS = "encoder", "decoder", "encoder-decoder-prefix", "encoder-decoder-cross"
MOST_TITLE, MOST_ARTICLE = 12, 16  # tokens of each that are shown
WRITTEN = 20  # tokens


def token_losses(logits, ids: list[int]):
    """Logits (T, V) -> -ln p of each next token, (T-1,), in nats."""
    import torch
    from torch.nn import functional as F

    targets = torch.tensor(ids[1:], dtype=torch.long)  # each one behind what it is predicted from
    return F.cross_entropy(logits[:-1], targets, reduction="none")


@dataclass
class Pair:
    """One encoder-decoder at work on a title and an article. Tensors are those of a batch of one, without the B."""

    runner: Runner
    title: str
    article: str
    ids: list[int] = field(init=False)  # of the encoder, S
    own: list[int] = field(init=False)  # of the decoder, T, from the start token on

    def __post_init__(self) -> None:
        ids, own = halves(self.runner.tokenizer, f"{self.title}\n{self.article}")
        self.ids, self.own = ids[:MOST_TITLE], own[:MOST_ARTICLE]

    @cached_property
    def trace(self):
        return recorded(self.runner, tuple(self.ids), tuple(self.own))

    @property
    def keys(self) -> list[str]:
        return labels(self.runner, self.ids)

    @property
    def queries(self) -> list[str]:
        return labels(self.runner, self.own)

    @cached_property
    def losses(self) -> list[float]:
        """Nats of each token of the article but the first, which nothing predicts."""
        return token_losses(self.trace["decoder.logits"][0], self.own).tolist()

    @property
    def loss(self) -> float | None:
        return sum(self.losses) / len(self.losses) if self.losses else None

    def written(self) -> str:
        """A greedy continuation of the title alone."""
        return written_from(self.runner, tuple(self.ids))


@lru_cache(maxsize=16)
def written_from(runner: Runner, title: tuple[int, ...]) -> str:
    from llm_core import generate

    tokenizer = runner.tokenizer
    with runner.alone():
        (ids,) = generate(
            runner.model,
            [list(title)],
            WRITTEN,
            temperature=0,
            stop=tokenizer.end,
            decoder_ids=[[tokenizer.start]],
        )
    return tokenizer.decode([id for id in ids if not tokenizer.is_special(id)])


@lru_cache(maxsize=16)
def recorded(runner: Runner, *ids: tuple[int, ...]):
    """Everything that a model computes for its inputs."""
    import torch

    from llm_core import record

    with runner.alone(), torch.inference_mode(), record(runner.model) as trace:
        runner.model(*(torch.tensor([list(some)]) for some in ids))
    return trace.on_cpu()


def labels(runner: Runner, ids: list[int]) -> list[str]:
    return [readable(token) for token in runner.describe(ids)]


class Four:
    """The four models on one title and article."""

    def __init__(self, scene: Scene):
        title, article, other = (scene.inputs[name].replace("\n", " ") for name in ("title", "article", "other"))
        self.layer, self.head = scene.inputs["layer"], scene.inputs["head"]
        self.models = {name: scene.models(name) for name in (ENCODER, DECODER, PREFIX, CROSS)}
        self.whole = f"{title}\n{article}"
        self.cross, self.prefix = (Pair(self.models[name], title, article) for name in (CROSS, PREFIX))
        self.crossed, self.prefixed = (Pair(self.models[name], other, article) for name in (CROSS, PREFIX))
        self.block = self.models[CROSS].model.decoder.blocks[self.layer]
        self.attn = self.block.cross_attn
        self.H = self.attn.n_head
        self.T, self.S = len(self.cross.own), len(self.cross.ids)

    @cached_property
    def text_ids(self) -> list[int]:
        """What the models that stand alone read: title and article behind the start token."""
        return around(self.models[DECODER].tokenizer, self.whole)[: MOST_TITLE + MOST_ARTICLE]

    def of(self, point: str, pair: Pair | None = None):
        """A recorded tensor of the decoder's layer with cross-attention."""
        return (pair or self.cross).trace[f"decoder.blocks.{self.layer}.{point}"][0]

    def of_head(self, point: str, pair: Pair | None = None):
        return self.of(f"cross_attn.{point}", pair)[self.head]

    def where(self, point: str, *index: str) -> str:
        return f"decoder.blocks.{self.layer}.{point}[{', '.join(('0', *index))}] of {CROSS}"

    @cached_property
    def strongest(self) -> tuple[int, int]:
        """The token of the article that reads most from a single one of the title, and which: (t, s)."""
        pattern = self.of_head("pattern")  # (T, S)
        return divmod(int(pattern.argmax()), pattern.shape[1])

    @cached_property
    def memory(self):
        return self.cross.trace["encoder.ln_f"][0]  # (S, C)

    def rows_of(self, layer) -> tuple:
        """The rows of a projection that belong to the head: (D, C) and (D,) or None."""
        D = layer.out_features // self.H
        rows = slice(self.head * D, (self.head + 1) * D)
        return layer.weight[rows], None if layer.bias is None else layer.bias[rows]

    def projected(self, name: str, source: Operand, letters: str, title: str, rows: list[str]) -> Panel:
        weight, bias = self.rows_of(getattr(self.attn, f"{name}_proj"))
        return Panel(
            name=name,
            values=self.of_head(name),
            letters=letters,
            title=title,
            where=self.where(f"cross_attn.{name}", str(self.head), "{0}", "{1}"),
            rows=rows,
            cell=17,
            formula=Formula(
                kind="products",
                a=source,
                b=Operand(name=f"W_{name}", values=weight, letters="DC"),
                bias=None if bias is None else Operand(name=f"b_{name}", values=bias, letters="D"),
                over="C",
            ),
        )

    def pairs(self, name: str, values, title: str, pair: Pair | None = None, **more) -> Panel:
        """Something for each token of the article and each of the title, (T, S)."""
        pair = pair or self.cross
        return Panel(
            name=name,
            values=values,
            letters="TS",
            title=title,
            rows=pair.queries,
            columns=pair.keys,
            **{"cell": 36, **more},
        )

    def pattern(self, **more) -> Panel:
        return self.pairs(
            "pattern",
            self.of_head("pattern"),
            "every row sums to 1",
            color="probability",
            where=self.where("cross_attn.pattern", str(self.head), "{0}", "{1}"),
            formula=Formula(
                kind="softmax", a=Operand(name="scores", values=self.of_head("scores"), letters="TS"), over="S"
            ),
            **more,
        )
