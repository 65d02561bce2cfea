"""Attention in a notebook, with the app's own views: ``from explorer import show; show(model, "text")``.

The views come as a frame with a page of its own (see ``standalone``): no server, no network, no IPython.
"""

import html
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..engine.payload import next_arrays, pack
from ..engine.runner import Runner
from .figure import KINDS as FIGURES
from .figure import figure_bytes
from .given import Given, given_of
from .layers import Choice, Pattern, Several
from .running import is_model, run, tokenizer_for
from .stacks import Said, Stack, stacks_of
from .standalone import standalone_html
from .tokens import vocabulary_of

HEIGHT = 860  # px


class AttentionPage:
    """What ``show`` returns: a notebook displays it, and ``save`` writes it as a file."""

    def __init__(self, page: str, height: int, stacks: dict[str, Stack], focus: dict[str, int]):
        self.html, self.height = page, height
        self._stacks, self._focus = stacks, focus

    @property
    def patterns(self) -> dict[str, np.ndarray]:
        """What is drawn, (L, H, T, S) of the chosen layers, heads and places: by "encoder", "decoder" and "cross", or
        under "" what has no other beside it."""
        return {name: stack.pattern.array for name, stack in self._stacks.items()}

    def _repr_html_(self) -> str:
        frame = f'style="width: 100%; height: {self.height}px; border: 0" title="Attention in every head"'
        return f'<iframe srcdoc="{html.escape(self.html)}" {frame}></iframe>'

    def save(self, path: str | Path) -> Path:
        """Write the kind of file that the name says; returns where it is.

        ``.html`` is the page; ``.svg``, ``.png`` and ``.pdf`` are a picture of the head that is drawn large first.
        Raises ``ValueError`` for any other name.
        """
        path = Path(path)
        kind = path.suffix.lower().removeprefix(".")
        if kind in ("html", "htm"):
            path.write_text(self.html, encoding="utf-8")
        elif kind in FIGURES:
            path.write_bytes(figure_bytes(self._stacks, self._focus["layer"], self._focus["head"], kind))
        else:
            raise ValueError(f"{path.name}: the name must end with .html, {', '.join(f'.{kind}' for kind in FIGURES)}")
        return path


def show(
    attention: Any,
    tokens: Any = None,
    model: Any = None,
    *,
    decoder_tokens: Any = None,
    tokenizer: Any = None,
    mask: Any = None,
    batch: int | None = None,
    layers: Several = None,
    heads: Several = None,
    stack: str | None = None,
    layer: int | None = None,
    head: int | None = None,
    height: int = HEIGHT,
) -> AttentionPage:
    """Attention in every head, as the app shows it, for a notebook cell.

    | ``attention`` | what is drawn |
    |---|---|
    | a model of ours (or its name) or of transformers, with a text as ``tokens`` | the text is run |
    | a ``Trace`` of ``record`` | its patterns, and the next tokens where it has logits |
    | an output of transformers, or of its ``generate`` | all its attentions, the steps joined |
    | ``output.attentions``, ``generated.attentions`` | these |
    | (H, T, S) or (B, H, T, S) for each layer, or one array (L, B, H, T, S) | these |

    ``tokens`` are T strings, pieces or ids, or what a tokenizer gave, and ``decoder_tokens`` those of a decoder with an
    encoder before it; what is not known is numbered. ``tokenizer`` (of transformers, tokenizers, tiktoken or ours, or a
    name as for ``load_tokenizer``) says what ids mean; without it, it is the one of the model, or ours. ``mask`` is the
    attention mask of ``tokens``: padding is left out.

    ``batch`` chooses a row, ``layers`` and ``heads`` some of all (numbers from 0, or "all", which says of an axis what
    it is), ``stack`` one of "encoder", "decoder" and "cross". ``layer`` and ``head`` are drawn large first. ``model``
    (a model or a name) is what the page calls it.

    Raises ``ValueError`` for what holds no attention weights, for an axis that may be a batch and is not said to be
    none, for more weights than a browser redraws at once, and for tokens that are not T.
    """
    choice = Choice(batch, layers, heads)
    if isinstance(attention, (str, Path)):
        attention, model, tokenizer = _loaded(attention, model, tokenizer)
    vocabulary = None if tokenizer is None else vocabulary_of(tokenizer)
    if is_model(attention):
        if not isinstance(tokens, str):
            raise ValueError('a model needs a text to show its attention: show(model, "How to make a cake")')
        vocabulary = vocabulary or tokenizer_for(attention)
        found, tokens, model = run(attention, tokens, vocabulary, choice), None, attention if model is None else model
    else:
        found = given_of(attention, choice)
    if vocabulary is None:
        found, vocabulary = _of_ours(found, model)
    stacks = stacks_of(_only(found, stack), Said(tokens, decoder_tokens, mask, batch), vocabulary)
    focus = _focus(next(iter(stacks.values())).pattern, layer, head)
    payloads = {name: _payload(one, name, model, vocabulary) for name, one in stacks.items()}
    return AttentionPage(standalone_html(payloads, focus), height, stacks, focus)


def _loaded(name: str | Path, model: Any, tokenizer: Any) -> tuple[Any, Any, Any]:
    """The model of a name, what it is called, and its tokenizer."""
    from llm_core import load_model
    from llm_core.model.checkpoints import tokenizer_name

    return load_model(name), str(name) if model is None else model, tokenizer or tokenizer_name(name)


def _of_ours(found: Given, model: Any) -> tuple[Given, Any]:
    """What is known, and our tokenizer if the ids are its own: its model has as many. Else ids say nothing."""
    sizes = {logits.shape[-1] for logits in found.logits.values()}
    sizes |= {size} if (size := getattr(getattr(model, "config", None), "vocab_size", None)) else set()
    if sizes == {(ours := Runner().tokenizer).n_vocab}:
        return found, ours
    return replace(found, ids={}, logits={}), None


def _only(found: Given, stack: str | None) -> Given:
    if stack is None or stack == "" == "".join(found.patterns):
        return found
    if stack not in found.patterns:
        there = " and ".join(repr(name) for name in found.patterns if name) or "one kind of attention, without a name"
        raise ValueError(f"stack={stack!r}: there is {there}")
    return replace(found, patterns={stack: found.patterns[stack]})


def _focus(pattern: Pattern, layer: int | None, head: int | None) -> dict[str, int]:
    """Where layer and head are among those that are shown."""
    layer, head = pattern.layers[0] if layer is None else layer, pattern.heads[0] if head is None else head
    if layer not in pattern.layers or head not in pattern.heads:
        L, H = len(pattern.layers), len(pattern.heads)
        shown = f"there are {L} layers of {H} heads, counted from 0"
        if pattern.layers != list(range(L)) or pattern.heads != list(range(H)):
            shown = f"shown are layers {pattern.layers} and heads {pattern.heads}"
        raise ValueError(f"layer={layer}, head={head}: {shown}")
    return {"layer": pattern.layers.index(layer), "head": pattern.heads.index(head)}


def _payload(stack: Stack, name: str, model: Any, vocabulary: Any) -> bytes:
    """What the page draws of a stack: its patterns, and the next tokens where they are known."""
    pattern = stack.pattern
    L, H, T, _ = pattern.array.shape
    called, facts = _facts(model)
    header: dict[str, Any] = {
        "model": {"name": called, "n_layer": L, "n_head": H, "token_limit": T, **facts},
        "text": name,  # no other stack of the page is taken for it
        "tokens": stack.queries,
        "total": T,
        "was_cut": False,
        "mask": "causal" if stack.is_causal else "none",
        "roles": [],
        "names": {"pattern": pattern.name},
        **({"keys": stack.keys} if stack.keys is not None else {}),
        **({"layers": pattern.layers} if pattern.layers != list(range(L)) else {}),
        **({"heads": pattern.heads} if pattern.heads != list(range(H)) else {}),
    }
    arrays = {"pattern": ("unit16", pattern.array)}
    if vocabulary and stack.is_causal and stack.ids and max(stack.ids) < stack.logits.shape[-1]:
        arrays |= next_arrays(stack.logits.detach().cpu().float().softmax(-1), stack.ids)
        header["pieces"] = {int(id): vocabulary.piece(int(id)) for id in np.unique(arrays["next_ids"][1])}
        header["model"]["vocab_size"] = stack.logits.shape[-1]
    return pack(header, arrays)


def _facts(model: Any) -> tuple[str, dict]:
    """What to call the model, and what else can be said of it."""
    if model is None or isinstance(model, str):
        return model or "attention", {}
    facts = {}
    config = getattr(model, "config", None)
    if width := getattr(config, "n_embd", None) or getattr(config, "hidden_size", None):
        facts["n_embd"] = width
    if hasattr(model, "parameters"):
        facts["num_parameters"] = sum(parameter.numel() for parameter in model.parameters())
    return type(model).__name__, facts
