"""A text through a model of ours or of transformers, with its attention kept and the model left as it was."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ..engine.inputs import around, halves
from .given import Given, given_of
from .layers import Choice
from .tokens import Pieces


def is_model(given: Any) -> bool:
    return hasattr(given, "forward") and hasattr(given, "parameters")


def run(model: Any, text: str, tokenizer: Any, choice: Choice) -> Given:
    """Attention of ``text``. An encoder-decoder reads its first line in the encoder, the others in the decoder.

    ``tokenizer`` is one of ``vocabulary_of``. Raises ``ValueError`` for a model that is neither ours nor transformers'.
    """
    from llm_core import Decoder, Encoder, EncoderDecoder

    if isinstance(model, (Encoder, Decoder, EncoderDecoder)):
        return _run_ours(model, text, tokenizer, choice)
    if not hasattr(getattr(model, "config", None), "_attn_implementation"):
        raise ValueError(
            f"show(model, text) runs Headscope's models and those of transformers; for a {type(model).__name__}, give "
            "the attention weights that it computes, (H, T, S) for each layer"
        )
    return _run_theirs(model, text, tokenizer, choice)


def tokenizer_for(model: Any) -> Any:
    """The tokenizer that belongs to a model: the shipped models', or what transformers finds under the model's name."""
    from llm_core import load_tokenizer

    config = getattr(model, "config", None) or getattr(getattr(model, "encoder", None), "config", None)
    if not hasattr(config, "_attn_implementation"):
        ours = load_tokenizer()
        if getattr(config, "vocab_size", ours.n_vocab) != ours.n_vocab:
            raise ValueError("it is not known which tokenizer made the model's ids: give tokenizer=")
        return ours
    name = getattr(model, "name_or_path", "") or ""
    try:
        from transformers import AutoTokenizer

        if not name:
            raise OSError("the model has no name")
        return Pieces(AutoTokenizer.from_pretrained(name))
    except Exception as error:  # the Hub's, the network's and the library's own kinds
        reason = f"{error}".strip().splitlines()[0]
        raise ValueError(
            f"no tokenizer was found for this {type(model).__name__} ({reason}): give tokenizer="
        ) from None


def _run_ours(model: Any, text: str, tokenizer: Any, choice: Choice) -> Given:
    import torch

    from llm_core import EncoderDecoder, record
    from llm_core.model.recording import hook_points

    if not isinstance(model, EncoderDecoder):
        rows = [_ids(tokenizer, text)]
    elif isinstance(tokenizer, Pieces):
        raise ValueError("this tokenizer does not say what a decoder begins with: give tokenizer= the model's folder")
    else:
        rows = [*halves(tokenizer, text)]
    names = [name for name in hook_points(model) if name.endswith(("attn.pattern", "embedding.ids", "logits"))]
    with _at_rest(model), record(model, names) as trace:
        model(*(torch.tensor([ids], device=_device(model)) for ids in rows))
    return given_of(trace, choice)


def _run_theirs(model: Any, text: str, tokenizer: Any, choice: Choice) -> Given:
    import torch

    ids = _rows(model, tokenizer, text)
    names = {"": "input_ids", "encoder": "input_ids", "decoder": "decoder_input_ids"}
    inputs = {names[side]: torch.tensor([row], device=_device(model)) for side, row in ids.items()}
    with _at_rest(model), _eager(model):
        output = model(**inputs, output_attentions=True, return_dict=True)
    return replace(given_of(output, choice), ids=ids)


def _rows(model: Any, tokenizer: Any, text: str) -> dict[str, list[int]]:
    """What each stack reads, by its name."""
    if not getattr(model.config, "is_encoder_decoder", False):
        return {"": _ids(tokenizer, text)}
    settings = (model.config, getattr(model, "generation_config", None))
    names = ("decoder_start_token_id", "pad_token_id")  # T5 begins with the padding
    starts = [getattr(one, name, None) for name in names for one in settings]
    start = next((id for id in starts if id is not None), None)
    if start is None:
        raise ValueError(f"{type(model).__name__} has no decoder_start_token_id: run it, and give show its output")
    first, _, rest = text.partition("\n")
    return {"encoder": _ids(tokenizer, first), "decoder": [start, *_ids(tokenizer, rest, whole=False)]}


def _ids(tokenizer: Any, text: str, whole: bool = True) -> list[int]:
    if isinstance(tokenizer, Pieces):
        ids = tokenizer.encode(text, whole)
    else:
        ids = around(tokenizer, text) if whole else tokenizer.encode(text)
    if whole and not ids:
        raise ValueError("there is no token in this text")
    return ids


def _device(model: Any) -> Any:
    return next(model.parameters()).device


@contextmanager
def _at_rest(model: Any) -> Iterator[None]:
    """Without gradients and without dropout, which parts in training go back to."""
    import torch

    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def _eager(model: Any) -> Iterator[None]:
    """With attention computed step by step, as only then its weights are there."""
    configs = {id(m.config): m.config for m in model.modules() if hasattr(m, "config")}
    for config in list(configs.values()):
        parts = [getattr(config, name) for name in getattr(config, "sub_configs", {})]
        configs |= {id(part): part for part in parts if part is not None}
    known = [config for config in configs.values() if hasattr(config, "_attn_implementation")]
    before = [config._attn_implementation for config in known]
    try:
        for config in known:
            config._attn_implementation = "eager"
        yield
    finally:
        for config, implementation in zip(known, before):
            config._attn_implementation = implementation
