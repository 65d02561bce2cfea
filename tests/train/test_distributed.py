"""Two gloo processes on a CPU, started by torchrun, against one that accumulates twice as often."""

from pathlib import Path

import pytest
import torch

from llm_core import load_tokenizer
from llm_core.model.config import ModelConfig
from llm_core.text.articles import read_articles
from llm_core.train import samples
from llm_core.train.config import TrainConfig
from llm_core.train.data import TokenStore
from llm_core.train.distributed import Worker
from llm_core.train.loop import Trainer, batches_for, build_model
from llm_core.train.run_state import History
from tests.train.test_run_state import saved_step
from tests.train.tiny_run import ARTICLES, STEPS, command, losses, run_here, run_process

# Long enough that articles end before it: the two processes have different numbers of targets, and of padding.
SETTINGS = {"model": "encoder-decoder-cross", "block_size": 240, "batch_size": 4, "micro_batch_size": 1, "dropout": 0.1}

# One of the two is killed at step 6; after a resume, one of the two gets Ctrl-C at step 9. Both must end each time,
# and after Ctrl-C at the same step, or the other would wait for ever.
TROUBLED = """
import os, signal, sys
from llm_core.train import command as train, loop as training, samples
samples.MOST = 1
train_step = training.Trainer.train_step

def step_and_suffer(self):
    first = self.step
    train_step(self)
    if self.worker.rank == 1 and self.step in (6, 9) and self.started_at == (0 if self.step == 6 else 4):
        os.kill(os.getpid(), signal.SIGKILL if self.step == 6 else signal.SIGINT)

def run_from(self, run=training.Trainer.run):
    self.started_at = self.step
    run(self)

training.Trainer.train_step, training.Trainer.run = step_and_suffer, run_from
train.main(sys.argv[1:])
"""


def torchrun(*arguments: object):
    return run_process("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2, *arguments)


def test_two_processes_end_together_resume_and_equal_one(tmp_path, monkeypatch):
    script, together, alone = tmp_path / "troubled.py", tmp_path / "together", tmp_path / "alone"
    script.write_text(TROUBLED)
    killed = torchrun(script, *command(together, **SETTINGS))
    assert killed.returncode != 0
    assert "exitcode  : -9" in killed.stderr, killed.stderr
    assert "[rank0]" not in killed.stderr  # the other ends without a traceback
    assert saved_step(together) == 4, killed.stderr

    stopped = torchrun(script, *command(together, **SETTINGS))
    assert stopped.returncode != 0
    assert saved_step(together) == 9, stopped.stderr
    assert stopped.stdout.count("stopped and saved") == 1, stopped.stderr  # the leader alone writes

    resumed = torchrun(script, *command(together, **SETTINGS))
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stdout.count("held-out loss") == 1

    monkeypatch.setattr(samples, "MOST", 1)
    assert run_here(alone, **SETTINGS) == 0
    assert len(losses(alone)) == STEPS + 2
    # Not bit for bit: one process adds four gradients one after the other, two add two each and then the sums.
    assert losses(together) == pytest.approx(losses(alone), abs=1e-5)
    for column in ("step", "lr", "tokens"):
        assert values(together, column) == values(alone, column)
    assert values(together, "grad_norm") == pytest.approx(values(alone, "grad_norm"), rel=1e-4)


def values(out: Path, column: str) -> list[float]:
    return [entry[column] for entry in History(out / "history.jsonl").read() if column in entry]


def test_every_target_weighs_the_same_however_a_batch_is_cut(tmp_path):
    """Articles differ in length from one micro-batch to the next, so the mean of their means is another loss."""
    tokenizer, T = load_tokenizer(), SETTINGS["block_size"]
    store = TokenStore.build(read_articles(str(ARTICLES)), tokenizer, tmp_path / "tokens")
    sizes = ModelConfig(
        vocab_size=8192, block_size=T, n_layer=1, n_head=3, n_embd=24, attn_pdrop=0, resid_pdrop=0, embd_pdrop=0
    )
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    for out, size in ((whole, 6), (cut, 1)):
        torch.manual_seed(0)
        model = build_model("encoder-decoder-prefix", sizes)
        batches = batches_for(model, store, T, tokenizer, seed=0)
        config = TrainConfig(steps=3, batch_size=6, micro_batch_size=size, warmup_steps=0, log_every=1)
        Trainer(model, config, batches, batches, out, Worker()).run()
    assert values(cut, "loss") == pytest.approx(values(whole, "loss"), abs=2e-5)
    assert values(cut, "grad_norm") == pytest.approx(values(whole, "grad_norm"), rel=1e-4)
    assert values(cut, "tokens") == values(whole, "tokens")
