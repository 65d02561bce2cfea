"""What is looked at in each block: the same questions to a student's file, to the reference, and to each known fault.

A probe runs one block of a solution on fixed inputs with fixed weights, and fills ``Observations``: named tensors in
the order in which they are computed. B, T, H, D, C, V and P all differ, token 0 occurs, weights are random (fresh
ones would hide a forgotten bias), and the two dropout rates differ. Statistics come with the difference that chance
may make. A block has one probe or more, quick ones first.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from zlib import crc32

import torch
from torch import Tensor, nn

from .solution import PADDING, Names, solution
from .watching import Products

B, T, P, H, C = 4, 7, 5, 3, 24  # D = 8
LENGTHS = torch.tensor([7, 2, 5, 1])
RATES = {"attn_pdrop": 0.3, "resid_pdrop": 0.55}
COPIES = 3000  # of one text, each with dropout of its own
DRAWS = 20_000
EXACT = 2e-5


class NoTensor(TypeError):
    """A block gave something else."""


def _spoken(value: object) -> str:
    return "None (is a return missing?)" if value is None else f"a value of type {type(value).__name__}"


@dataclass
class Observations:
    """``tensors`` by name; ``chance`` is the difference that sampling may make, for those that are statistics."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    chance: dict[str, float] = field(default_factory=dict)
    error: Exception | None = None  # what ended the probe

    def add(self, name: str, tensor: Tensor, chance: float = 0.0) -> None:
        if not isinstance(tensor, Tensor):
            raise NoTensor(f"{name}: there should be a tensor, and there is {_spoken(tensor)}")
        self.tensors[name] = tensor.detach().double()
        if chance:
            self.chance[name] = chance

    def first_difference(self, other: "Observations") -> str | None:
        """The name of the first tensor that differs, None if all agree."""
        names = list(dict.fromkeys([*other.tensors, *self.tensors]))
        return next((name for name in names if not self._agrees(other, name)), None)

    def agrees(self, other: "Observations") -> bool:
        """All tensors agree, and the same error ended both, or none."""
        return _said(self.error) == _said(other.error) and self.first_difference(other) is None

    def _agrees(self, other: "Observations", name: str) -> bool:
        """NaN of the other says nothing (a row that sees no key is NaN, or 0 from the fused kernel), but if all is."""
        mine, theirs = self.tensors.get(name), other.tensors.get(name)
        if mine is None or theirs is None or mine.shape != theirs.shape:
            return False
        if any(not x.isnan().all() for x in other.tensors.values()):
            mine, theirs = mine[~theirs.isnan()], theirs[~theirs.isnan()]
        if name in self.chance:  # total difference relative to the size: single numbers may stray
            return bool((mine - theirs).abs().sum() <= self.chance[name] * (theirs.abs().sum() + 1e-12))
        return torch.allclose(mine, theirs, rtol=1e-4, atol=EXACT, equal_nan=True)


def _said(error: Exception | None) -> tuple[str, str] | None:
    return None if error is None else (type(error).__name__, str(error))


def config(**changes) -> SimpleNamespace:
    """A fresh one for every model: files may change it."""
    sizes = dict(vocab_size=31, block_size=19, n_layer=2, n_head=H, n_embd=C, embd_pdrop=0.0)
    return SimpleNamespace(**{**sizes, **RATES, **changes})


def randomised(model: nn.Module, std: float = 0.3) -> nn.Module:
    """Weights that depend on their names alone, so that two models of the same layers have the same."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            generator = torch.Generator().manual_seed(crc32(name.encode()))
            middle = 1.0 if "ln_" in name and name.endswith("weight") else 0.0
            parameter.copy_(middle + std * torch.randn(parameter.shape, generator=generator))
    return model


def numbers(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def ids(rows: int, columns: int, V: int, seed: int = 1) -> Tensor:
    found = torch.randint(V, (rows, columns), generator=torch.Generator().manual_seed(seed))
    found[0, 0] = 0
    return found


def padded(tokens: Tensor, lengths: Tensor = LENGTHS) -> Tensor:
    return tokens.where(torch.arange(tokens.shape[1]) < lengths[:, None], PADDING)


def real_places(x: Tensor, P: int = 0) -> Tensor:
    """(B, P+T, ...) -> the rows of places that are no padding, (N, ...)."""
    keep = torch.arange(x.shape[1]) < LENGTHS[:, None] + P
    return x[keep]


def mask() -> Tensor:
    """Causal and padded, (B, 1, T, T), 1 = visible."""
    return (torch.arange(T) < LENGTHS[:, None, None, None]).expand(-1, 1, T, T).long().tril()


# --- the probes ------------------------------------------------------------------------------------------------


def embedding(names: Names, found: Observations) -> None:
    layer = randomised(names.Embedding(config()))
    tokens = ids(B, T, 31)
    tokens[1, :] = tokens[1, 0]  # one token at every place
    for mode in ("eval", "train"):
        found.add(f"embedding in {mode} mode", getattr(layer, mode)()(tokens.clone()))
    found.add("embedding of one token", layer.eval()(tokens[:1, :1]))


def attention(names: Names, found: Observations) -> None:
    layer, x = randomised(names.GenericSelfAttention(config())).eval(), numbers(B, T, C)
    found.add("output", layer(x.clone(), mask()))
    found.add("output with a bool mask", layer(x.clone(), mask().bool()))
    found.add("output with a float mask", layer(x.clone(), mask().float()))
    found.add("output with everything visible", layer(x.clone(), torch.ones(B, 1, T, T)))


def matrix_products(names: Names, found: Observations) -> None:
    """Whether there are more of them with more heads."""
    counts, x, visible = [], numbers(B, T, C), mask()
    for n_head in (1, 8):
        layer = names.GenericSelfAttention(config(n_head=n_head)).eval()
        with torch.no_grad(), Products() as products:
            layer(x.clone(), visible)
        counts.append(products.count)
    found.add("matrix products that come with more heads", torch.tensor(float(counts[1] > counts[0])))


def dropout(names: Names, found: Observations) -> None:
    """How the output scatters over many copies of one text: every place of dropout leaves its own trace."""
    layer = randomised(names.GenericSelfAttention(config())).train()
    x, visible = numbers(B, T, C)[:1].expand(COPIES, -1, -1), torch.ones(T, T).tril().expand(COPIES, 1, T, T)
    torch.manual_seed(1)
    with torch.no_grad():
        out = layer(x.clone(), visible)  # (COPIES, T, C)
    zeros = torch.where(out.isnan(), out, (out == 0).float()).mean((0, 2))  # (T,)
    found.add("share of zeros in train mode", zeros, chance=0.05)
    found.add("scatter of the output in train mode", out.var(0), chance=0.06)
    kept = out / (1 - zeros.nanmean()).clamp(min=0.1)
    pairs = torch.einsum("ntc,ntd->tcd", kept - kept.mean(0), kept - kept.mean(0)) / COPIES  # (T, C, C)
    found.add("how outputs scatter together in train mode", pairs.flatten(1), chance=0.25)
    seen = (out - out.mean(0)) / out.std(0).clamp(min=1e-9)
    neighbours = (seen[:, :-1] * seen[:, 1:]).mean((0, 2))  # (T-1,): 0 unless something was dropped for both
    found.add("1 + correlation of neighbouring tokens in train mode", 1 + neighbours, chance=0.03)


def block(names: Names, found: Observations) -> None:
    found.add("output", randomised(names.TransformerBlock(config())).eval()(numbers(B, T, C), mask()))


def whole(names: Names, masked_like: str = "Decoder") -> nn.Module:
    """The student's transformer with a mask of ours."""

    class Whole(names.GenericTransformer):
        get_attention_mask = getattr(solution(), masked_like).get_attention_mask

    return randomised(Whole(config())).eval()


def transformer(names: Names, found: Observations) -> None:
    model = whole(names)
    tokens, targets, cache = padded(ids(B, T, 31)), padded(ids(B, T, 31, seed=2)), numbers(B, P, C)
    found.add("hidden states", real_places(model(tokens.clone(), return_hidden=True)))
    logits, _ = model(tokens.clone())
    found.add("logits", real_places(logits))
    found.add("loss", model(tokens.clone(), targets.clone())[1])
    logits, loss = model(tokens.clone(), targets.clone(), hidden_cache=cache.clone())
    found.add("logits with a cache", real_places(logits, P))
    found.add("loss with a cache", loss)
    found.add("logits of a cache alone", model(tokens[:, :0], hidden_cache=cache)[0])
    found.add("hidden states of an encoder", real_places(whole(names, "Encoder")(tokens, return_hidden=True)))


def encoder_mask(names: Names, found: Observations) -> None:
    _masks(names.Encoder, found)


def decoder_mask(names: Names, found: Observations) -> None:
    _masks(names.Decoder, found)


def _masks(kind: type, found: Observations) -> None:
    model = with_a_mask(kind)
    for lengths in (LENGTHS, torch.tensor([3, 6, 2]), torch.tensor([4, 4])):
        given = model.get_attention_mask(lengths.clone())
        if isinstance(given, Tensor) and given.dim() == 3:  # (B, T, T) has lost the place of the heads
            found.add("shape of the mask", torch.tensor(given.shape))
        found.add(f"mask of lengths {lengths.tolist()}", given)


def with_a_mask(kind: type) -> nn.Module:
    """An encoder or decoder; a bare one if the student's transformer cannot be built yet."""
    with suppress(Exception):
        return kind(config())
    model = kind.__new__(kind)
    nn.Module.__init__(model)
    model.config, model.block_size = config(), config().block_size
    return model


class Fixed(nn.Module):
    """In place of a model: the next token's chances depend on the last token and on how many there are.

    ``fed`` keeps the tokens of every call. As a decoder it writes behind a cache; as an encoder its states are a
    table's rows.
    """

    def __init__(self, V: int, shift: int = 0):
        super().__init__()
        self.table = nn.Parameter(1.5 * numbers(V, V, seed=3))
        self.config, self.block_size, self.vocab_size = config(vocab_size=V), 19, V
        self.shift = shift
        self.fed: list[Tensor] = []

    def forward(self, idx, targets=None, hidden_cache=None, return_hidden=False):
        self.fed.append(idx.detach().long())
        P = 0 if hidden_cache is None else hidden_cache.shape[1]
        if return_hidden:
            return self.table[idx.long() % len(self.table)]  # (B, P, V)
        V = len(self.table)
        first = torch.full((len(idx), P), self.shift, dtype=torch.long)
        tokens = torch.cat([first, idx.long()], dim=1)  # (B, P+T)
        count = torch.arange(tokens.shape[1]) % V
        return self.table[tokens % V] + self.table[:, count].T[None], None  # (B, P+T, V)


class FixedPair(nn.Module):
    """In place of an encoder-decoder."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = Fixed(8), Fixed(5, shift=2)

    def forward(self, prefix, targets=None):
        tokens = prefix.new_empty(len(prefix), 0) if targets is None else targets
        return self.decoder(tokens, hidden_cache=self.encoder(prefix, return_hidden=True))


PROMPT, PREFIX = torch.tensor([[1, 4, 0]]), torch.tensor([[7, 2, 3, 1]])


def generation(names: Names, found: Observations) -> None:
    for temperature in (0.5, 2.0):
        model = Fixed(5).eval()
        torch.manual_seed(1)
        written = names.generate(model, PROMPT.repeat(DRAWS, 1), 2, temperature)
        found.add("shape of what is written", torch.tensor(written.shape))
        found.add("the prompt in front", written[:1, :3])
        found.add("what the model is given for the second token", model.fed[-1][:1, :3])
        found.add(f"pairs of new tokens at temperature {temperature}", frequencies(written[:, 3:]), chance=0.05)


def frequencies(pairs: Tensor, V: int = 6) -> Tensor:
    """(N, 2) -> how often each pair came, (V, V)."""
    pairs = pairs.long().clamp(0, V - 1)
    return torch.bincount(pairs[:, 0] * V + pairs[:, 1], minlength=V * V).view(V, V) / len(pairs)


def pair(names: Names) -> nn.Module:
    return randomised(names.EncoderDecoder(config(), config(vocab_size=29, n_head=4))).eval()


def title_and_text() -> tuple[Tensor, Tensor]:
    return padded(ids(B, P, 31), LENGTHS.clamp(max=P)), padded(ids(B, T, 29, seed=2))


def encoder_decoder(names: Names, found: Observations) -> None:
    model, (prefix, targets) = pair(names), title_and_text()
    logits, loss = model(prefix.clone(), targets.clone())
    found.add("size of the decoder's vocabulary", torch.tensor(logits.shape[-1]))
    found.add("logits", real_places(logits, P))
    found.add("loss", loss)
    found.add("logits without targets", model(prefix)[0])
    loss.backward()
    slopes = [p.grad.abs().sum() for p in model.encoder.parameters() if p.grad is not None]
    found.add("slope of the loss in the encoder's weights", sum(slopes, torch.tensor(0.0)))


def prefix_generation(names: Names, found: Observations) -> None:
    for temperature in (0.5, 2.0):
        model = FixedPair().eval()
        torch.manual_seed(1)
        written = names.prefix_generate(model, PREFIX.repeat(DRAWS, 1), 3, temperature)
        found.add("shape of what is written", torch.tensor(written.shape))
        found.add("times that the encoder ran", torch.tensor(float(len(model.encoder.fed))))
        found.add(f"pairs of new tokens at temperature {temperature}", frequencies(written[:, -2:]), chance=0.05)


Probe = Callable[[Names, Observations], None]

PROBES: dict[str, Sequence[Probe]] = {
    "embedding": [embedding],
    "attention": [attention, matrix_products, dropout],
    "block": [block],
    "transformer": [transformer],
    "encoder mask": [encoder_mask],
    "decoder mask": [decoder_mask],
    "generate": [generation],
    "encoder-decoder": [encoder_decoder],
    "prefix generate": [prefix_generation],
}


def observe(probe: Probe, names: Names) -> Observations:
    """What the probe sees, up to the error that ended it."""
    found = Observations()
    try:
        probe(names, found)
    except MemoryError:
        raise
    except Exception as error:
        found.error = error
    return found


TESTED = {  # the name in a student's file
    "embedding": "Embedding",
    "attention": "GenericSelfAttention",
    "block": "TransformerBlock",
    "transformer": "GenericTransformer",
    "encoder mask": "Encoder",
    "decoder mask": "Decoder",
    "generate": "generate",
    "encoder-decoder": "EncoderDecoder",
    "prefix generate": "prefix_generate",
}


@contextmanager
def with_our_other_blocks(student: ModuleType, block: str) -> Iterator[None]:
    """Within, the student's module has the reference's names, except the tested one and what it is made from.

    Not by name alone: a class whose methods say ``super(Encoder, self)`` needs its own name to stay.
    """
    tested = getattr(student, TESTED[block])
    own = (
        {TESTED[block], *(base.__name__ for base in inspect.getmro(tested))}
        if inspect.isclass(tested)
        else {TESTED[block]}
    )
    ours = {name: value for name, value in vars(solution()).items() if name not in own}
    before = {name: vars(student).get(name) for name in ours}
    vars(student).update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                with suppress(KeyError):
                    del vars(student)[name]
            else:
                vars(student)[name] = value
