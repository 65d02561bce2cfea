"""A complete homework file as a student would write it, and edits of it: other ways to be right, and ways to be wrong.

An edit is a pair (what stands in the file, what stands there instead); ``edited`` makes the file.
"""

RIGHT = '''
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
'''


def edited(*edits: tuple[str, str], source: str = RIGHT) -> str:
    """Each edit changes its first occurrence, which must exist."""
    for old, new in edits:
        assert old in source, old
        source = source.replace(old, new, 1)
    return source
