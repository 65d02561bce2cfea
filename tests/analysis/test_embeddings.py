"""Principal components against the singular values of numpy, neighbors against torch's own cosine."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from llm_core.analysis.embeddings import ROWS, nearest_neighbors, principal_components


@pytest.mark.parametrize(("N", "C"), [(40, 7), (5, 12)])
def test_components_are_the_singular_vectors(N, C):
    vectors = torch.randn(N, C, generator=torch.manual_seed(0)) * torch.arange(1, C + 1) + 3
    at, shares = principal_components(vectors, 3)
    u, s, v = np.linalg.svd((vectors - vectors.mean(0)).numpy(), full_matrices=False)
    np.testing.assert_allclose(np.abs(at), np.abs(u * s)[:, :3], atol=1e-3)
    np.testing.assert_allclose(shares, (s**2 / (s**2).sum())[:3], atol=1e-5)
    signs = np.sign(v[np.arange(3), np.abs(v[:3]).argmax(1)])
    np.testing.assert_allclose(at, (u * s)[:, :3] * signs, atol=1e-3)


def test_neighbors_are_those_of_all_pairs():
    vectors = torch.randn(ROWS + 60, 5, generator=torch.manual_seed(1))
    cosines, ids = nearest_neighbors(vectors, 4)
    for i in (0, 7, ROWS - 1, ROWS, ROWS + 59):
        own = F.cosine_similarity(vectors, vectors[i][None])
        own[i] = -2
        best = own.topk(4)
        assert ids[i].tolist() == best.indices.tolist()
        assert torch.allclose(cosines[i], best.values, atol=1e-5)


def test_few_and_empty_vectors_are_no_error():
    assert nearest_neighbors(torch.ones(2, 3), 5)[1].tolist() == [[1], [0]]
    at, shares = principal_components(torch.zeros(4, 3), 2)
    assert at.tolist() == [[0, 0]] * 4 and shares.tolist() == [0, 0]
