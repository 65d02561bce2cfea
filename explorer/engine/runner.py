"""Text -> payload: the only place that runs models for the screen.

torch is imported when the first model is needed, not before: the page with its precomputed example is up
earlier. Results are cached and bounded; a lock keeps a recording from hearing another user's forward pass.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from llm_core.paths import ASSETS, MODELS
from llm_core.text.pieces import is_partial

from .architectures import ARCHITECTURES, architecture_of
from .cache import PayloadCache, Stored
from .fair_lock import FairLock
from .family import family_facts
from .once import once
from .payload import MAX_TOKENS, ModelFacts, trace_payload
from .place import CPU, Place

if TYPE_CHECKING:
    from llm_core import Trace

    from .writers import Writers

MAX_CHARACTERS = 20_000  # what is read of a text; far beyond any model's window
MAX_RECORDED = 6  # recordings that are remembered
SHIPPED = "decoder"  # the model that the precomputed examples were made with
ROLES_AHEAD = ASSETS / "roles.json"  # its roles; made with the examples


@dataclass(frozen=True, slots=True)
class Recorded:
    """A forward with everything recorded."""

    ids: list[int]  # T of them
    tokens: list[dict]  # the same, described for the screen
    total: int  # tokens of the whole text
    trace: "Trace"
    text: str
    edits: tuple = ()  # of llm_core.analysis.surgery: what was changed in the model


class Results:
    """What is remembered of texts that were run, by all models together: payloads, and the last recordings."""

    def __init__(self):
        self.payloads = PayloadCache()
        self.recorded = lru_cache(maxsize=MAX_RECORDED)(Runner._recorded)


class Runner:
    """One model and its tokenizer, ready to run texts; it is loaded when it is first needed.

    ``folder`` is where the model lies if its name does not say so already, ``version`` tells two files of one name
    apart, and ``results`` are shared with other models. ``place`` is where it computes if it is another library's.
    """

    def __init__(
        self,
        model_name: str = SHIPPED,
        folder: Path | None = None,
        version: int = 0,
        results: Results | None = None,
        place: Place = CPU,
    ):
        self.model_name, self.folder, self.place = model_name, folder, place
        self.id = f"{model_name}@{version}"  # part of every key: no result of another model is taken for this one's
        self.results = results or Results()
        self.payloads, self.recorded = self.results.payloads, partial(self.results.recorded, self)
        self._running = FairLock()

    def warm_up(self) -> threading.Thread:
        """Load torch and the model in the background, and run once, so that the first text is as fast as the next."""

        def run_once() -> None:
            with suppress(ImportError, ValueError, OSError):  # said on the page, to who asks for a text
                self.run("How to")
                _ = self.means  # or the first mean ablation would wait for them

        thread = threading.Thread(target=run_once, name="warm-up", daemon=True)
        thread.start()
        return thread

    @property
    def is_shipped(self) -> bool:
        return self.model_name == SHIPPED

    @property
    def architecture(self) -> str:
        """One of ARCHITECTURES."""
        return architecture_of(self.model)

    @property
    def title(self) -> str:
        return ARCHITECTURES[self.model_name].title if self.model_name in ARCHITECTURES else str(self.model_name)

    @once
    def facts(self) -> ModelFacts:
        """What the page says about a decoder; ``ValueError`` for any other model."""
        from llm_core import Decoder
        from llm_core.model.checkpoints import num_parameters

        model = self.model
        if not isinstance(model, Decoder):
            raise ValueError(
                f"{self.model_name} is no decoder that stands alone: this page shows models that predict the next "
                "token, the page Compare shows all"
            )
        names = ("n_layer", "n_head", "n_embd", "vocab_size", "block_size")
        sizes = {name: getattr(model.config, name) for name in names}
        family = family_facts(model.config)
        return ModelFacts(name=str(self.model_name), num_parameters=num_parameters(model), family=family, **sizes)

    @once
    def tokenizer_name(self) -> str:
        from llm_core.model.checkpoints import tokenizer_name

        with self._by_name():
            return tokenizer_name(self.folder or self.model_name)

    @once
    def tokenizer(self):
        from llm_core import load_tokenizer

        return load_tokenizer(self.tokenizer_name)

    @contextmanager
    def _by_name(self) -> Iterator[None]:
        """What is wrong with a model is said of its name: where it lies on the server is nobody's business."""
        try:
            yield
        except ValueError as error:
            raise ValueError(str(error).replace(str(self.folder or self.model_name), str(self.model_name))) from None

    @once
    def model(self):
        """llm_core's Encoder, Decoder or EncoderDecoder."""
        from llm_core import load_model

        place = self._own_place()
        with self._by_name():
            model = load_model(self.folder or self.model_name, **place.settings())
        _check_parts(self.model_name, model, self.tokenizer)
        return place.put(model)

    def _own_place(self) -> Place:
        """``place`` for another library's model that there is room for; ``NoRoom`` for one that there is none for."""
        from llm_core.model.checkpoints import foreign_weights

        with self._by_name():
            self._check_files()
            weights = foreign_weights(self.folder or self.model_name)
        if weights is None:
            return CPU
        self.place.check_room(str(self.model_name), weights)
        return self.place

    @property
    def _place(self) -> Path:
        """The folder that the model comes from; one that does not exist if it came from the Hub."""
        return self.folder or (MODELS / SHIPPED if self.is_shipped else Path(self.model_name).expanduser())

    def _check_files(self) -> None:
        """A pipe in the place of a file would be waited for as long as nobody writes into it."""
        for path in (self._place / "config.json", self._place / "model.safetensors"):
            if path.exists() and not path.is_file():
                raise ValueError(f"{self.model_name}/{path.name} is no ordinary file")

    @once
    def card_loss(self) -> dict | None:
        """{"loss", "unit"} that the model's card states, measured on articles it never learned from."""
        card = self._place / "README.md"
        if not card.is_file():
            return None
        text = card.read_text(encoding="utf-8", errors="replace")
        match = re.search(r"\| Held-out loss \| ([\d.]+) (nats per (?:masked )?token)", text)
        return {"loss": float(match[1]), "unit": match[2]} if match else None

    @once
    def roles(self) -> list[dict]:
        """What every head does on standard tests, and what uniform attention would score; once for a model."""
        if self.is_shipped:
            return json.loads(ROLES_AHEAD.read_text(encoding="utf-8"))  # or the first text would wait for them
        return self.measured_roles()

    def measured_roles(self) -> list[dict]:
        from llm_core.analysis.roles import ROLES, head_roles

        if self.facts.block_size < 2:
            return []  # nothing to look at
        with self.alone():
            found = head_roles(self.model, self.tokenizer)
        return [
            {
                **asdict(role),
                "baseline": found.baselines[role.name],
                "scores": found.scores[role.name].tolist(),
                "lifts": found.lifts[role.name].tolist(),
            }
            for role in ROLES
            if role.name in found.scores
        ]

    def encode(self, text: str) -> list[int]:
        """Ids of ``text`` behind what the family sets before every text. Raises ``ValueError`` if there are none."""
        ids = [*self.tokenizer.prefix, *self.tokenizer.encode(text[:MAX_CHARACTERS])]
        if not ids:
            raise ValueError(f"{self.model_name} has no token that stands before a text: type at least one character")
        return ids

    def run(self, text: str) -> Stored:
        """Run ``text`` with everything recorded; its payload, and the key under which that lies."""
        return self.stored("text", text, self.payload)

    def stored(self, kind: str, text: str, make: Callable[[str], bytes], more: str = "") -> Stored:
        """What ``make(text)`` gives, which is made once and kept while there is room; ``more`` is part of its key."""
        text = text[: MAX_CHARACTERS + 1]  # the one more says that there is more
        return self.payloads.stored([self.id, kind, text, more], lambda: make(text))

    def operated(self, text: str, edits: tuple) -> Recorded:
        """``recorded``, with ``edits`` of llm_core.analysis.surgery in the model; without any it is that one."""
        return self.recorded(text, edits=edits) if edits else self.recorded(text)

    def payload(self, text: str) -> bytes:
        """What ``run`` stores: the text's tokens, attention in every head, and next-token distributions."""
        read, was_cut = text[:MAX_CHARACTERS], len(text) > MAX_CHARACTERS
        run, piece = self.recorded(read), self.tokenizer.piece
        more: tuple[dict, dict] = ({}, self._leading(run.trace))
        return trace_payload(self.facts, read, run.tokens, piece, run.total, run.trace, self.roles, was_cut, more)

    def _leading(self, trace: "Trace") -> dict:
        """Of every place the head that adds most to the likeliest next token: leading (T, 2) and leading_logits (T,);
        nothing of a model whose parts do not add up, such as one with NaN in its weights."""
        from llm_core.analysis.attribution import leading_heads

        with suppress(ValueError):
            heads, logits = leading_heads(self.model, trace)
            return {"leading": ("uint16", heads.numpy()), "leading_logits": ("float32", logits.numpy())}
        return {}

    @once
    def writers(self) -> "Writers":
        """All who write with this model."""
        from .writers import Writers

        return Writers(self.alone)

    @once
    def means(self) -> dict:
        """What comes out of heads and MLPs on average, for mean ablation."""
        from llm_core.analysis.effects import mean_activations

        with self.alone():
            return mean_activations(self.model, self.tokenizer)

    @once
    def held_out(self) -> list:
        """The held-out sentences, ready to measure edits on; others have their turn between two batches."""
        from llm_core.analysis.effects import held_out_batches

        batches, making = [], held_out_batches(self.model, self.tokenizer)
        while True:
            with self.alone():
                batch = next(making, None)
            if batch is None:
                break
            batches.append(batch)
        if sum(map(len, batches)) < 2:
            T = self.facts.block_size
            raise ValueError(f"{self.model_name} reads {T} tokens at a time: too few for a sentence to measure on")
        return batches

    def _recorded(self, text: str, limit: int = MAX_TOKENS, edits: tuple = ()) -> Recorded:
        """Everything that the model, with ``edits`` in it, computes for the first ``limit`` tokens of ``text``."""
        import torch

        from llm_core import intervene, record
        from llm_core.analysis.surgery import interventions

        ids = self.encode(text)
        shown = ids[: min(limit, self.facts.token_limit)]
        means = self.means if any(edit.how == "mean" for edit in edits) else None
        changed = interventions(self.model, edits, means)
        with self.alone(), torch.inference_mode(), intervene(self.model, changed), record(self.model) as trace:
            self.model(torch.tensor([shown]))
        return Recorded(shown, self.describe(shown), len(ids), trace.on_cpu(), text, edits)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """The model for oneself, in turn: no other thread runs it, so nobody's hooks hear another's forward."""
        with self._running:
            yield

    def describe(self, ids: list[int]) -> list[dict]:
        return describe(self.tokenizer, ids)


def describe(tokenizer, ids: list[int]) -> list[dict]:
    """Tokens for the screen: id, text, whether special, and whether only part of a character."""
    return [
        {
            "id": id,
            "text": tokenizer.piece(id),
            "special": tokenizer.is_special(id),
            "partial": _is_partial(tokenizer, id),
        }
        for id in ids
    ]


def _check_parts(name: str, model, tokenizer) -> None:
    """Raise ``ValueError`` for a model that its tokens mean nothing to, or that lacks its encoder."""
    from llm_core.text.tokenizer import BytePairTokenizer

    parts = [model.encoder, model.decoder] if hasattr(model, "encoder") else [model]
    is_ours = isinstance(tokenizer, BytePairTokenizer)  # other families may have more rows than tokens
    for part in parts:
        V = part.config.vocab_size
        if tokenizer.n_vocab > V or (is_ours and tokenizer.n_vocab < V):
            raise ValueError(
                f"{name} has a vocabulary of {part.config.vocab_size}, but its tokenizer, {tokenizer.name}, of "
                f"{tokenizer.n_vocab}"
            )
    if len(parts) == 1 and getattr(model, "conditioning", None):
        raise ValueError(f"{name} is only the decoder of an encoder-decoder: give the folder of the whole model")


def _is_partial(tokenizer, id: int) -> bool:
    return not tokenizer.is_special(id) and is_partial(tokenizer.token_bytes(id))
