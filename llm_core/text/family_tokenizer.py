"""The tokenizers of other people's models, read from the files beside their weights.

`tokenizer.json` has everything; GPT-2's `vocab.json` with `merges.txt` and BERT's `vocab.txt` are older and say less.
The `tokenizers` library does the splitting. What a piece looks like as text is worked out here: no Ġ, ## or ▁.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from ..hub import CheckpointError
from .gguf_tokenizer import gguf_tokenizer
from .pieces import label_of, notation_of, piece_bytes
from .surrogates import join_surrogates

MASKS = ("[MASK]", "<mask>")
ENDS = ("<|endoftext|>", "</s>")
GGUF = ".gguf"


class FamilyTokenizer:
    """The ``Tokenizer`` in ``folder``, or in a .gguf file.

    Its ``start`` is the first of the ids that the family sets before every text.

    Raises ``CheckpointError`` with one sentence for a folder that has no tokenizer, or a damaged one.
    """

    def __init__(self, folder: Path):
        self.folder, self.name = folder, folder.name
        settings = read_object(folder / "tokenizer_config.json")
        self.own = _opened(folder, settings)
        self.own.no_truncation()
        self.own.no_padding()
        self.own.encode_special_tokens = True
        self.added = {id: token.content for id, token in self.own.get_added_tokens_decoder().items()}
        self.special = {id for id, token in self.own.get_added_tokens_decoder().items() if token.special}
        self.notation = notation_of(self.own)
        self.prefix, self.suffix = self._around()
        self.start = self.prefix[0] if self.prefix else None
        self.end = self._named(settings, "eos_token", ENDS)
        self.pad = self._named(settings, "pad_token", ("[PAD]", "<pad>"))
        self.mask = self._named(settings, "mask_token", MASKS)
        config = read_object(folder / "config.json")
        self.decoder_start = config.get("decoder_start_token_id")
        if self.decoder_start is None and config.get("is_encoder_decoder"):
            self.decoder_start = self.pad  # T5's

    @property
    def n_vocab(self) -> int:
        """V, or less: a model's table may have more rows than there are tokens."""
        return max(self.own.get_vocab().values()) + 1

    def encode(self, text: str) -> list[int]:
        """Ids of ``text``, without what the family sets around it."""
        return self.own.encode(join_surrogates(text), add_special_tokens=False).ids

    def encode_batch(self, texts: list[str], num_threads: int = 2) -> list[list[int]]:
        texts = [join_surrogates(text) for text in texts]
        return [one.ids for one in self.own.encode_batch(texts, add_special_tokens=False)]

    def decode(self, ids: Iterable[int]) -> str:
        """Text of ``ids``; bytes that are no UTF-8 (half a character at the cut) become U+FFFD."""
        return self.own.decode([int(id) for id in ids], skip_special_tokens=False)

    def token_bytes(self, id: int) -> bytes:
        """What ``id`` adds to a text. A token that starts a word brings the space in front of it."""
        id = int(id)
        token = self.own.id_to_token(id)
        if token is None:
            return b""  # a row of the model's table that stands for nothing
        if id in self.added:
            return self.added[id].encode()
        return piece_bytes(token, self.notation)

    def is_special(self, id: int) -> bool:
        return int(id) in self.special

    def piece(self, id: int) -> str:
        """One token as text for a label: bytes that are no whole character are written ``\\xE2\\x9C``."""
        return label_of(self.token_bytes(id))

    def _around(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What stands before and behind a text: asked for, because a config's bos may be a mark that starts nothing."""
        plain = self.encode("a")
        whole = self.own.encode("a", add_special_tokens=True).ids
        for start in range(len(whole) - len(plain) + 1):
            if whole[start : start + len(plain)] == plain:
                return tuple(whole[:start]), tuple(whole[start + len(plain) :])
        return (), ()

    def _named(self, settings: dict, role: str, usual: tuple[str, ...]) -> int | None:
        """The id of a special token by its role in the settings, or by the names that it usually has."""
        said = settings.get(role)
        said = said.get("content") if isinstance(said, dict) else said
        ids = [self.own.token_to_id(name) for name in ([said] if said else usual)]
        return next((id for id in ids if id is not None), None)


def _opened(folder: Path, settings: dict) -> Tokenizer:
    if folder.suffix == GGUF:
        return gguf_tokenizer(folder)
    try:
        if (folder / "tokenizer.json").exists():
            return Tokenizer.from_file(str(folder / "tokenizer.json"))
        if (folder / "vocab.json").exists() and (folder / "merges.txt").exists():
            return _byte_level(folder)
        if (folder / "vocab.txt").exists():
            return _wordpiece(folder / "vocab.txt", settings.get("do_lower_case", True))
    except Exception as error:  # the library raises bare Exceptions
        raise CheckpointError(f"{folder}: its tokenizer cannot be read ({str(error).splitlines()[0]})") from None
    if (folder / "tokenizer.model").exists():
        raise CheckpointError(
            f"{folder} has its tokenizer as tokenizer.model only: save it once with transformers' "
            "AutoTokenizer.from_pretrained(folder).save_pretrained(folder), which writes tokenizer.json"
        )
    raise CheckpointError(f"{folder} has no tokenizer.json, vocab.json with merges.txt, or vocab.txt")


def _byte_level(folder: Path) -> Tokenizer:
    """GPT-2's files; with <s> and </s> those of RoBERTa and BART, which set them around every text."""
    own = Tokenizer(models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt")))
    own.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    own.decoder = decoders.ByteLevel()
    _make_special(own, ("<|endoftext|>", "<s>", "</s>", "<pad>", "<unk>", "<mask>"))
    start, end = own.token_to_id("<s>"), own.token_to_id("</s>")
    if start is not None and end is not None:
        own.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", start), ("</s>", end)]
        )
    return own


def _wordpiece(vocab: Path, lowercase: bool) -> Tokenizer:
    """BERT's file."""
    own = Tokenizer(models.WordPiece.from_file(str(vocab), unk_token="[UNK]"))
    own.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    own.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    own.decoder = decoders.WordPiece()
    _make_special(own, ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"))
    own.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(name, own.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    )
    return own


def _make_special(own: Tokenizer, names: tuple[str, ...]) -> None:
    known = [name for name in names if own.token_to_id(name) is not None]
    own.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in known])


def read_object(path: Path) -> dict:
    """A JSON object, {} if there is no file."""
    try:
        values = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON: {error}") from None
    return values if isinstance(values, dict) else {}
