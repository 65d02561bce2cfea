"""Activation patching: which activations carry what a clean text has and a corrupted one lacks.

The model runs on the corrupted text, with one activation put in that it had on the clean text. How far the answer comes
back, for every layer and place or head, is a map of where the difference is kept. Vig et al. 2020; Meng et al. 2022
(causal tracing); Wang et al. 2022; Zhang and Nanda 2023, "Towards Best Practices of Activation Patching".

    patching = Patching(model, ids_of(clean, tokenizer), ids_of(corrupted, tokenizer), logit_difference(her, him))
    patching.exact("resid_pre").recovered    # (L, T), 1 where all comes back
    patching.by_gradients(["z"])["z"]        # (L, H), from one run backward: attribution patching
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..model.architectures import Decoder
from ..model.recording import Trace, intervene, record
from .tables import table

STREAM = ("resid_pre", "resid_mid", "resid_post")  # in front of a layer, between its two sums, behind it
STREAM_SITES = {name: name for name in STREAM} | {"attn_out": "attn.out", "mlp_out": "mlp.out"}
HEAD_SITES = {name: f"attn.{name}" for name in ("z", "q", "k", "v", "pattern")}
SITES = STREAM_SITES | HEAD_SITES  # what can be patched, and its hook point in a block
ROWS = 32  # of a batch: enough to be fast, few enough for a small machine

Metric = Callable[[Tensor, Tensor], Tensor]  # logits (N, V), those of the clean text (V,) -> (N,)


def logit_difference(answer: int, other: int) -> Metric:
    """How far the logit of token ``answer`` exceeds that of ``other``, (N, V) -> (N,): linear in the stream's end."""
    return lambda logits, _clean: logits[:, answer] - logits[:, other]


def probability(answer: int) -> Metric:
    """The probability of token ``answer``, (N, V) -> (N,), 0..1."""
    return lambda logits, _clean: logits.softmax(-1)[:, answer]


def kl_divergence(logits: Tensor, clean: Tensor) -> Tensor:
    """KL(clean prediction (V,) || these (N, V)), nats, (N,): 0 where the clean one is back. A metric as it stands."""
    return F.kl_div(logits.log_softmax(-1), clean.log_softmax(-1), reduction="none", log_target=True).sum(-1)


@dataclass(frozen=True, kw_only=True, slots=True)
class PatchingMap:
    """The metric with one activation put in, for each there is: ``values`` is (L, T) for a site of the stream, (L, H)
    for one of heads, (L, H, T) for heads at single places."""

    site: str
    values: Tensor
    clean: float  # the metric on the clean text
    corrupted: float  # and on the corrupted one, with nothing put in

    @property
    def recovered(self) -> Tensor:
        """The same as shares of the way from corrupted to clean, (L, T), (L, H) or (L, H, T): 0 nothing, 1 all.
        ``ValueError`` if there is no way."""
        if self.clean == self.corrupted:
            raise ValueError("the metric is the same on both texts: there is nothing to recover")
        return (self.values - self.corrupted) / (self.clean - self.corrupted)

    def table(self) -> Any:
        """A row for each activation: a ``pandas.DataFrame`` where pandas is installed."""
        axes = ["layer", *(["place"] if self.site in STREAM_SITES else ["head", "place"])][: self.values.ndim]
        places = product(*map(range, self.values.shape))
        numbers = zip(places, self.values.flatten().tolist(), self.recovered.flatten().tolist())
        return table({**dict(zip(axes, at)), "value": value, "recovered": share} for at, value, share in numbers)


class Patching:
    """Two texts of as many tokens through one decoder, and what becomes of the metric in between.

    ``clean`` and ``corrupted`` are ids (1, T); ``metric`` reads the logits at ``place``, the last unless said
    otherwise. Activations go from the clean run into the corrupted one; to see what each breaks, swap the texts.
    Raises ``ValueError`` for texts of different lengths, and for a model in training mode or without next tokens.
    """

    def __init__(self, model: Decoder, clean: Tensor, corrupted: Tensor, metric: Metric, place: int = -1):
        _check(model, clean, corrupted, place)
        self.model, self.place = model, place
        self.L, self.ids = model.config.n_layer, corrupted
        with torch.no_grad():
            self._clean, self._clean_logits = self._run(clean)
            self._corrupted, self._corrupted_logits = self._run(corrupted)
        self.measure(metric)

    @torch.no_grad()
    def measure(self, metric: Metric) -> None:
        """From now on by ``metric``, of the same two runs: logits (N, V) and the clean ones (V,) -> (N,)."""
        self.metric = metric
        self.clean, self.corrupted = (float(metric(one[None], self._clean_logits)) for one in self.logits)

    @property
    def logits(self) -> tuple[Tensor, Tensor]:
        """At ``place``, of the clean and of the corrupted text: (V,) each."""
        return self._clean_logits, self._corrupted_logits

    def exact(self, site: str = "resid_pre", *, places: bool = False) -> PatchingMap:
        """The map of one of ``SITES``, each activation in a run of its own.

        Heads are put in at all places together, with ``places`` at one after the other; of a pattern, a place is a
        query's. Where heads share keys, "k" and "v" have as many as there are keys.
        """
        rows = list(self.layers(site, places=places))
        return PatchingMap(site=site, values=torch.stack(rows), clean=self.clean, corrupted=self.corrupted)

    @torch.no_grad()
    def layers(self, site: str, *, places: bool = False) -> Iterator[Tensor]:
        """The rows of ``exact``, one layer after the other: (T,), (H,) or (H, T)."""
        for layer in range(self.L):
            units, counts = self._units(site, layer, places)
            found = [self.metric(self._patched(site, layer, some), self._clean_logits) for some in units.split(ROWS)]
            yield torch.cat(found).view(counts).cpu()

    @torch.no_grad()
    def one(self, site: str, layer: int, *, head: int | None = None, at: int | None = None) -> Tensor:
        """The logits (V,) at ``place`` with activations of a layer put in: of one head or all, at one place or all."""
        counts = self._clean[self._name(site, layer)].shape[1:-1]  # (T,) or (H, T)
        axes = {"head": head, "at": at} if site in HEAD_SITES else {"at": at}
        for (name, index), count in zip(axes.items(), counts):
            if index is not None and not 0 <= index < count:
                raise ValueError(f"{name}={index}: must be between 0 and {count - 1}")
        unit = torch.zeros(1, *counts, dtype=torch.bool, device=self.ids.device)
        unit[(0, *(slice(None) if index is None else index for index in axes.values()))] = True
        return self._patched(site, layer, unit)[0]

    def by_gradients(
        self, sites: Iterable[str] = ("resid_pre", "attn_out", "mlp_out", "z"), *, places: bool = False
    ) -> dict[str, PatchingMap]:
        """The maps of all ``sites`` at once: attribution patching (Nanda 2023).

        An activation's effect is its difference times the gradient on the corrupted text. One run forward and one
        backward instead of one for each, so an estimate: right where the model is near to linear in what is put in.
        """
        names = {site: [self._name(site, layer) for layer in range(self.L)] for site in sites}
        wanted = [name for some in names.values() for name in some]
        x = self._corrupted[self._name("resid_pre", 0)].clone().requires_grad_()  # (1, T, C)
        with torch.enable_grad(), record(self.model, wanted, gradients=True) as trace:
            metric = self.metric(self._logits_from(0, x), self._clean_logits).sum()
            found = torch.autograd.grad(metric, [trace[name] for name in wanted])
        effects = {
            name: ((self._clean[name] - trace[name].detach()) * gradient)[0].sum(-1)  # (T,) or (H, T)
            for name, gradient in zip(wanted, found)
        }
        return {
            site: self._estimated(site, torch.stack([effects[name] for name in some]).float().cpu(), places)
            for site, some in names.items()
        }

    def _estimated(self, site: str, effects: Tensor, places: bool) -> PatchingMap:
        effects = effects if places or site in STREAM_SITES else effects.sum(-1)  # (L, H, T) -> (L, H)
        return PatchingMap(site=site, values=self.corrupted + effects, clean=self.clean, corrupted=self.corrupted)

    def _run(self, ids: Tensor) -> tuple[Trace, Tensor]:
        """Everything that can be put in, and the logits at ``place``, (V,)."""
        points = [f"blocks.*.{point}" for point in SITES.values() if self._has(point)]
        with record(self.model, points) as trace:
            hidden = self.model.hidden(ids)  # (1, T, C)
        return trace, self._logits_of(hidden)[0]

    def _units(self, site: str, layer: int, places: bool) -> tuple[Tensor, tuple[int, ...]]:
        """What each of N runs puts in, (N, T) or (N, H, T), bool; and the axes that the N are."""
        counts = tuple(self._clean[self._name(site, layer)].shape[1:-1])  # (T,) or (H, T)
        if site in HEAD_SITES and not places:
            H, T = counts
            return torch.eye(H, dtype=torch.bool, device=self.ids.device)[:, :, None].expand(H, H, T), (H,)
        N = math.prod(counts)
        return torch.eye(N, dtype=torch.bool, device=self.ids.device).view(N, *counts), counts

    def _patched(self, site: str, layer: int, units: Tensor) -> Tensor:
        """Logits (N, V) of N runs on the corrupted text, from ``layer`` on: what lies before is as it was."""
        name = self._name(site, layer)
        clean = self._clean[name]
        x = self._corrupted[self._name("resid_pre", layer)].expand(len(units), -1, -1)  # (N, T, C)
        with intervene(self.model, {name: lambda own: torch.where(units[..., None], clean, own)}):
            return self._logits_from(layer, x)

    def _logits_from(self, layer: int, x: Tensor) -> Tensor:
        """The stream (N, T, C) in front of a layer -> logits (N, V) at ``place``."""
        for block in self.model.blocks[layer:]:
            x = block(x, is_causal=True)
        return self._logits_of(self.model.ln_f(x))

    def _logits_of(self, hidden: Tensor) -> Tensor:
        """States behind the last norm (N, T, C) -> (N, V): of one place alone, for V is large."""
        at = hidden[:, self.place]  # (N, C)
        return self.model.lm_head(self.model.before_head(at)).float()

    def _has(self, point: str) -> bool:
        return point != "resid_mid" or not self.model.config.parallel

    def _name(self, site: str, layer: int) -> str:
        if site not in SITES or not self._has(site):
            raise ValueError(f"site={site!r}: must be one of {', '.join(filter(self._has, SITES))}")
        if not 0 <= layer < self.L:
            raise ValueError(f"layer={layer}: must be between 0 and {self.L - 1}")
        return f"blocks.{layer}.{SITES[site]}"


def _check(model: Decoder, clean: Tensor, corrupted: Tensor, place: int) -> None:
    if not isinstance(model, Decoder) or model.conditioning:
        raise ValueError("patching reads the next token: give a Decoder that needs no encoder's states")
    if model.training:
        raise ValueError("patching compares runs without dropout: call model.eval() first")
    for name, ids in (("clean", clean), ("corrupted", corrupted)):
        if ids.ndim != 2 or len(ids) != 1:
            raise ValueError(f"{name} ids of shape {tuple(ids.shape)}: must be (1, T)")
    T, S = clean.shape[1], corrupted.shape[1]
    if T != S:
        raise ValueError(
            f"the clean text has {T} tokens and the corrupted one {S}: positions match only if both are equal"
        )
    if not -T <= place < T:
        raise ValueError(f"place={place}: must be between {-T} and {T - 1}")
