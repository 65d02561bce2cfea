"""RoBERTa (Liu et al. 2019): BERT whose positions count from behind the padding's id, and other names for its head."""

from ..architectures import Encoder
from ..config import ModelConfig
from .bert import body, config_of
from .settings import Settings
from .tensors import Table, from_row

MODEL_TYPES = ("roberta", "xlm-roberta", "camembert")
PREFIXES = ("roberta.",)
IGNORED = (
    "embeddings.position_ids",
    "embeddings.token_type_ids",
    "pooler.dense.{p}",
    "lm_head.decoder.weight",  # the token table once more
    "classifier.*",
    "qa_outputs.{p}",
)
POSITIONS = "embeddings.position_embeddings.weight"


def build(read: Settings, names: set[str]) -> Encoder:
    has_head = "lm_head.dense.weight" in names
    block_size = read.whole("max_position_embeddings", 514) - _unused(read)
    return Encoder(config_of(read, has_head, block_size))


def _unused(read: Settings) -> int:
    """Rows of the position table before that of the first token."""
    return read.whole("pad_token_id", 1) + 1


def table(config: ModelConfig) -> Table:
    head = {
        "lm_head.dense.{p}": "before_head.proj.{p}",
        "lm_head.layer_norm.{p}": "before_head.norm.{p}",
        "lm_head.bias": "lm_head.bias",
        "lm_head.decoder.bias": "lm_head.bias",  # one of the two, or both
    }
    table = {**body(POSITIONS), POSITIONS: from_row("embedding.position_table.weight", -config.block_size)}
    return table | (head if config.head != "none" else {})
