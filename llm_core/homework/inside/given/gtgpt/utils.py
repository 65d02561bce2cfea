"""The course's helper for random numbers."""

import random

import torch


def set_seed(seed: int) -> None:
    """The same random numbers from here on, in Python and in torch (and in NumPy, where it is)."""
    random.seed(seed)
    torch.manual_seed(seed)
    try:
        import numpy as np
    except ImportError:
        return
    np.random.seed(seed % 2**32)
