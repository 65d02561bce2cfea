"""The three architectures of one family: they differ in who may look at whom.

    Encoder          every token sees every token       fills in masked tokens
    Decoder          a token sees itself and the past   predicts the next token
    EncoderDecoder   the encoder's states condition a decoder, either as a prefix in front of its own tokens
                     ("prefix") or through cross-attention ("cross", Vaswani et al. 2017)

``attention_mask`` is (B, T), True for real tokens; padding may stand on either side and changes no real
token's result. Token embedding and ``lm_head`` share one matrix, unless the config gives the head its own; in an
encoder-decoder both stacks do, if their vocabularies are the same (Vaswani et al. 2017, section 3.4).
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from .attention import KVCache
from .blocks import block_of
from .config import ModelConfig
from .embeddings import embedding_of
from .heads import NoHead, before_head_of
from .masks import causal_mask, padding_mask
from .norms import norm_of
from .recording import HookPoint
from .sight import RelativeBias, Sight, sight_of
from .sighted import is_sighted

ROOM = 1024  # places of a new cache, or the window if that is less
Told = tuple[Sight | Tensor | None, bool]  # a block's ``attention_mask`` and ``is_causal``


class Stack(nn.Module):
    """Embedding, blocks, final norm and language-model head: what all architectures share."""

    sees_ahead = True

    def __init__(self, config: ModelConfig, cross: bool = False):
        super().__init__()
        self.config = config
        self.embedding = embedding_of(config)
        self.relative = RelativeBias(config, self.sees_ahead) if config.positions == "relative" else None
        self.blocks = nn.ModuleList(block_of(config, cross, layer) for layer in range(config.n_layer))
        self.ln_f = nn.Identity() if config.post_norm else norm_of(config)
        self.before_head = before_head_of(config)
        self.lm_head = _lm_head(config)
        self.tie()
        self.logits = HookPoint()
        self.apply(_init_weights)
        _scale_residual_projections(self, config)

    def tie(self) -> None:
        """Let the head read with the token table, if it has no matrix of its own."""
        if self.config.head == "tied":
            self.lm_head.weight = self.embedding.token_table.weight

    @property
    def device(self) -> torch.device:
        """Where the weights are, and where ids must be."""
        return self.embedding.token_table.weight.device

    def embed(self, ids: Tensor, attention_mask: Tensor | None, offset: int | Tensor = 0) -> Tensor:
        """(B, T) -> (B, T, C). A token's position counts the real tokens before it, so padding shifts nobody."""
        T = ids.shape[1]
        if self.config.is_bounded and self.config.block_size < T:
            raise ValueError(f"{T} tokens do not fit: this model's window (block_size) is {self.config.block_size}")
        if attention_mask is None:
            positions = torch.arange(T, device=ids.device) + offset  # (T,)
        else:
            positions = (attention_mask.long().cumsum(1) - 1).clamp(min=0) + offset  # (B, T)
        return self.embedding(ids, positions)

    def predict(self, hidden: Tensor) -> Tensor:
        """(B, T, C) -> logits (B, T, V)."""
        return self.logits(self.lm_head(self.before_head(hidden)))

    def _told(self, mask: Tensor | None, is_causal: bool, x: Tensor, past: int = 0) -> Told:
        """What blocks are handed for x (B, T, C) behind ``past`` places: the mask, or all that attention needs."""
        if not is_sighted(self.config):
            return mask, is_causal
        T = x.shape[1]
        return sight_of(self.config, T, past + T, x.device, mask, is_causal, self.relative), False


class Encoder(Stack):
    """Bidirectional: every token sees every real token."""

    def hidden(self, ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """(B, T) -> states after the final norm, (B, T, C)."""
        _check_ids(ids)
        mask = None if attention_mask is None else padding_mask(attention_mask)
        x = self.embed(ids, attention_mask)  # (B, T, C)
        mask, _ = self._told(mask, False, x)
        for block in self.blocks:
            x = block(x, mask)
        return self.ln_f(x)

    def forward(self, ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """(B, T) -> logits (B, T, V), one distribution per place."""
        return self.predict(self.hidden(ids, attention_mask))


class DecoderCache:
    """What a decoder remembers between two steps: keys and values per layer, and which places are real."""

    def __init__(self, decoder: "Decoder", B: int, S: int, memory_length: int = 0):
        config, like = decoder.config, decoder.embedding.token_table.weight
        crosses = decoder.conditioning == "cross"
        self.layers = [
            (KVCache(B, config, S, like), KVCache(B, config, memory_length, like) if crosses else None)
            for _ in range(config.n_layer)
        ]
        self.visible: Tensor | None = None  # (B, S so far), True = real; None while nothing is padded
        self.num_tokens: int | Tensor = 0  # own tokens so far; (B, 1) when rows differ

    @property
    def length(self) -> int:
        return self.layers[0][0].length


class Decoder(Stack):
    """Causal: a token sees itself and what stands before it.

    With ``conditioning`` it also needs ``memory``, the states of an encoder: "prefix" sets them in front of
    its own tokens, "cross" attends to them in every block.
    """

    sees_ahead = False

    def __init__(self, config: ModelConfig, conditioning: Literal["prefix", "cross"] | None = None):
        if conditioning not in (None, "prefix", "cross"):
            raise ValueError(f'conditioning={conditioning!r}: must be "prefix", "cross" or None')
        super().__init__(config, cross=conditioning == "cross")
        self.conditioning = conditioning

    def hidden(
        self,
        ids: Tensor,
        attention_mask: Tensor | None = None,
        *,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
        cache: DecoderCache | None = None,
    ) -> Tensor:
        """(B, T) -> states after the final norm (B, T, C); a prefix's own states are left out."""
        _check_ids(ids)
        T = ids.shape[1]
        x = self.embed(ids, attention_mask, 0 if cache is None else cache.num_tokens)  # (B, T, C)
        visible = attention_mask
        if self.conditioning == "prefix" and not (cache and cache.length):
            x = torch.cat([memory, x], dim=1)  # (B, P+T, C)
            visible = _join(memory_mask, attention_mask, memory.shape[1], T)
        if cache is not None:
            visible = _remember(cache, visible, attention_mask, x.shape[1], T)
        mask, is_causal = self._own_mask(x, visible, cache)
        crosses = self.conditioning == "cross"
        cross_mask = padding_mask(memory_mask) if crosses and memory_mask is not None else None
        for i, block in enumerate(self.blocks):
            x = block(
                x,
                mask,
                is_causal=is_causal,
                memory=memory if crosses else None,
                memory_mask=cross_mask,
                cache=(None, None) if cache is None else cache.layers[i],
            )
        return self.ln_f(x[:, -T:])  # (B, T, C)

    def _own_mask(self, x: Tensor, visible: Tensor | None, cache: DecoderCache | None) -> Told:
        """What self-attention is told, and whether the kernel's own causal mask does instead of a mask."""
        T, past = x.shape[1], 0 if cache is None else cache.length
        if visible is None and past == 0:
            return self._told(None, True, x)
        if visible is None and T == 1:
            return self._told(None, False, x, past)
        mask = causal_mask(T, past + T, x.device)  # (1, 1, T, S)
        mask = mask if visible is None else mask & padding_mask(visible)  # (B, 1, T, S)
        return self._told(mask, False, x, past)

    def forward(self, ids: Tensor, attention_mask: Tensor | None = None, **conditions) -> Tensor:
        """(B, T) -> logits (B, T, V); ``conditions`` are those of ``hidden``."""
        return self.predict(self.hidden(ids, attention_mask, **conditions))

    def new_cache(self, B: int, memory_length: int = 0) -> DecoderCache:
        """An empty cache for B sequences and the memory that conditions them; it grows with what comes."""
        extra = memory_length if self.conditioning == "prefix" else 0
        return DecoderCache(self, B, min(self.config.block_size, ROOM) + extra, memory_length)


class EncoderDecoder(nn.Module):
    """Title in, article out: an encoder's states condition a decoder (``decoder.conditioning`` says how)."""

    def __init__(
        self,
        encoder_config: ModelConfig,
        decoder_config: ModelConfig,
        conditioning: Literal["prefix", "cross"] = "prefix",
    ):
        super().__init__()
        if encoder_config.n_embd != decoder_config.n_embd:
            raise ValueError(
                f"encoder n_embd={encoder_config.n_embd} and decoder n_embd={decoder_config.n_embd} must be equal: "
                "the decoder reads the encoder's states as they are"
            )
        if conditioning not in ("prefix", "cross"):
            raise ValueError(f'conditioning={conditioning!r}: must be "prefix" or "cross"')
        self.encoder = Encoder(encoder_config)
        self.decoder = Decoder(decoder_config, conditioning)
        self.tie()

    def tie(self) -> None:
        """Let both stacks read and write with one matrix, if their vocabularies are the same."""
        if self.encoder.config.vocab_size == self.decoder.config.vocab_size:
            self.encoder.embedding.token_table = self.decoder.embedding.token_table
        for stack in (self.encoder, self.decoder):
            stack.tie()

    @property
    def conditioning(self) -> str:
        """How the decoder sees the encoder's states: "prefix" or "cross"."""
        return self.decoder.conditioning

    def hidden(
        self,
        ids: Tensor,
        decoder_ids: Tensor,
        attention_mask: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
    ) -> Tensor:
        """ids (B, S), decoder_ids (B, T) -> the decoder's states after its final norm, (B, T, C)."""
        memory = self.encoder.hidden(ids, attention_mask)  # (B, S, C)
        return self.decoder.hidden(decoder_ids, decoder_attention_mask, memory=memory, memory_mask=attention_mask)

    def forward(self, *inputs: Tensor | None, **more: Tensor | None) -> Tensor:
        """The inputs of ``hidden`` -> logits (B, T, V)."""
        return self.decoder.predict(self.hidden(*inputs, **more))


def _check_ids(ids: Tensor) -> None:
    """``ValueError`` with what to do, for a text, a list, or ids without a batch."""
    if not isinstance(ids, Tensor):
        raise ValueError(f"{ids!r:.60} is not a tensor of ids: give model(ids_of(text, tokenizer)), both from llm_core")
    if ids.ndim != 2:
        raise ValueError(f"ids of shape {tuple(ids.shape)}: must be (B, T); of one text, ids[None]")


def _join(first: Tensor | None, second: Tensor | None, P: int, T: int) -> Tensor | None:
    """Two padding masks side by side: (B, P) and (B, T) -> (B, P+T); None means all real."""
    if first is None and second is None:
        return None
    known = first if first is not None else second
    ones = known.new_ones
    first = ones(known.shape[0], P) if first is None else first
    second = ones(known.shape[0], T) if second is None else second
    return torch.cat([first.bool(), second.bool()], dim=1)


def _remember(cache: DecoderCache, new: Tensor | None, own: Tensor | None, added: int, T: int) -> Tensor | None:
    """Note in the cache which of the added places are real; returns the mask over everything so far."""
    cache.visible = _join(cache.visible, new, cache.length, added)
    cache.num_tokens = cache.num_tokens + (T if own is None else own.sum(1, keepdim=True))
    return cache.visible


def _lm_head(config: ModelConfig) -> nn.Module:
    return NoHead() if config.head == "none" else nn.Linear(config.n_embd, config.vocab_size, bias=config.head_bias)


def _init_weights(module: nn.Module) -> None:
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


def _scale_residual_projections(model: nn.Module, config: ModelConfig) -> None:
    """GPT-2: what is added to the residual stream starts smaller by 1/sqrt(2 n_layer)."""
    for name, parameter in model.named_parameters():
        if name.endswith(("out_proj.weight", "down_proj.weight")):
            nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * config.n_layer))
