"""Text -> payload and text -> written tokens, with the shipped tokenizer, the shipped model and tiny ones."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from explorer.engine.cache import PayloadCache
from explorer.engine.payload import unpack
from explorer.engine.runner import MAX_CHARACTERS, Runner
from explorer.examples import EXAMPLES, example_file
from explorer.questions.writing import write
from llm_core import Decoder, Encoder, ModelConfig, record, save_model
from llm_core.analysis.roles import ROLES, head_roles

from ...common import ENCODER, randomised

TINY = ModelConfig(vocab_size=8192, block_size=19, n_layer=3, n_head=2, n_embd=12)
SETTINGS = {"temperature": 0.9, "top_k": 50, "top_p": 0.9, "seed": 11}
TEXT = "How to wash a red cup"


@pytest.fixture(scope="module")
def runner(tmp_path_factory) -> Runner:
    """A tiny decoder with our vocabulary."""
    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(1)
    save_model(randomised(Decoder(TINY)), folder)
    return Runner(str(folder))


def shown(runner: Runner, text: str) -> tuple[dict, dict]:
    return unpack(runner.run(text).payload)


# the cache


def test_the_cache_drops_what_was_used_least_recently():
    cache = PayloadCache(limit=10)
    for key in "abc":
        cache.put(key, key.encode() * 3)
    assert cache.get("a") == b"aaa"  # used just now: b is the oldest
    cache.put("d", b"dddd")
    assert [cache.get(key) for key in "abcd"] == [b"aaa", None, b"ccc", b"dddd"]


def test_the_cache_is_bounded_in_bytes_and_keeps_the_newest_whatever_its_size():
    cache = PayloadCache(limit=10)
    for i in range(50):
        cache.put(str(i), bytes(4))
        assert sum(len(cache.get(str(j)) or b"") for j in range(i + 1)) <= 10
    cache.put("large", bytes(99))
    assert cache.get("large") == bytes(99)
    assert [cache.get(str(i)) for i in range(50)] == [None] * 50


def test_putting_a_key_again_replaces_it():
    cache = PayloadCache(limit=10)
    cache.put("a", b"old")
    cache.put("a", b"newer")
    assert cache.get("a") == b"newer"


def test_a_text_is_run_once_and_its_payload_kept(runner, monkeypatch):
    stored = runner.run("run me once")
    monkeypatch.setattr(runner, "payload", lambda text: pytest.fail("run again"))
    assert runner.run("run me once") == stored
    assert runner.payloads.get(stored.key) == stored.payload and stored.payload[:4] == b"HSP1"


# what is shown


def test_tokens_and_attention_are_those_of_the_text_behind_the_start_token(runner):
    header, arrays = shown(runner, TEXT)
    ids = [runner.tokenizer.start, *runner.tokenizer.encode(TEXT)]
    with torch.inference_mode(), record(runner.model) as trace:
        runner.model(torch.tensor([ids]))
    assert [token["id"] for token in header["tokens"]] == ids
    assert [token["special"] for token in header["tokens"]] == [True] + [False] * (len(ids) - 1)
    assert "".join(token["text"] for token in header["tokens"][1:]) == TEXT
    for layer in range(TINY.n_layer):
        assert np.abs(arrays["pattern"][layer] - trace.attention(layer)[0].numpy()).max() <= 1.6e-5


def test_a_long_text_is_cut_to_the_window_and_counted(runner):
    header, arrays = shown(runner, "red cup and " * 20)
    assert len(header["tokens"]) == TINY.block_size == arrays["pattern"].shape[-1]
    assert header["total"] == len(runner.encode("red cup and " * 20)) > TINY.block_size
    assert header["was_cut"] is False


def test_a_text_of_any_length_is_read_up_to_a_bound(runner):
    header, _ = shown(runner, "x " * MAX_CHARACTERS)
    assert (len(header["text"]), header["was_cut"]) == (MAX_CHARACTERS, True)
    assert header["total"] == 1 + len(runner.tokenizer.encode(("x " * MAX_CHARACTERS)[:MAX_CHARACTERS]))


def test_half_a_surrogate_pair_is_shown_as_the_replacement_character(runner):
    assert shown(runner, "a\ud83db")[0]["tokens"] == shown(runner, "a\ufffdb")[0]["tokens"]
    whole = shown(runner, "a\ud83d\ude42b")[0]
    assert whole["tokens"] == shown(runner, "a🙂b")[0]["tokens"]


def test_parts_of_a_character_are_marked_and_written_as_bytes(runner):
    tokens = runner.describe(runner.encode("日"))[1:]
    assert all(token["partial"] for token in tokens) and len(tokens) > 1
    assert "".join(token["text"] for token in tokens) == "".join(f"\\x{byte:02X}" for byte in "日".encode())
    assert not any(token["partial"] for token in runner.describe(runner.encode("day")))


def test_an_empty_text_is_the_start_token_alone(runner):
    header, arrays = shown(runner, "")
    assert [token["id"] for token in header["tokens"]] == [runner.tokenizer.start]
    assert arrays["pattern"].shape == (TINY.n_layer, TINY.n_head, 1, 1)


def test_the_shipped_examples_are_what_the_shipped_model_computes():
    """Else: python -m explorer.examples."""
    shipped = Runner()
    for index, text in enumerate(EXAMPLES.values()):
        (header, arrays), (now, fresh) = (unpack(p) for p in (example_file(index).read_bytes(), shipped.payload(text)))
        assert (header["text"], header["tokens"], header["model"]) == (text, now["tokens"], now["model"])
        assert np.abs(arrays["pattern"] - fresh["pattern"]).max() < 1e-4
        assert np.abs(arrays["next_probs"] - fresh["next_probs"]).max() < 1e-4
        assert np.abs(arrays["actual_probs"] - fresh["actual_probs"]).max() < 1e-4


# several users


def test_runs_at_the_same_time_do_not_mix(runner):
    """Eight threads, a text each, payloads and written tokens: as if each were alone."""
    texts = [f"the {word} again and {word}" for word in ("cup", "red", "dry", "wash", "boat", "fold", "make", "paper")]
    alone = [(runner.payload(text), [step["id"] for step in write(runner, text, [], 6, **SETTINGS)]) for text in texts]
    together, start = {}, threading.Barrier(len(texts))

    def work(i: int) -> None:
        start.wait()
        for _ in range(4):
            payload = runner.payload(texts[i])
            together.setdefault(i, set()).add((payload, *(s["id"] for s in write(runner, texts[i], [], 6, **SETTINGS))))

    threads = [threading.Thread(target=work, args=[i]) for i in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, (payload, ids) in enumerate(alone):
        assert together[i] == {(payload, *ids)}
    assert len({payload for payload, _ in alone}) == len(texts)


# models that this page cannot show


def failure_of(folder: Path) -> str:
    with pytest.raises(ValueError) as caught:
        Runner(str(folder)).run("a text")
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(folder), "FOLDER")


def test_an_encoder_that_should_write_is_refused_in_a_sentence(tmp_path):
    save_model(Encoder(replace(ENCODER, vocab_size=8192)), tmp_path)
    with pytest.raises(ValueError, match="is not a stand-alone decoder: this page shows models that predict the"):
        Runner(str(tmp_path)).check_writes()


def test_another_vocabulary_is_refused_in_a_sentence(tmp_path):
    save_model(Decoder(ModelConfig(vocab_size=29, block_size=11, n_layer=3, n_head=4, n_embd=24)), tmp_path)
    assert failure_of(tmp_path) == "FOLDER has a vocabulary of 29, but its tokenizer, wikihow-8k, of 8192"


def test_a_name_that_is_no_model_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="no model 'nonsense': give a folder"):
        Runner("nonsense").run("a text")


def test_warming_up_fails_quietly(capfd):
    Runner("nonsense").warm_up().join()
    assert capfd.readouterr() == ("", "")


# what heads do


def test_roles_are_those_that_are_measured_on_the_model(runner):
    measured = head_roles(runner.model, runner.tokenizer)
    assert [role["name"] for role in runner.roles] == [role.name for role in ROLES]
    for role in runner.roles:
        assert role["scores"] == measured.scores[role["name"]].tolist()
        assert role["lifts"] == measured.lifts[role["name"]].tolist()
        assert role["baseline"] == measured.baselines[role["name"]]


def test_a_model_that_sees_one_token_has_no_roles(tmp_path):
    save_model(Decoder(ModelConfig(vocab_size=8192, block_size=1, n_layer=1, n_head=1, n_embd=4)), tmp_path)
    assert unpack(Runner(str(tmp_path)).payload("a text"))[0]["roles"] == []
