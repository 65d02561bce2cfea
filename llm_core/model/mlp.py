"""What each token works out for itself: GPT-2's MLP, and the one with a gate (Shazeer 2020, "GLU Variants")."""

from torch import Tensor, nn

from .config import GATED, ModelConfig
from .recording import HookPoint


def activation_of(name: str) -> nn.Module:
    """One of the config's ``ACTIVATIONS``."""
    kinds = {"gelu": nn.GELU, "relu": nn.ReLU, "silu": nn.SiLU}
    return nn.GELU(approximate="tanh") if name == "gelu_tanh" else kinds[name]()


def mlp_of(config: ModelConfig) -> "MLP | GatedMLP":
    return GatedMLP(config) if config.mlp in GATED else MLP(config)


class MLP(nn.Module):
    """Each token for itself: widen four times, GELU (the tanh form, as GPT-2), narrow again."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        C, inner, bias = config.n_embd, config.hidden_width, config.has_bias("mlp")
        self.up_proj = nn.Linear(C, inner, bias=bias)
        self.activation = activation_of(config.mlp)
        self.down_proj = nn.Linear(inner, C, bias=bias)
        self.dropout = nn.Dropout(config.resid_pdrop)
        self.pre, self.post, self.out = HookPoint(), HookPoint(), HookPoint()

    def forward(self, x: Tensor) -> Tensor:
        pre = self.pre(self.up_proj(x))  # (B, T, 4C)
        post = self.post(self.activation(pre))  # (B, T, 4C)
        return self.out(self.dropout(self.down_proj(post)))  # (B, T, C)


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
