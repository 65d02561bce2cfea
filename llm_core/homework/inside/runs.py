"""One run of a block, every operation noted with the student's line; and again with a tensor put in another's place."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from torch import Tensor, nn

from . import probes
from .probes import LENGTHS, C, P, T, V
from .standins import Names
from .watching import Step, Steps


@dataclass
class Run:
    """What happened: all steps, and the landmarks, tensors that every way of writing the block passes."""

    steps: list[Step]
    landmarks: dict[str, Tensor] = field(default_factory=dict)


def run(
    block: str,
    names: Names,
    file: str | None = None,
    training: bool = True,
    instead: dict[int, Tensor] | None = None,
) -> Run:
    """In train mode dropout is visible as a factor (see ``Steps``). An error ends the run early."""
    seen: dict[str, Tensor] = {}
    steps = Steps(file, instead)
    with suppress(Exception):  # the probe has it, and tells
        parts = _RUNS[block](names, seen, training)
        next(parts)
        probes.reseed()
        with steps:
            for name, tensor in parts:
                if isinstance(tensor, Tensor):
                    seen[name] = tensor.detach().clone()
    return Run(steps.steps, _LANDMARKS.get(block, lambda _, seen: seen)(steps.steps, seen))


# --- how each block is run: first all is built, then come landmarks ----------------------------------------------

Parts = Iterator[tuple[str, Tensor] | None]


def _embedding(names: Names, _seen: dict, training: bool) -> Parts:
    layer, tokens = probes.randomised(names.Embedding(probes.config())).train(training), probes.ids(probes.B, T, V)
    yield None
    yield "embedding (B, T, C)", layer(tokens)


def _attention(names: Names, seen: dict, training: bool) -> Parts:
    layer = probes.randomised(names.GenericSelfAttention(probes.config())).train(training)
    _listen(layer, {"q": "queries (B, T, C)", "k": "keys (B, T, C)", "v": "values (B, T, C)"}, seen)
    layer.c_proj.register_forward_pre_hook(
        lambda _, given: seen.setdefault("heads merged (B, T, C)", given[0].detach().clone())
    )
    x, mask = probes.numbers(probes.B, T, C), probes.mask()
    yield None
    yield "output (B, T, C)", layer(x, mask)


def _block(names: Names, seen: dict, training: bool) -> Parts:
    layer = probes.randomised(names.TransformerBlock(probes.config())).train(training)
    _listen(layer, {"ln_1": "ln_1 (B, T, C)", "attn": "attention (B, T, C)", "ln_2": "ln_2 (B, T, C)"}, seen)
    x, mask = probes.numbers(probes.B, T, C), probes.mask()
    yield None
    yield "output (B, T, C)", layer(x, mask)


def _transformer(names: Names, seen: dict, training: bool) -> Parts:
    model = probes.whole(names)
    _listen(model.transformer, {"embedding": "embedding (B, T, C)"}, seen)
    for i, layer in enumerate(model.transformer["h"]):
        _listen(nn.ModuleDict({"layer": layer}), {"layer": f"after block {i} (B, T, C)"}, seen)
    tokens, targets = probes.padded(probes.ids(probes.B, T, V)), probes.padded(probes.ids(probes.B, T, V, seed=2))
    cache = probes.numbers(probes.B, P, C)
    yield None
    yield "hidden states (B, T, C)", model(tokens.clone(), return_hidden=True)
    logits, loss = model(tokens.clone(), targets.clone())
    yield "logits (B, T, V)", logits
    yield "loss", loss
    logits, loss = model(tokens.clone(), targets.clone(), hidden_cache=cache.clone())
    yield "logits with a cache (B, P+T, V)", logits
    yield "loss with a cache", loss


def _mask_of(name: str) -> Callable[[Names, dict, bool], Parts]:
    def run(names: Names, _seen: dict, training: bool) -> Parts:
        model = probes.with_a_mask(getattr(names, name))
        yield None
        yield "mask (B, 1, T, T)", model.get_attention_mask(LENGTHS.clone())

    return run


def _generation(names: Names, _seen: dict, training: bool) -> Parts:
    model, prompt = probes.Fixed(5).eval(), probes.PROMPT.repeat(9, 1)
    yield None
    yield "tokens written", names.generate(model, prompt, 2, 0.5)


def _encoder_decoder(names: Names, seen: dict, training: bool) -> Parts:
    model, (prefix, targets) = probes.pair(names), probes.title_and_text()
    _listen(model, {"encoder": "encoder's hidden states (B, P, C)"}, seen)
    yield None
    logits, loss = model(prefix.clone(), targets.clone())
    yield "logits (B, P+T, V+1)", logits
    yield "loss", loss


def _prefix_generation(names: Names, _seen: dict, training: bool) -> Parts:
    model, prefix = probes.FixedPair().eval(), probes.PREFIX.repeat(9, 1)
    yield None
    yield "tokens written", names.prefix_generate(model, prefix, 3, 0.5)


def _listen(model: nn.Module, titles: dict[str, str], seen: dict) -> None:
    for name, title in titles.items():

        def note(_module, _given, out, title=title) -> None:
            if isinstance(out, Tensor):
                seen.setdefault(title, out.detach().clone())

        getattr(model, name, model[name] if isinstance(model, nn.ModuleDict) else None).register_forward_hook(note)


def _with_pattern(steps: list[Step], seen: dict[str, Tensor]) -> dict[str, Tensor]:
    """Attention's landmarks in order; scores and pattern are what the softmax was given, and made."""
    found = [step for step in steps if step.operation == "softmax" and step.given is not None]
    if found:
        seen = {
            **seen,
            "what goes into the softmax (B, H, T, T)": found[0].given,
            "pattern (B, H, T, T)": found[0].tensor,
        }
    order = ["queries", "keys", "values", "what goes", "pattern", "heads merged", "output"]
    return dict(
        sorted(seen.items(), key=lambda item: next(i for i, word in enumerate(order) if item[0].startswith(word)))
    )


_RUNS: dict[str, Callable[[Names, dict, bool], Parts]] = {
    "embedding": _embedding,
    "attention": _attention,
    "block": _block,
    "transformer": _transformer,
    "encoder mask": _mask_of("Encoder"),
    "decoder mask": _mask_of("Decoder"),
    "generate": _generation,
    "encoder-decoder": _encoder_decoder,
    "prefix generate": _prefix_generation,
}

_LANDMARKS = {"attention": _with_pattern}
