"""The tokenizer: every text has an encoding and comes back, and the merges mean what the library learned."""

import base64
import json
import random
from itertools import pairwise

import pytest
import tiktoken
from tokenizers import Regex, models, pre_tokenizers
from tokenizers import Tokenizer as LibraryTokenizer

from llm_core.paths import ASSETS
from llm_core.text.byte_letters import byte_letters
from llm_core.text.tokenizer import (
    RANK_FILE,
    SPECIAL_TOKENS,
    SPLIT,
    VOCAB_SIZE,
    BytePairTokenizer,
    join_surrogates,
    load_tokenizer,
    save_ranks,
    train_ranks,
)

TEXTS = {
    "empty": "",
    "English": "How to bake bread: don't open the oven, it's 220 degrees!",
    "family (ZWJ)": "👩‍👩‍👧‍👦 and 🏳️‍🌈, skin 👍🏽, flag 🇩🇪",
    "right to left": "كيف تخبز الخبز؟ איך אופים לחם",
    "combining": "e\u0301 n\u0303 ก็ ่ Z͑ͫ̓a͛̅l̸̨g̀o",
    "CJK": "パンの焼き方，怎么烤面包 빵 굽는 법",
    "controls": "".join(map(chr, range(32))) + "\x7f\x80\x85\x9f",
    "NUL": "a\0b\0\0",
    "white space": " \t \r\n\n  \u00a0\u2003\u3000 \u2028\u2029 x  ",
    "invisible": "\ufeffBOM\u200b\u200e\u202ebidi\u2066\u2069\ufffe\uffff",
    "last code point": "\U0010ffff\U000e0001",
    "special tokens as text": "".join(SPECIAL_TOKENS),
}
CHARACTERS = [
    *range(0x250),
    *range(0x590, 0x700),
    *range(0x2000, 0x2070),
    *range(0x3000, 0x3100),
    *range(0xE000, 0xE010),
]
CHARACTERS += [*range(0xFFF0, 0x10000), *range(0x1F300, 0x1F650), 0x10FFFF, 32, 32, 32, 10]
SURROGATES = ["\ud83d\ude00", "\ud83d", "\ude00", "a", "\ufeff", "\U0001f600"]


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer()


@pytest.fixture(scope="module")
def articles():
    rows = map(json.loads, (ASSETS / "sample_articles.jsonl").read_text(encoding="utf-8").splitlines())
    return [f"{row['title']}\n{row['text']}" for row in rows]


def random_text(rng, length):
    return "".join(chr(rng.choice(CHARACTERS)) for _ in range(length))


# --- every text comes back ---


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_text_comes_back(tokenizer, text):
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert b"".join(map(tokenizer.token_bytes, ids)) == text.encode("utf-8")
    assert tokenizer.encode_batch([text, "x", text]) == [ids, tokenizer.encode("x"), ids]
    assert not any(map(tokenizer.is_special, ids))


def test_random_text_comes_back(tokenizer):
    rng = random.Random(0)
    for _ in range(500):
        text = random_text(rng, rng.randrange(40))
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_every_character_comes_back(tokenizer):
    text = "".join(chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000)
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_100_000_characters_of_anything(tokenizer):
    text = random_text(random.Random(1), 100_000)
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("letter", ["a", "7", "!", "\0", "漢", "👍", " ", "\n", "\u3000", " \n"])
def test_a_long_run_of_one_character(tokenizer, letter):
    text = letter * 1_000_000 + "x"  # GPT-2's own pattern panics here for white space
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_white_space_splits_as_gpt2_splits_it(tokenizer):
    gpt2_split = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
    ranks = {tokenizer.token_bytes(i): i for i in range(VOCAB_SIZE - len(SPECIAL_TOKENS))}
    gpt2 = tiktoken.Encoding("gpt2 split", pat_str=gpt2_split, mergeable_ranks=ranks, special_tokens={})
    rng = random.Random(2)
    pieces = [
        " ",
        " ",
        "\n",
        "\t",
        "\r",
        "\u3000",
        "\xa0",
        "\x1c",
        "\u2028",
        "a",
        "7",
        "!",
        "'s",
        "\u0301",
        "\u200b",
        "漢",
    ]
    for _ in range(3000):
        text = "".join(rng.choices(pieces, k=rng.randrange(20)))
        assert tokenizer.encode(text) == gpt2.encode_ordinary(text)


# --- surrogates: a pair is joined, half of one is U+FFFD ---


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("\ud83d\ude00", "😀"),
        ("\ud83d", "\ufffd"),
        ("\ude00", "\ufffd"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("a\ud83db", "a\ufffdb"),
        ("\ud83d\ud83d\ude00\ude00", "\ufffd😀\ufffd"),
        ("\ufeff\ud83d", "\ufeff\ufffd"),
        ("é\U0001f600\udfff!", "é😀\ufffd!"),
    ],
)
def test_surrogates(tokenizer, text, joined):
    assert join_surrogates(text) == joined
    assert tokenizer.decode(tokenizer.encode(text)) == joined
    assert tokenizer.encode_batch([text]) == [tokenizer.encode(joined)]


def test_random_surrogates_follow_the_rule():
    rng = random.Random(3)
    for _ in range(2000):
        text = "".join(rng.choices(SURROGATES, k=rng.randrange(7)))
        whole = text.replace("\ud83d\ude00", "😀")
        assert join_surrogates(text) == whole.replace("\ud83d", "\ufffd").replace("\ude00", "\ufffd")


# --- the vocabulary ---


def test_vocabulary_and_special_tokens(tokenizer):
    assert tokenizer.n_vocab == VOCAB_SIZE == 8192
    ids = {"<|endoftext|>": 8188, "<|padding|>": 8189, "<|mask|>": 8190, "<|startofarticle|>": 8191}
    assert [tokenizer.end, tokenizer.pad, tokenizer.mask, tokenizer.start] == list(ids.values())
    assert [tokenizer.piece(id) for id in ids.values()] == list(ids)
    assert [id for id in range(VOCAB_SIZE) if tokenizer.is_special(id)] == list(ids.values())
    assert (
        tokenizer.decode([tokenizer.start, *tokenizer.encode("Hi"), tokenizer.end])
        == "<|startofarticle|>Hi<|endoftext|>"
    )


def test_a_special_token_typed_by_a_user_is_ordinary_text(tokenizer):
    ids = tokenizer.encode("<|mask|>")
    assert tokenizer.mask not in ids and len(ids) > 1
    assert tokenizer.decode(ids) == "<|mask|>"


def test_piece_of_a_token_for_a_label(tokenizer):
    assert [tokenizer.piece(id) for id in tokenizer.encode("How to bake")] == ["How", " to", " bake"]
    single_byte = {tokenizer.token_bytes(i): i for i in range(256)}
    assert tokenizer.piece(single_byte[b"\xe2"]) == "\\xE2"
    assert "".join(tokenizer.piece(id) for id in tokenizer.encode("漢")) in ("漢", "\\xE6\\xBC\\xA2")
    for id in range(tokenizer.n_vocab):
        assert tokenizer.piece(id).encode("utf-8")  # can be shown, and is not empty


def test_half_a_character_decodes_to_a_replacement(tokenizer):
    first, *_rest = tokenizer.encode("漢")
    assert tokenizer.decode([first]) == "\ufffd"


# --- learned by `tokenizers`, used by tiktoken ---


def library_tokenizer(tokens):
    """The `tokenizers` library's own BPE from our tokens: their merges are the two parts of each."""
    letters = {byte: letter for letter, byte in byte_letters().items()}
    written = ["".join(letters[byte] for byte in token) for token in tokens]
    ranks = {token: rank for rank, token in enumerate(tokens)}
    merges = [tuple(written[ranks[part]] for part in two_parts(token, ranks)) for token in tokens if len(token) > 1]
    bpe = LibraryTokenizer(models.BPE({token: rank for rank, token in enumerate(written)}, merges))
    split = pre_tokenizers.Split(Regex(SPLIT), behavior="isolated")
    letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bpe.pre_tokenizer = pre_tokenizers.Sequence([split, letters])
    return bpe


def two_parts(token, ranks):
    """What byte-pair encoding with the earlier merges makes of a token: always two parts."""
    parts = [bytes([byte]) for byte in token]
    while len(parts) > 2:
        pairs = [ranks.get(a + b, len(ranks)) for a, b in pairwise(parts)]
        i = pairs.index(min(pairs))
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    return parts


def test_shipped_merges_encode_as_the_library_does(tokenizer, articles):
    tokens = [tokenizer.token_bytes(i) for i in range(VOCAB_SIZE - len(SPECIAL_TOKENS))]
    library = library_tokenizer(tokens)
    texts = [*articles, *TEXTS.values(), random_text(random.Random(4), 3000)]
    assert [tokenizer.encode(text) for text in texts] == [encoding.ids for encoding in library.encode_batch(texts)]


def test_shipped_tokens_suit_how_to_articles(tokenizer, articles):
    num_bytes = sum(len(text.encode()) for text in articles)
    assert num_bytes / sum(map(len, map(tokenizer.encode, articles))) > 3.5


def test_learned_ranks_load_from_their_file(articles, tmp_path):
    tokens = train_ranks(articles, vocab_size=400)
    save_ranks(tokens, tmp_path / "tiny.tiktoken")
    tiny = load_tokenizer(tmp_path / "tiny.tiktoken")
    assert [tiny.token_bytes(i) for i in range(396)] == tokens and len(set(tokens)) == 396
    assert tiny.n_vocab == 400 and [tiny.end, tiny.start] == [396, 399]
    assert sorted(tokens[:256]) == [bytes([byte]) for byte in range(256)]
    for text in [*articles, *TEXTS.values()]:
        assert tiny.decode(tiny.encode(text)) == text
    assert [tiny.encode(text) for text in articles] == [library_tokenizer(tokens).encode(text).ids for text in articles]


def test_the_byte_tokenizer_has_the_bytes_and_the_special_tokens():
    tokenizer = load_tokenizer("bytes")
    assert tokenizer.n_vocab == 260
    assert [tokenizer.end, tokenizer.pad, tokenizer.mask, tokenizer.start] == [256, 257, 258, 259]
    for text in TEXTS.values():
        assert tokenizer.encode(text) == list(text.encode("utf-8"))
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert [tokenizer.piece(id) for id in (65, 0xE2, 10, 259)] == ["A", "\\xE2", "\n", "<|startofarticle|>"]


def test_our_tokenizer_has_a_name(tokenizer):
    assert load_tokenizer("wikihow-8k") is tokenizer


def test_learning_is_deterministic(articles):
    assert train_ranks(articles[:9], vocab_size=300) == train_ranks(iter(articles[:9]), vocab_size=300)


def test_byte_letters_are_gpt2s():
    letters = byte_letters()
    assert sorted(letters.values()) == list(range(256)) and len(letters) == 256
    assert (letters["Ġ"], letters["Ċ"], letters["A"], letters["Ń"]) == (32, 10, 65, 173)


# --- files that are damaged, names that do not exist ---


def lines_of_the_rank_file():
    return RANK_FILE.read_bytes().splitlines(keepends=True)


DAMAGES = {
    "empty": lambda lines: [],
    "no base64": lambda lines: [b"?!* 0\n", *lines[1:]],
    "no rank": lambda lines: [lines[0].split()[0], b"\n", *lines[1:]],
    "rank is no number": lambda lines: [b"AA== zero\n", *lines[1:]],
    "cut in a line": lambda lines: [*lines[:3000], lines[3000][:3]],
    "a line is missing": lambda lines: [*lines[:300], *lines[301:]],
    "a token is there twice": lambda lines: [*lines, lines[5].split()[0] + b" 8188\n"],
    "a byte has no token": lambda lines: [base64.b64encode(b"zzzz") + b" 0\n", *lines[1:]],
    "a web page": lambda lines: [b"<html><body>404 not found</body></html>"],
    "binary": lambda lines: [bytes(range(256)) * 4],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_rank_file_is_one_sentence(damage, tmp_path):
    path = tmp_path / "damaged.tiktoken"
    path.write_bytes(b"".join(damage(lines_of_the_rank_file())))
    with pytest.raises(ValueError) as caught:
        load_tokenizer(path)
    assert str(caught.value).startswith(f"{path} ") and "\n" not in str(caught.value)


def test_missing_rank_file(tmp_path):
    with pytest.raises(ValueError, match=r"cannot be read as a rank file: .*No such file"):
        load_tokenizer(tmp_path / "none.tiktoken")


def test_unknown_name_lists_the_known():
    with pytest.raises(
        ValueError, match=r"no tokenizer 'gpt9': give a .tiktoken rank file, a model's folder, or one of .*gpt2"
    ):
        load_tokenizer("gpt9")


@pytest.fixture
def fresh_cache():
    load_tokenizer.cache_clear()
    yield
    load_tokenizer.cache_clear()


def test_gpt2_without_a_network_is_a_clear_error(monkeypatch, fresh_cache):
    def unreachable(name):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(tiktoken, "get_encoding", unreachable)
    with pytest.raises(ValueError) as caught:
        load_tokenizer("gpt2")
    assert str(caught.value) == (
        "tiktoken could not get the ranks of 'gpt2' (ConnectionError); they are downloaded once: "
        "connect to the internet, or set TIKTOKEN_CACHE_DIR to a folder that has them"
    )


def test_gpt2_with_ranks_works(monkeypatch, fresh_cache):
    ranks = {bytes([byte]): byte for byte in range(256)} | {b"He": 256}
    small = tiktoken.Encoding("gpt2", pat_str=SPLIT, mergeable_ranks=ranks, special_tokens={"<|endoftext|>": 257})
    monkeypatch.setattr(tiktoken, "get_encoding", {"gpt2": small}.get)
    gpt2 = load_tokenizer("gpt2")
    assert isinstance(gpt2, BytePairTokenizer) and gpt2.n_vocab == 258
    assert gpt2.encode("Hello") == [256, 108, 108, 111] and gpt2.decode([256, 108]) == "Hel"
    assert (gpt2.end, gpt2.pad, gpt2.mask, gpt2.start) == (257, None, None, None)
    assert load_tokenizer("gpt2") is gpt2
