"""Training a student's encoder-decoder from given weights on given batches: only losses leave."""

from types import ModuleType, SimpleNamespace

import torch
from torch import Tensor, nn

TRAINING = SimpleNamespace(weight_decay=0.1, learning_rate=6e-3, betas=(0.9, 0.999))


def sizes(vocab_size: int, block_size: int) -> SimpleNamespace:
    told = dict(vocab_size=vocab_size, block_size=block_size, n_layer=2, n_head=4, n_embd=32)
    return SimpleNamespace(**told, attn_pdrop=0.0, resid_pdrop=0.0, embd_pdrop=0.0)


def built(names: ModuleType | SimpleNamespace, vocab_size: int, lengths: list[int]) -> nn.Module:
    torch.manual_seed(1)
    return names.EncoderDecoder(*(sizes(vocab_size, length) for length in lengths))


class AdamW:
    """Loshchilov and Hutter (2019), for groups of parameters with a ``weight_decay`` each. As ``torch.optim.AdamW``,
    which imports the compiler: seconds for each file. All of a group at once: a student's process notes every call."""

    def __init__(self, groups: list[dict]):
        self._groups = [(group["params"], group.get("weight_decay", TRAINING.weight_decay)) for group in groups]
        self._mean = {p: torch.zeros_like(p) for group in groups for p in group["params"]}
        self._square = {p: torch.zeros_like(p) for p in self._mean}
        self._steps = 0

    @torch.no_grad()
    def step(self) -> None:
        """Takes the gradients away as well."""
        self._steps += 1
        for parameters, decay in self._groups:
            found = {p: slope for p in parameters if (slope := p.grad) is not None}
            if found:
                self._move(list(found), list(found.values()), decay)
            for p in found:
                p.grad = None

    def _move(self, parameters: list[nn.Parameter], slopes: list[Tensor], decay: float) -> None:
        rate, (first, second) = TRAINING.learning_rate, TRAINING.betas
        mean, square = [self._mean[p] for p in parameters], [self._square[p] for p in parameters]
        torch._foreach_lerp_(mean, slopes, 1 - first)
        torch._foreach_mul_(square, second)
        torch._foreach_addcmul_(square, slopes, slopes, value=1 - second)
        spread = torch._foreach_sqrt(torch._foreach_div(square, 1 - second**self._steps))
        torch._foreach_add_(spread, 1e-8)
        torch._foreach_mul_(parameters, 1 - rate * decay)
        torch._foreach_addcdiv_(parameters, mean, spread, value=-rate / (1 - first**self._steps))


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
        loss = model.train()(title.clone(), text.clone())[1]
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        loss = model.eval()(*(x.clone() for x in held_out))[1].item()
    written = names.prefix_generate(model, held_out[0][:1, :new].clone(), new)
    return {"losses": losses, "loss": loss, "written": list(getattr(written, "shape", [])) or type(written).__name__}
