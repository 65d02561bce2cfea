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


class AdamW:
    """Loshchilov and Hutter (2019), for groups of parameters with a ``weight_decay`` each. As ``torch.optim.AdamW``,
    which imports the compiler: seconds for each file."""

    def __init__(self, groups: list[dict]):
        self._decay = {p: group.get("weight_decay", TRAINING.weight_decay) for group in groups for p in group["params"]}
        self._mean = {p: torch.zeros_like(p) for p in self._decay}
        self._square = {p: torch.zeros_like(p) for p in self._decay}
        self._steps = 0

    @torch.no_grad()
    def step(self) -> None:
        self._steps += 1
        rate, (first, second) = TRAINING.learning_rate, TRAINING.betas
        for p, decay in self._decay.items():
            if p.grad is None:
                continue
            self._mean[p].lerp_(p.grad, 1 - first)
            self._square[p].mul_(second).addcmul_(p.grad, p.grad, value=1 - second)
            spread = (self._square[p] / (1 - second**self._steps)).sqrt_().add_(1e-8)
            p.mul_(1 - rate * decay).addcdiv_(self._mean[p], spread, value=-rate / (1 - first**self._steps))


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
    optimizer = AdamW(groups)
    losses = []
    for title, text in batches:
        model.zero_grad()
        loss = model.train()(title.clone(), text.clone())[1]
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        loss = model.eval()(*(x.clone() for x in held_out))[1].item()
    written = names.prefix_generate(model, held_out[0][:1, :new].clone(), new)
    return {"losses": losses, "loss": loss, "written": list(getattr(written, "shape", [])) or type(written).__name__}
