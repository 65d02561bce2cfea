"""One text through several models, or several texts through one: everything that the Compare page draws, packed.

How each architecture gets the text: a decoder reads it behind the start token; so does an encoder, with one token
hidden behind the mask token; an encoder-decoder reads the first line, the title, in its encoder, and the rest, behind
the start token, in its decoder. All four as they were trained.
"""

import time
from dataclasses import dataclass, field

import numpy as np

from ..engine.architectures import ARCHITECTURES
from ..engine.attentions import Attention, attentions_of
from ..engine.cache import Stored
from ..engine.inputs import Input, input_for
from ..engine.payload import MAX_CELLS, pack
from ..engine.runner import MAX_CHARACTERS, Runner
from ..engine.shelf import Shelf
from .asker import Asker

MOST = 4  # columns
SHOWN = 10  # tokens of a prediction
WRITTEN = 16  # tokens of a greedy continuation
RUNS, LEAST_RUNS, ENOUGH = (
    5,
    3,
    0.2,
)  # forwards whose fastest counts, at most and least; seconds after which none is begun


@dataclass
class Column:
    """Header and arrays of one column."""

    header: dict
    arrays: dict[str, tuple[str, np.ndarray]] = field(default_factory=dict)


def comparison(asker: Asker, text: str, models: list[str], masked: int = -1, second: str | None = None) -> Stored:
    """What the page shows of ``compare``."""
    return compare(asker.shelf, text, models, masked, second, asker.is_owner)


def compare(
    shelf: Shelf,
    text: str,
    names: list[str],
    masked: int = -1,
    second_text: str | None = None,
    any_folder: bool = False,
) -> Stored:
    """The comparison's payload.

    ``masked`` is the place of the token that encoders are asked for, -1 the middle. With ``second_text`` one model
    gets both texts. A model that cannot be shown leaves its column with a sentence. Raises ``ValueError`` if there is
    nothing to compare.
    """
    texts = [text] * len(names)
    if second_text is not None:
        if len(names) != 1:
            raise ValueError(f"two texts go through one model, not {len(names)}: choose one")
        names, texts = names * 2, [text, second_text]
    if not 1 <= len(names) <= MOST:
        raise ValueError(f"{len(names)} columns: choose from 1 to {MOST}")
    columns = [(_loaded(shelf, name, any_folder), text[:MAX_CHARACTERS]) for name, text in zip(names, texts)]
    about = [[it if isinstance(it, str) else it.id, text] for it, text in columns]

    def make() -> bytes:
        drawn = [
            column(it, text, masked) if isinstance(it, Runner) else Column({"name": name, "error": it})
            for (it, text), name in zip(columns, names)
        ]
        return _packed(drawn, text, second_text)

    return shelf.first.payloads.stored(["compare", about, names, masked], make)


def _loaded(shelf: Shelf, name: str, any_folder: bool) -> Runner | str:
    """The model, or what is wrong with it in one sentence."""
    try:
        return shelf.loaded(name, any_folder)
    except (ValueError, OSError) as error:
        return str(error)


def _packed(columns: list[Column], text: str, second_text: str | None) -> bytes:
    header = {"text": text, "second_text": second_text, "columns": [column.header for column in columns]}
    arrays = {f"{i}.{name}": it for i, column in enumerate(columns) for name, it in column.arrays.items()}
    return pack(header, arrays)


def column(runner: Runner, text: str, masked: int = -1) -> Column:
    """Run ``text`` through one model with attention recorded, then again for the time, and write on greedily.

    Arrays for each part: NAME.pattern (L, H, T, S) and NAME.mask (T, S), 1 where a query sees a key. Of the
    prediction, for N places: ids and probs (N, SHOWN), largest first; actual_probs and actual_ranks of what really
    stands there, (N,) or, where the end of the text has none, (N-1,).
    """
    import torch

    from llm_core import record
    from llm_core.analysis.costs import flops, parameters

    model, tokenizer, architecture = runner.model, runner.tokenizer, runner.architecture
    given = input_for(model, tokenizer, text, cells=MAX_CELLS)
    if architecture == "encoder":
        T = len(given.ids)
        given.hide(T // 2 if masked < 0 else min(masked, T - 1), tokenizer)
    watched = ["*attn.pattern", "*blocks.0.*attn.scores", "*logits"]
    with runner.alone(), torch.inference_mode(), record(model, watched) as trace:
        model(*given.tensors())
    trace = trace.on_cpu()
    with runner.alone(), torch.inference_mode():
        timed = _time(model, given)
    with runner.alone():
        written = _continuation(model, tokenizer, given)
    parts = attentions_of(model, given, runner.describe)
    arrays = {}
    for part in parts:
        arrays[f"{part.name}.pattern"] = ("unit16", part.stacked(trace, "pattern"))  # (L, H, T, S)
        scores = trace[part.point("scores").format(layer=0)][0, 0]  # (T, S), -inf where the mask hides
        arrays[f"{part.name}.mask"] = ("uint8", scores.isfinite().numpy())
    prediction, more = _prediction(tokenizer, trace, given)
    by_part = flops(model, len(given.own), len(given.ids) if given.decoder_ids else 0)
    header = {
        "name": str(runner.model_name),
        "title": runner.title,
        "architecture": architecture,
        "architecture_title": ARCHITECTURES[architecture].title,
        "sentence": ARCHITECTURES[architecture].sentence,
        "error": None,
        "total": given.total,
        "used": len(given.ids) + len(given.decoder_ids or []) - bool(given.decoder_ids),
        "parts": [_described(part) for part in parts],
        "prediction": prediction,
        "written": written,
        "parameters": parameters(model),
        "flops": by_part,
        "time": timed,
        "held_out": runner.card_loss,
    }
    return Column(header, arrays | more)


def _described(attention: Attention) -> dict:
    return {
        "name": attention.name,
        "queries": attention.queries,
        "keys": attention.keys,
        "prefix": attention.prefix,
        "tensor": attention.point("pattern"),
    }


def _time(model, given: Input) -> dict:
    """The fastest of some forwards that nobody watches: what else the machine does only makes one slower."""
    import torch

    tensors = given.tensors()
    seconds: list[float] = []
    while len(seconds) < LEAST_RUNS or (len(seconds) < RUNS and sum(seconds) < ENOUGH):
        start = time.perf_counter()
        model(*tensors)
        seconds.append(time.perf_counter() - start)
    return {"milliseconds": min(seconds) * 1000, "runs": len(seconds), "threads": torch.get_num_threads()}


def _continuation(model, tokenizer, given: Input) -> dict | None:
    """What a model that writes goes on with, the likeliest token each time, while its window has room; None for an
    encoder."""
    from llm_core import generate

    if given.masked is not None:
        return None
    pair = given.decoder_ids is not None
    own, window = given.own, (model.decoder if pair else model).config
    room = min(WRITTEN, window.block_size - len(own))  # a full window would slide, and be read anew for every token
    settings = {"temperature": 0, "stop": tokenizer.end, **({"decoder_ids": [own]} if pair else {})}
    new = generate(model, [given.ids], room, **settings)[0] if room else []
    new = new if pair else new[len(own) :]
    text = tokenizer.decode([id for id in new if not tokenizer.is_special(id)])
    return {"text": text, "ids": new, "ended": tokenizer.end in new}


def _prediction(tokenizer, trace, given: Input) -> tuple[dict, dict]:
    """Header and arrays of what the model expects at the hidden place, or behind each of the tokens it reads."""
    logits = trace["decoder.logits" if given.decoder_ids else "logits"][0]  # (T, V)
    if given.masked is None:
        actual, kind = given.own[1:], "next"
    else:
        logits, actual, kind = logits[given.masked][None], [given.hidden_id], "masked"
    probs = logits.softmax(-1)  # (N, V)
    best = probs.topk(min(SHOWN, probs.shape[-1]), dim=-1)
    wanted = probs.new_tensor(actual).long()[:, None]  # (N, 1) or (N-1, 1)
    true = probs[: len(actual)].gather(1, wanted)
    ids = best.indices.numpy()
    header = {
        "kind": kind,
        "place": given.masked,
        "actual": [tokenizer.piece(id) for id in actual],
        "pieces": {int(id): tokenizer.piece(int(id)) for id in np.unique(ids)},
        "vocab_size": probs.shape[-1],
    }
    arrays = {
        "ids": ("uint32", ids),
        "probs": ("float32", best.values.numpy()),
        "actual_probs": ("float32", true[:, 0].numpy()),
        "actual_ranks": ("uint32", ((probs[: len(actual)] > true).sum(1) + 1).numpy()),
    }
    return header, arrays
