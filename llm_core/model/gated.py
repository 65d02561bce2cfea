"""The MLP with a gate (Shazeer 2020, "GLU Variants Improve Transformer"), and the activations of all MLPs."""

from torch import Tensor, nn

from .config import GATED, ModelConfig
from .recording import HookPoint


def activation_of(name: str) -> nn.Module:
    """One of the config's ``ACTIVATIONS``."""
    kinds = {"gelu": nn.GELU, "relu": nn.ReLU, "silu": nn.SiLU}
    return nn.GELU(approximate="tanh") if name == "gelu_tanh" else kinds[name]()


class GatedMLP(nn.Module):
    """Two widened versions of a token, one of which decides how much of the other goes on.

    Hook points: pre (what the gate is made of), gate (after its activation), up, post (their product), out.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        C, inner, bias = config.n_embd, config.hidden_width, config.has_bias("mlp")
        self.gate_proj = nn.Linear(C, inner, bias=bias)
        self.up_proj = nn.Linear(C, inner, bias=bias)
        self.activation = activation_of(GATED[config.mlp])
        self.down_proj = nn.Linear(inner, C, bias=bias)
        self.dropout = nn.Dropout(config.resid_pdrop)
        self.pre, self.gate, self.up, self.post = HookPoint(), HookPoint(), HookPoint(), HookPoint()
        self.out = HookPoint()

    def forward(self, x: Tensor) -> Tensor:
        gate = self.gate(self.activation(self.pre(self.gate_proj(x))))  # (B, T, inner width)
        post = self.post(gate * self.up(self.up_proj(x)))  # (B, T, inner width)
        return self.out(self.dropout(self.down_proj(post)))  # (B, T, C)
