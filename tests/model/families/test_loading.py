"""Folders as people have them: shards, halves, old words in config.json; what cannot be opened is one sentence."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

from llm_core.generation.sampling import generate
from llm_core.model.architectures import Decoder
from llm_core.model.checkpoints import CheckpointError, load_model, save_model, tokenizer_name
from llm_core.model.config import ModelConfig
from llm_core.model.packed import can_pack

from ...common import randomised
from .theirs import CASES, folder_of, ids_of, make

OLD_WORDS = {  # of config.json, as transformers 4 wrote them
    "llama 3": lambda c: {
        "rope_theta": c["rope_parameters"].pop("rope_theta"),
        "rope_scaling": {**c.pop("rope_parameters"), "type": "llama3"},
    },
    "gpt_neox": lambda c: {"rotary_pct": 0.25, "rotary_emb_base": 10000, "rope_parameters": None},
    "gpt_neo": lambda c: {"attention_layers": None},
}


@pytest.fixture
def folder(tmp_path) -> Path:
    """A copy of GPT-2's folder."""
    return shutil.copytree(folder_of("gpt2"), tmp_path / "gpt2")


def changed(folder: Path, **values) -> Path:
    config = json.loads((folder / "config.json").read_text()) | values
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def message_of(folder: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", CASES)
def test_every_tensor_of_the_file_is_used_or_known_to_be_of_no_use(name):
    """What is not used is on the family's list, name by name: here it is counted."""
    from llm_core.model.families.loading import family_of, skeleton

    description = json.loads((folder_of(name) / "config.json").read_text())
    shapes = {n: tuple(t.shape) for n, t in load_file(folder_of(name) / "model.safetensors").items()}
    model, steps = skeleton(description, shapes, folder_of(name))
    unused = set(shapes) - {step.theirs for step in steps}
    assert all(n.startswith("pooler.") for n in unused), unused
    assert {n for step in steps for n in step.ours} == {n for n, _ in model.named_parameters()}
    assert family_of(description).MODEL_TYPES


@pytest.mark.parametrize("name", OLD_WORDS)
def test_the_older_words_of_a_config_mean_the_same(name, tmp_path):
    folder = shutil.copytree(folder_of(name), tmp_path / "old")
    config = json.loads((folder / "config.json").read_text())
    changed(folder, **OLD_WORDS[name](config), **({"rope_parameters": None} if "rope_parameters" not in config else {}))
    ids = ids_of(name)
    assert torch.equal(load_model(folder)(ids), load_model(folder_of(name))(ids))


def test_shards(folder):
    whole = load_file(folder / "model.safetensors")
    names = sorted(whole)
    parts = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for part, chosen in parts.items():
        save_file({name: whole[name] for name in chosen}, folder / part)
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {name: part for part, chosen in parts.items() for name in chosen}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert torch.equal(load_model(folder)(ids_of("gpt2")), load_model(folder_of("gpt2"))(ids_of("gpt2")))
    (folder / "model-00002-of-00002.safetensors").unlink()
    assert "has no model-00002-of-00002.safetensors, which" in message_of(folder)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_read_as_float32(folder, dtype):
    weights = {name: tensor.to(dtype) for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors")
    ours, theirs = load_model(folder), make("gpt2")
    assert {p.dtype for p in ours.parameters()} == {torch.float32}
    table = ours.embedding.token_table.weight
    assert torch.equal(table, theirs.transformer.wte.weight.to(dtype).float())


def test_a_pickle_is_refused_with_the_way_to_convert_it(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    sentence = message_of(folder)
    assert "only pytorch_model.bin" in sentence and "never loaded" in sentence and "save_pretrained" in sentence


def test_an_unknown_family_is_named_beside_ours(folder):
    sentence = message_of(changed(folder, model_type="mamba"))
    assert "'mamba'" in sentence and "gpt2, llama, mistral" in sentence and "show(model, text)" in sentence


@pytest.mark.parametrize("kind", ["linear", "dynamic", "yarn", "longrope"])
def test_other_rotary_positions_are_refused_by_name(tmp_path, kind):
    folder = shutil.copytree(folder_of("llama"), tmp_path / "llama")
    changed(folder, rope_parameters=None, rope_scaling={"type": kind, "factor": 2.0})
    assert f"rope_type '{kind}' is not supported" in message_of(folder)


@pytest.mark.parametrize(
    "values, sentence",
    [
        ({"n_embd": 36}, "n_head=5 does not divide n_embd=36"),
        ({"n_layer": 4}, "the weights lack 16 of"),
        ({"n_layer": 2}, "has no place in this model"),
        ({"vocab_size": 54}, "makes embedding.token_table.weight"),
        ({"activation_function": "gelu_cubed"}, "activation_function='gelu_cubed' is not supported"),
        ({"n_head": None}, "config.json lacks n_head"),
        ({"n_layer": 10**9}, "n_layer=1000000000 is impossible"),
        ({"n_embd": "wide"}, "n_embd='wide' must be a whole number"),
    ],
)
def test_a_config_that_is_not_the_files(folder, values, sentence):
    assert sentence in message_of(changed(folder, **values))


def test_a_tensor_that_no_model_of_the_family_has(folder):
    weights = load_file(folder / "model.safetensors") | {"transformer.h.0.attn.surprise": torch.zeros(2)}
    save_file(weights, folder / "model.safetensors")
    assert "a model of this family has no tensor transformer.h.0.attn.surprise" in message_of(folder)


def test_its_tokenizer_is_in_the_folder(folder):
    assert tokenizer_name(folder) == str(folder)


@pytest.mark.parametrize("name, packs", [("gpt2", True), ("gpt2 scaled by layer", False), ("gpt_neo", False)])
def test_only_what_is_as_gpt2_takes_the_short_step(name, packs):
    assert can_pack(load_model(folder_of(name))) == packs


@pytest.mark.parametrize("bias, compiled", [(True, False), (False, True)])
def test_nanogpts_checkpoint(tmp_path, bias, compiled):
    """Written as its train.py writes it; the same numbers from ours, whose linear layers are laid out alike."""
    sizes = dict(n_layer=2, n_head=3, n_embd=24, block_size=11, vocab_size=29)
    ours = randomised(Decoder(ModelConfig(**sizes, bias=bias, mlp="gelu")))
    names = {"attn.out_proj": "attn.c_proj", "mlp.up_proj": "mlp.c_fc", "mlp.down_proj": "mlp.c_proj"}
    tensors = {"transformer.wte.weight": ours.lm_head.weight, "lm_head.weight": ours.lm_head.weight}
    tensors["transformer.wpe.weight"] = ours.embedding.position_table.weight
    for name, p in ours.named_parameters():
        part, kind = name.rsplit(".", 1)
        layer = "transformer." + part.replace("blocks", "h")
        for our_name, their_name in names.items():
            layer = layer.replace(our_name, their_name)
        if "embedding" not in name and not layer.endswith(("q_proj", "k_proj", "v_proj")):
            tensors[f"{layer}.{kind}"] = p
    for i, block in enumerate(ours.blocks):
        for kind in ("weight", "bias") if bias else ("weight",):
            parts = [getattr(getattr(block.attn, f"{part}_proj"), kind) for part in "qkv"]
            tensors[f"transformer.h.{i}.attn.c_attn.{kind}"] = torch.cat(parts)
    prefix = "_orig_mod." if compiled else ""
    checkpoint = {
        "model": {prefix + name: p.detach() for name, p in tensors.items()},
        "model_args": {**sizes, "bias": bias, "dropout": 0.1},
        "optimizer": {"state": {}},
        "config": {"dataset": "shakespeare"},
    }
    torch.save(checkpoint, tmp_path / "ckpt.pt")
    read, ids = load_model(tmp_path / "ckpt.pt"), torch.randint(29, (2, 7))
    assert_close(read(ids), ours(ids), atol=0, rtol=0)
    assert torch.equal(generate(read, ids, 3, temperature=0), generate(ours, ids, 3, temperature=0))


class Evil:
    def __reduce__(self):
        return (print, ("ran",))


def test_a_pt_file_runs_nothing(tmp_path, capsys):
    torch.save({"model": Evil(), "model_args": {}}, tmp_path / "ckpt.pt")
    assert "cannot be read as nanoGPT's checkpoint" in message_of(tmp_path / "ckpt.pt")
    assert capsys.readouterr().out == ""


def test_saved_as_ours_and_loaded_again(tmp_path):
    """A foreign model can be saved as one of ours: its config says what it does otherwise."""
    for name in ("qwen2", "roberta", "t5 v1.1"):
        model = load_model(folder_of(name))
        save_model(model, tmp_path / name)
        again = load_model(tmp_path / name)
        for (n, p), (m, q) in zip(model.named_parameters(), again.named_parameters(), strict=True):
            assert n == m and torch.equal(p, q)
