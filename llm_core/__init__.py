"""The models of Headscope, and everything about them that needs no screen."""

from .architectures import Decoder, Encoder, EncoderDecoder
from .attention import MultiHeadAttention, merge_heads, split_heads
from .beam import beam_search
from .checkpoints import list_models, load_model, save_model
from .config import ModelConfig
from .recording import Trace, intervene, record
from .sampling import fill_masks, generate, stream
from .tokenizer import load_tokenizer

__all__ = [
    "Decoder",
    "Encoder",
    "EncoderDecoder",
    "ModelConfig",
    "MultiHeadAttention",
    "Trace",
    "beam_search",
    "fill_masks",
    "generate",
    "intervene",
    "list_models",
    "load_model",
    "load_tokenizer",
    "merge_heads",
    "record",
    "save_model",
    "split_heads",
    "stream",
]
