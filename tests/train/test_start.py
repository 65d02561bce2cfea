"""What a run starts from: any text, packed tokens, a model, a tokenizer of one's own, and the device it finds."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from llm_core import load_model, load_tokenizer
from llm_core.model.checkpoints import tokenizer_name
from llm_core.text.tokenizer import save_ranks
from llm_core.train import command as train
from llm_core.train import devices
from llm_core.train.data import TokenStore
from llm_core.train.run_state import History, read_settings
from tests.train.tiny_run import ARTICLES, losses, run_here

ONE = {"steps": 1, "warmup_steps": 1}
ROWS = [json.loads(line) for line in ARTICLES.read_text().splitlines()]


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    assert run_here(folder, **ONE) == 0
    return folder


# --- text ---


def text_file(folder: Path) -> Path:
    path = folder / "text.txt"
    path.write_text("\n\n".join(row["text"] for row in ROWS))
    return path


def test_plain_text_is_enough(tmp_path, capsys):
    assert run_here(tmp_path / "run", data=text_file(tmp_path), tokenizer="bytes", **ONE) == 0
    stores = [TokenStore(tmp_path / "run" / "tokens" / part) for part in ("train", "validation")]
    assert not any(store.has_titles for store in stores)
    words = " ".join(row["text"] for row in ROWS).split()
    assert sum(store.num_bytes for store in stores) == pytest.approx(len(" ".join(words)), rel=0.1)
    assert tokenizer_name(tmp_path / "run" / "model") == "bytes"
    assert load_model(tmp_path / "run" / "model").config.vocab_size == 260
    assert "WikiHow" not in (tmp_path / "run" / "model" / "README.md").read_text()
    error = capsys.readouterr().err
    assert "held-out articles: 100%" in error and "samples: 100%" in error  # the end is not silent


def test_the_columns_can_have_other_names(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"name": row["title"], "body": row["text"]}) + "\n" for row in ROWS))
    message = run_here(tmp_path / "run", data=path, **ONE)
    assert message == (
        f"error: train articles: {path} has no column 'text' for the text (--text-column); found are name, body"
    )
    assert run_here(tmp_path / "run", data=path, text_column="body", title_column="name", **ONE) == 0
    assert TokenStore(tmp_path / "run" / "tokens" / "train").has_titles


def test_titles_are_needed_where_they_are_learned_from(tmp_path):
    message = run_here(tmp_path / "run", data=text_file(tmp_path), model="encoder-decoder-cross", **ONE)
    assert message.startswith("error: train articles: none of them has a title, and encoder-decoder-cross learns to ")


def test_what_is_skipped_is_told_before_training_begins(tmp_path, capsys):
    path, bad = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    path.write_text("null\n" + ARTICLES.read_text() + '{"title": "t", "text": ""}\n')
    bad.write_text("[]\n" * 5)
    assert run_here(tmp_path / "run", data=path, validation=path, **ONE) == 0
    told = "50 rows read, 1 skipped (not an object), 1 skipped (text is empty)"
    assert capsys.readouterr().out.count(told) == 2
    message = run_here(tmp_path / "other", data=path, validation=bad, **ONE)
    assert message == f"error: validation articles: {bad} is hardly usable: 5 rows read, 5 skipped (not an object)"


# --- packed tokens ---


@pytest.mark.parametrize("name", ["", "tokens.u16"])
def test_packed_tokens_are_read_where_they_are(name, finished, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)  # as on a machine that lacks it
    parts = {option: finished / "tokens" / part / name for option, part in (("data", "train"), ("validation",) * 2)}
    assert run_here(tmp_path, **parts, **ONE) == 0
    assert losses(tmp_path) == pytest.approx(losses(finished), abs=1e-6)
    assert (tmp_path / "tokens" / "train").is_symlink()
    assert (tmp_path / "tokens" / "train").resolve() == (finished / "tokens" / "train").resolve()


def test_packed_tokens_that_do_not_fit_are_one_sentence(finished, tmp_path):
    packed = finished / "tokens" / "train"
    parts = {"data": packed, "validation": packed}
    assert run_here(tmp_path, data=packed, **ONE) == (
        f"error: {packed} is packed, so no share of it can be held out: give --validation"
    )
    assert run_here(tmp_path, **parts, tokenizer="bytes", **ONE) == (
        f"error: train articles: {packed} has tokens of a vocabulary of 8,192, and the tokenizer bytes one of 260"
    )


# --- a tokenizer ---


def test_a_tokenizer_of_ones_own_travels_with_the_model(tmp_path):
    save_ranks([bytes([byte]) for byte in range(256)] + [b"th", b" th"], tmp_path / "own.tiktoken")
    run = tmp_path / "run"
    assert run_here(run, tokenizer=tmp_path / "own.tiktoken", snapshots=2, **ONE) == 0
    (tmp_path / "own.tiktoken").unlink()
    for model in (run / "model", run / "snapshots" / "000001"):
        tokenizer = load_tokenizer(tokenizer_name(model))
        assert tokenizer.encode("the") == [256, ord("e")]
        assert load_model(model).config.vocab_size == tokenizer.n_vocab == 262
    assert "byte-level BPE of 262 tokens" in (run / "model" / "README.md").read_text()


def test_a_tokenizer_without_marks_is_refused(tmp_path, monkeypatch):
    bare = SimpleNamespace(end=5, pad=None, mask=None, start=None, n_vocab=6)
    monkeypatch.setattr(train, "load_tokenizer", lambda name: bare)
    assert run_here(tmp_path, tokenizer="gpt2", **ONE) == (
        "error: the tokenizer gpt2 has no <|padding|>: make one with python -m llm_core.tokenizer"
    )


# --- a model ---


def test_a_run_can_start_from_a_model(finished, tmp_path):
    sizes = {"n-layer": 2, "n-head": 3, "n-embd": 24, "block-size": 32}
    frozen = {"learning_rate": 1e-12, "init_from": finished / "model", "snapshots": 2, **ONE}
    assert run_here(tmp_path, **frozen) == 0
    old, new = load_model(finished / "model"), load_model(tmp_path / "snapshots" / "000000")
    for (name, a), b in zip(old.named_parameters(), new.parameters()):
        assert torch.equal(a, b), name
    assert read_settings(tmp_path)["init_from"] == str(finished / "model")
    words = ["--data", "a.jsonl", "--out", "run", "--init-from", str(finished / "model")]
    args = train.parse_arguments(words)
    assert {name: getattr(args, name.replace("-", "_")) for name in sizes} == sizes
    assert (args.model, args.tokenizer) == ("decoder", "wikihow-8k")
    (finished / "model").rename(finished / "gone")  # what has begun does not need it any more
    assert run_here(tmp_path, **frozen) == 0
    (finished / "gone").rename(finished / "model")


def test_a_shipped_model_is_named(tmp_path):
    words = ["--data", "a.jsonl", "--out", str(tmp_path), "--init-from", "encoder-decoder-cross"]
    args = train.parse_arguments(words)
    assert (args.model, args.encoder_layers, args.n_layer, args.n_embd) == ("encoder-decoder-cross", 2, 3, 256)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"n_layer": 3}, "n_layer=3"),
        ({"tokenizer": "bytes"}, "tokenizer=bytes"),
        ({"model": "encoder"}, "model=encoder"),
    ],
)
def test_a_model_of_other_sizes_is_one_sentence(change, told, finished, tmp_path):
    message = run_here(tmp_path, **{**ONE, "init_from": finished / "model", **change})
    assert message.startswith(f"error: {told}: {finished / 'model'}, to start from, has ")


# --- TensorBoard ---


def test_the_history_goes_to_tensorboard_where_it_is_installed(tmp_path, monkeypatch):
    written = []

    class Writer:
        def __init__(self, folder: Path, purge_step: int):
            written.append((folder, purge_step))

        def add_scalar(self, *scalar: object) -> None:
            written.append(scalar)

        def close(self) -> None:
            written.append("closed")

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=Writer))
    assert run_here(tmp_path, **ONE) == 0
    entries = History(tmp_path / "history.jsonl").read()
    scalars = [(name, value, entry["step"]) for entry in entries for name, value in entry.items() if name != "step"]
    assert written == [(tmp_path / "tensorboard", 1), *scalars, "closed"]
    assert {"loss", "held_out_loss", "lr"} <= {name for name, _, _ in scalars}


def test_without_tensorboard_there_is_only_the_history(finished):
    assert not (finished / "tensorboard").exists()


# --- the device ---


@pytest.mark.parametrize("device", ["mps", "cuda", "cuda:7", "xpu", "abacus", "meta"])
def test_a_device_that_is_not_there_is_one_sentence(device, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert run_here(tmp_path, device=device, **ONE) == (
        f"error: device={device}: must be a device that PyTorch finds on this machine, such as cpu"
    )


@pytest.mark.parametrize(("present", "expected"), [((), "cpu"), (("mps",), "mps"), (("cuda", "mps"), "cuda")])
def test_a_gpu_is_the_default_where_there_is_one(present, expected, monkeypatch):
    monkeypatch.setattr(devices, "is_present", lambda device: device in present)
    assert devices.default_device() == expected


def test_an_apple_gpu_computes_in_float32_unasked():
    assert not devices.has_fast_bf16("mps")
    assert devices.describe_device("mps", False, False).startswith("MPS of ")
