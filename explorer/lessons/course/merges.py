"""The first part of *From text to vectors*: bytes, pieces, and the merges of a byte-pair encoding by their ranks.

They run on the learner's own text with the tokenizer's own ranks, and end where the tokenizer itself does. Sennrich et
al. 2016, "Neural Machine Translation of Rare Words with Subword Units"; on bytes: Radford et al. 2019 (GPT-2).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import regex

from ..lesson import Facts, Option, Panel, Question, Scene, Step, written
from ..questions import distinct
from ..source import code_of

MOST_BYTES = 32  # of the text, whose merges are shown
STANDS_FOR_NOTHING = "lower"  # what is merged of an empty text


def next_merge(parts: list[list[bytes]], ranks: dict[bytes, int]) -> tuple[int, int, int] | None:
    """The pair of neighbors with the lowest rank: (rank, piece, place), or None if no pair is in the table."""
    known = [
        (ranks[a + b], piece, place)
        for piece, own in enumerate(parts)  # no merge reaches over two pieces
        for place, (a, b) in enumerate(pairwise(own))
        if a + b in ranks
    ]
    return min(known, default=None)


def merged(parts: list[list[bytes]], piece: int, place: int) -> list[list[bytes]]:
    own = parts[piece]
    joined = [*own[:place], own[place] + own[place + 1], *own[place + 2 :]]
    return [*parts[:piece], joined, *parts[piece + 1 :]]


@dataclass(frozen=True, slots=True)
class Merge:
    """One merge, and the text as it is after it."""

    rank: int
    token: bytes  # what came of it
    start: int  # its first byte
    before: list[list[bytes]]
    after: list[list[bytes]]


class Merging:
    """The merges of a text's first bytes, by the ranks of a tokenizer."""

    def __init__(self, scene: Scene):
        from llm_core import load_tokenizer
        from llm_core.text.surrogates import join_surrogates
        from llm_core.text.tokenizer import BytePairTokenizer

        own = scene.runner.tokenizer
        is_ours = isinstance(own, BytePairTokenizer)
        self.tokenizer = cast(BytePairTokenizer, own if is_ours else load_tokenizer())
        self.ranks = self.tokenizer.encoding._mergeable_ranks
        self.text = join_surrogates(scene.text[:400]) or STANDS_FOR_NOTHING
        self.pieces = first_pieces(regex.findall(self.tokenizer.encoding._pat_str, self.text))
        self.bytes = b"".join(self.pieces)
        self.merges = self._merges()

    def _merges(self) -> list[Merge]:
        parts, merges = [[bytes([byte]) for byte in piece] for piece in self.pieces], []
        while found := next_merge(parts, self.ranks):
            rank, piece, place = found
            after = merged(parts, piece, place)
            start = sum(map(len, self.pieces[:piece])) + sum(map(len, parts[piece][:place]))
            merges.append(Merge(rank, after[piece][place], start, parts, after))
            parts = after
        self.end = parts
        return merges

    def written(self, token: bytes) -> str:
        return written(self.tokenizer.piece(self.ranks[token]))


def first_pieces(pieces: Sequence[str]) -> list[bytes]:
    """As many whole pieces as have ``MOST_BYTES``, at least the beginning of one."""
    kept: list[bytes] = []
    for piece in pieces:
        raw = piece.encode("utf-8", "replace")
        if kept and sum(map(len, kept)) + len(raw) > MOST_BYTES:
            break
        kept.append(raw[:MOST_BYTES])
    return kept


def byte_label(byte: int) -> str:
    return "␣" if byte == 32 else chr(byte) if 33 <= byte < 127 and byte != 96 else f"{byte:02X}"


def bytes_first(merging: Merging) -> Step:
    characters = len(merging.bytes.decode("utf-8", "replace"))
    empty = "Your text is empty, so this is about 'lower'. " if merging.text == STANDS_FOR_NOTHING else ""
    return Step(
        title="A text is bytes, cut into pieces",
        text=f"{empty}These are the first {len(merging.bytes)} bytes of {merging.text[:40]!r} in UTF-8: one for each "
        "plain letter, two to four for any other character. The 256 bytes are the first tokens of the vocabulary, "
        "so there is no text that cannot be written. First a fixed rule cuts the text into words with the space "
        "before them, numbers, punctuation and white space: no token will span two pieces. Each color is one piece.".replace(
            "`", "ˋ"
        ),
        show=[byte_panel(merging), Facts(facts=[("pieces", str(len(merging.pieces)), "")])],
        code=[code_of(type(merging.tokenizer).encode, "return self.encoding.encode_ordinary(")],
        question=byte_question(len(merging.bytes), characters) if characters != len(merging.bytes) else None,
    )


def byte_panel(merging: Merging) -> Panel:
    piece_of = [number for number, piece in enumerate(merging.pieces) for _ in piece]
    return Panel(
        name="bytes",
        values=[list(merging.bytes)],
        letters=("", ""),
        title="each byte, 0 to 255",
        columns=[byte_label(byte) for byte in merging.bytes],
        color="origin",
        origin=[piece_of],
        decimals=0,
        cell=34,
    )


def byte_question(count: int, characters: int) -> Question:
    return Question(
        prompt=f"The beginning of your text has {characters} characters. How many bytes is that in UTF-8?",
        options=[
            Option(str(count), True, "Not every character is one byte: é has two, ☕ three, most emoji four."),
            Option(str(characters), False, "That is so in plain English text only."),
            Option(str(4 * characters), False, "That would be UTF-32: four bytes for each character."),
        ],
        before=[Facts(facts=[("characters", str(characters), "")])],
    )


def pairs_of(parts: list[list[bytes]]) -> list[tuple[bytes, bytes]]:
    return [pair for own in parts for pair in pairwise(own)]


def pair_label(merging: Merging, a: bytes, b: bytes) -> str:
    return f"{merging.written(a)}+{merging.written(b)}"


def rank_panel(merging: Merging, parts: list[list[bytes]]) -> Panel:
    """The ranks of all pairs of neighbors; a pair that was never learned is hidden."""
    pairs = pairs_of(parts) or [(parts[0][0], b"")]
    ranks = [merging.ranks.get(a + b, -1) if b else -1 for a, b in pairs]
    known = [rank for rank in ranks if rank >= 0]
    return Panel(
        name="ranks",
        values=[ranks],
        letters=("", ""),
        title="of each pair of neighbors; hatched: not in the table",
        columns=[pair_label(merging, a, b) if b else "no pair" for a, b in pairs],
        hidden=[[rank < 0 for rank in ranks]],
        color="origin",
        origin=[[0 if known and rank == min(known) else 5 for rank in ranks]],
        marks=[(0, place) for place, rank in enumerate(ranks) if known and rank == min(known)],
        decimals=0,
        cell=40,
    )


def first_pair(merging: Merging) -> Step:
    start = [[bytes([byte]) for byte in piece] for piece in merging.pieces]
    nothing = "" if merging.merges else " Here no pair is in the table, so every byte stays a token."
    return Step(
        title="Which pair merges first?",
        text="The tokenizer was trained once: the most frequent pair of neighbors in its texts became a token, then "
        f"the most frequent pair in the result, and so on, {len(merging.ranks):,} tokens in all. A pair's rank says "
        "when it was learned. To tokenize a text the same merges are done again in that order: the pair with the "
        f"lowest rank first (outlined).{nothing}",
        show=[rank_panel(merging, start)],
        code=[code_of(next_merge, "return min(known")],
        question=first_question(merging, start),
    )


def first_question(merging: Merging, start: list[list[bytes]]) -> Question | None:
    ranks = {pair: merging.ranks[b"".join(pair)] for pair in pairs_of(start) if b"".join(pair) in merging.ranks}
    if not ranks:
        return None
    by_rank = sorted(ranks, key=ranks.__getitem__)
    lowest, *wrong = dict.fromkeys([by_rank[0], next(iter(ranks)), by_rank[-1], list(ranks)[-1]])
    options = distinct(
        Option(pair_label(merging, *lowest), True, f"Its rank is {ranks[lowest]}, the lowest."),
        *(
            Option(pair_label(merging, *pair), False, f"Its rank is {ranks[pair]}; {ranks[lowest]} is lower.")
            for pair in wrong
        ),
    )
    prompt = "Pairs that were learned earlier have lower ranks. Which pair of neighbors merges first?"
    return Question(prompt=prompt, options=options, before=[byte_panel(merging)]) if len(options) > 1 else None


def every_merge(merging: Merging, number: int) -> Step:
    count = len(merging.merges)
    at = min(number, count)
    parts = merging.merges[at - 1].before if at else merging.end
    said = (
        f"At merge {at}, {merging.written(merging.merges[at - 1].token)!r} joins two neighbors, because their rank, "
        f"{merging.merges[at - 1].rank}, is the lowest. "
        if at
        else ""
    ).replace("`", "ˋ")
    return Step(
        title="Merge by merge",
        text="Each row is the text after one more merge, each color one token. A cell holds the id of its token; "
        f"where the cell is too small to show it, hover over the cell or tap it. {said}After {count} merges no pair "
        "of neighbors is in the table any more: these are the tokens. Move the slider to see the ranks that each "
        "merge is chosen by.",
        show=[merge_panel(merging, at), rank_panel(merging, parts)],
        code=[code_of(next_merge, "return min(known"), code_of(merged, "joined = [")],
        question=how_many(merging),
    )


def merge_panel(merging: Merging, at: int) -> Panel:
    """(merges + 1, bytes): the id of the token that each byte belongs to."""
    states = [[[bytes([byte]) for byte in piece] for piece in merging.pieces], *(m.after for m in merging.merges)]
    ids, starts = [], []
    for parts in states:
        tokens = [token for own in parts for token in own]
        ids.append([merging.ranks[token] for token in tokens for _ in token])
        ends = [sum(map(len, tokens[:i])) for i in range(len(tokens))]
        starts.append([start for start, token in zip(ends, tokens) for _ in token])
    fresh = merging.merges[at - 1] if at else None
    return Panel(
        name="tokens",
        values=ids,
        letters=("", ""),
        title="the id of the token that each byte belongs to",
        rows=["bytes", *(f"{i} {merging.written(m.token)}"[:14] for i, m in enumerate(merging.merges, 1))],
        columns=[byte_label(byte) for byte in merging.bytes],
        color="origin",
        origin=starts,
        marks=[(at, fresh.start + i) for i in range(len(fresh.token))] if fresh else (),
        decimals=0,
        cell=34,
    )


def how_many(merging: Merging) -> Question | None:
    left = sum(map(len, merging.end))
    N, count = len(merging.bytes), len(merging.merges)
    options = distinct(
        Option(str(left), True, f"Each merge makes one token out of two: {N} bytes - {count} merges = {left} tokens."),
        Option(
            str(len(merging.pieces)),
            False,
            "That is the number of pieces. A rare piece stays split into several tokens.",
        ),
        Option(str(N), False, "That is how many there were at first, before any merge."),
    )
    prompt = f"{N} bytes, and {count} merges until no pair is known. How many tokens are left?"
    return Question(prompt=prompt, options=options) if len(options) > 1 else None


def same_ids(merging: Merging) -> Step:
    ours = [merging.ranks[token] for own in merging.end for token in own]
    theirs = [id for piece in merging.pieces for id in merging.tokenizer.encoding._encode_single_piece(piece)]
    special = merging.tokenizer.encode("<|mask|>")
    return Step(
        title="Ids, and what no text can say",
        text="The ids that are left are what the model reads. tiktoken, which does the same in Rust, agrees. A "
        "token's id is its rank, so a small id stands for a piece that was frequent in training. Special tokens "
        f"come after all others and never come out of a text: “<|mask|>” typed by you is {len(special)} ordinary "
        "tokens.",
        show=[
            Panel(
                name="ids",
                values=[ours],
                letters=("", "T"),
                title="of the text's beginning",
                columns=[merging.written(token) for own in merging.end for token in own],
                color="origin",
                origin=[range(len(ours))],
                decimals=0,
            ),
            Facts(
                facts=[
                    ("merged here", str(len(ours)), ""),
                    ("the same ids as tiktoken", *(("yes", "right") if ours == theirs else ("no", "wrong"))),
                ]
            ),
        ],
        code=[code_of(type(merging.tokenizer).encode)],
    )
