"""All tokens of a model on a map: the rows of its token table along their principal components, and their neighbors."""

import numpy as np

from ..engine.payload import pack
from ..engine.runner import Runner

MOST_TOKENS = 16_384  # of a larger vocabulary the first are drawn
NEIGHBORS = 8


def map_payload(runner: Runner) -> bytes:
    """``at`` (N, 3), and ``near`` and ``cosines`` (N, 8), nearest first; in the header each token's text, and the share of
    the variance along each axis."""
    from llm_core.analysis.embeddings import nearest_neighbors, principal_components

    rows = runner.model.embedding.token_table.weight.detach().float().cpu()[:MOST_TOKENS]  # (N, C)
    at, shares = principal_components(rows, 3)
    cosines, near = nearest_neighbors(rows, NEIGHBORS)
    header = {
        "model": runner.facts.name,
        "vocabulary": runner.facts.vocab_size,
        "width": rows.shape[1],
        "pieces": [runner.tokenizer.piece(id) for id in range(len(rows))],
        "special": [id for id in range(len(rows)) if runner.tokenizer.is_special(id)],
        "shares": shares.tolist(),
    }
    numbers = {"at": at, "cosines": cosines}
    arrays = {name: ("float32", tensor.numpy()) for name, tensor in numbers.items()}
    return pack(header, {**arrays, "near": ("uint16", near.numpy().astype(np.uint16))})
