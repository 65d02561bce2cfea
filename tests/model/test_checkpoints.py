"""Saving and loading: what comes back is equal, and whatever is wrong with a checkpoint is one sentence."""

import builtins
import errno
import json
import os
import pickle
from fnmatch import fnmatch
from unittest.mock import MagicMock

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file, save_file

from llm_core.model import checkpoints
from llm_core.model.architectures import Encoder, EncoderDecoder
from llm_core.model.checkpoints import (
    CheckpointError,
    list_models,
    load_model,
    num_parameters,
    save_model,
    tokenizer_name,
)
from llm_core.text.tokenizer import load_tokenizer, save_ranks

from ..common import DECODER, ENCODER, build

T, S = 7, 5
ARCHITECTURES = ["decoder", "encoder", "prefix", "cross"]


def new_model(name):
    torch.manual_seed(1)
    return build(name)


def logits(model):
    titles = torch.arange(2 * S).view(2, S)
    ids = torch.arange(2 * T).view(2, T) * 5 % DECODER.vocab_size
    with torch.no_grad():
        return model(titles, ids) if isinstance(model, EncoderDecoder) else model(ids)


@pytest.fixture
def saved(tmp_path):
    """A good checkpoint of a decoder, to be damaged."""
    save_model(new_model("decoder"), tmp_path / "model", card="# A card\n")
    return tmp_path / "model"


def change_config(folder, **values):
    description = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**description, **values}))


def change_tensors(folder, change):
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def message_of(name_or_path):
    """The sentence that loading fails with: one line."""
    with pytest.raises(CheckpointError) as caught:
        load_model(name_or_path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- what is saved comes back ---


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_round_trip_is_exact(name, tmp_path):
    model = new_model(name)
    save_model(model, tmp_path)
    loaded = load_model(tmp_path)
    assert type(loaded) is type(model) and not loaded.training
    assert getattr(loaded, "conditioning", None) == getattr(model, "conditioning", None)
    assert torch.equal(logits(loaded), logits(model))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_half_precision_halves_the_file(name, tmp_path):
    model = new_model(name)
    save_model(model, tmp_path / "full")
    save_model(model, tmp_path / "half", dtype=torch.float16)
    loaded = load_model(tmp_path / "half")
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    assert torch.allclose(logits(loaded), logits(model), atol=0.02)
    assert not torch.equal(logits(loaded), logits(model))
    numbers = num_parameters(model)
    head = (tmp_path / "full/model.safetensors").stat().st_size - 4 * numbers
    assert (tmp_path / "half/model.safetensors").stat().st_size == pytest.approx(2 * numbers + head, abs=512)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_tied_matrix_is_stored_once_and_tied_again(name, tmp_path):
    save_model(new_model(name), tmp_path)
    assert not any("lm_head" in tensor for tensor in load_file(tmp_path / "model.safetensors"))
    loaded = load_model(tmp_path)
    for stack in [loaded.encoder, loaded.decoder] if isinstance(loaded, EncoderDecoder) else [loaded]:
        assert stack.lm_head.weight is stack.embedding.token_table.weight
    assert not any(p.is_meta for p in loaded.parameters()) and all(p.requires_grad for p in loaded.parameters())


def test_a_shared_matrix_counts_once():
    V, S, C, layers = 29, 11, 24, 3
    per_layer = 4 * (C * C + C) + (8 * C * C + 5 * C) + 4 * C  # attention, MLP, two norms
    assert num_parameters(new_model("decoder")) == V * C + S * C + layers * per_layer + 2 * C


def test_config_file_says_what_the_model_is(tmp_path):
    save_model(new_model("cross"), tmp_path, card="# Wörter\n")
    assert json.loads((tmp_path / "config.json").read_text()) == {
        "architecture": "encoder-decoder",
        "conditioning": "cross",
        "config": {"encoder": ENCODER.to_dict(), "decoder": DECODER.to_dict()},
        "tokenizer": "wikihow-8k",
    }
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == "# Wörter\n"
    save_model(new_model("decoder"), tmp_path / "bare")
    assert sorted(os.listdir(tmp_path / "bare")) == ["config.json", "model.safetensors"]
    assert "conditioning" not in json.loads((tmp_path / "bare/config.json").read_text())


def test_a_checkpoint_says_which_tokenizer_its_ids_are_of(tmp_path):
    save_model(new_model("prefix"), tmp_path, tokenizer="bytes")
    assert json.loads((tmp_path / "config.json").read_text())["tokenizer"] == tokenizer_name(tmp_path) == "bytes"
    assert load_model(tmp_path).conditioning == "prefix"
    save_model(new_model("prefix"), tmp_path)
    assert tokenizer_name(str(tmp_path)) == tokenizer_name("decoder") == "wikihow-8k"
    config = json.loads((tmp_path / "config.json").read_text())
    del config["tokenizer"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert tokenizer_name(tmp_path) == "wikihow-8k"


def test_a_rank_file_of_ones_own_lies_beside_the_weights(tmp_path):
    save_ranks([bytes([byte]) for byte in range(256)] + [b"th"], tmp_path / "own.tiktoken")
    save_model(new_model("decoder"), tmp_path / "model", tokenizer=tmp_path / "own.tiktoken")
    (tmp_path / "model").rename(tmp_path / "moved")
    (tmp_path / "own.tiktoken").unlink()
    assert json.loads((tmp_path / "moved" / "config.json").read_text())["tokenizer"] == "tokenizer.tiktoken"
    assert load_tokenizer(tokenizer_name(tmp_path / "moved")).encode("the") == [256, ord("e")]


@pytest.mark.parametrize("name", ["gpt2", "../../secret.tiktoken", "", 8, None, ["bytes"]], ids=repr)
def test_a_checkpoint_names_no_other_tokenizer(tmp_path, name):
    """Neither a file nor one that would be downloaded."""
    sentence = f"unknown tokenizer {name!r}; known are wikihow-8k, bytes"
    save_model(new_model("decoder"), tmp_path)
    before = (tmp_path / "config.json").read_text()
    with pytest.raises(CheckpointError) as caught:
        save_model(new_model("decoder"), tmp_path, tokenizer=name)
    assert str(caught.value) == sentence and (tmp_path / "config.json").read_text() == before
    (tmp_path / "config.json").write_text(json.dumps({**json.loads(before), "tokenizer": name}))
    with pytest.raises(CheckpointError) as caught:
        tokenizer_name(tmp_path)
    assert str(caught.value) == f"{tmp_path / 'config.json'}: {sentence}"


def test_overwriting_the_file_does_not_reach_into_a_loaded_model(saved):
    loaded = load_model(saved)
    before = logits(loaded)
    with open(saved / "model.safetensors", "r+b") as file:
        file.write(bytes(10_000))
    assert torch.equal(logits(loaded), before)


def test_another_class_cannot_be_saved(tmp_path):
    with pytest.raises(CheckpointError, match="Linear cannot be saved: it must be one of decoder, encoder"):
        save_model(torch.nn.Linear(2, 3), tmp_path)
    assert os.listdir(tmp_path) == []


# --- a damaged checkpoint is one sentence ---


@pytest.mark.parametrize("rest", [0, 4, 300, -1])
def test_truncated_weights(saved, rest):
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:rest])
    assert f"{path} is damaged or no safetensors file" in message_of(saved)


def test_weights_that_are_pickled_are_never_loaded(saved, tmp_path):
    witness = tmp_path / "ran"

    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(witness),)

    (saved / "model.safetensors").write_bytes(pickle.dumps(Bomb()))
    assert "is damaged or no safetensors file" in message_of(saved)
    (saved / "model.safetensors").rename(saved / "pytorch_model.bin")
    assert f"{saved} has no model.safetensors; weights in another format are never loaded" in message_of(saved)
    assert "is a file: give the folder that holds model.safetensors" in message_of(saved / "pytorch_model.bin")
    assert not witness.exists()


def test_wrong_shape_names_both_shapes(saved):
    change_config(saved, config={**DECODER.to_dict(), "vocab_size": 30})
    assert "embedding.token_table.weight has shape (29, 24), but config.json makes it (30, 24)" in message_of(saved)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda x: x.fill_(torch.nan), "NaN or infinity: its training diverged, or the file is damaged"),
        (
            lambda x: x.index_fill_(0, torch.tensor([3]), torch.inf),
            "NaN or infinity: its training diverged, or the file is",
        ),
        (lambda x: x.half().fill_(-torch.inf), "NaN or infinity: its training diverged, or the file is damaged"),
        (lambda x: x.to(torch.int8), "torch.int8, and weights are fractions (float16 to float64)"),
        (lambda x: x.bool(), "torch.bool, and weights are fractions (float16 to float64)"),
    ],
)
def test_what_no_model_can_compute_with_is_refused(saved, damage, told):
    change_tensors(saved, lambda tensors: tensors.update({"ln_f.bias": damage(tensors["ln_f.bias"])}))
    assert message_of(saved).startswith(f"{saved / 'model.safetensors'}: ln_f.bias holds {told}")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_kind_of_fraction_is_read(saved, dtype):
    change_tensors(saved, lambda tensors: tensors.update({"ln_f.bias": torch.full((24,), 0.5, dtype=dtype)}))
    bias = load_model(saved).ln_f.bias
    assert bias.dtype == torch.float32 and (bias == 0.5).all()


def test_missing_tensor(saved):
    change_tensors(saved, lambda tensors: tensors.pop("ln_f.weight"))
    assert "lacks 1 of 52 tensors, the first is ln_f.weight" in message_of(saved)


def test_unexpected_tensor(saved):
    change_tensors(saved, lambda tensors: tensors.update(extra=torch.zeros(3)))
    assert "has 1 unexpected tensors, the first is extra" in message_of(saved)


def test_missing_config(saved):
    (saved / "config.json").unlink()
    assert f"{saved} has no config.json" in message_of(saved)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"architecture": "deco', "\udcff"])
def test_config_that_is_no_json(saved, text):
    (saved / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert "config.json cannot be read as JSON" in message_of(saved)


def test_config_that_is_no_object(saved):
    (saved / "config.json").write_text("[1, 2]")
    assert "must hold one JSON object, not list" in message_of(saved)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"n_head": 5}, "n_head=5 does not divide n_embd=24"),
        ({"n_embd": 10**12 + 1}, "n_head=4 does not divide n_embd=1000000000001"),
        ({"n_layer": -1}, "n_layer=-1: must be a whole number of at least 1"),
        ({"n_embd": "24"}, "n_embd='24': must be a whole number of at least 1"),
        ({"resid_pdrop": 2}, "resid_pdrop=2: must be a probability"),
        ({"n_layer": 100}, "n_layer=100 is impossible: model.safetensors has 52 tensors in all"),
        ({"vocab_size": 10**18}, "config.json: these sizes are impossible, no tensor is that large"),
        ({"vocab_size": 10**30}, "config.json: these sizes are impossible, no tensor is that large"),
        ({"n_heads": 3}, "unknown config field 'n_heads'"),
    ],
)
def test_config_with_impossible_values(saved, change, sentence):
    change_config(saved, config={**DECODER.to_dict(), **change})
    assert sentence in message_of(saved)


@pytest.mark.parametrize("config", [None, 7, [], "tiny"])
def test_config_without_sizes(saved, config):
    change_config(saved, config=config)
    assert f"'config' must be an object with the model's sizes, not {config!r}" in message_of(saved)


def test_config_that_lacks_a_size(saved):
    change_config(saved, config={"vocab_size": 29})
    assert "incomplete config" in message_of(saved)


@pytest.mark.parametrize("architecture", ["mamba", None, 3, ["decoder"]])
def test_unknown_architecture_lists_the_known(saved, architecture):
    change_config(saved, architecture=architecture)
    known = "known are decoder, encoder, encoder-decoder"
    assert f"unknown architecture {architecture!r}; {known}" in message_of(saved)


def test_encoder_decoder_needs_both_halves_and_a_conditioning(tmp_path):
    save_model(new_model("prefix"), tmp_path)
    change_config(tmp_path, conditioning="suffix")
    assert 'conditioning=\'suffix\': must be "prefix" or "cross"' in message_of(tmp_path)
    change_config(tmp_path, conditioning="prefix", config={"encoder": ENCODER.to_dict()})
    assert "'decoder' must be an object with the model's sizes, not None" in message_of(tmp_path)


# --- a full disk leaves the old checkpoint whole ---


def no_space(*_arguments, **_options):
    raise OSError(errno.ENOSPC, "No space left on device")


def open_on_a_full_disk(path, mode="r", *more, real_open=builtins.open, **options):
    """``open``, but what is written is cut after 100 bytes."""
    file = real_open(path, mode, *more, **options)
    if "w" not in mode:
        return file
    full = MagicMock(wraps=file)
    full.__enter__.return_value = full
    full.__exit__.side_effect = lambda *_: file.close()
    full.write.side_effect = lambda content: file.write(content[:100]) and no_space()
    return full


@pytest.mark.parametrize(
    ("owner", "call", "fake"),
    [(os, "replace", no_space), (os, "fsync", no_space), (builtins, "open", open_on_a_full_disk)],
)
def test_a_full_disk_leaves_the_old_checkpoint_whole(saved, monkeypatch, owner, call, fake):
    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr(owner, call, fake)
        with pytest.raises(CheckpointError) as caught:
            save_model(new_model("encoder"), saved, card="# Another\n")
    assert str(caught.value) == (
        f"{saved} could not be written (No space left on device); what was saved there before is unchanged"
    )
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before
    assert torch.equal(logits(load_model(saved)), logits(new_model("decoder")))


def test_no_file_is_replaced_before_all_are_on_the_disk(saved, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda number: (calls.append("fsync"), fsync(number)))
    monkeypatch.setattr(os, "replace", lambda old, new: (calls.append("replace"), replace(old, new)))
    save_model(new_model("encoder"), saved, card="# Another\n")
    assert calls == ["fsync"] * 3 + ["replace"] * 3
    assert isinstance(load_model(saved), Encoder)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="could not be written"):
        save_model(new_model("decoder"), tmp_path / "file" / "model")


# --- names: shipped, local, on the Hub ---


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A stand-in for assets/models with two good models, a damaged one and a stray file."""
    monkeypatch.setattr(checkpoints, "MODELS", tmp_path / "models")
    for name in ("encoder-decoder-prefix", "decoder", "broken"):
        save_model(new_model("prefix" if name == "encoder-decoder-prefix" else "decoder"), tmp_path / "models" / name)
    (tmp_path / "models/broken/model.safetensors").write_bytes(b"\0" * 50)
    (tmp_path / "models/notes.txt").write_text("")
    return tmp_path / "models"


def test_list_models_leaves_damaged_folders_out(shipped):
    found = [(info.name, info.architecture, info.num_parameters, info.path) for info in list_models()]
    pair = num_parameters(new_model("prefix"))
    assert found == [
        ("decoder", "decoder", num_parameters(new_model("decoder")), shipped / "decoder"),
        ("encoder-decoder-prefix", "encoder-decoder", pair, shipped / "encoder-decoder-prefix"),
    ]


def test_list_models_reads_no_weights(shipped, monkeypatch):
    monkeypatch.setattr(checkpoints, "_read_weights", no_space)
    assert len(list_models()) == 2


def test_nothing_ships(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "MODELS", tmp_path / "none")
    assert list_models() == []
    assert "or a shipped name (none)" in message_of("decoder")


def test_a_shipped_name_loads_from_anywhere(shipped, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert torch.equal(logits(load_model("decoder")), logits(new_model("decoder")))


def test_an_unknown_name_lists_the_shipped_ones(shipped):
    sentence = (
        "no model 'gpt5': give a folder, a Hub id (owner/name), or a shipped name (decoder, encoder-decoder-prefix)"
    )
    assert message_of("gpt5") == sentence


def test_home_is_expanded(saved, monkeypatch):
    monkeypatch.setenv("HOME", str(saved.parent))
    assert torch.equal(logits(load_model("~/model")), logits(new_model("decoder")))


def test_hub_id_fetches_weights_sizes_card_and_tokenizer_only(saved, monkeypatch):
    asked = []
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda name, **options: asked.append((name, options)) or saved
    )
    assert torch.equal(logits(load_model("somebody/a-model.v2")), logits(new_model("decoder")))
    assert [name for name, _ in asked] == ["somebody/a-model.v2"]
    patterns = asked[0][1].pop("allow_patterns")
    assert asked[0][1] == {} and not any(fnmatch("pytorch_model.bin", pattern) for pattern in patterns)
    wanted = [
        "model.safetensors",
        "model-00001-of-00002.safetensors",
        "config.json",
        "README.md",
        "tokenizer.json",
        "tokenizer.tiktoken",
    ]
    assert all(any(fnmatch(name, pattern) for pattern in patterns) for name in wanted)


def test_hub_without_our_files(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **_: str(tmp_path))
    assert f"{tmp_path} has no config.json" in message_of("somebody/other")


def test_hub_that_cannot_be_reached(monkeypatch):
    def unreachable(name, **_options):
        raise ConnectionError("no route to host\nand many more lines")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    assert message_of("somebody/model") == (
        "no folder somebody/model, and the Hub did not give a model of that name (ConnectionError: no route to host)"
    )


def test_a_path_that_does_not_exist_never_asks_the_hub(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: pytest.fail("asked the Hub"))
    for name in (tmp_path / "nowhere", "./runs/decoder", "../decoder", "~/nowhere", "a/b/c", "a//b", "owner/"):
        assert "give a folder, a Hub id (owner/name), or a shipped name" in message_of(name)
