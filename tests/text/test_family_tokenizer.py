"""Other people's tokenizers: ids as in transformers, pieces that read as text, nothing special out of user text."""

import json
from pathlib import Path

import pytest
from tokenizers import (
    ByteLevelBPETokenizer,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from llm_core.hub import CheckpointError
from llm_core.text.characters import Group, whole_characters
from llm_core.text.family_tokenizer import FamilyTokenizer
from llm_core.text.gguf_tokenizer import tokenizer_of
from llm_core.text.tokenizer import RANK_FILE, load_tokenizer

from ..model.families import theirs

TEXTS = ["How to bake bread: mix the flour, then wait.", "The trainer was training; the bakers baked in Beijing."]
TEXT = "Training a baker, 北京 ☕ naïve cafés!"


def byte_level(folder: Path, legacy: bool = False) -> Path:
    own = Tokenizer(models.BPE())
    own.pre_tokenizer, own.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"] if legacy else ["<|endoftext|>", "<|im_start|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=330, initial_alphabet=letters, special_tokens=specials, show_progress=False
    )
    own.train_from_iterator(TEXTS, trainer)
    if legacy:
        own.model.save(str(folder))
    else:
        own.save(str(folder / "tokenizer.json"))
        config = {"bos_token": "<|im_start|>", "eos_token": "<|endoftext|>"}
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def wordpiece(folder: Path) -> Path:
    own = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    own.normalizer, own.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    own.decoder = decoders.WordPiece()
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    own.train_from_iterator(TEXTS, trainers.WordPieceTrainer(vocab_size=120, special_tokens=names, show_progress=False))
    marks = [(name, own.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    own.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=marks)
    own.enable_truncation(5)
    own.enable_padding(length=5)
    own.save(str(folder / "tokenizer.json"))
    return folder


def metaspace(folder: Path) -> Path:
    """Llama's kind: ▁ for a space, bytes for what is in no token."""
    own = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    own.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    own.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    specials = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    own.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=400, special_tokens=specials, show_progress=False))
    told = json.loads(own.to_str())
    told["added_tokens"] = told["added_tokens"][:3]  # bytes are ordinary tokens
    own = Tokenizer.from_str(json.dumps(told))
    own.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    own.save(str(folder / "tokenizer.json"))
    return folder


def pieces(tokenizer: FamilyTokenizer, text: str) -> list[str]:
    return [tokenizer.piece(id) for id in tokenizer.encode(text)]


@pytest.mark.parametrize("make", [byte_level, wordpiece, metaspace])
def test_ids_are_those_of_transformers(tmp_path, make):
    from transformers import PreTrainedTokenizerFast

    ours = FamilyTokenizer(make(tmp_path))
    theirs = PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json"))
    for text in (*TEXTS, TEXT, "", " ", "a  b\n"):
        ids = ours.encode(text)
        assert ids == theirs.encode(text, add_special_tokens=False)
        assert [*ours.prefix, *ids, *ours.suffix] == theirs.encode(text, truncation=False, padding=False)
        assert ours.decode(ids) == theirs.decode(ids, clean_up_tokenization_spaces=False)
    assert ours.n_vocab == len(theirs)


def test_gpt2s_two_files(tmp_path):
    ours = FamilyTokenizer(byte_level(tmp_path, legacy=True))
    assert ours.prefix == (ours.own.token_to_id("<s>"),) and ours.suffix == (ours.end,)
    assert ours.decode(ours.encode(TEXT)) == TEXT and ours.mask == ours.own.token_to_id("<mask>")


def test_berts_file_lower_cases_unless_it_says_so(tmp_path):
    (tmp_path / "other").mkdir()
    whole = FamilyTokenizer(wordpiece(tmp_path / "other"))
    tokens = sorted(whole.own.get_vocab().items(), key=lambda item: item[1])
    (tmp_path / "vocab.txt").write_text("".join(f"{token}\n" for token, _ in tokens), encoding="utf-8")
    ours = FamilyTokenizer(tmp_path)
    assert ours.encode(TEXT) == whole.encode(TEXT) and (ours.prefix, ours.suffix) == (whole.prefix, whole.suffix)
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    assert FamilyTokenizer(tmp_path).encode("THE") == [ours.own.token_to_id("[UNK]")]


def test_pieces_are_text(tmp_path):
    for make, expected in ((byte_level, "The bakers"), (metaspace, " The bakers"), (wordpiece, " the bakers")):
        folder = tmp_path / make.__name__
        folder.mkdir()
        found = pieces(FamilyTokenizer(make(folder)), "The bakers")
        assert "".join(found) == expected and not set("Ġ▁#") & set("".join(found))


@pytest.mark.parametrize("make", [byte_level, metaspace])
def test_bytes_of_one_character_are_grouped_and_named(tmp_path, make):
    ours = FamilyTokenizer(make(tmp_path))
    ids = ours.encode("a北京b")
    groups = whole_characters(ours, ids)
    assert "".join(group.text for group in groups).strip() == "a北京b"
    assert [g.text for g in groups if g.last > g.first] == ["北", "京"]
    assert [place for g in groups for place in range(g.first, g.last + 1)] == list(range(len(ids)))
    alone = whole_characters(ours, ids[-3:-1])  # the end of a character
    assert [g.last for g in alone] == [0, 1] and all(g.text.startswith("\\x") for g in alone)


def test_our_own_pieces_are_grouped_too():
    ours = load_tokenizer()
    assert [g.text for g in whole_characters(ours, ours.encode("北京"))] == ["北", "京"]
    assert whole_characters(ours, ours.encode("ab")[:1])[0] == Group(0, 0, ours.piece(ours.encode("ab")[0]))


@pytest.mark.parametrize("make, mark", [(byte_level, "<|im_start|>"), (wordpiece, "[MASK]"), (metaspace, "</s>")])
def test_user_text_that_spells_a_special_token_stays_text(tmp_path, make, mark):
    ours = FamilyTokenizer(make(tmp_path))
    special = ours.own.token_to_id(mark)
    assert ours.is_special(special) and ours.piece(special) == mark
    assert special not in ours.encode(f"a {mark} b")


def test_what_stands_around_a_text_is_asked_for_and_not_believed(tmp_path):
    ours = FamilyTokenizer(byte_level(tmp_path))
    assert (ours.prefix, ours.suffix, ours.start) == ((), (), None)  # though a bos_token is in its config
    assert ours.end == ours.own.token_to_id("<|endoftext|>")


def test_a_folder_is_a_name(tmp_path):
    byte_level(tmp_path)
    assert isinstance(load_tokenizer(tmp_path), FamilyTokenizer)
    (tmp_path / "config.json").write_text('{"architecture": "decoder", "tokenizer": "bytes"}')
    load_tokenizer.cache_clear()
    assert load_tokenizer(tmp_path).name == "bytes"


def test_every_name_of_a_model_is_one_of_its_tokenizer(tmp_path):
    assert [load_tokenizer(name).name for name in ("decoder", "encoder-decoder-cross")] == ["wikihow-8k"] * 2
    (tmp_path / "config.json").write_text('{"architecture": "decoder", "tokenizer": "tokenizer.tiktoken"}')
    (tmp_path / "tokenizer.tiktoken").write_bytes(RANK_FILE.read_bytes())
    assert load_tokenizer(str(tmp_path)).n_vocab == load_tokenizer().n_vocab
    (tmp_path / "ckpt.pt").write_bytes(b"nanoGPT's")
    asked = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tiktoken.get_encoding", lambda name: asked.append(name) or load_tokenizer().encoding)
        load_tokenizer.cache_clear()
        load_tokenizer(tmp_path / "ckpt.pt")
    load_tokenizer.cache_clear()
    assert asked == ["gpt2"]


def test_what_cannot_be_read_is_one_sentence(tmp_path):
    with pytest.raises(CheckpointError, match=r"has no tokenizer\.json, vocab\.json with merges\.txt, or vocab\.txt"):
        FamilyTokenizer(tmp_path)
    (tmp_path / "tokenizer.model").write_bytes(b"")
    with pytest.raises(CheckpointError, match="AutoTokenizer"):
        FamilyTokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(CheckpointError, match="its tokenizer cannot be read"):
        FamilyTokenizer(tmp_path)


# the tokenizer inside a .gguf file


def told(cut: str) -> tuple[dict, Tokenizer]:
    """A file's fields, and the tokenizer that they are of."""
    own = ByteLevelBPETokenizer()
    own.train_from_iterator([theirs.SENTENCE] * 3, vocab_size=290, special_tokens=["<|endoftext|>"])
    state = json.loads(own._tokenizer.to_str())["model"]
    tokens = sorted(state["vocab"], key=state["vocab"].get)
    fields = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": cut,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.merges": [" ".join(pair) for pair in state["merges"]],
        "tokenizer.ggml.token_type": [3, *[1] * (len(tokens) - 1)],
    }
    return fields, own


@pytest.mark.parametrize("cut", ["gpt-2", "smollm", "llama-bpe"])
def test_a_gguf_file_has_its_tokenizer_inside(cut):
    fields, own = told(cut)
    found = tokenizer_of(fields, "a.gguf")
    for text in (theirs.SENTENCE, "Then clean it, 北京"):
        assert found.encode(text, add_special_tokens=False).ids == own.encode(text).ids
        assert found.decode(found.encode(text).ids) == text
    assert found.get_added_tokens_decoder()[0].special


def test_another_tokenizer_in_a_gguf_file_is_refused_in_a_sentence():
    for change in ({"tokenizer.ggml.model": "llama"}, {"tokenizer.ggml.pre": "deepseek"}):
        with pytest.raises(CheckpointError, match=r"a\.gguf: its tokenizer is of the kind .*: open a folder"):
            tokenizer_of(told("gpt-2")[0] | change, "a.gguf")
