"""Masks say which key a query may see: boolean, True = visible, broadcast to (B, H, T, S).

Encoder: padding only. Decoder: padding and causal. Cross-attention: the padding of the encoder's side.
"""

import torch
from torch import Tensor


def is_token(num_tokens: Tensor, T: int) -> Tensor:
    """(B,) lengths -> (B, T), True where a right-padded row still has a token."""
    return torch.arange(T, device=num_tokens.device) < num_tokens[:, None]


def padding_mask(attention_mask: Tensor) -> Tensor:
    """(B, S), True = real token -> (B, 1, 1, S): no query sees a padded key."""
    return attention_mask.bool()[:, None, None, :]


def causal_mask(T: int, S: int | None = None, device: torch.device | None = None) -> Tensor:
    """(1, 1, T, S): query i sees keys up to its own place.

    With S > T the queries are the *last* T of S places, as they are when earlier keys come from a cache.
    """
    S = T if S is None else S
    return torch.ones(T, S, dtype=torch.bool, device=device).tril(S - T)[None, None]


def window_mask(T: int, window: int, S: int | None = None, device: torch.device | None = None) -> Tensor:
    """(1, 1, T, S): query i sees no key that is ``window`` or more places before its own, whatever else it sees."""
    S = T if S is None else S
    return torch.ones(T, S, dtype=torch.bool, device=device).triu(S - T - window + 1)[None, None]
