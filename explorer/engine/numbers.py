"""All tensors of a run as a file that other programs read: NumPy's and safetensors'."""

import io
import json
import re

import numpy as np

TYPES = {"npz": "application/zip", "safetensors": "application/octet-stream"}  # by kind


def numbers(runner, text: str, kind: str, edits: tuple = (), masked: int | None = None) -> bytes:
    """Everything that the model, with ``edits`` in it, computed for ``text`` (its first tokens, where the window ends).

    Tensors by name. "npz" is for ``numpy.load`` and also holds ``tokens``, T strings; "safetensors" is for
    ``llm_core.Trace.load`` and has model, text and tokens (a JSON list) in its metadata. Raises ``ValueError`` for
    another kind.
    """
    if kind not in TYPES:
        raise ValueError(f"kind={kind!r}: must be {' or '.join(TYPES)}")
    run = runner.operated(text, edits, masked=masked)
    tensors = {name: tensor.numpy() for name, tensor in run.trace.items()}
    pieces = [token["text"] for token in run.tokens]
    text = text.encode("utf-8", "replace").decode()  # half a surrogate pair cannot be written
    if kind == "npz":
        return _npz({**tensors, "tokens": np.array(pieces, dtype=np.str_)})
    about = {"model": str(runner.model_name), "text": text, "tokens": json.dumps(pieces)}
    return _safetensors(tensors, {**about, **({"edits": repr(edits)} if edits else {})})


def file_name(model: str, text: str, kind: str) -> str:
    """Says which model and which text; ASCII, so that it stands in a header."""
    words = re.findall(r"[a-z0-9]+", f"headscope {model} {text[:40]}".lower())
    return f"{'-'.join(words)}.{kind}"


def _npz(tensors: dict[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    np.savez(file, **tensors)  # type: ignore[arg-type]  # no tensor is called allow_pickle
    return file.getvalue()


def _safetensors(tensors: dict[str, np.ndarray], about: dict[str, str]) -> bytes:
    from safetensors.numpy import save

    whole = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    return save(whole, metadata={"format": "headscope-trace", **about})
