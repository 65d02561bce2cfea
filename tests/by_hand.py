"""A forward pass from the weights alone: one head after the other, no module, no kernel of torch.nn.

Each function returns what our hook points should have seen, under their names.
"""

import math

import torch
from torch import Tensor

from llm_core.model.architectures import EncoderDecoder, Stack


def encoder_decoder_by_hand(model: EncoderDecoder, ids: Tensor, decoder_ids: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """ids (B, S) with their padding mask (B, S), decoder_ids (B, T) unpadded."""
    S, T = ids.shape[1], decoder_ids.shape[1]
    encoder = stack_by_hand(model.encoder, ids, mask[:, None, :].expand(-1, S, -1), positions_of(mask))
    memory = encoder["ln_f"]
    del encoder["logits"]  # nobody asks an encoder that conditions a decoder
    if model.conditioning == "prefix":
        keys = torch.cat([mask, torch.ones_like(decoder_ids, dtype=torch.bool)], dim=1)  # (B, S+T)
        visible = torch.ones(S + T, S + T).tril().bool() & keys[:, None, :]
        decoder = stack_by_hand(model.decoder, decoder_ids, visible, prefix=memory)
    else:
        visible = torch.ones(T, T).tril().bool().expand(len(ids), T, T)
        cross = (memory, mask[:, None, :].expand(-1, T, -1))
        decoder = stack_by_hand(model.decoder, decoder_ids, visible, cross=cross)
    return {f"encoder.{name}": x for name, x in encoder.items()} | {f"decoder.{name}": x for name, x in decoder.items()}


def stack_by_hand(
    stack: Stack,
    ids: Tensor,
    visible: Tensor,
    positions: Tensor | None = None,
    prefix: Tensor | None = None,
    cross: tuple[Tensor, Tensor] | None = None,
) -> dict[str, Tensor]:
    """ids (B, T); ``visible`` (B, T, S), True where a query sees a key; ``cross`` is (memory, visible)."""
    w, T = stack.state_dict(), ids.shape[1]
    positions = torch.arange(T) if positions is None else positions
    seen = {
        "embedding.ids": ids,
        "embedding.token": w["embedding.token_table.weight"][ids],
        "embedding.position": w["embedding.position_table.weight"][positions],
    }
    x = seen["embedding.sum"] = seen["embedding.token"] + seen["embedding.position"]
    x = x if prefix is None else torch.cat([prefix, x], dim=1)
    for i in range(stack.config.n_layer):
        block = block_by_hand(weights_under(w, f"blocks.{i}."), stack.config.n_head, x, visible, cross)
        seen |= {f"blocks.{i}.{name}": tensor for name, tensor in block.items()}
        x = block["resid_post"]
    seen["ln_f"] = norm_by_hand(w["ln_f.weight"], w["ln_f.bias"], x[:, x.shape[1] - T :])
    seen["logits"] = seen["ln_f"] @ w["embedding.token_table.weight"].T
    return seen


def block_by_hand(w: dict[str, Tensor], H: int, x: Tensor, visible: Tensor, cross) -> dict[str, Tensor]:
    seen = {"resid_pre": x, "ln_1": norm_by_hand(w["ln_1.weight"], w["ln_1.bias"], x)}
    seen |= attention_by_hand(w, "attn.", H, seen["ln_1"], seen["ln_1"], visible)
    x = seen["resid_mid"] = x + seen["attn.out"]
    if cross is not None:
        seen["ln_cross"] = norm_by_hand(w["ln_cross.weight"], w["ln_cross.bias"], x)
        seen |= attention_by_hand(w, "cross_attn.", H, seen["ln_cross"], *cross)
        x = seen["resid_cross"] = x + seen["cross_attn.out"]
    seen["ln_2"] = norm_by_hand(w["ln_2.weight"], w["ln_2.bias"], x)
    pre = seen["mlp.pre"] = seen["ln_2"] @ w["mlp.up_proj.weight"].T + w["mlp.up_proj.bias"]
    seen["mlp.post"] = 0.5 * pre * (1 + torch.tanh(math.sqrt(2 / math.pi) * (pre + 0.044715 * pre**3)))
    seen["mlp.out"] = seen["mlp.post"] @ w["mlp.down_proj.weight"].T + w["mlp.down_proj.bias"]
    seen["resid_post"] = x + seen["mlp.out"]
    return seen


def attention_by_hand(w: dict, name: str, H: int, x: Tensor, source: Tensor, visible: Tensor) -> dict[str, Tensor]:
    """x (B, T, C) asks, ``source`` (B, S, C) answers: one loop for the batch, one for the heads."""
    w = weights_under(w, name)
    D = x.shape[-1] // H
    heads = {part: [] for part in ("q", "k", "v", "scores", "pattern", "z")}
    for b in range(len(x)):
        for h in range(H):
            rows = slice(h * D, (h + 1) * D)
            q = x[b] @ w["q_proj.weight"][rows].T + w["q_proj.bias"][rows]  # (T, D)
            k = source[b] @ w["k_proj.weight"][rows].T + w["k_proj.bias"][rows]  # (S, D)
            v = source[b] @ w["v_proj.weight"][rows].T + w["v_proj.bias"][rows]  # (S, D)
            scores = (q @ k.T / math.sqrt(D)).where(visible[b], -math.inf)  # (T, S)
            pattern = (scores.exp() / scores.exp().sum(-1, keepdim=True)).where(visible[b].any(-1, keepdim=True), 0)
            for part, tensor in zip(heads, (q, k, v, scores, pattern, pattern @ v)):
                heads[part].append(tensor)
    seen = {f"{name}{part}": torch.stack(each).unflatten(0, (len(x), H)) for part, each in heads.items()}
    side_by_side = torch.cat([seen[f"{name}z"][:, h] for h in range(H)], dim=-1)  # (B, T, C)
    return {**seen, f"{name}out": side_by_side @ w["out_proj.weight"].T + w["out_proj.bias"]}


def norm_by_hand(weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return weight * centred / torch.sqrt(centred.square().mean(-1, keepdim=True) + 1e-5) + bias


def weights_under(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}


def positions_of(mask: Tensor) -> Tensor:
    """(B, S) -> how many real tokens stand before each place."""
    return torch.tensor([[max(int(row[: s + 1].sum()) - 1, 0) for s in range(mask.shape[1])] for row in mask])
