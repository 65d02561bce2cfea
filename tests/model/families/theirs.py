"""Tiny random models of transformers, of every family that we open, saved as people have them."""

from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import torch
import transformers
from tokenizers import ByteLevelBPETokenizer
from tokenizers.processors import TemplateProcessing
from torch import nn

from llm_core.model.checkpoints import load_model

B, T, S = 2, 13, 9  # S tokens of an encoder that conditions a decoder
PAD = 1


@dataclass(frozen=True)
class Case:
    """A class of transformers and the sizes to try it at."""

    kind: str  # GPT2LMHeadModel, …
    config: dict = field(hash=False)

    def __str__(self) -> str:
        return self.kind


def llama(name: str, **more) -> Case:
    """D is not C / H, and K is not H."""
    sizes = dict(hidden_size=18, intermediate_size=27, num_attention_heads=6, num_key_value_heads=2, head_dim=8)
    return Case(
        f"{name}ForCausalLM", sizes | dict(vocab_size=61, num_hidden_layers=3, max_position_embeddings=40) | more
    )


LLAMA_3 = {
    "rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}  # fmt: skip
GPT2 = dict(vocab_size=53, n_positions=29, n_layer=3, n_head=5, n_embd=35)
NEOX = dict(vocab_size=59, hidden_size=40, num_hidden_layers=3, num_attention_heads=5, intermediate_size=37)
NEO = dict(vocab_size=47, hidden_size=28, num_layers=4, num_heads=7, max_position_embeddings=31, window_size=4)
BERT = dict(vocab_size=43, hidden_size=30, num_hidden_layers=3, num_attention_heads=5, intermediate_size=41)
T5 = dict(vocab_size=51, d_model=22, d_kv=6, d_ff=33, num_layers=2, num_decoder_layers=3, num_heads=5)
BART = dict(
    vocab_size=57, d_model=30, encoder_layers=2, decoder_layers=3, encoder_attention_heads=3, decoder_attention_heads=5,
    encoder_ffn_dim=23, decoder_ffn_dim=37, max_position_embeddings=33,
)  # fmt: skip

DECODERS = {
    "gpt2": Case("GPT2LMHeadModel", GPT2),
    "gpt2 relu": Case("GPT2LMHeadModel", GPT2 | dict(n_inner=50, activation_function="relu")),
    "gpt2 scaled by layer": Case("GPT2LMHeadModel", GPT2 | dict(scale_attn_by_inverse_layer_idx=True)),
    "llama": llama("Llama"),
    "llama tied": llama("Llama", tie_word_embeddings=True, attention_bias=True, mlp_bias=True, num_key_value_heads=6),
    "llama 3": llama("Llama", rope_parameters=LLAMA_3),
    "mistral": llama("Mistral", sliding_window=5),
    "qwen2": llama("Qwen2", use_sliding_window=True, sliding_window=4, max_window_layers=1, hidden_size=48),
    "qwen3": llama("Qwen3", num_key_value_heads=3),
    "gpt_neox": Case("GPTNeoXForCausalLM", NEOX | dict(max_position_embeddings=31)),
    "gpt_neox in sequence": Case(
        "GPTNeoXForCausalLM",
        NEOX
        | dict(
            use_parallel_residual=False,
            rope_parameters=dict(rope_type="default", partial_rotary_factor=0.5, rope_theta=99.0),
        ),
    ),
    "gpt_neo": Case("GPTNeoForCausalLM", NEO | dict(attention_types=[[["global", "local"], 2]])),
}
ENCODERS = {
    "bert": Case("BertForMaskedLM", BERT | dict(max_position_embeddings=23)),
    "bert without head": Case("BertModel", BERT | dict(max_position_embeddings=23, type_vocab_size=3)),
    "distilbert": Case(
        "DistilBertForMaskedLM",
        dict(vocab_size=43, dim=30, n_layers=3, n_heads=5, hidden_dim=41, max_position_embeddings=23),
    ),
    "roberta": Case("RobertaForMaskedLM", BERT | dict(max_position_embeddings=25, type_vocab_size=1, pad_token_id=PAD)),
    "xlm-roberta": Case(
        "XLMRobertaModel", BERT | dict(max_position_embeddings=25, type_vocab_size=1, pad_token_id=PAD)
    ),
}
PAIRS = {
    "t5": Case(
        "T5ForConditionalGeneration", T5 | dict(relative_attention_num_buckets=10, relative_attention_max_distance=7)
    ),
    "t5 v1.1": Case("T5ForConditionalGeneration", T5 | dict(feed_forward_proj="gated-gelu", tie_word_embeddings=False)),
    "bart": Case("BartForConditionalGeneration", BART),
    "bart scaled": Case("BartForConditionalGeneration", BART | dict(scale_embedding=True, activation_function="relu")),
}
CASES = DECODERS | ENCODERS | PAIRS


@cache
def folder_of(name: str) -> Path:
    """A folder with the weights and the config of the case, made once a process."""
    folder = Path(mkdtemp(prefix="theirs-"))
    make(name).save_pretrained(folder)
    return folder


@cache
def make(name: str) -> nn.Module:
    return made(CASES[name])


def made(case: Case) -> nn.Module:
    """In eval mode, eager, with every parameter moved: zero biases and unit norms would hide a forgotten one."""
    kind = getattr(transformers, case.kind)
    torch.manual_seed(0)
    model = kind(kind.config_class(**case.config, attn_implementation="eager")).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        if hasattr(model, "final_logits_bias"):
            model.final_logits_bias.normal_()
    return model


SENTENCE = "Pour the vinegar into the purple bucket. Then clean the purple"
AROUND = {  # special tokens, and which of them stand around a text
    "bert": (["[PAD]", "[CLS]", "[SEP]", "[MASK]"], "[CLS] $A [SEP]"),
    "t5": (["<pad>", "</s>"], "$A </s>"),
    "bart": (["<pad>", "<s>", "</s>", "<mask>"], "<s> $A </s>"),
}
SPARE = 7  # rows of the token table that no token has


def with_tokenizer(name: str, folder: Path) -> nn.Module:
    """The case with a tokenizer, learned from SENTENCE, beside its weights in ``folder``; its window has 64 tokens."""
    case = CASES[name]
    special, template = AROUND.get(name, (["<|endoftext|>"], "$A"))
    own = ByteLevelBPETokenizer()
    own.train_from_iterator([SENTENCE] * 3, vocab_size=281, special_tokens=special)
    marks = [(token, own.token_to_id(token)) for token in special if token in template]
    own._tokenizer.post_processor = TemplateProcessing(single=template, special_tokens=marks)
    window = {field: 64 for field in ("max_position_embeddings", "n_positions") if field in case.config}
    model = made(replace(case, config={**case.config, **window, "vocab_size": own.get_vocab_size() + SPARE}))
    model.save_pretrained(folder)
    own.save(str(folder / "tokenizer.json"))
    return model


def pair(name: str) -> tuple[nn.Module, nn.Module]:
    """Theirs, and ours as it is loaded from the folder."""
    return make(name), load_model(folder_of(name))


def ids_of(name: str, length: int = T, seed: int = 0) -> torch.Tensor:
    """(B, length), none of them the padding's."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(2, CASES[name].config["vocab_size"], (B, length), generator=generator)


def padded(ids: torch.Tensor, side: str) -> tuple[torch.Tensor, torch.Tensor]:
    """ids with three pads in row 0 on one side, and the mask (B, T), True = real."""
    mask = torch.ones_like(ids, dtype=torch.bool)
    mask[0, slice(None, 3) if side == "left" else slice(-3, None)] = False
    return ids.where(mask, PAD), mask
