"""Training a student's encoder-decoder from given weights on given batches: only losses leave."""

from types import ModuleType, SimpleNamespace

import torch
from torch import Tensor, nn

TRAINING = SimpleNamespace(weight_decay=0.1, learning_rate=3e-3, betas=(0.9, 0.999))


def sizes(vocab_size: int, block_size: int) -> SimpleNamespace:
    told = dict(vocab_size=vocab_size, block_size=block_size, n_layer=2, n_head=4, n_embd=32)
    return SimpleNamespace(**told, attn_pdrop=0.0, resid_pdrop=0.0, embd_pdrop=0.0)


def built(names: ModuleType | SimpleNamespace, vocab_size: int, lengths: list[int]) -> nn.Module:
    torch.manual_seed(1)
    return names.EncoderDecoder(*(sizes(vocab_size, length) for length in lengths))


def train(
    names: ModuleType | SimpleNamespace,
    vocab_size: int,
    lengths: list[int],
    weights: dict[str, Tensor],
    batches: list[list[Tensor]],
    held_out: list[Tensor],
    new: int,
) -> dict:
    """Losses of each batch and in the end on what was held out, and the shape that ``prefix_generate`` returns.

    A parameter that ``weights`` do not have keeps its own. Raises whatever the student's code raises.
    """
    model = built(names, vocab_size, lengths)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in weights and weights[name].shape == parameter.shape:
                parameter.copy_(weights[name])
    groups = model.encoder.configure_optimizers(TRAINING) + model.decoder.configure_optimizers(TRAINING)
    optimizer = torch.optim.AdamW(groups, lr=TRAINING.learning_rate)
    losses = []
    for title, text in batches:
        optimizer.zero_grad()
        loss = model.train()(title.clone(), text.clone())[1]
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        loss = model.eval()(*(x.clone() for x in held_out))[1].item()
    written = names.prefix_generate(model, held_out[0][:1, :new].clone(), new)
    return {"losses": losses, "loss": loss, "written": list(getattr(written, "shape", [])) or type(written).__name__}
