"""From text to vectors: merges against tiktoken, tables against torch, positions against plain formulas."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from explorer.engine.payload import unpack
from explorer.lessons.course.merges import MOST_BYTES, Merging
from explorer.lessons.course.vectors import one_hot_product, sinusoidal, turned_by
from explorer.lessons.lesson import Bars, Facts, Scene, TokenMap, as_array, written
from explorer.lessons.teach import teach
from explorer.lessons.token_map import map_payload
from llm_core import load_model, load_tokenizer

from .common import BOAT, CUP, ODD_TEXTS, panel, right, steps_of, values

TEXTS = [
    BOAT,
    CUP,
    *ODD_TEXTS[1:],
    "Café ☕ naïve",
    "antidisestablishmentarianism",
    " " * 50,
    "x" * 100,
    "1234567890\t\n\r",
]


@pytest.fixture(scope="module")
def steps(runner):
    return steps_of(runner, "vectors", CUP, head=3, word="cup")


def merging(runner, text: str) -> Merging:
    return Merging(Scene(runner, text, (), {}))


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_the_merges_end_where_tiktoken_does_and_take_the_lowest_rank_each_time(runner, text):
    found, tokenizer = merging(runner, text), load_tokenizer()
    assert 0 < len(found.bytes) <= max(MOST_BYTES, len(found.pieces[0]))
    ours = [found.ranks[token] for own in found.end for token in own]
    assert ours == [id for piece in found.pieces for id in tokenizer.encoding._encode_single_piece(piece)]
    if len(found.bytes) == len(text.encode()):
        assert ours == tokenizer.encode(text)
    state = [[bytes([byte]) for byte in piece] for piece in found.pieces]
    for merge in found.merges:
        assert merge.before == state
        ranks = [found.ranks[a + b] for own in state for a, b in pairwise(own) if a + b in found.ranks]
        assert merge.rank == min(ranks) and found.ranks[merge.token] == merge.rank
        state = merge.after
        assert b"".join(token for own in state for token in own) == found.bytes
        assert found.bytes[merge.start : merge.start + len(merge.token)] == merge.token
    assert sum(map(len, state)) == len(found.bytes) - len(found.merges)


def test_bytes_pieces_and_ranks_are_shown_as_they_are(steps, runner):
    found = merging(runner, CUP)
    assert values(steps[0], "bytes").tolist() == [list(CUP.encode()[: len(found.bytes)])]
    shown = panel(steps[1], "ranks")
    hidden = as_array(shown.hidden)[0]
    for label, rank, is_hidden in zip(shown.columns, as_array(shown.values)[0], hidden):
        a, _, b = label.partition("+")
        token = (a + b).replace("␣", " ").encode()
        assert (token in found.ranks) != is_hidden and (is_hidden or found.ranks[token] == rank)
    lowest = as_array(shown.values)[0][~hidden].min()
    assert right(steps[1]) == shown.columns[list(as_array(shown.values)[0]).index(lowest)]


def test_each_row_of_the_merges_is_the_text_in_tokens(steps, runner):
    found, shown = merging(runner, CUP), values(steps[2], "tokens")
    assert shown.shape == (len(found.merges) + 1, len(found.bytes))
    assert shown[0].tolist() == [found.ranks[bytes([byte])] for byte in found.bytes]
    assert shown[-1].tolist() == [found.ranks[token] for own in found.end for token in own for _ in token]
    assert right(steps[2]) == str(sum(map(len, found.end)))
    (facts,) = [dict((what, tone) for what, _, tone in i.facts) for i in steps[3].show if isinstance(i, Facts)]
    assert facts["the same ids as tiktoken"] == "right"


def test_the_slider_shows_the_ranks_that_a_merge_was_chosen_by(runner):
    found = merging(runner, BOAT)
    for number in (1, 5, len(found.merges)):
        step = steps_of(runner, "vectors", BOAT, merge=number)[2]
        merge, shown = found.merges[number - 1], panel(step, "ranks")
        ((_, place),) = {tuple(mark) for mark in shown.marks if as_array(shown.values)[tuple(mark)] == merge.rank}
        assert shown.columns[place].replace("+", "") == written(merge.token.decode())
    ended = panel(steps_of(runner, "vectors", BOAT, merge=0)[2], "ranks")
    assert as_array(ended.hidden).all()


def test_a_lookup_is_a_row_of_the_table_and_a_product(steps, runner):
    weight = load_model("decoder").embedding.token_table.weight.detach()
    ids = runner.encode(CUP)[:16]
    expected = F.embedding(torch.tensor(ids), weight)
    for step in (4, 5, 6):
        assert np.array_equal(values(steps[step], "token"), expected.numpy())
    assert torch.allclose(one_hot_product(ids, weight), expected, atol=1e-5)
    assert np.array_equal(values(steps[4], "token_table"), weight[sorted(set(ids))].numpy())
    formula = panel(steps[5], "token").formula
    assert np.allclose(as_array(formula.a.values) @ as_array(formula.b.values), expected, atol=1e-6)
    assert right(steps[4]) == str(len(set(ids)))
    assert right(steps[5]) == f"{2 * 16 * 8192 * 256:,}"


def test_learned_positions_are_added(steps):
    table = load_model("decoder").embedding.position_table.weight.detach()
    assert np.array_equal(values(steps[6], "position"), table[:16].numpy())
    assert np.allclose(values(steps[6], "x"), values(steps[6], "token") + values(steps[6], "position"), atol=1e-6)


def test_waves_are_those_of_the_paper(steps):
    for T, C in ((48, 256), (7, 6)):
        table = sinusoidal(T, C)
        for place in range(T):
            for i in range(0, C, 2):
                angle = place / 10000 ** (i / C)
                assert float(table[place, i]) == pytest.approx(math.sin(angle), abs=1e-4)
                assert float(table[place, i + 1]) == pytest.approx(math.cos(angle), abs=1e-4)
    likeness = values(steps[7], "likeness")
    rows = torch.tensor(values(steps[7], "sinusoidal"))
    assert np.allclose(likeness, F.cosine_similarity(rows[:, None], rows[None], dim=-1), atol=1e-5)
    for distance in (1, 7, 30):
        diagonal = np.diagonal(likeness, distance)
        assert diagonal.max() - diagonal.min() < 1e-4
    assert right(steps[7]) == "the same"


def test_rotary_positions_turn_each_pair_of_numbers(steps, runner):
    """Against products of complex numbers, which turn by definition: Su et al. 2021, section 3.2."""
    turns = torch.polar(torch.ones(16, 16), torch.outer(torch.arange(16.0), 10000.0 ** (-torch.arange(16) / 16)))
    turned = {}
    for name in "qk":
        x = runner.recorded(CUP, 16).trace[f"blocks.0.attn.{name}"][0, 3]  # (T, D)
        product = torch.complex(x[:, :16], x[:, 16:]) * turns
        turned[name] = torch.cat([product.real, product.imag], dim=-1)
        assert torch.allclose(turned_by(x, 0), turned[name], atol=1e-4)
    assert np.allclose(values(steps[8], "turned"), turned["q"], atol=1e-4)
    assert np.allclose(values(steps[8], "scores"), turned["q"] @ turned["k"].T, atol=1e-3)
    assert right(steps[8]) == "they stay"


def test_neighbors_are_the_nearest_rows_of_all(steps):
    weight, tokenizer = load_model("decoder").embedding.token_table.weight.detach(), load_tokenizer()
    (own,) = tokenizer.encode(" cup")
    cosines = F.cosine_similarity(weight, weight[own][None])
    cosines[own] = -2
    best = cosines.topk(10)
    (bars,) = [item for item in steps[9].show if isinstance(item, Bars)]
    assert bars.series["cosine"] == pytest.approx(best.values.tolist(), abs=1e-5)
    assert list(bars.names) == [written(tokenizer.piece(id)) for id in best.indices.tolist()]
    assert right(steps[9]) == bars.names[0]


def test_the_map_holds_all_tokens_where_torch_puts_them(steps, runner):
    weight, tokenizer = load_model("decoder").embedding.token_table.weight.detach(), load_tokenizer()
    header, arrays = unpack(map_payload(runner))
    assert header["pieces"] == [tokenizer.piece(id) for id in range(8192)] and len(header["special"]) == 4
    centered = weight - weight.mean(0)
    u, s, _ = torch.pca_lowrank(centered, q=40, niter=10)
    np.testing.assert_allclose(np.abs(arrays["at"]), (u * s)[:, :3].abs().numpy(), atol=5e-3)
    shares = (s[:3] ** 2 / (centered**2).sum()).tolist()
    assert header["shares"] == pytest.approx(shares, abs=1e-4)
    (own,) = tokenizer.encode(" cup")
    for id in (0, own, 8191):
        cosines = F.cosine_similarity(weight, weight[id][None])
        cosines[id] = -2
        best = cosines.topk(8)
        assert arrays["near"][id].tolist() == best.indices.tolist()
        assert np.allclose(arrays["cosines"][id], best.values, atol=1e-5)
    (shown,) = steps[10].show
    assert shown == TokenMap(chosen=own)
    assert f"the first holds {100 * shares[0]:.1f} % of all their variance" in steps[10].text
    assert right(steps[10]) == f"about {100 * sum(shares[:2]):.0f} %"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"merge": 25}, "Merge: 25 must be a whole number from 0 to 24"),
        ({"head": 8}, "Head: 8 is not one of"),
        ({"word": "x" * 401}, "Neighbors of: at most 400 characters"),
    ],
)
def test_settings_that_cannot_be_are_one_sentence(runner, given, sentence):
    with pytest.raises(ValueError, match=sentence):
        teach(runner, "vectors", BOAT, given)


@pytest.mark.parametrize("word", ["", " ", "`", "<|mask|>", "👩‍👧", "\x00"])
def test_any_word_has_neighbors(runner, word):
    (bars,) = [i for i in steps_of(runner, "vectors", "a", word=word)[9].show if isinstance(i, Bars)]
    assert len(bars.names) == 10
