"""A family's model: found by its ``model_type``, checked by names and shapes, then read."""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

from ...hub import CheckpointError
from ..architectures import Decoder, Encoder, EncoderDecoder
from . import bart, bert, distilbert, gpt2, gpt_neo, gpt_neox, llama, nanogpt, roberta, t5
from .settings import Settings
from .tensors import Step, plan

FAMILIES = {name: family for family in (gpt2, llama, gpt_neox, gpt_neo, bert, distilbert, roberta, t5, bart, nanogpt)
            for name in family.MODEL_TYPES}  # fmt: skip

Model = Encoder | Decoder | EncoderDecoder


def load_family(
    description: Mapping,
    weights: Mapping[str, Tensor],
    where: Path,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
) -> Model:
    """Our model with the weights of another library's, in eval mode.

    ``description`` is its config.json, ``weights`` its tensors by name; ``where`` is for messages.
    Nothing is read of a weight before all names and shapes agree. Raises ``CheckpointError`` with one sentence.
    """
    shapes = getattr(weights, "shapes", None) or {name: tuple(tensor.shape) for name, tensor in weights.items()}
    model, steps = skeleton(description, shapes, where)
    state = {}
    for step in steps:
        for name, part in zip(step.ours, step.cut(weights[step.theirs])):
            state[name] = part.to(device, dtype).contiguous()
    model.load_state_dict(state, strict=False, assign=True)
    model.tie()
    return model.eval()


def skeleton(description: Mapping, shapes: Mapping, where: Path) -> tuple[Model, list[Step]]:
    """The model without its weights, and where each of them comes from."""
    family = family_of(description)
    try:
        model = _build(family, description, shapes)
        config = model.decoder.config if isinstance(model, EncoderDecoder) else model.config
        steps = plan(shapes, family.table(config), family.IGNORED, family.PREFIXES)
        _compare(model, steps, shapes)
    except ValueError as error:  # a CheckpointError, or what ModelConfig says
        raise CheckpointError(f"{where}: {error}") from None
    except (RuntimeError, TypeError, KeyError) as error:  # PyTorch's, when a size overflows; a value of another kind
        raise CheckpointError(f"{where}: this config.json cannot be a model's ({error})") from None
    return model, steps


def family_of(description: Mapping) -> ModuleType:
    """Raises ``CheckpointError`` for a family that is none of ours."""
    name = description.get("model_type")
    if name not in FAMILIES:
        raise CheckpointError(
            f"models of the type {name!r} cannot be opened here, only {', '.join(FAMILIES)}; "
            "show(model, text) draws the attention of any model that gives its attentions"
        )
    return FAMILIES[name]


def _build(family: ModuleType, description: Mapping, shapes: Mapping) -> Model:
    prefixes = family.PREFIXES
    names = {next((n.removeprefix(p) for p in prefixes if n.startswith(p)), n) for n in shapes}
    read = Settings(description)
    for field in ("n_layer", "n_layers", "num_layers", "num_hidden_layers", "encoder_layers", "decoder_layers"):
        if (read.whole(field, None) or 0) > len(names):
            raise CheckpointError(f"{field}={read.get(field)} is impossible: there are {len(names)} tensors in all")
    with torch.device("meta"):
        return family.build(read, names)


def _compare(model: Model, steps: list[Step], shapes: Mapping) -> None:
    """Raise ``CheckpointError`` unless the steps make exactly the parameters of the model."""
    wanted = {name: tuple(p.shape) for name, p in model.named_parameters()}
    found: dict[str, tuple[tuple[int, ...], str]] = {}  # name -> shape, and what it comes from
    for step in steps:
        parts = step.cut(torch.empty(shapes[step.theirs], device="meta"))
        found |= {name: (tuple(part.shape), step.theirs) for name, part in zip(step.ours, parts)}
    if missing := [name for name in wanted if name not in found]:
        raise CheckpointError(
            f"the weights lack {len(missing)} of {len(wanted)} tensors, the first is our {missing[0]}"
        )
    if unexpected := [name for name in found if name not in wanted]:
        raise CheckpointError(f"the tensor {found[unexpected[0]][1]} has no place in this model")
    for name, shape in wanted.items():
        if found[name][0] != shape:
            raise CheckpointError(f"{found[name][1]} makes {name} {found[name][0]}, but config.json makes it {shape}")
