"""From GPT-2 to Llama: one change at a time, on a tiny model of bytes that is made here, and trained when asked.

Each change is a field of ``ModelConfig``; a chain of them leads from the one to the other. What changes in tensors is
shown on the learner's text, what changes in cost is counted, and what changes in loss is measured on a press.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

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
    readable,
)
from ..questions import distinct
from ..source import code_of

STEPS = 7
BASE = {"vocab_size": 260, "block_size": 64, "n_layer": 2, "n_head": 4, "n_embd": 32}
CHANGES: tuple[tuple[str, dict[str, Any]], ...] = (  # each on top of those before it; the first is GPT-2
    ("GPT-2", {}),
    ("rotary", {"positions": "rotary"}),
    ("RMSNorm", {"norm": "rms"}),
    ("SwiGLU", {"mlp": "swiglu", "mlp_width": 85}),  # 2/3 of the width, as there are three matrices
    ("fewer key heads", {"n_kv_head": 2}),
    ("no biases", {"bias": False}),
)
T = 16  # bytes of the text that are shown
SEEDS = (1, 2)
TRAINED, BATCH, RATE = 60, 16, 3e-3  # steps, windows of a step, learning rate
HELD_OUT = 8  # articles that the loss is measured on
UNTRAINED = f"{OWN} Its weights are random: it was not trained."
COUNTED = "Counted for the six tiny models; your text plays no part."  # where a step shows sizes
BYTES_PER_NUMBER = 4


def config_of(number: int):
    """The config after the first ``number`` changes."""
    from llm_core import ModelConfig

    fields: dict[str, Any] = {**BASE, **dict.fromkeys(("attn_pdrop", "resid_pdrop", "embd_pdrop"), 0.0)}
    for _, change in CHANGES[: number + 1]:
        fields |= change
    return ModelConfig(**fields)


@cache
def tiny(number: int):
    """The model after so many changes, its weights drawn and untrained."""
    import torch

    from llm_core import Decoder

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEEDS[0])
        return Decoder(config_of(number)).eval()


def train(number: int, data, held_out, seed: int) -> float:
    """A fresh model on windows (N, 65) of bytes: its loss on held-out windows in nats per byte."""
    import torch
    from torch.nn import functional as F

    from llm_core import Decoder

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Decoder(config_of(number))
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    order = torch.Generator().manual_seed(seed)
    for _ in range(TRAINED):
        rows = data[torch.randint(len(data), (BATCH,), generator=order)]  # (B, T+1)
        loss = F.cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return F.cross_entropy(model(held_out[:, :-1]).flatten(0, 1), held_out[:, 1:].flatten()).item()


@cache
def windows():
    """Windows of the sample articles' bytes, (N, 65) each: to train on, and held out."""
    import torch

    from llm_core import load_tokenizer
    from llm_core.text.articles import read_articles

    from ..mistakes.effects import ARTICLES

    tokenizer = load_tokenizer("bytes")
    texts = [f"{article.title}\n{article.text}\n" for article in read_articles(str(ARTICLES))]
    parts = "".join(texts[HELD_OUT:]), "".join(texts[:HELD_OUT])
    return tuple(torch.tensor(tokenizer.encode(part)).unfold(0, 65, 64) for part in parts)


@dataclass
class Tiny:
    """One model of the chain at work on the learner's text, as bytes."""

    number: int
    text: str

    @cached_property
    def ids(self) -> list[int]:
        return [*self.tokenizer.prefix, *self.tokenizer.encode(self.text)][:T]

    @property
    def tokenizer(self):
        from llm_core import load_tokenizer

        return load_tokenizer("bytes")

    @property
    def labels(self) -> list[str]:
        from ...engine.runner import describe

        return [readable(token) for token in describe(self.tokenizer, self.ids)]

    @property
    def model(self):
        return tiny(self.number)

    @cached_property
    def trace(self):
        import torch

        from llm_core import record

        with torch.inference_mode(), record(self.model) as trace:
            self.model(torch.tensor([self.ids]))
        return trace

    def panel(self, point: str, name: str, letters: str, title: str, **more) -> Panel:
        values = self.trace[point]
        values = values[0] if values.ndim > len(letters) else values
        return Panel(name=name, values=values, letters=letters, title=title, rows=self.labels, **{"cell": 19, **more})


def build(scene: Scene) -> list[Step]:
    before = [Tiny(number, scene.text[:400]) for number in range(len(CHANGES))]
    return [
        the_chain(),
        positions(before[0], before[1]),
        norms(before[0]),
        gates(before[2], before[3]),
        key_heads(before[3], before[4]),
        biases(),
        all_together(scene.inputs["train"]),
    ]


def counted(number: int) -> dict[str, int]:
    """Numbers in the weights, FLOPs of a forward of 64 bytes, and bytes of the cache for one token."""
    from llm_core.analysis.costs import flops
    from llm_core.model.checkpoints import num_parameters

    config = config_of(number)
    cached = 2 * config.n_layer * config.kv_heads * config.head_width * BYTES_PER_NUMBER
    return {
        "parameters": num_parameters(tiny(number)),
        "FLOPs": sum(flops(tiny(number), config.block_size).values()),
        "cache": cached,
    }


def table(numbers) -> list[Shown]:
    names = [CHANGES[number][0] for number in numbers]
    found = [counted(number) for number in numbers]
    titles = {"parameters": "Learned numbers", "FLOPs": "FLOPs for 64 bytes", "cache": "Cache, bytes for each token"}
    return [
        Bars(title=title, names=names, series={what: [float(one[what]) for one in found]}, decimals=0)
        for what, title in titles.items()
    ]


def the_chain() -> Step:
    return Step(
        title="Five changes",
        source=COUNTED,
        text="Llama is GPT-2 with five changes, each a field of one config: rotary positions in place of a learned "
        "table, RMSNorm in place of LayerNorm, a gated MLP, fewer heads for keys and values, no biases. Here they "
        "are made one after the other in a tiny model (2 layers, 4 heads, width 32) that reads bytes. Each row "
        "includes all changes up to that row.",
        show=table(range(len(CHANGES))),
        code=[code_of(config_of)],
        question=smallest_cache(),
    )


def smallest_cache() -> Question:
    caches = [counted(number)["cache"] for number in range(len(CHANGES))]
    falls = next(i for i in range(1, len(caches)) if caches[i] < caches[i - 1])
    options = [
        Option(
            name,
            number == falls,
            f"{caches[number - 1]} bytes for each token without this change, {caches[number]} with it.",
        )
        for number, (name, _) in enumerate(CHANGES)
        if name in ("rotary", "fewer key heads", "no biases")
    ]
    return Question(prompt="Which of the changes makes the KV cache smaller?", options=options, before=[names_of()])


def names_of() -> Message:
    said = [
        f"{name}, {', '.join(f'{field} = {value}' for field, value in change.items())}" for name, change in CHANGES[1:]
    ]
    return Message(text="", words=f"The changes: {'; '.join(said)}.")


def positions(gpt2: Tiny, rotary: Tiny) -> Step:
    from llm_core.model.sight import turned

    rows = gpt2.model.embedding.position_table.weight.numel()
    return Step(
        title="Learned positions become rotations",
        source=UNTRAINED,
        text=f"GPT-2 adds a row of a learned table to each token: {rows:,} numbers here. Llama has no table of "
        "positions. Instead, every layer rotates queries and keys by an angle that depends on their position: `q` "
        "is before, `rot_q` after. A score then depends on the distance between two tokens, and a text may be "
        "longer than any text seen in training. Su et al. 2021.",
        show=[
            gpt2.panel("embedding.position", "position", "TC", "GPT-2: added to each token"),
            rotary.panel("blocks.0.attn.q", "q", "HTD", "rotary: queries before"),
            rotary.panel("blocks.0.attn.rot_q", "rot_q", "HTD", "rotated by their positions"),
            Facts(facts=[("learned numbers removed", f"{rows:,}", "")]),
        ],
        code=[code_of(turned, "part = part * cos +")],
        question=unturned(rotary),
    )


def unturned(rotary: Tiny) -> Question:
    q, turned_q = (rotary.trace[f"blocks.0.attn.{name}"][0] for name in ("q", "rot_q"))
    first = bool((q[:, 0] - turned_q[:, 0]).abs().max() < 1e-6)
    return Question(
        prompt="Each query is rotated by an angle that grows with its position. Which row of `rot_q` is the same as "
        "in `q`?",
        options=[
            Option("the first", first, "Position 0 is rotated by an angle of 0."),
            Option("none", not first, "Position 0 is rotated by 0, so it stays the same."),
            Option("the last", False, "It is rotated the furthest."),
        ],
    )


def norms(gpt2: Tiny) -> Step:
    import torch

    from llm_core.model.norms import norm_of

    x = gpt2.trace["blocks.0.resid_mid"][0, -1]  # (C,)
    mean = x.mean()
    centered, eps = x - mean, gpt2.model.config.norm_eps
    std, rms = float((centered.square().mean() + eps).sqrt()), float((x.square().mean() + eps).sqrt())

    def row(name: str, values, title: str, formula: Formula | None = None) -> Panel:
        return Panel(name=name, values=values, letters="C", title=title, formula=formula, cell=19)

    def over(name: str, values, number: float, text: str) -> Formula:
        return Formula(
            kind="quotient", a=Operand(name=name, values=values, letters="C"), number=number, number_text=text
        )

    mean_operand = Operand(name="mean", values=torch.stack([mean]), letters="")
    return Step(
        title="LayerNorm becomes RMSNorm",
        source=UNTRAINED,
        text="LayerNorm subtracts the mean of a token's numbers and divides by their standard deviation. RMSNorm "
        "subtracts nothing: it divides by the root of the mean square. Where the mean is near 0 the two are nearly "
        "the same. RMSNorm saves the mean and a learned bias. The pictures show the last byte, before the learned "
        "weights. Zhang and Sennrich 2019.",
        show=[
            row("x", x, "a token's row of the stream"),
            row(
                "centered",
                centered,
                "x - mean",
                Formula(kind="difference", a=Operand(name="x", values=x, letters="C"), b=mean_operand),
            ),
            row("layer_norm", centered / std, "centered / std", over("centered", centered, std, "std")),
            row("rms_norm", x / rms, "x / rms", over("x", x, rms, "rms")),
            Facts(facts=[("mean", f"{float(mean):.4f}", ""), ("std", f"{std:.4f}", ""), ("rms", f"{rms:.4f}", "")]),
        ],
        code=[code_of(norm_of, 'if config.norm == "rms":', "return nn.RMSNorm(")],
        question=Question(
            prompt="Add 5 to every number of `x`. Which of the two norms gives the same as before?",
            options=[
                Option("LayerNorm", True, "It subtracts the mean first, and the 5 with it."),
                Option("RMSNorm", False, "The root of the mean square grows, so every number changes."),
                Option("both", False, "RMSNorm does not subtract the mean."),
            ],
        ),
    )


def gates(before: Tiny, after: Tiny) -> Step:
    from llm_core.model.gated import GatedMLP

    gate, up = (after.trace[f"blocks.0.mlp.{name}"][0] for name in ("gate", "up"))
    old, new = before.model.config.hidden_width, after.model.config.hidden_width
    C = BASE["n_embd"]
    narrow = round(8 * C / 3)
    options = distinct(
        Option(
            str(narrow),
            True,
            f"Three matrices of {C} by {narrow} have {3 * C * narrow:,} numbers, about as many as two of {C} by {4 * C}: "
            f"{2 * C * 4 * C:,}.",
        ),
        Option(str(4 * C), False, "Then the MLP would have 50 % more numbers."),
        Option(str(2 * C), False, "That would be fewer: three matrices of half the width."),
    )
    return Step(
        title="GELU becomes a gate: SwiGLU",
        source=UNTRAINED,
        text=f"GPT-2's MLP widens a token to {old} numbers and sends each through GELU. SwiGLU makes two wide versions: one goes "
        "through an activation, SiLU, and becomes the `gate`; the other, `up`, is multiplied by it, number by number. That takes "
        f"three matrices in place of two, so the width is cut to {new}, about two thirds. Shazeer 2020.",
        show=[
            before.panel("blocks.0.mlp.post", "neurons", "TN", "GELU, 4 C wide", cell=9),
            after.panel("blocks.0.mlp.gate", "gate", "TN", "SiLU of one version", cell=9),
            after.panel("blocks.0.mlp.up", "up", "TN", "the other version", cell=9),
            after.panel(
                "blocks.0.mlp.post",
                "post",
                "TN",
                "gate × up",
                cell=9,
                formula=Formula(
                    kind="product",
                    a=Operand(name="gate", values=gate, letters="TN"),
                    b=Operand(name="up", values=up, letters="TN"),
                ),
            ),
        ],
        code=[code_of(GatedMLP.forward, "gate = self.gate(", "post = self.post(")],
        question=Question(
            prompt=f"Two matrices, C = {C} by {4 * C}, become three. How wide can they be and still have about as "
            "many numbers?",
            options=options,
        ),
    )


def key_heads(before: Tiny, after: Tiny) -> Step:
    from llm_core.model.sighted import SightedAttention

    H, K = after.model.config.n_head, after.model.config.kv_heads
    kept = counted(before.number)["cache"], counted(after.number)["cache"]
    options = distinct(
        Option(f"{kept[1]}", True, f"Two tensors, {K} heads of {before.model.config.head_width}, in each layer."),
        Option(f"{kept[0]}", False, "That was the size with a key head for each query head."),
        Option(f"{kept[0] // H}", False, "That would be the size with one key head for all: multi-query attention."),
    )
    return Step(
        title="Fewer heads for keys and values",
        source=UNTRAINED,
        text=f"While a model writes, keys and values of all tokens so far are kept. With grouped queries, {H} heads "
        f"of queries share {K} heads of keys and values, {H // K} query heads for each: `k` has {K} blocks where `q` "
        f"has {H}. The cache shrinks from {kept[0]} to {kept[1]} bytes for each token; the pattern still has {H} "
        "heads. Ainslie et al. 2023.",
        show=[
            after.panel("blocks.0.attn.rot_q", "q", "HTD", f"{H} heads of queries"),
            before.panel("blocks.0.attn.rot_k", "k before", "HTD", f"{H} heads of keys"),
            after.panel("blocks.0.attn.rot_k", "k", "KTD", f"{K} heads of keys"),
        ],
        code=[code_of(SightedAttention._keys_and_values_with, "k = self.k(", "v = self.v(")],
        question=Question(
            prompt=f"{K} heads of keys and values in place of {H}: how many bytes does the cache take for a token?",
            options=options,
        ),
    )


def biases() -> Step:
    from llm_core import ModelConfig

    before, after = tiny(len(CHANGES) - 2), tiny(len(CHANGES) - 1)
    gone = {name: p.numel() for name, p in before.named_parameters() if name not in dict(after.named_parameters())}
    total = sum(gone.values())
    kinds = {"attention": "attn", "MLP": "mlp", "norms": "ln_"}
    parts = {kind: sum(n for name, n in gone.items() if mark in name) for kind, mark in kinds.items()}
    all_ = counted(len(CHANGES) - 2)["parameters"]
    return Step(
        title="No biases",
        source=COUNTED,
        text=f"Every linear layer of GPT-2 adds a learned bias. Llama has none. This removes {total:,} of {all_:,} "
        f"numbers here, {total / all_:.1%}, and a far smaller share in a wide model, where matrices grow with the "
        "square of the width and biases with the width. Chowdhery et al. 2022 (PaLM) found that large models train "
        "more stably without them.",
        show=[
            Bars(
                title="Biases removed",
                names=list(parts),
                series={"numbers": [float(n) for n in parts.values()]},
                decimals=0,
            ),
        ],
        code=[code_of(ModelConfig.has_bias)],
    )


def all_together(is_pressed: bool) -> Step:
    numbers = range(len(CHANGES))
    show = table(numbers)
    said = "Press the button to train all six, from two seeds and on the same bytes; it takes a few seconds."
    if is_pressed:
        data, held_out = windows()
        series = {f"seed {seed}": [train(number, data, held_out, seed) for number in numbers] for seed in SEEDS}
        names = [CHANGES[number][0] for number in numbers]
        show = [Bars(title="Held-out loss, nats per byte", names=names, series=series), *show]
        apart = max(abs(a - b) for a, b in zip(*series.values()))
        said = (
            f"After {TRAINED} steps from two seeds: the same model's losses lie up to {apart:.3f} apart, so trust "
            "only larger differences between two models. A run this short favors models that learn fast, not those "
            "that are best in the end."
        )
    return Step(
        title="All together: cost and loss",
        source=f"{COUNTED} Losses are on articles that the models were not trained on.",
        text="Llama works like GPT-2: attention, MLP, residual stream, one head at the end. The changes affect its "
        f"cost, and how far it can be scaled. {said}",
        show=show,
        code=[code_of(train, "loss = F.cross_entropy(", "optimizer.step()"), code_of(counted)],
    )


def controls(runner) -> list[Control]:
    return [Control(name="train", label="Train all six", kind="action", value=False, steps=(STEPS,))]


LESSON = Lesson(
    id="llama",
    title="From GPT-2 to Llama",
    summary="Rotary positions, RMSNorm, SwiGLU, fewer key heads, no biases: one at a time.",
    build=build,
    num_steps=STEPS,
    controls=controls,
    model="tiny",
)
