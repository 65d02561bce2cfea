"""Text -> payload: the only place that runs models for the screen.

torch is imported when the first model is needed, not before: the page with its precomputed example is up
earlier. Results are cached and bounded; a lock keeps a recording from hearing another user's forward pass.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from llm_core.paths import ASSETS, MODELS
from llm_core.text.pieces import is_partial

from .architectures import ARCHITECTURES, architecture_of
from .attentions import Attention, attentions_of
from .cache import PayloadCache, Stored
from .fair_lock import FairLock
from .family import family_facts
from .inputs import MAX_TOKENS, Input, input_for
from .once import once
from .panels import missing, predicts
from .payload import MAX_CELLS, ModelFacts, behind, next_arrays, trace_payload
from .place import CPU, Place
from .recordings import Recordings

if TYPE_CHECKING:
    from llm_core import ModelConfig, Trace

    from .writers import Writers

MAX_CHARACTERS = 20_000  # what is read of a text; far beyond any model's window
SHIPPED = "decoder"  # the model that the precomputed examples were made with
ROLES_AHEAD = ASSETS / "roles.json"  # its roles; made with the examples


@dataclass(frozen=True, slots=True)
class Recorded:
    """A forward with everything recorded."""

    given: Input
    trace: "Trace"
    text: str
    attentions: list[Attention]
    attention: Attention  # of these, the one that is looked at
    edits: tuple = ()  # of llm_core.analysis.surgery: what was changed in the model

    @property
    def ids(self) -> list[int]:
        """What the stack that predicts has read."""
        return self.given.own

    @property
    def tokens(self) -> list[dict]:
        """Those that look, described for the screen."""
        return self.attention.queries

    @property
    def total(self) -> int:
        """Tokens of the whole text that looks."""
        return self.attention.total

    @property
    def is_usual(self) -> bool:
        """Whether it is a decoder's, of which nothing more need be said."""
        return len(self.attentions) == 1 and self.attention.is_causal

    def of(self, name: str) -> "Recorded":
        """The same with another attention of the model looked at; "" is the one that predicts."""
        known = {attention.name: attention for attention in self.attentions}
        if name and name not in known:
            raise ValueError(f"stack={name!r}: this model has {', '.join(known)}")
        return replace(self, attention=known[name]) if name else self


class Results:
    """What is remembered of texts that were run, by all models together: payloads, and the last recordings."""

    def __init__(self):
        self.payloads = PayloadCache()
        self.recorded = Recordings(Runner._recorded)


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
        """What the page says about the model, of an encoder-decoder about its decoder."""
        return self._facts(getattr(self.model, "decoder", self.model).config)

    def facts_of(self, attention: Attention) -> ModelFacts:
        """The same of the stack that an attention is in."""
        return self._facts(attention.model_of(self.model).config) if attention.stack else self.facts

    def _facts(self, config: "ModelConfig") -> ModelFacts:
        from llm_core.model.checkpoints import num_parameters

        names = ("n_layer", "n_head", "n_embd", "vocab_size", "block_size")
        sizes = {name: getattr(config, name) for name in names}
        count, family = num_parameters(self.model), family_facts(config)
        return ModelFacts(name=str(self.model_name), num_parameters=count, family=family, **sizes)

    def check_writes(self) -> None:
        """``ValueError`` for a model that is no decoder that stands alone."""
        if self.architecture != "decoder":
            raise ValueError(
                f"{self.model_name} is not a stand-alone decoder: this page shows models that predict the next "
                "token; the pages Explore and Compare show all models"
            )

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
                raise ValueError(f"{self.model_name}/{path.name} is not an ordinary file")

    @once
    def card_loss(self) -> dict | None:
        """{"loss", "unit", "tokens"} that the model's card states: measured on articles it never learned from, after
        so many tokens; None for what it does not state."""
        card = self._place / "README.md"
        if not card.is_file():
            return None
        text = card.read_text(encoding="utf-8", errors="replace")
        match = re.search(r"\| Held-out loss \| ([\d.]+) (nats per (?:masked )?token)", text)
        seen = re.search(r"\| Tokens seen \| ([\d,]+) ", text)
        tokens = int(seen[1].replace(",", "")) if seen else None
        return {"loss": float(match[1]), "unit": match[2], "tokens": tokens} if match else None

    @once
    def roles(self) -> list[dict]:
        """What every head does on standard tests, and what uniform attention would score; once for a model."""
        if self.is_shipped:
            return json.loads(ROLES_AHEAD.read_text(encoding="utf-8"))  # or the first text would wait for them
        return self.measured_roles()

    @once
    def _roles_by_stack(self) -> dict[str, list[dict]]:
        """Those of an encoder-decoder that were measured."""
        return {}

    def roles_of(self, attention: Attention) -> list[dict]:
        """Those of the heads of one attention; of cross-attention, which looks at another text, there are none."""
        if attention.is_cross:
            return []
        if not attention.stack:
            return self.roles
        known = self._roles_by_stack
        if attention.stack not in known:
            known[attention.stack] = self.measured_roles(attention.stack)
        return known[attention.stack]

    def measured_roles(self, stack: str = "") -> list[dict]:
        from llm_core.analysis.roles import ROLES, head_roles

        if self.facts.block_size < 2:
            return []  # nothing to look at
        with self.alone():
            found = head_roles(self.model, self.tokenizer, stack=stack)
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
            raise ValueError(f"{self.model_name} puts no token before a text: type at least one character")
        return ids

    def run(self, text: str, stack: str = "", masked: int | None = None) -> Stored:
        """Run ``text`` with everything recorded; its payload, and the key under which that lies."""
        return self.stored("text", text, lambda text: self.payload(text, stack, masked), look(stack, masked))

    def stored(self, kind: str, text: str, make: Callable[[str], bytes], more: str = "") -> Stored:
        """What ``make(text)`` gives, which is made once and kept while there is room; ``more`` is part of its key."""
        text = text[: MAX_CHARACTERS + 1]  # the one more says that there is more
        return self.payloads.stored([self.id, kind, text, more], lambda: make(text))

    def operated(self, text: str, edits: tuple, stack: str = "", masked: int | None = None) -> Recorded:
        """``recorded``, with ``edits`` of llm_core.analysis.surgery in the model; without any it is that one.

        ``stack`` is whose attention is looked at, and ``masked`` the place of an encoder that is hidden from it.
        """
        changes = {"edits": edits} if edits else {}
        hidden = {} if masked is None else {"masked": masked}
        return self.recorded(text, **changes, **hidden).of(stack)

    def payload(self, text: str, stack: str = "", masked: int | None = None, cells: int = MAX_CELLS) -> bytes:
        """What ``run`` stores: the text's tokens, attention in every head, and what is predicted at every place."""
        read, was_cut = text[:MAX_CHARACTERS], len(text) > MAX_CHARACTERS
        run, piece = self.operated(read, (), stack, masked), self.tokenizer.piece
        attention, trace = run.attention, run.trace
        facts, roles, found = self.facts_of(attention), self.roles_of(attention), self._predicted(run)
        more = (self._said_of(run), self._leading(run) if found else {})
        own = (attention, found, cells)
        return trace_payload(facts, read, run.tokens, piece, run.total, trace, roles, was_cut, more, *own)

    def _predicted(self, run: Recorded) -> dict:
        """What the model expects at every place; nothing of a stack that predicts nothing."""
        kind, stack = predicts(self.model, run.attention), run.attention.stack
        if kind is None:
            return {}
        probs = run.trace[f"{stack}.logits" if stack else "logits"][0].softmax(-1)  # (T, V)
        return next_arrays(probs, run.given.unhidden, kind == "own", run.attention.prefix)

    def _said_of(self, run: Recorded) -> dict:
        """What a payload says of a model that is no decoder that stands alone."""
        if run.is_usual:
            return {}
        masked = run.given.masked
        return {
            "stack": run.attention.name,
            "stacks": [attention.name for attention in run.attentions],
            "predicts": predicts(self.model, run.attention),
            "prefix": run.attention.prefix,
            "masked": masked,
            "hidden": None if masked is None else self.describe([run.given.hidden_id])[0],
            "may_mask": self.architecture == "encoder" and self.tokenizer.mask is not None,
            "without": missing(self.model, run.attention),
        }

    def _leading(self, run: Recorded) -> dict:
        """Of every place the head that adds most to the likeliest token: leading (T, 2) and leading_logits (T,);
        nothing of a model whose parts do not add up, such as one with NaN in its weights."""
        from llm_core.analysis.attribution import leading_heads

        with suppress(ValueError):
            heads, logits = leading_heads(self.model, run.trace, is_cross=run.attention.is_cross)
            first = run.attention.prefix
            return {
                "leading": ("uint16", behind(first, heads.numpy())),
                "leading_logits": ("float32", behind(first, logits.numpy())),
            }
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
            raise ValueError(f"{self.model_name} reads {T} tokens at a time: too few to measure on a sentence")
        return batches

    def _recorded(self, text: str, limit: int = MAX_TOKENS, edits: tuple = (), masked: int | None = None) -> Recorded:
        """Everything that the model, with ``edits`` in it, computes for the first ``limit`` tokens of ``text``."""
        import torch

        from llm_core import intervene, record
        from llm_core.analysis.surgery import interventions

        given = self._given(text, limit, masked)
        means = self.means if any(edit.how == "mean" for edit in edits) else None
        changed = interventions(self.model, edits, means) if edits else {}
        with self.alone(), torch.inference_mode(), intervene(self.model, changed), record(self.model) as trace:
            if self._has_head:
                self.model(*given.tensors())
            else:
                self.model.hidden(*(ids.to(self.model.device) for ids in given.tensors()))
        attentions = attentions_of(self.model, given, self.describe)
        looked_at = next(one for one in attentions if one.name == "decoder" or len(attentions) == 1)
        return Recorded(given, trace.on_cpu(), text, attentions, looked_at, edits)

    @property
    def _has_head(self) -> bool:
        return getattr(self.model, "decoder", self.model).config.head != "none"

    def _given(self, text: str, limit: int, masked: int | None) -> Input:
        """What the model gets of a text, with the place ``masked`` hidden from an encoder."""
        architecture = self.architecture
        if masked is not None and architecture != "encoder":
            raise ValueError("masked: only a stand-alone encoder fills in a hidden token")
        if architecture == "decoder":
            ids = self.encode(text)
            return Input(ids[: min(limit, self.facts.token_limit)], total=len(ids))
        given = input_for(self.model, self.tokenizer, text, limit)
        if masked is None:
            return given
        if not 0 <= masked < len(given.ids):
            raise ValueError(f"masked={masked}: must be a position in the text, 0 to {len(given.ids) - 1}")
        return given.hide(masked, self.tokenizer)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """The model for oneself, in turn: no other thread runs it, so nobody's hooks hear another's forward."""
        with self._running:
            yield

    def describe(self, ids: list[int]) -> list[dict]:
        return describe(self.tokenizer, ids)


def look(stack: str, masked: int | None) -> str:
    """Part of the key of what is computed of a look at a text."""
    return "" if not stack and masked is None else f"{stack} {masked}"


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
