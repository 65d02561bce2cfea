"""The training loop against one written out by hand, and the command line from articles to a model."""

import json
import math
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from llm_core import load_model, load_tokenizer
from llm_core.model.architectures import Decoder
from llm_core.model.config import ModelConfig
from llm_core.text.articles import read_articles
from llm_core.train import command as train
from llm_core.train import optimizers
from llm_core.train.config import TrainConfig
from llm_core.train.data import IGNORE, PackedBatches, TokenStore
from llm_core.train.distributed import Worker
from llm_core.train.loop import (
    ARCHITECTURES,
    Trainer,
    batches_for,
    build_model,
    evaluate,
)
from llm_core.train.loss_plot import plot_history
from llm_core.train.optimizers import make_optimizer
from llm_core.train.schedule import learning_rate, snapshot_steps
from tests.common import build
from tests.train.tiny_run import ARTICLES, STEPS, losses, run_here

B, T, V = 8, 21, 8192
SIZES = ModelConfig(
    vocab_size=V, block_size=T, n_layer=2, n_head=3, n_embd=24, attn_pdrop=0, resid_pdrop=0, embd_pdrop=0
)
CONFIG = TrainConfig(
    steps=5, batch_size=B, micro_batch_size=B, learning_rate=1e-2, warmup_steps=2, grad_clip=0.3, log_every=1
)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> TokenStore:
    return TokenStore.build(read_articles(str(ARTICLES)), load_tokenizer(), tmp_path_factory.mktemp("tokens") / "all")


def trained(folder: Path, store: TokenStore, config: TrainConfig, sizes: ModelConfig = SIZES) -> list[dict]:
    """The history of a decoder that was trained on ``store``."""
    torch.manual_seed(0)
    batches = PackedBatches(store, T)
    trainer = Trainer(Decoder(sizes), config, batches, batches, folder, Worker())
    trainer.run()
    return [entry for entry in trainer.history.read() if "loss" in entry]


def column(entries: list[dict], name: str) -> list[float]:
    return [entry[name] for entry in entries]


def adamw_by_hand(store: TokenStore, config: TrainConfig) -> tuple[list[float], list[float]]:
    """Losses and gradient norms of the same run, every formula written out (Loshchilov & Hutter 2017, algorithm 2)."""
    torch.manual_seed(0)
    model = Decoder(SIZES)
    parameters = dict(model.named_parameters())
    mean = {name: torch.zeros_like(p) for name, p in parameters.items()}
    square = {name: torch.zeros_like(p) for name, p in parameters.items()}
    values, norms = [], []
    for step in range(config.steps):
        batch = PackedBatches(store, T).batch(step, B)
        loss = -model(batch.ids).log_softmax(-1).gather(2, batch.targets[..., None]).mean()
        gradients = torch.autograd.grad(loss, parameters.values())
        norm = math.sqrt(sum(float(g.square().sum()) for g in gradients))
        values.append(loss.item())
        norms.append(norm)
        for (name, p), g in zip(parameters.items(), gradients):
            g = g * min(1.0, config.grad_clip / norm)
            mean[name] = config.beta1 * mean[name] + (1 - config.beta1) * g
            square[name] = config.beta2 * square[name] + (1 - config.beta2) * g * g
            direction = mean[name] / (1 - config.beta1 ** (step + 1))
            direction = direction / ((square[name] / (1 - config.beta2 ** (step + 1))).sqrt() + 1e-8)
            decay = 0.0 if "bias" in name or "ln_" in name else config.weight_decay
            p.data -= learning_rate(config, step) * (direction + decay * p.data)
    return values, norms


def test_the_loop_is_clipped_adamw(store, tmp_path):
    values, norms = adamw_by_hand(store, CONFIG)
    assert min(norms) > CONFIG.grad_clip  # so that clipping matters
    history = trained(tmp_path / "ours", store, CONFIG)
    assert column(history, "loss") == pytest.approx(values, abs=2e-4)
    assert column(history, "grad_norm") == pytest.approx(norms, rel=1e-2)
    for change in ({"grad_clip": 100.0}, {"weight_decay": 3.0}):
        other = trained(tmp_path / next(iter(change)), store, replace(CONFIG, **change))
        assert abs(other[-1]["loss"] - values[-1]) > 1e-3


def test_history_names_the_rate_and_the_tokens(store, tmp_path):
    history = trained(tmp_path, store, replace(CONFIG, steps=3))
    assert column(history, "step") == [1, 2, 3]
    assert column(history, "lr") == pytest.approx([5e-3, 1e-2, 1e-2])
    assert column(history, "tokens") == [B * T, 2 * B * T, 3 * B * T]
    for entry in history:
        assert entry["tokens_per_second"] == pytest.approx(entry["tokens"] / entry["seconds"])


def test_two_micro_batches_of_four_are_one_of_eight(store, tmp_path):
    whole = trained(tmp_path / "whole", store, CONFIG)
    halves = trained(tmp_path / "halves", store, replace(CONFIG, micro_batch_size=4))
    assert column(halves, "loss") == pytest.approx(column(whole, "loss"), abs=1e-4)
    assert column(halves, "grad_norm") == pytest.approx(column(whole, "grad_norm"), rel=1e-3)


def test_bf16_rounds_and_learns_the_same(store, tmp_path):
    exact = column(trained(tmp_path / "float32", store, CONFIG), "loss")
    rounded = column(trained(tmp_path / "bf16", store, replace(CONFIG, bf16=True)), "loss")
    assert rounded != exact
    assert rounded == pytest.approx(exact, abs=0.05)


def test_the_whole_loss_is_one_graph_for_the_compiler(store, tmp_path, monkeypatch):
    """``fullgraph`` raises where the compiler would have to give up; the "eager" backend needs no C++ compiler."""
    exact = column(trained(tmp_path / "plain", store, CONFIG), "loss")
    compiled = []

    def count(graph, _inputs):
        compiled.append(graph)
        return graph

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=count, fullgraph=True))
    assert column(trained(tmp_path / "compiled", store, replace(CONFIG, compile=True)), "loss") == pytest.approx(
        exact, abs=1e-4
    )
    assert len(compiled) == 1


def test_decay_takes_matrices_only_and_each_parameter_once():
    model = build("cross")
    optimizer = make_optimizer(model, TrainConfig(learning_rate=0.5, weight_decay=0.25))
    listed = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(listed) == sorted({id(p) for p in model.parameters()})
    assert listed.count(id(model.decoder.lm_head.weight)) == 1  # though the embedding has it too
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    for name, p in model.named_parameters():
        factor = 1 - 0.5 * 0.25 if p.dim() == 2 else 1.0
        torch.testing.assert_close(p.detach(), factor * before[name], msg=name)


def test_muon_takes_the_matrices_of_the_blocks_and_makes_their_update_orthogonal():
    model = build("prefix")
    config = TrainConfig(learning_rate=0.5, weight_decay=0.0, optimizer="muon")
    optimizer = make_optimizer(model, config)
    listed = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(listed) == sorted({id(p) for p in model.parameters()}) and len(listed) == len(set(listed))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    torch.manual_seed(0)
    for p in model.parameters():
        p.grad = torch.randn_like(p)
    optimizer.step()
    for name, p in model.named_parameters():
        update = p.detach() - before[name]
        if "blocks." in name and p.dim() == 2:
            singular = torch.linalg.svdvals(update) / (0.5 * 0.2 * math.sqrt(max(p.shape)))  # Liu et al. 2025
            assert singular.min() > 0.6 and singular.max() < 1.3, name
        else:
            torch.testing.assert_close(update, -0.5 * p.grad.sign(), rtol=1e-3, atol=1e-5, msg=name)  # Adam's first


@pytest.mark.parametrize("is_fast", [True, False])
def test_a_step_of_muon_is_pytorchs_whether_in_bf16_or_in_float32(is_fast, monkeypatch):
    monkeypatch.setattr(optimizers, "has_fast_bf16", lambda device: is_fast)
    shapes = [(24, 8), (8, 24), (16, 16), (5, 7)]
    ours, theirs = ([nn.Parameter(torch.full(shape, 0.5)) for shape in shapes] for _ in range(2))
    options = {"lr": 0.1, "weight_decay": 0.3}
    steps = optimizers.Muon(ours, **options), torch.optim.Muon(theirs, **options, adjust_lr_fn="match_rms_adamw")
    torch.manual_seed(0)
    for _ in range(3):
        for a, b in zip(ours, theirs):
            a.grad = b.grad = torch.randn(a.shape)
        for optimizer in steps:
            optimizer.step()
    for a, b in zip(ours, theirs):
        assert (a - b).norm() <= (1e-6 if is_fast else 0.02) * (b - 0.5).norm()


def test_a_muon_run_resumes_with_the_losses_of_an_unbroken_one(tmp_path, store):
    config = replace(CONFIG, optimizer="muon")
    whole = trained(tmp_path / "whole", store, config)
    torch.manual_seed(0)
    batches = PackedBatches(store, T)
    first = Trainer(Decoder(SIZES), config, batches, batches, tmp_path / "parts", Worker())
    for _ in range(config.steps // 2):
        first.train_step()
    first.save()
    rest = column(trained(tmp_path / "parts", store, config), "loss")
    assert 0 < len(rest) < len(whole) and rest == column(whole, "loss")[-len(rest) :]


def test_each_snapshot_is_a_model(tmp_path, store):
    config = replace(CONFIG, snapshots=4)
    trained(tmp_path, store, config)
    folders = sorted((tmp_path / "snapshots").iterdir())
    assert [int(folder.name) for folder in folders] == sorted(snapshot_steps(config.steps, 4))
    first, last = load_model(folders[0]), load_model(folders[-1])
    assert not torch.equal(first.lm_head.weight, last.lm_head.weight)


def test_evaluation_weighs_targets_equally_and_drops_nothing(store):
    tokenizer = load_tokenizer()
    torch.manual_seed(1)
    model = build_model("encoder-decoder-cross", replace(SIZES, attn_pdrop=0.5, resid_pdrop=0.5, embd_pdrop=0.5))
    batches = batches_for(model, store, T, tokenizer, seed=3)
    rows = [batches.batch(i, 1) for i in range(6)]
    model.eval()
    each = [
        F.cross_entropy(model(row.ids, row.decoder_ids, row.attention_mask)[0], row.targets[0], reduction="sum").item()
        for row in rows
    ]
    count = sum(int((row.targets != IGNORE).sum()) for row in rows)
    model.train()
    loss, num_targets = evaluate(model, batches, num_batches=2, B=3)
    assert (num_targets, model.training) == (count, True)
    assert loss == pytest.approx(sum(each) / count, abs=1e-5)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", 0),
        ("micro_batch_size", 0),
        ("save_every", -1),
        ("learning_rate", 0.0),
        ("learning_rate", math.nan),
        ("grad_clip", 0.0),
        ("warmup_steps", -1),
        ("weight_decay", -0.1),
        ("beta2", 1.0),
        ("final_lr_fraction", 1.5),
        ("device", "abacus"),
        ("device", "meta"),
        ("schedule", "linear"),
        ("decay_steps", 7),
    ],
)
def test_impossible_settings_are_named(field, value):
    with pytest.raises(ValueError, match=f"{field}={value}: must be "):
        TrainConfig(**{field: value})


@pytest.mark.parametrize(("batch_size", "world_size"), [(10, 1), (8, 3), (2, 1)])
def test_a_batch_that_cannot_be_shared_out_is_refused(batch_size, world_size):
    with pytest.raises(ValueError, match=f"batch_size={batch_size} must be a multiple of micro_batch_size=4 "):
        TrainConfig(batch_size=batch_size, micro_batch_size=4).accumulation(world_size)
    assert TrainConfig(batch_size=24, micro_batch_size=4).accumulation(world_size) == 6 // world_size


def test_no_such_architecture():
    with pytest.raises(ValueError, match="no architecture 'recurrent'; there are encoder, decoder"):
        build_model("recurrent", SIZES)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_command_line_makes_a_model_with_the_loss_on_its_card(architecture, tmp_path, capsys):
    assert run_here(tmp_path, model=architecture) == 0
    history = losses(tmp_path)
    assert history["loss", 1] == pytest.approx(math.log(V), abs=0.2)
    assert history["held_out_loss", STEPS] < history["loss", 1] - 0.5
    card = (tmp_path / "model" / "README.md").read_text()
    stated, num_targets = re.search(r"Held-out loss \| ([\d.]+) nats .*\(([\d,]+) places", card).groups()
    loss, count = held_out_by_hand(tmp_path)
    assert float(stated) == pytest.approx(loss, abs=3e-3)  # the file has float16
    assert int(num_targets.replace(",", "")) == count
    captured = capsys.readouterr()
    assert f"held-out loss {stated} nats" in captured.out
    assert re.search(rf" {STEPS}/{STEPS} \[\d\d:\d\d<\d\d:\d\d, .*loss \d\.\d{{3}}, [\d,]+ tokens/s\]", captured.err)


def held_out_by_hand(folder: Path) -> tuple[float, int]:
    """Mean loss of the written model over the held-out windows, and the number of targets."""
    model, store = load_model(folder / "model"), TokenStore(folder / "tokens" / "validation")
    batches = batches_for(model, store, 32, load_tokenizer(), seed=0)
    num_windows = len(store.bounds) if "Pair" in type(batches).__name__ else (len(store) - 1) // 32 - 1
    total = count = 0
    for i in range(num_windows // 8):
        batch = batches.batch(i, 8)
        inputs = {name: x for name, x in vars(batch).items() if x is not None and name != "targets"}
        with torch.no_grad():
            surprise = -model(**inputs).log_softmax(-1)  # (B, T, V)
        real = batch.targets != IGNORE
        total += float(surprise[real].gather(1, batch.targets[real][:, None]).sum())
        count += int(real.sum())
    return total / count, count


def test_a_rate_that_is_far_too_high_ends_with_a_sentence(tmp_path):
    message = run_here(tmp_path, learning_rate=1e6, warmup_steps=0, log_every=50, save_every=7)
    sentence = (
        r"error: at step \d+ the loss is (\S+) and its gradients have norm (\S+): the learning rate 1000000.0 is .*"
    )
    loss, norm = map(float, re.fullmatch(sentence, message).groups())
    assert not math.isfinite(loss + norm)
    assert not (tmp_path / "state.safetensors").exists()  # nothing that is broken was saved


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"n_embd": 25}, "error: n_head=3 does not divide n_embd=25"),
        ({"batch_size": 5}, "error: batch_size=5 must be a multiple of micro_batch_size=2 times 1 process"),
        ({"data": "nowhere.jsonl"}, "error: train articles: no file nowhere.jsonl"),
        ({"held_out": 1e-9}, "error: validation articles: .*; give --validation, or a larger --held-out"),
        ({"block_size": 9000}, "error: .* tokens are too few for a window of 9000"),
    ],
)
def test_a_mistake_in_the_command_is_one_sentence_and_can_be_corrected(changes, sentence, tmp_path):
    message = run_here(tmp_path, **changes)
    assert re.match(sentence, message)
    assert "\n" not in message
    assert not (tmp_path / "run.json").exists()  # the folder is still free for the right command


def test_held_out_articles_can_be_files_of_their_own(tmp_path):
    rows = [json.loads(line) for line in ARTICLES.read_text().splitlines()]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows[:30])))
    (tmp_path / "b.jsonl").write_text("\n".join(map(json.dumps, rows[30:])))
    assert run_here(tmp_path / "run", data=tmp_path / "a.jsonl", validation=tmp_path / "b.jsonl", steps=1) == 0
    sizes = [len(TokenStore(tmp_path / "run" / "tokens" / part).bounds) for part in ("train", "validation")]
    assert sizes == [30, len(rows) - 30]


def test_a_link_to_tokens_of_another_run_is_replaced_and_they_are_left_alone(tmp_path, store):
    link = tmp_path / "run" / "tokens" / "train"
    link.parent.mkdir(parents=True)
    link.symlink_to(store.folder)
    before = {path.name: path.read_bytes() for path in store.folder.iterdir()}
    assert run_here(tmp_path / "run", steps=1) == 0
    assert {path.name: path.read_bytes() for path in store.folder.iterdir()} == before
    assert not link.is_symlink()
    assert 0 < len(TokenStore(link)) < len(store)


@pytest.mark.parametrize(
    ("architecture", "steps", "expected"),
    [("decoder", 300, True), ("encoder-decoder-cross", 300, True), ("decoder", 299, False)],
)
def test_compiles_unasked_where_it_pays(architecture, steps, expected, monkeypatch):
    monkeypatch.setattr(train, "can_compile", lambda: True)
    words = ["--model", architecture, "--steps", str(steps), "--data", "a.jsonl", "--out", "run"]
    assert train.train_config(train.parse_arguments(words)).compile is expected
    assert train.train_config(train.parse_arguments([*words, "--no-compile"])).compile is False
    assert train.train_config(train.parse_arguments([*words, "--compile"])).compile is True


def test_plot_draws_both_losses(tmp_path):
    history = [{"step": i, "tokens": 10**6 * i, "loss": 9 - i} for i in range(1, 6)]
    plot_history(history, tmp_path / "train.png")
    plot_history([*history, {"step": 3, "tokens": 3 * 10**6, "held_out_loss": 8.0}], tmp_path / "both.png")
    from matplotlib.image import imread

    one, two = (imread(tmp_path / name)[..., :3] for name in ("train.png", "both.png"))
    assert one.shape == two.shape == (480, 840, 3)
    blue = np.array([0x1F, 0x77, 0xB4]) / 255  # matplotlib's first colour
    assert (np.abs(one - blue).max(-1) < 0.02).sum() > 300
    assert np.abs(one - two).max() > 0.5
