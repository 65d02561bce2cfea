"""A complete homework file as a student would write it, and edits of it: other ways to be right, and ways to be wrong.

An edit is a pair (what stands in the file, what stands there instead); ``edited`` makes the file.
"""

RIGHT = """
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from gtgpt.model import DummyBlock, DummyEmbedding, DummyMultiHeadedSelfAttention, DummyTransformer
from gtgpt.utils import set_seed

set_seed(1234)


class Embedding(DummyEmbedding):
    def forward(self, idx):
        B, T = idx.size()
        pos = torch.arange(0, T, dtype=torch.long, device=idx.device).unsqueeze(0)
        tok_emb = self.vocab_embeddings(idx)
        pos_emb = self.position_embeddings(pos)
        return tok_emb + pos_emb


class GenericSelfAttention(DummyMultiHeadedSelfAttention):
    def forward(self, x, attention_mask):
        B, T, C = x.size()
        q = self.q(x)
        k = self.k(x)
        v = self.v(x)
        q = q.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        k = k.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        v = v.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        att = q @ k.transpose(-2, -1)
        att = att / math.sqrt(k.size(-1))
        att = att.masked_fill(attention_mask == 0, float("-inf"))
        att = F.softmax(att, dim=-1)
        att = self.attn_dropout(att)
        y = att @ v
        y = y.transpose(1, 2).reshape(B, T, C)
        y = self.c_proj(y)
        return self.hidden_dropout(y)


class TransformerBlock(DummyBlock):
    def __init__(self, config):
        super().__init__(config, GenericSelfAttention)

    def forward(self, x, attention_mask):
        x = x + self.attn(self.ln_1(x), attention_mask)
        x = x + self.mlpf(self.ln_2(x))
        return x


class GenericTransformer(DummyTransformer):
    def __init__(self, config):
        super().__init__(config, TransformerBlock, Embedding)

    def get_attention_mask(self, num_tokens):
        T = int(num_tokens.max())
        return torch.ones(num_tokens.size(0), T, T)

    def forward(self, idx, targets=None, hidden_cache=None, return_hidden=False):
        num_tokens = (idx != -1).sum(dim=1)
        tokens = idx.masked_fill(idx == -1, 0).long()
        x = self.transformer["embedding"](tokens)
        past = 0
        if hidden_cache is not None:
            past = hidden_cache.size(1)
            x = torch.cat([hidden_cache, x], dim=1)
            num_tokens = num_tokens + past
        mask = self.get_attention_mask(num_tokens)
        for block in self.transformer["h"]:
            x = block(x, mask)
        x = self.transformer["ln_f"](x)
        if return_hidden:
            return x
        logits = self.lm_head(x)
        loss = None
        if targets is not None:
            used = logits
            if past > 0:
                used = logits[:, past - 1:-1]
            loss = F.cross_entropy(used.reshape(-1, used.size(-1)), targets.reshape(-1).long(), ignore_index=-1)
        return logits, loss


class Encoder(GenericTransformer):
    def get_attention_mask(self, num_tokens):
        T = int(num_tokens.max())
        cols = torch.arange(T)[None, :] < num_tokens[:, None]
        mask = cols[:, None, None, :].expand(-1, 1, T, T)
        return mask.long()


class Decoder(Encoder):
    def get_attention_mask(self, num_tokens):
        T = int(num_tokens.max())
        cols = (torch.arange(T)[None, :] < num_tokens[:, None])
        mask = cols[:, None, None, :].expand(-1, 1, T, T)
        causal = torch.tril(torch.ones(T, T, dtype=torch.bool))
        return (mask & causal).long()


def generate(model, idx, max_new_tokens, temperature=1.0):
    for _ in range(max_new_tokens):
        logits, _ = model(idx)
        last = logits[:, -1, :]
        last = last / temperature
        probs = F.softmax(last, dim=-1)
        new = torch.multinomial(probs, num_samples=1)
        idx = torch.cat([idx, new], dim=1)
    return idx


class EncoderDecoder(nn.Module):
    def __init__(self, encoder_config, decoder_config):
        super().__init__()
        decoder_config.vocab_size = decoder_config.vocab_size + 1
        self.encoder = Encoder(encoder_config)
        self.decoder = Decoder(decoder_config)

    def configure_optimizers(self, train_config):
        return self.encoder.configure_optimizers(train_config) + self.decoder.configure_optimizers(train_config)

    def forward(self, prefix, targets=None):
        hidden = self.encoder(prefix, return_hidden=True)
        if targets is None:
            idx = torch.zeros(prefix.size(0), 0, dtype=torch.long)
        else:
            idx = targets
        return self.decoder(idx, targets, hidden_cache=hidden)


def prefix_generate(model, prefix, max_new_tokens, temperature=1.0):
    hidden = model.encoder(prefix, return_hidden=True)
    new = torch.zeros(prefix.size(0), 0, dtype=torch.long)
    for _ in range(max_new_tokens):
        logits, _ = model.decoder(new, hidden_cache=hidden)
        logits = logits[:, -1, :]
        logits = logits / temperature
        probs = F.softmax(logits, dim=-1)
        token = torch.multinomial(probs, num_samples=1)
        new = torch.cat((new, token), dim=1)
    return new
"""


def edited(*edits: tuple[str, str], source: str = RIGHT) -> str:
    """Each edit changes its first occurrence, which must exist."""
    for old, new in edits:
        assert old in source, old
        source = source.replace(old, new, 1)
    return source


# --- other ways to be right --------------------------------------------------------------------------------------

CUT = "view(B, T, self.n_head, C // self.n_head).transpose(1, 2)"
SCORES = """        att = q @ k.transpose(-2, -1)
        att = att / math.sqrt(k.size(-1))
        att = att.masked_fill(attention_mask == 0, float("-inf"))
        att = F.softmax(att, dim=-1)
        att = self.attn_dropout(att)
        y = att @ v
"""
QKV = """        q = self.q(x)
        k = self.k(x)
        v = self.v(x)
"""
CUTS = f"""        q = q.{CUT}
        k = k.{CUT}
        v = v.{CUT}
"""
MERGE = "        y = y.transpose(1, 2).reshape(B, T, C)\n"

EINSUM = [
    (
        CUTS,
        "        q, k, v = (t.reshape(B, T, self.n_head, -1) for t in (q, k, v))\n",
    ),
    (
        SCORES,
        """        scores = torch.einsum("bihd,bjhd->bhij", q, k) * (C / self.n_head) ** -0.5
        scores = torch.where(attention_mask.bool(), scores, torch.tensor(-1e30))
        weights = self.attn_dropout(torch.softmax(scores, -1))
        y = torch.einsum("bhij,bjhd->bihd", weights, v)
""",
    ),
    (MERGE, "        y = y.contiguous().view(B, T, C)\n"),
]

FUSED = [
    (
        QKV + CUTS,
        """        weight = torch.cat([self.q.weight, self.k.weight, self.v.weight])
        bias = torch.cat([self.q.bias, self.k.bias, self.v.bias])
        qkv = F.linear(x, weight, bias).view(B, T, 3, self.n_head, -1).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
""",
    )
]

SDPA = [
    (
        SCORES,
        """        p = self.attn_dropout.p if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=attention_mask.bool(), dropout_p=p)
""",
    )
]

ADDED_MASK = [
    (
        """        att = att.masked_fill(attention_mask == 0, float("-inf"))
""",
        """        att = att + (1.0 - attention_mask.float()) * torch.finfo(att.dtype).min
""",
    )
]

BMM = [
    (
        SCORES + MERGE,
        """        H, D = self.n_head, C // self.n_head
        flat = [t.reshape(B * H, T, D) for t in (q, k, v)]
        att = torch.bmm(flat[0], flat[1].transpose(1, 2)).div_(D ** 0.5).view(B, H, T, T)
        att = nn.Softmax(dim=3)(att.masked_fill(~attention_mask.bool(), float("-inf")))
        att = F.dropout(att, self.attn_dropout.p, self.training)
        y = torch.bmm(att.view(B * H, T, T), flat[2]).view(B, H, T, D)
        y = y.permute(0, 2, 1, 3).contiguous().view(B, T, C)
""",
    )
]

OLD_SUPER = [
    (
        "super().__init__(config, GenericSelfAttention)",
        "super(TransformerBlock, self).__init__(config, GenericSelfAttention)",
    ),
    (
        "super().__init__(config, TransformerBlock, Embedding)",
        "super(GenericTransformer, self).__init__(config, TransformerBlock, Embedding)",
    ),
    ("        super().__init__()\n", "        super(EncoderDecoder, self).__init__()\n"),
]

FLOAT_TARGETS = [
    ("idx = torch.zeros(prefix.size(0), 0, dtype=torch.long)", "idx = torch.zeros((prefix.size(0), 0))"),
    (
        "tokens = idx.masked_fill(idx == -1, 0).long()",
        "tokens = torch.where(idx == -1, torch.zeros_like(idx), idx).long()",
    ),
]

CUMSUM = [
    (
        "        new = torch.multinomial(probs, num_samples=1)\n",
        "        new = (probs.cumsum(-1) < torch.rand(len(probs), 1)).sum(-1, keepdim=True).clamp(max=probs.size(-1) - 1)\n",  # noqa: E501
    ),
    (
        "token = torch.multinomial(probs, num_samples=1)",
        "token = torch.distributions.Categorical(probs).sample().unsqueeze(1)",
    ),
    ("def generate(", "@torch.no_grad()\ndef generate("),
    (
        "    for _ in range(max_new_tokens):\n        logits, _ = model(idx)\n",
        "    model.eval()\n    for _ in range(max_new_tokens):\n        logits, _ = model(idx[:, -model.block_size:])\n",  # noqa: E501
    ),
    ("        last = last / temperature\n", "        last = last / max(temperature, 1e-6)\n"),
    ("def prefix_generate(", "@torch.inference_mode()\ndef prefix_generate("),
]

MASKS = [
    (
        """        cols = torch.arange(T)[None, :] < num_tokens[:, None]
        mask = cols[:, None, None, :].expand(-1, 1, T, T)
        return mask.long()
""",
        """        mask = torch.zeros(len(num_tokens), 1, T, T)
        for b, n in enumerate(num_tokens.tolist()):
            mask[b, :, :, :n] = 1
        return mask
""",
    ),
    (
        """        cols = (torch.arange(T)[None, :] < num_tokens[:, None])
        mask = cols[:, None, None, :].expand(-1, 1, T, T)
        causal = torch.tril(torch.ones(T, T, dtype=torch.bool))
        return (mask & causal).long()
""",
        """        return torch.tril(super().get_attention_mask(num_tokens)).bool()
""",
    ),
]

GPU = [
    (
        "set_seed(1234)\n",
        """import os

os.environ["CUDA_VISIBLE_DEVICES"] = "0"
device = "cuda"
torch.set_default_device(device)
set_seed(1234)
""",
    ),
    ("torch.arange(0, T, dtype=torch.long, device=idx.device)", "torch.arange(0, T, device=device)"),
    (
        "new = torch.zeros(prefix.size(0), 0, dtype=torch.long)",
        "new = torch.zeros(prefix.size(0), 0, dtype=torch.long).cuda()",
    ),
    ("        hidden = self.encoder(", "        prefix = prefix.to(device)\n        hidden = self.encoder("),
]

BLOCK_GIVEN = [
    (
        """    def forward(self, x, attention_mask):
        x = x + self.attn(self.ln_1(x), attention_mask)
        x = x + self.mlpf(self.ln_2(x))
        return x
""",
        "",
    ),
    ("class Decoder(Encoder):", "class Decoder(GenericTransformer):"),
]

LOSS_BY_HAND = [
    (
        "            loss = F.cross_entropy(used.reshape(-1, used.size(-1)), targets.reshape(-1).long(), ignore_index=-1)\n",  # noqa: E501
        """            real = targets != -1
            chosen = torch.log_softmax(used, -1).gather(-1, targets.clamp(min=0).long().unsqueeze(-1)).squeeze(-1)
            loss = -(chosen * real).sum() / real.sum()
""",
    ),
    (
        "        tok_emb = self.vocab_embeddings(idx)\n",
        "        tok_emb = F.embedding(idx, self.vocab_embeddings.weight)\n",
    ),
    ("        pos_emb = self.position_embeddings(pos)\n", "        pos_emb = self.position_embeddings.weight[:T]\n"),
]

DECORATED = [
    (
        "\nimport math\n",
        """from __future__ import annotations

import functools
import math
from dataclasses import dataclass
""",
    ),
    (
        "class Embedding(DummyEmbedding):\n    def forward",
        """@dataclass(slots=True)
class Cut:
    heads: int

    @torch.compile(mode="reduce-overhead")
    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(-1, (self.heads, -1)).movedim(-2, -3)


def told(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        print(function.__qualname__, [getattr(x, "shape", x) for x in args])
        return function(*args, **kwargs)

    return inner


class Embedding(DummyEmbedding):
    @told
    def forward""",
    ),
    (CUTS, "        q, k, v = map(Cut(heads=self.n_head), (q, k, v))\n"),
    ("att = q @ k.transpose(-2, -1)", 'att = torch.einsum("...id,...jd->...ij", q, k)'),
    ("def generate(", "@torch.no_grad()\n@told\n@torch.compile\ndef generate("),
]

ENCODER_MASK = """    def get_attention_mask(self, num_tokens):
        T = int(num_tokens.max())
        cols = torch.arange(T)[None, :] < num_tokens[:, None]
        mask = cols[:, None, None, :].expand(-1, 1, T, T)
        return mask.long()
"""
DECODER_MASK = """    def get_attention_mask(self, num_tokens):
        T = int(num_tokens.max())
        cols = (torch.arange(T)[None, :] < num_tokens[:, None])
        mask = cols[:, None, None, :].expand(-1, 1, T, T)
        causal = torch.tril(torch.ones(T, T, dtype=torch.bool))
        return (mask & causal).long()
"""
BY_A_FLAG = """    def get_attention_mask(self, num_tokens):
        T = int(num_tokens.max())
        mask = (torch.arange(T) < num_tokens[:, None, None, None]).expand(-1, 1, T, T)
        return mask.tril() if self.is_causal else mask
"""
MIXED_IN = [
    (
        "class Encoder(GenericTransformer):\n",
        f"class Masked:\n{BY_A_FLAG}\n\nclass Encoder(Masked, GenericTransformer):\n",
    ),
    (ENCODER_MASK, "    is_causal = False\n"),
    (DECODER_MASK, "    is_causal = True\n"),
]
ADDED_LATER = [
    (
        "set_seed(1234)\n",
        """set_seed(1234)


def add_to_class(owner):
    return lambda function: setattr(owner, function.__name__, function)
""",
    ),
    (
        "class Encoder(GenericTransformer):\n",
        "class Encoder(GenericTransformer):\n    pass\n\n\n@add_to_class(Encoder)\n",
    ),
    (ENCODER_MASK, ENCODER_MASK.replace("\n    ", "\n").strip() + "\n"),
    ("class Decoder(Encoder):\n", "class Decoder(Encoder):\n    pass\n\n\n"),
    (
        DECODER_MASK,
        DECODER_MASK.replace("\n    ", "\n").strip().replace("get_attention_mask", "both")
        + '\n\n\nsetattr(Decoder, "get_attention_mask", both)\n',
    ),
]

CORRECT = {
    "as it is": [],
    "decorated and compiled": DECORATED,
    "masks from a class beside": MIXED_IN,
    "methods that are added later": ADDED_LATER,
    "einsum": EINSUM,
    "stacked weights": FUSED,
    "fused kernel": SDPA,
    "stacked weights and fused kernel": FUSED + SDPA,
    "lowest float instead of -inf": ADDED_MASK,
    "bmm": BMM,
    "two-argument super": OLD_SUPER,
    "float tokens": FLOAT_TARGETS,
    "other samplers": CUMSUM,
    "masks row by row": MASKS,
    "written for a GPU": GPU,
    "the given block": BLOCK_GIVEN,
    "loss and look-ups by hand": LOSS_BY_HAND,
    "several at once": EINSUM + MASKS + CUMSUM + LOSS_BY_HAND + OLD_SUPER,
}


# --- ways to be wrong: (block, faults) with edits ----------------------------------------------------------------

COLUMNS = "        mask = cols[:, None, None, :].expand(-1, 1, T, T)\n        return mask.long()\n"
BOTH = "        return (mask & causal).long()\n"
SOFTMAX = "att = F.softmax(att, dim=-1)"
HIDE = '        att = att.masked_fill(attention_mask == 0, float("-inf"))\n'
DROP = "        att = self.attn_dropout(att)\n"
OUT = "        y = self.c_proj(y)\n        return self.hidden_dropout(y)\n"
STREAM = """        x = x + self.attn(self.ln_1(x), attention_mask)
        x = x + self.mlpf(self.ln_2(x))
        return x
"""
DECODED = "        return self.decoder(idx, targets, hidden_cache=hidden)\n"
DECODER_COLUMNS = "        cols = (torch.arange(T)[None, :] < num_tokens[:, None])\n"

LOOP = """        heads = []
        for h in range(self.n_head):
            att = q[:, h] @ k[:, h].transpose(-2, -1) / math.sqrt(k.size(-1))
            att = att.masked_fill(attention_mask[:, 0] == 0, float("-inf"))
            heads.append(self.attn_dropout(F.softmax(att, dim=-1)) @ v[:, h])
        y = torch.stack(heads, dim=1)
"""
LOOP_FUSED = """        p = self.attn_dropout.p if self.training else 0.0
        visible = attention_mask[:, 0].bool()
        y = torch.stack(
            [
                F.scaled_dot_product_attention(q[:, h], k[:, h], v[:, h], attn_mask=visible, dropout_p=p)
                for h in range(self.n_head)
            ],
            dim=1,
        )
"""

WRONG: list[tuple[str, str, list[tuple[str, str]]]] = [
    ("embedding", "no-positions", [("return tok_emb + pos_emb", "return tok_emb")]),
    ("embedding", "positions-from-one", [("torch.arange(0, T, dtype", "torch.arange(1, T + 1, dtype")]),
    (
        "embedding",
        "positions-over-batch",
        [
            (
                "torch.arange(0, T, dtype=torch.long, device=idx.device).unsqueeze(0)",
                "torch.arange(B * T).view(B, T) % self.block_size",
            )
        ],
    ),
    (
        "embedding",
        "one-position",
        [("torch.arange(0, T, dtype=torch.long, device=idx.device)", "torch.zeros(T, dtype=torch.long)")],
    ),
    ("attention", "split-by-reshape", [(CUTS, CUTS.replace(CUT, "reshape(B, self.n_head, T, C // self.n_head)"))]),
    ("attention", "split-by-reshape", [(CUTS, CUTS.replace(CUT, "view(B, self.n_head, -1, C // self.n_head)")), *SDPA]),
    ("attention", "merge-by-reshape", [(MERGE, "        y = y.reshape(B, T, C)\n")]),
    ("attention", "merge-by-reshape", [(MERGE, "        y = y.contiguous().view(B, T, -1)\n"), *SDPA]),
    ("attention", "one-head", [(CUTS, ""), (MERGE, ""), ("attention_mask == 0", "attention_mask.squeeze(1) == 0")]),
    ("attention", "no-scale", [("        att = att / math.sqrt(k.size(-1))\n", "")]),
    ("attention", "no-scale", [*SDPA, ("dropout_p=p)", "dropout_p=p, scale=1.0)")]),
    ("attention", "scale-by-width", [("math.sqrt(k.size(-1))", "math.sqrt(self.n_embd)")]),
    ("attention", "scale-by-width", [*EINSUM, ("(C / self.n_head) ** -0.5", "C ** -0.5")]),
    ("attention", "scale-without-root", [("math.sqrt(k.size(-1))", "k.size(-1)")]),
    ("attention", "mask-ignored", [(HIDE, "")]),
    ("attention", "mask-inverted", [("attention_mask == 0", "attention_mask == 1")]),
    ("attention", "mask-inverted", [*SDPA, ("attn_mask=attention_mask.bool()", "attn_mask=~attention_mask.bool()")]),
    (
        "attention",
        "mask-after-softmax",
        [(HIDE, ""), (DROP, "        att = att.masked_fill(attention_mask == 0, 0.0)\n" + DROP)],
    ),
    ("attention", "mask-added", [(HIDE, "        att = att + attention_mask\n")]),
    ("attention", "softmax-over-queries", [(SOFTMAX, "att = F.softmax(att, dim=-2)")]),
    (
        "attention",
        "softmax-over-queries",
        [
            *EINSUM,
            (
                "torch.softmax(scores, -1)",
                "torch.softmax(scores.where(attention_mask.bool(), torch.tensor(-torch.inf)), -2)",
            ),
        ],
    ),
    ("attention", "softmax-over-heads", [(SOFTMAX, "att = F.softmax(att, dim=1)")]),
    ("attention", "no-softmax", [(SOFTMAX, "att = att.nan_to_num(neginf=0.0)")]),
    ("attention", "no-attention-dropout", [(DROP, "")]),
    ("attention", "no-attention-dropout", [*SDPA, (", dropout_p=p", "")]),
    ("attention", "no-output-dropout", [("return self.hidden_dropout(y)", "return y")]),
    ("attention", "third-dropout", [("        y = att @ v\n", "        y = self.attn_dropout(att @ v)\n")]),
    ("attention", "dropout-on-scores", [("        att = att / math", "        att = self.attn_dropout(att) / math")]),
    ("attention", "dropout-on-values", [("        y = att @ v\n", "        y = att @ self.attn_dropout(v)\n")]),
    (
        "attention",
        "dropouts-swapped",
        [
            ("self.attn_dropout(att)", "self.hidden_dropout(att)"),
            ("return self.hidden_dropout(y)", "return self.attn_dropout(y)"),
        ],
    ),
    ("attention", "loop-over-heads", [(SCORES, LOOP)]),
    ("attention", "loop-over-heads", [(SCORES, LOOP_FUSED)]),
    ("attention", "no-projection", [("        y = self.c_proj(y)\n", "")]),
    (
        "attention",
        "qk-swapped",
        [("q = self.q(x)", "q = self.k(x)"), ("        k = self.k(x)", "        k = self.q(x)")],
    ),
    ("attention", "qk-swapped", [("att = q @ k.transpose(-2, -1)", "att = k @ q.transpose(-2, -1)")]),
    (
        "attention",
        "kv-swapped",
        [("k = self.k(x)", "k = self.v(x)"), ("        v = self.v(x)", "        v = self.k(x)")],
    ),
    (
        "block",
        "post-norm",
        [
            (
                STREAM,
                STREAM.replace(
                    "x + self.attn(self.ln_1(x), attention_mask)", "self.ln_1(x + self.attn(x, attention_mask))"
                ).replace("x + self.mlpf(self.ln_2(x))", "self.ln_2(x + self.mlpf(x))"),
            )
        ],
    ),
    ("block", "no-residual", [(STREAM, STREAM.replace("x = x + ", "x = "))]),
    (
        "block",
        "stream-normalised",
        [
            (
                STREAM,
                "        x = self.ln_1(x)\n        x = x + self.attn(x, attention_mask)\n        x = self.ln_2(x)\n        return x + self.mlpf(x)\n",  # noqa: E501
            )
        ],
    ),
    ("block", "one-norm-twice", [("self.mlpf(self.ln_2(x))", "self.mlpf(self.ln_1(x))")]),
    (
        "block",
        "parallel",
        [(STREAM, "        return x + self.attn(self.ln_1(x), attention_mask) + self.mlpf(self.ln_2(x))\n")],
    ),
    (
        "transformer",
        "norm-in-every-block",
        [
            (
                '            x = block(x, mask)\n        x = self.transformer["ln_f"](x)\n',
                '            x = block(x, mask)\n            x = self.transformer["ln_f"](x)\n',
            )
        ],
    ),
    ("transformer", "no-final-norm", [('        x = self.transformer["ln_f"](x)\n', "")]),
    (
        "transformer",
        "hidden-before-norm",
        [
            (
                '        x = self.transformer["ln_f"](x)\n        if return_hidden:\n            return x\n',
                '        if return_hidden:\n            return x\n        x = self.transformer["ln_f"](x)\n',
            )
        ],
    ),
    ("transformer", "padding-embedded", [("tokens = idx.masked_fill(idx == -1, 0).long()", "tokens = idx.long()")]),
    (
        "transformer",
        "mask-forgets-padding",
        [("num_tokens = (idx != -1).sum(dim=1)", "num_tokens = torch.full((len(idx),), idx.size(1))")],
    ),
    ("transformer", "cache-behind", [("torch.cat([hidden_cache, x], dim=1)", "torch.cat([x, hidden_cache], dim=1)")]),
    ("transformer", "cache-ignored", [("if hidden_cache is not None:", "if False:")]),
    ("transformer", "cache-not-in-mask", [("            num_tokens = num_tokens + past\n", "")]),
    ("transformer", "cache-targets-not-shifted", [("logits[:, past - 1:-1]", "logits[:, past:]")]),
    (
        "transformer",
        "targets-shifted-twice",
        [
            (
                "            used = logits\n            if past > 0:\n",
                "            used = logits\n            if past == 0:\n                used, targets = logits[:, :-1], targets[:, 1:]\n            else:\n",  # noqa: E501
            )
        ],
    ),
    (
        "transformer",
        "loss-over-padding",
        [("targets.reshape(-1).long(), ignore_index=-1)", "targets.reshape(-1).clamp(min=0).long())")],
    ),
    (
        "transformer",
        "padding-not-ignored",
        [("targets.reshape(-1).long(), ignore_index=-1)", "targets.reshape(-1).long(), ignore_index=-100)")],
    ),
    ("transformer", "loss-summed", [("ignore_index=-1)", 'ignore_index=-1, reduction="sum")')]),
    (
        "encoder mask",
        "padding-forgotten",
        [("cols = torch.arange(T)[None, :] < num_tokens[:, None]", "cols = torch.ones(len(num_tokens), T)")],
    ),
    (
        "encoder mask",
        "padding-off-by-one",
        [("cols = torch.arange(T)[None, :] < num", "cols = torch.arange(T)[None, :] <= num")],
    ),
    ("encoder mask", "padding-hides-rows", [("cols[:, None, None, :].expand", "cols[:, None, :, None].expand")]),
    (
        "encoder mask",
        "padded-rows-see-nothing",
        [(COLUMNS, "        return (cols[:, None, None, :] & cols[:, None, :, None]).long()\n")],
    ),
    ("encoder mask", "mask-means-hidden", [("        return mask.long()\n", "        return (~mask).long()\n")]),
    (
        "encoder mask",
        "one-mask-for-all",
        [("        return mask.long()\n", "        return mask.long()[0].expand(len(num_tokens), 1, T, T)\n")],
    ),
    ("decoder mask", "padding-forgotten", [(BOTH, "        return causal.expand(len(num_tokens), 1, T, T).long()\n")]),
    ("decoder mask", "padding-off-by-one", [(DECODER_COLUMNS, DECODER_COLUMNS.replace("<", "<="))]),
    ("decoder mask", "padded-rows-see-nothing", [(BOTH, "        return (mask.transpose(2, 3) & causal).long()\n")]),
    (
        "decoder mask",
        "padded-rows-see-nothing",
        [(BOTH, "        return (mask & causal & mask.transpose(2, 3)).long()\n")],
    ),
    ("decoder mask", "mask-means-hidden", [(BOTH, "        return 1 - (mask & causal).long()\n")]),
    (
        "decoder mask",
        "one-mask-for-all",
        [(BOTH, "        return (mask & causal).long()[:1].repeat(len(num_tokens), 1, 1, 1)\n")],
    ),
    ("decoder mask", "not-causal", [(BOTH, "        return mask.long()\n")]),
    (
        "decoder mask",
        "sees-one-ahead",
        [("torch.ones(T, T, dtype=torch.bool))", "torch.ones(T, T, dtype=torch.bool), diagonal=1)")],
    ),
    (
        "decoder mask",
        "cannot-see-itself",
        [("torch.ones(T, T, dtype=torch.bool))", "torch.ones(T, T, dtype=torch.bool), diagonal=-1)")],
    ),
    ("decoder mask", "sees-only-ahead", [("torch.tril(", "torch.triu(")]),
    ("generate", "temperature-multiplied", [("last = last / temperature", "last = last * temperature")]),
    ("generate", "temperature-ignored", [("        last = last / temperature\n", "")]),
    (
        "generate",
        "always-argmax",
        [("new = torch.multinomial(probs, num_samples=1)", "new = probs.argmax(dim=-1, keepdim=True)")],
    ),
    ("generate", "first-position", [("last = logits[:, -1, :]", "last = logits[:, 0, :]")]),
    (
        "generate",
        "not-fed-back",
        [
            (
                "    for _ in range(max_new_tokens):\n        logits, _ = model(idx)",
                "    prompt = idx\n    for _ in range(max_new_tokens):\n        logits, _ = model(prompt)",
            )
        ],
    ),
    ("generate", "only-last-token-seen", [("model(idx)", "model(idx[:, -1:])")]),
    ("prefix generate", "temperature-multiplied", [("logits = logits / temperature", "logits = logits * temperature")]),
    ("prefix generate", "temperature-ignored", [("        logits = logits / temperature\n", "")]),
    (
        "prefix generate",
        "always-argmax",
        [("token = torch.multinomial(probs, num_samples=1)", "token = torch.topk(probs, 1)[1]")],
    ),
    ("prefix generate", "first-position", [("logits = logits[:, -1, :]", "logits = logits[:, 0, :]")]),
    ("prefix generate", "not-fed-back", [("model.decoder(new, hidden", "model.decoder(new[:, :0], hidden")]),
    ("prefix generate", "only-last-token-seen", [("model.decoder(new, hidden", "model.decoder(new[:, -1:], hidden")]),
    (
        "prefix generate",
        "prefix-returned",
        [
            (
                "        new = torch.cat((new, token), dim=1)\n    return new",
                "        new = torch.cat((new, token), dim=1)\n    return torch.cat((prefix, new), dim=1)",
            )
        ],
    ),
    (
        "prefix generate",
        "encoded-every-time",
        [("        logits, _ = model.decoder(new, hidden_cache=hidden)", "        logits, _ = model(prefix, new)")],
    ),
    (
        "encoder-decoder",
        "no-end-of-text",
        [("        decoder_config.vocab_size = decoder_config.vocab_size + 1\n", "")],
    ),
    ("encoder-decoder", "encoder-unused", [(DECODED, "        return self.decoder(idx, targets)\n")]),
    (
        "encoder-decoder",
        "prefix-decoded",
        [(DECODED, "        return self.decoder(prefix, targets, hidden_cache=hidden)\n")],
    ),
    (
        "encoder-decoder",
        "encoder-detached",
        [
            (
                "hidden = self.encoder(prefix, return_hidden=True)\n        if",
                "with torch.no_grad():\n            hidden = self.encoder(prefix, return_hidden=True)\n        if",
            )
        ],
    ),
]


def _of(block: str, fault: str, number: int = 0) -> list[tuple[str, str]]:
    return [edits for b, f, edits in WRONG if (b, f) == (block, fault)][number]


def _both(block: str, *faults: str) -> tuple[str, str, list[tuple[str, str]]]:
    return block, " ".join(faults), [edit for fault in faults for edit in _of(block, fault)]


PAIRS = [
    _both("attention", "split-by-reshape", "no-scale"),
    _both("attention", "split-by-reshape", "merge-by-reshape"),
    _both("attention", "merge-by-reshape", "scale-by-width"),
    _both("attention", "no-scale", "softmax-over-queries"),
    _both("attention", "mask-ignored", "no-output-dropout"),
    _both("attention", "no-attention-dropout", "no-output-dropout"),
    _both("attention", "no-scale", "third-dropout"),
    _both("attention", "scale-by-width", "no-attention-dropout"),
    ("attention", "no-projection no-output-dropout", [(OUT, "        return y\n")]),
    _both("transformer", "no-final-norm", "loss-summed"),
    _both("transformer", "cache-behind", "loss-over-padding"),
    _both("decoder mask", "padding-forgotten", "sees-one-ahead"),
    _both("decoder mask", "padding-off-by-one", "cannot-see-itself"),
    _both("generate", "first-position", "always-argmax"),
    _both("generate", "temperature-multiplied", "not-fed-back"),
    _both("encoder-decoder", "no-end-of-text", "encoder-detached"),
]
