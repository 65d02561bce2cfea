"""The course's base classes: their constructors make the layers, the student writes what flows through them.

``config`` is any object with vocab_size, block_size, n_layer, n_head, n_embd, attn_pdrop and resid_pdrop.
"""

from torch import Tensor, nn


class DummyEmbedding(nn.Module):
    """Tables for tokens and for places; ``forward(idx)`` is the student's."""

    def __init__(self, config):
        super().__init__()
        self.n_embd = config.n_embd
        self.block_size = config.block_size
        self.vocab_embeddings = nn.Embedding(config.vocab_size, config.n_embd)
        self.position_embeddings = nn.Embedding(config.block_size, config.n_embd)


class DummyMultiHeadedSelfAttention(nn.Module):
    """The layers of attention; ``forward(x, attention_mask)`` is the student's."""

    def __init__(self, config):
        super().__init__()
        assert config.n_embd % config.n_head == 0, "n_head must divide n_embd"
        self.n_head, self.n_embd = config.n_head, config.n_embd
        self.q = nn.Linear(config.n_embd, config.n_embd)
        self.k = nn.Linear(config.n_embd, config.n_embd)
        self.v = nn.Linear(config.n_embd, config.n_embd)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd)
        self.attn_dropout = nn.Dropout(config.attn_pdrop)
        self.hidden_dropout = nn.Dropout(config.resid_pdrop)


class DummyBlock(nn.Module):
    """One layer, pre-norm: attention, then an MLP, each added to what came in. Its forward is given."""

    def __init__(self, config, attention_class):
        super().__init__()
        C = config.n_embd
        self.ln_1 = nn.LayerNorm(C)
        self.attn = attention_class(config)
        self.ln_2 = nn.LayerNorm(C)
        self.mlpf = nn.Sequential(
            nn.Linear(C, 4 * C), nn.GELU(approximate="tanh"), nn.Linear(4 * C, C), nn.Dropout(config.resid_pdrop)
        )

    def forward(self, x: Tensor, attention_mask: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x), attention_mask)
        return x + self.mlpf(self.ln_2(x))


class DummyTransformer(nn.Module):
    """Embedding, blocks, final norm and output layer; ``forward`` and ``get_attention_mask`` are the student's."""

    def __init__(self, config, block_class, embedding_class):
        super().__init__()
        self.config = config
        self.vocab_size, self.block_size = config.vocab_size, config.block_size
        self.n_layer, self.n_head, self.n_embd = config.n_layer, config.n_head, config.n_embd
        self.transformer = nn.ModuleDict(
            {
                "embedding": embedding_class(config),
                "h": nn.ModuleList(block_class(config) for _ in range(config.n_layer)),
                "ln_f": nn.LayerNorm(config.n_embd),
            }
        )
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.apply(_initialise)
        for name, parameter in self.named_parameters():
            if name.endswith("c_proj.weight") or name.endswith("mlpf.2.weight"):  # what writes to the stream: GPT-2
                nn.init.normal_(parameter, std=0.02 / (2 * config.n_layer) ** 0.5)

    def get_attention_mask(self, num_tokens: Tensor) -> Tensor:
        """(B,) lengths -> (B, 1, T, T); encoder and decoder each have their own."""
        raise NotImplementedError

    def configure_optimizers(self, train_config) -> list[dict]:
        """Parameter groups: matrices of linear layers decay, everything else does not."""
        decays = {
            id(parameter)
            for module in self.modules()
            if isinstance(module, nn.Linear)
            for name, parameter in module.named_parameters(recurse=False)
            if name == "weight"
        }
        parameters = list(self.parameters())
        return [
            {"params": [p for p in parameters if id(p) in decays], "weight_decay": train_config.weight_decay},
            {"params": [p for p in parameters if id(p) not in decays], "weight_decay": 0.0},
        ]


def _initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
