"""What the Generate page asks of the model, against llm_core.generate, warp_logits and plain forwards."""

import math
import threading
from itertools import pairwise

import pytest
import torch

from explorer.engine.fair_lock import FairLock
from explorer.engine.payload import unpack
from explorer.engine.runner import Runner
from explorer.questions.cache_times import cache_times
from explorer.questions.strategies import BEAMS, STRATEGIES, compare, distinct, repeated
from explorer.questions.writing import (
    MAX_NEW_TOKENS,
    SHOWN,
    STAGES,
    look,
    next_token,
    random_numbers,
    whole_text,
    write,
)
from llm_core import Decoder, ModelConfig, generate, record, save_model, stream
from llm_core.generation.beam import beam_search
from llm_core.generation.warping import warp_logits

from ..common import randomised

TINY = ModelConfig(vocab_size=8192, block_size=19, n_layer=3, n_head=2, n_embd=12)
SETTINGS = {"temperature": 0.9, "top_k": 50, "top_p": 0.9, "seed": 11}
TEXT = "How to wash a red cup"
LONG = "red cup and " * 20 + "blue"


@pytest.fixture(scope="module")
def runner(tmp_path_factory) -> Runner:
    """A tiny decoder with our vocabulary."""
    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(1)
    save_model(randomised(Decoder(TINY)), folder)
    return Runner(str(folder))


def new_ids(runner: Runner, text: str, count: int, **settings) -> list[int]:
    ids = runner.encode(text)
    return generate(runner.model, [ids], count, stop=runner.tokenizer.end, **settings)[0][len(ids) :]


def written(runner: Runner, text: str, before: list[int], count: int, seed: object = 11, **settings) -> list[dict]:
    return list(write(runner, text, before, count, seed, **settings))


@torch.no_grad()
def logits_behind(runner: Runner, ids: list[int]) -> torch.Tensor:
    """(1, V)"""
    return runner.model(torch.tensor([ids[-TINY.block_size :]]))[:, -1]


# writing


@pytest.mark.parametrize("settings", [SETTINGS, {"temperature": 0, "seed": 1}, {"seed": 3}], ids=str)
def test_it_writes_what_generate_writes(runner, settings):
    steps = written(runner, TEXT, [], 9, **settings)
    assert [step["id"] for step in steps] == new_ids(runner, TEXT, 9, **settings)


@pytest.mark.parametrize("parts", [[1] * 9, [4, 5], [2, 3, 4]], ids=str)
def test_it_goes_on_where_it_was_left(runner, parts):
    whole = written(runner, TEXT, [], 9, **SETTINGS)
    steps = []
    for count in parts:
        steps += written(runner, TEXT, [step["id"] for step in steps], count, **SETTINGS)
    assert [(step["id"], step["u"]) for step in steps] == [(step["id"], step["u"]) for step in whole]
    assert len({step["u"] for step in whole}) == 9


def test_behind_a_token_taken_by_hand_the_seed_draws_the_numbers_of_that_depth(runner):
    u = random_numbers(11)
    taken = [new_ids(runner, TEXT, 1, **SETTINGS)[0], 77, 5]
    steps = written(runner, TEXT, taken, 4, **SETTINGS)
    ids = [*runner.encode(TEXT), *taken]
    again = list(stream(runner.model, ids, 4, stop=runner.tokenizer.end, draws_before=3, **SETTINGS))
    assert [step["id"] for step in steps] == [step.id for step in again]
    assert [step["u"] for step in steps] == u[3:7] and len(u) == MAX_NEW_TOKENS


def test_a_step_tells_probability_rank_and_number(runner):
    *before, step = written(runner, TEXT, [], 3, **SETTINGS)
    logits = logits_behind(runner, [*runner.encode(TEXT), *(s["id"] for s in before)])[0]
    assert step["logprob"] == pytest.approx(float(logits.log_softmax(-1)[step["id"]]), abs=1e-4)
    assert step["rank"] == 1 + int((logits > logits[step["id"]]).sum())
    assert step["text"] == runner.tokenizer.piece(step["id"]) and step["slid"] is False


def test_behind_a_long_text_it_goes_on_from_its_end(runner):
    steps = written(runner, LONG, [], 3, **SETTINGS)
    assert [step["id"] for step in steps] == new_ids(runner, LONG, 3, **SETTINGS)
    assert all(step["slid"] for step in steps)


def test_no_more_is_written_than_is_kept(runner):
    assert len(written(runner, TEXT, [5] * (MAX_NEW_TOKENS - 2), 50, **SETTINGS)) <= 2


BAD = [
    (dict(before=[5] * MAX_NEW_TOKENS), "the limit of 256 tokens is reached: undo some"),
    (dict(before=[5] * (MAX_NEW_TOKENS + 1)), "written: must be at most 256 token ids from 0 to 8191"),
    (dict(before=[8192]), "written: must be at most 256 token ids from 0 to 8191"),
    (dict(before=["1"]), "written: must be"),
    (dict(seed="-4"), "seed=-4: must be a whole number from 0 to 9,223,372,036,854,775,807"),
    (dict(seed=""), "seed=: must be a whole number"),
    (dict(seed="1e3"), "seed=1e3: must be a whole number"),
    (dict(temperature=-1), "temperature=-1: must be a finite number"),
]


@pytest.mark.parametrize(("asked", "message"), BAD, ids=str)
def test_what_cannot_be_written_is_one_sentence(runner, asked, message):
    with pytest.raises(ValueError, match=message):
        written(runner, **{"text": TEXT, "before": [], "count": 2, **asked})


def test_behind_its_end_nothing_more_is_written_and_nothing_is_lost(runner):
    end = runner.tokenizer.end
    with pytest.raises(ValueError, match="The model has ended this text: undo, choose another token"):
        written(runner, TEXT, [5, end], 3)
    assert whole_text(runner, TEXT, [5, end]) == TEXT + runner.tokenizer.piece(5)


# looking


@pytest.mark.parametrize(("text", "before"), [(TEXT, []), (TEXT, [30, 500, 8]), (LONG, [7]), ("", [])], ids=str)
def test_a_look_is_the_newest_tokens_row_of_attention_and_the_logits_behind_it(runner, text, before):
    header, arrays = unpack(look(runner, text, before).payload)
    ids = [*runner.encode(text), *before]
    window = ids[-TINY.block_size :]
    with torch.no_grad(), record(runner.model) as trace:
        logits = runner.model(torch.tensor([window]))[0, -1]
    assert [token["id"] for token in header["tokens"]] == window and header["total"] == len(ids)
    assert header["cache_bytes"] == 2 * TINY.n_layer * TINY.n_embd * 4
    assert torch.equal(torch.tensor(arrays["logits"].copy()), logits.sort(descending=True).values)
    assert torch.equal(logits[torch.tensor(arrays["ids"].astype(int))], torch.tensor(arrays["logits"].copy()))
    assert sorted(arrays["ids"].tolist()) == list(range(8192))
    for layer in range(TINY.n_layer):
        expected = trace.attention(layer)[0, :, -1]  # (H, T)
        assert (torch.tensor(arrays["pattern"][layer]) - expected).abs().max() <= 1.6e-5


def test_a_look_is_made_once(runner, monkeypatch):
    stored = look(runner, TEXT, [3])
    monkeypatch.setattr(runner, "alone", lambda: pytest.fail("run again"))
    assert look(runner, TEXT, [3]) == stored


@pytest.mark.parametrize("settings", [(0.7, 90, 0.8), (1.3, None, None), (0, None, 0.9)], ids=str)
def test_next_token_is_the_warped_distribution_and_the_rest_is_exact(runner, settings):
    told = next_token(runner, TEXT, *settings)
    warped = warp_logits(logits_behind(runner, runner.encode(TEXT)), *settings).row(0)
    stages = dict(zip(STAGES, (warped.before, warped.after_temperature, warped.after_top_k, warped.after_top_p)))
    ids = [token["id"] for token in told["tokens"]]
    assert ids == warped.before.topk(SHOWN).indices.tolist()
    others = torch.ones(8192, dtype=torch.bool).index_fill(0, torch.tensor(ids), False)
    for name, stage in stages.items():
        assert [token[name] for token in told["tokens"]] == pytest.approx(stage[ids].tolist(), abs=1e-7)
        assert told["others"][name] == pytest.approx(stage[others].double().sum().item(), abs=1e-6)
        assert told["tokens_left"][name] == int((stage > 0).sum())
    assert told["others"]["count"] == 8192 - SHOWN


# strategies


def test_strategies_are_generate_and_beam_search_with_what_the_model_thinks_of_them(runner):
    found = {line["name"]: line for line in compare(runner, TEXT, [9], 12, 5)}
    assert list(found) == [strategy.name for strategy in STRATEGIES] and len(found) == 7
    start = [*runner.encode(TEXT), 9]
    for strategy in STRATEGIES:
        line = found[strategy.name]
        ids = [token["id"] for token in line["tokens"]]
        if strategy.settings:
            expected = generate(runner.model, [start], 12, seed=5, stop=runner.tokenizer.end, **strategy.settings)
            assert ids == expected[0][len(start) :]
        else:
            assert ids == beam_search(runner.model, start, 12, BEAMS, stop=runner.tokenizer.end)[0].ids
        places = range(len(start), len(start) + len(ids))
        whole = [*start, *ids]
        expected = sum(logits_behind(runner, whole[:i])[0].double().log_softmax(-1)[whole[i]].item() for i in places)
        assert line["logprob"] == pytest.approx(expected, abs=1e-3)
        assert line["logprob_per_token"] == pytest.approx(expected / len(ids), abs=1e-4)
        assert (line["repeated"], line["distinct"]) == (repeated(ids), distinct(ids))
        assert line["seconds"] > 0


def test_repetition_is_the_share_of_runs_that_stood_before():
    assert repeated([1, 2, 3, 4, 5]) == 0
    assert repeated([1, 2, 1, 2, 1, 2, 1, 2]) == pytest.approx(3 / 5)  # 1212 2121 1212 2121 1212
    assert distinct([1, 2, 1, 2, 1]) == pytest.approx(2 / 4)
    assert (repeated([1, 2, 3]), distinct([1])) == (None, None)


def test_a_count_that_cannot_be_is_one_sentence(runner):
    with pytest.raises(ValueError, match="count=0: must be a whole number from 1 to 100"):
        next(compare(runner, TEXT, [], 0, 1))


# the cache


@pytest.mark.parametrize("text", [TEXT, LONG])
def test_with_and_without_the_cache_the_same_tokens_are_written(runner, text):
    told = cache_times(runner, text, [4], 8)
    start = [*runner.encode(text), 4]
    expected = generate(runner.model, [start], 8, temperature=0)[0][len(start) :]
    assert told["same"] is True and told["slid"] is (len(start) + 8 > TINY.block_size + 1)
    assert told["tokens"] == [runner.tokenizer.piece(id) for id in expected]
    assert told["read"] == min(len(start), TINY.block_size)
    for name in ("with_cache", "without_cache"):
        assert len(told[name]) == 8 and all(ms > 0 and math.isfinite(ms) for ms in told[name])


# several users


def test_turns_come_in_the_order_in_which_they_were_asked_for():
    turns, order, arrived = FairLock(), [], []

    def wait(i: int) -> None:
        with turns:
            order.append(i)

    threads = [threading.Thread(target=wait, args=[i]) for i in range(8)]
    with turns:
        for i, thread in enumerate(threads):
            thread.start()
            while len(turns._waiting) <= i:  # it stands in line
                pass
            arrived.append(i)
    for thread in threads:
        thread.join()
    assert order == arrived


def test_a_turn_is_handed_on_when_its_holder_fails():
    turns = FairLock()
    with pytest.raises(ZeroDivisionError), turns:
        1 / 0  # noqa: B018
    with turns:
        pass


def test_eight_who_write_at_once_take_turns(runner):
    """Between two tokens of one all others have theirs, once all have begun."""
    start, done = threading.Barrier(8), []

    def user(i: int) -> None:
        start.wait()
        for step in write(runner, f"{TEXT} {i}", [], 12, 3):
            done.append((i, step["id"]))

    threads = [threading.Thread(target=user, args=[i]) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(8):
        assert [id for user, id in done if user == i] == new_ids(runner, f"{TEXT} {i}", 12, seed=3)
    begun = max(next(at for at, (user, _) in enumerate(done) if user == i) for i in range(8))
    for i in range(8):
        places = [at for at, (user, _) in enumerate(done) if user == i and at >= begun]
        assert all(after - before <= 24 for before, after in pairwise(places))
