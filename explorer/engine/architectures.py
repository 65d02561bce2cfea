"""The four architectures that can be looked at: how they are called, and what each does in one sentence."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Architecture:
    """One of the four: its title, and what it does in one sentence."""

    title: str
    sentence: str


ARCHITECTURES = {
    "encoder": Architecture(
        "Encoder", "Reads the whole text at once, in both directions, and fills in a masked token."
    ),
    "decoder": Architecture("Decoder", "Reads from left to right and predicts the next token: a writer, like GPT."),
    "encoder-decoder-prefix": Architecture(
        "Encoder-decoder, prefix",
        "An encoder reads the title; its states come before the decoder's tokens, as if they were tokens.",
    ),
    "encoder-decoder-cross": Architecture(
        "Encoder-decoder, cross",
        "An encoder reads the title; every block of the decoder looks back at it, through cross-attention.",
    ),
}

KINDS = {  # of other libraries' models, by their model_type
    **dict.fromkeys(("gpt2", "llama", "mistral", "qwen2", "qwen3", "gpt_neox", "gpt_neo"), "decoder"),
    **dict.fromkeys(("bert", "distilbert", "roberta", "xlm-roberta", "camembert"), "encoder"),
    **dict.fromkeys(("t5", "bart"), "encoder-decoder-cross"),
}


def architecture_of(model) -> str:
    """Which of ARCHITECTURES a model is."""
    from llm_core import Encoder, EncoderDecoder

    if isinstance(model, EncoderDecoder):
        return f"encoder-decoder-{model.conditioning}"
    return "encoder" if isinstance(model, Encoder) else "decoder"
