"""What losses say of a mistake: switched on in the trained model, and in tiny models trained with it from scratch.

Held-out losses do not depend on the learner's text, so each is computed once for a runner. Would the loss alone have
shown the mistake? The rule: right runs that differ in their seed alone lie in a range, and a loss counts as another
one if it is further outside of it than the range is wide. One that is better by that much hides the mistake.
"""

import math
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache

from ...engine.runner import Runner
from .effects import broken_model, held_out_ids, held_out_loss

GPT2_DROPOUT = 0.1
SEEDS = (0, 1, 2, 3)  # of dropout, where a loss is measured in train mode
LEAST_CHANGE = 1e-3  # in a logit, to say that a token has seen a later one
FEW = 16  # tokens


@cache
def noisy_model(runner: Runner, name: str | None):
    """A copy in train mode, with the mistake or with none. Where the model has no dropout, it gets GPT-2's rate."""
    from torch import nn

    from llm_core.mistakes.known import MISTAKES, NAMED, broken

    nothing = replace(MISTAKES[0], name="nothing", edits=())
    model = broken(runner.model, NAMED[name] if name else nothing).train()
    for part in model.modules():
        if isinstance(part, nn.Dropout):
            part.p = part.p or GPT2_DROPOUT
    return model


@cache
def noisy_losses(runner: Runner, name: str | None = None) -> list[float]:
    """Held-out losses in train mode, one for each of ``SEEDS``, in nats per token."""
    return [_noisy_loss(runner, name, seed) for seed in SEEDS]


def _noisy_loss(runner: Runner, name: str | None, seed: int) -> float:
    import torch

    model = noisy_model(runner, name)
    with runner.alone(), torch.inference_mode(), seeded(seed):
        return held_out_loss(runner, model)


@contextmanager
def seeded(seed: int):
    """Random numbers from ``seed`` on; afterwards they go on as if nothing had been drawn."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@cache
def sees_later_tokens(runner: Runner, name: str) -> bool:
    """Whether another last token changes what the copy with this mistake says at earlier places."""
    import torch

    model = broken_model(runner, name)
    ids = torch.tensor([held_out_ids(runner)[0][:FEW]])
    other = ids.clone()
    other[0, -1] = (other[0, -1] + 1) % runner.facts.vocab_size
    with runner.alone(), torch.inference_mode():
        change = (model(ids) - model(other))[0, :-1].abs()
    return bool((change > LEAST_CHANGE).any())


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """Losses of tiny models that were trained from scratch, one of them with a mistake."""

    rights: list[float]  # of the right code, one for each seed; the first has the seed of the mistaken run
    wrong: float
    honest: float  # of the weights that were trained with the mistake, when the right code runs them

    @property
    def spread(self) -> float:
        return max(self.rights) - min(self.rights)

    @property
    def verdict(self) -> str:
        """ "same", "better" or "worse" than right; "none" if it is no number."""
        if not math.isfinite(self.wrong):
            return "none"
        if self.wrong < min(self.rights) - self.spread:
            return "better"
        return "worse" if self.wrong > max(self.rights) + self.spread else "same"

    @property
    def answer(self) -> str:
        """To: would the loss have shown it?"""
        return {
            "none": "yes, it is not a number",
            "same": "no",
            "better": "no, it looks better",
            "worse": "yes, beside right runs",
        }[self.verdict]


def trained_with(name: str) -> Trained | None:
    """What was measured for a mistake; None if nothing was."""
    found = measurements()
    if not found or name not in found["mistakes"]:
        return None
    run = found["mistakes"][name]
    rights = [found["right"]["loss"][-1], *found["right_other_seeds"]]
    return Trained(rights=rights, wrong=run["loss"][-1], honest=run["honest_loss"])


@cache
def _read() -> dict:
    from llm_core.mistakes.known import measured

    return measured()


def measurements() -> dict | None:
    """The file of measured losses, or None while there is none."""
    try:
        return _read()
    except FileNotFoundError:
        return None
