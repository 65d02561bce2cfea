"""The models of Headscope, and everything about them that needs no screen.

What is named here is imported when it is first used: a command that needs no model starts without torch.
"""

from typing import TYPE_CHECKING

from .lazily import handed_on

if TYPE_CHECKING:
    from .generation.beam import beam_search
    from .generation.sampling import fill_masks, generate, stream
    from .model.architectures import Decoder, Encoder, EncoderDecoder
    from .model.attention import MultiHeadAttention, merge_heads, split_heads
    from .model.checkpoints import list_models, load_model, save_model
    from .model.config import ModelConfig
    from .model.recording import Trace, intervene, record
    from .text.ids import ids_of
    from .text.tokenizer import load_tokenizer

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
    "ids_of",
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

_PLACES = {
    "generation.beam": ["beam_search"],
    "generation.sampling": ["fill_masks", "generate", "stream"],
    "model.architectures": ["Decoder", "Encoder", "EncoderDecoder"],
    "model.attention": ["MultiHeadAttention", "merge_heads", "split_heads"],
    "model.checkpoints": ["list_models", "load_model", "save_model"],
    "model.config": ["ModelConfig"],
    "model.recording": ["Trace", "intervene", "record"],
    "text.ids": ["ids_of"],
    "text.tokenizer": ["load_tokenizer"],
}
__getattr__, __dir__ = handed_on(__name__, _PLACES)
