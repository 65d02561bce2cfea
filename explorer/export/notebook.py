"""Attention in a notebook, with the app's own views: ``from explorer import show; show(trace)``.

The views come as a frame with a page of its own (see ``standalone``): no server, no network, no IPython.
"""

import html
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..engine.payload import MAX_CELLS, next_arrays, pack
from ..engine.runner import Runner
from .standalone import standalone_html

HEIGHT = 860  # px
LAYERS = "blocks.{layer}.attn.pattern"


class AttentionPage:
    """What ``show`` returns: a notebook displays it, and ``save`` writes it as a file that any browser opens."""

    def __init__(self, page: str, height: int):
        self.html, self.height = page, height

    def _repr_html_(self) -> str:
        frame = f'style="width: 100%; height: {self.height}px; border: 0" title="Attention in every head"'
        return f'<iframe srcdoc="{html.escape(self.html)}" {frame}></iframe>'

    def save(self, path: str | Path) -> Path:
        """Write the page; returns where it is."""
        path = Path(path)
        path.write_text(self.html, encoding="utf-8")
        return path


def show(
    attention,
    tokens: Sequence[str] | Sequence[int] | None = None,
    model=None,
    *,
    stack: str = "",
    layer: int = 0,
    head: int = 0,
    height: int = HEIGHT,
) -> AttentionPage:
    """Attention in every head, as the app shows it, for a notebook cell.

    ``attention`` is a ``Trace`` of ``record``, or the patterns of any other model: an (L, H, T, T) tensor or array,
    or a sequence with one (H, T, T) or (1, H, T, T) for each layer, as Hugging Face's ``output_attentions`` gives.
    ``tokens`` are T strings, or T ids of our tokenizer; without them a trace that has its ids is labelled with our
    tokenizer's pieces if they are its own, anything else with places. ``model`` (a model or a name) is what the page
    calls it. ``stack`` is "encoder" or "decoder" for the trace of an encoder-decoder. ``layer`` and ``head``, from
    0, are drawn large first. Where the trace has logits, the next tokens are shown, too.

    Raises ``ValueError`` for patterns that are no attention weights of one sequence onto itself, for more of them
    than a browser redraws at once, and for tokens that are not T.
    """
    trace = attention if hasattr(attention, "attention") else None
    pattern = patterns_of(trace if trace is not None else attention, stack)
    L, H = pattern.shape[:2]
    if not (0 <= layer < L and 0 <= head < H):
        raise ValueError(f"layer={layer}, head={head}: there are {L} layers of {H} heads, counted from 0")
    payload = pattern_payload(pattern, tokens, model, trace, stack)
    return AttentionPage(standalone_html(payload, {"layer": layer, "head": head}), height)


def patterns_of(attention, stack: str = "") -> np.ndarray:
    """(L, H, T, T), float32, of whatever ``show`` takes."""
    if hasattr(attention, "attention"):
        attention = _of_trace(attention, stack)
    layers = [_array(layer) for layer in attention] if isinstance(attention, (list, tuple)) else _array(attention)
    if isinstance(layers, list):
        shapes = {layer.shape for layer in layers}
        if len(shapes) != 1:
            raise ValueError(f"every layer must have a pattern of one shape, not {sorted(shapes) or 'none at all'}")
        layers = np.stack(layers)
    if layers.ndim == 5 and layers.shape[1] == 1:  # a batch of one
        layers = layers[:, 0]
    return _checked(layers)


def pattern_payload(pattern: np.ndarray, tokens=None, model=None, trace=None, stack: str = "") -> bytes:
    """The payload of patterns (L, H, T, T) alone, or of a trace's with its next tokens."""
    L, H, T, _ = pattern.shape
    ids = _ids(trace, model, stack, T)
    is_causal = not np.triu(pattern, 1).any()
    name, facts = _facts(model)
    header = {
        "model": {"name": name, "n_layer": L, "n_head": H, "token_limit": T, **facts},
        "text": "",
        "tokens": _described(ids if tokens is None else tokens, T),
        "total": T,
        "was_cut": False,
        "mask": "causal" if is_causal else "none",
        "roles": [],
        "names": {"pattern": f"{stack}.{LAYERS}" if stack else LAYERS if trace is not None else "attention[{layer}]"},
    }
    arrays = {"pattern": ("unit16", pattern)}
    if ids is not None and is_causal and "logits" in trace:
        logits = trace["logits"][0].detach().cpu().float()  # (T, V)
        arrays |= next_arrays(logits.softmax(-1), ids)
        header["pieces"] = {int(id): Runner().tokenizer.piece(int(id)) for id in np.unique(arrays["next_ids"][1])}
        header["model"]["vocab_size"] = logits.shape[-1]
    return pack(header, arrays)


def _of_trace(trace, stack: str) -> list:
    prefix = f"{stack}." if stack else ""
    found = [name for name in trace if name.startswith(f"{prefix}blocks.") and name.endswith(".attn.pattern")]
    if found:
        return [trace[name] for name in found]
    stacks = sorted({name.split(".")[0] for name in trace if name.endswith(".attn.pattern")} - {"blocks"})
    if stacks:
        raise ValueError(f"this trace has the stacks {' and '.join(stacks)}: choose one, stack={stacks[0]!r}")
    raise ValueError("this trace holds no attention pattern: record without names, or with '*attn.pattern'")


def _array(tensor) -> np.ndarray:
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu().float().numpy()
    return np.asarray(tensor, dtype=np.float32)


def _checked(pattern: np.ndarray) -> np.ndarray:
    shape = pattern.shape
    if pattern.ndim == 5 or (pattern.ndim == 4 and 0 in shape):
        raise ValueError(f"one sequence can be shown, not a batch: patterns of shape {shape}")
    if pattern.ndim != 4 or shape[2] != shape[3]:
        raise ValueError(f"patterns must have the shape (L, H, T, T), not {shape}")
    if pattern.size > MAX_CELLS:
        heads = shape[0] * shape[1]
        most = int((MAX_CELLS / heads) ** 0.5)
        raise ValueError(f"{shape[2]} tokens are too many to draw in {heads} heads: at most {most}")
    if not np.isfinite(pattern).all() or pattern.min() < 0 or pattern.max() > 1 + 1e-4:
        raise ValueError("attention weights must be from 0 to 1: give the patterns after the softmax, without dropout")
    return np.minimum(pattern, 1)


def _ids(trace, model, stack: str, T: int) -> list[int] | None:
    """The trace's own ids, if they are those of our tokenizer: its model has as many."""
    name = f"{stack}.embedding.ids" if stack else "embedding.ids"
    if trace is None or name not in trace or trace[name].shape[-1] != T:
        return None
    sizes = [trace["logits"].shape[-1]] if "logits" in trace else []
    config = getattr(model, "config", None)
    sizes += [config.vocab_size] if config is not None and hasattr(config, "vocab_size") else []
    is_ours = sizes and all(size == Runner().tokenizer.n_vocab for size in sizes)
    return trace[name][0].tolist() if is_ours else None


def _described(tokens, T: int) -> list[dict]:
    """Tokens for the screen; places, where nothing is known of them."""
    tokens = range(T) if tokens is None else tokens.tolist() if hasattr(tokens, "tolist") else list(tokens)
    if len(tokens) != T:
        raise ValueError(f"{len(tokens)} tokens for patterns of {T} places: give one for each")
    if isinstance(tokens, range) or any(isinstance(token, str) for token in tokens):
        return [{"id": None, "text": str(token), "special": False, "partial": False} for token in tokens]
    size = Runner().tokenizer.n_vocab
    if wrong := [token for token in tokens if not 0 <= token < size]:
        raise ValueError(f"token {wrong[0]} is not in our vocabulary of {size}: give the tokens as strings")
    return Runner().describe(tokens)


def _facts(model) -> tuple[str, dict]:
    """What to call the model, and what else can be said of it."""
    if model is None or isinstance(model, str):
        return model or "attention", {}
    facts = {}
    if width := getattr(getattr(model, "config", None), "n_embd", None):
        facts["n_embd"] = width
    if hasattr(model, "parameters"):
        facts["num_parameters"] = sum(parameter.numel() for parameter in model.parameters())
    return type(model).__name__, facts
