"""Two gloo processes on a CPU against one that accumulates twice as often.

The first two are started by torchrun; those that resume are started warm (``doomed_run.py``), and told who they are by
the variables that torchrun sets.
"""

import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from llm_core import load_tokenizer
from llm_core.model.config import ModelConfig
from llm_core.text.articles import read_articles
from llm_core.train.config import TrainConfig
from llm_core.train.data import TokenStore
from llm_core.train.distributed import Worker
from llm_core.train.loop import Trainer, batches_for, build_model
from llm_core.train.run_state import History
from tests.train.doomed_run import Ending, run_doomed
from tests.train.test_run_state import saved_step
from tests.train.tiny_run import ARTICLES, STEPS, command, losses, run_here, run_process

# Long enough that articles end before it: the two processes have different numbers of targets, and of padding.
SETTINGS = {"model": "encoder-decoder-cross", "block_size": 240, "batch_size": 4, "micro_batch_size": 1, "dropout": 0.1}

KILLED = """
import signal, sys
from llm_core.train import command as train
from tests.train.test_distributed import suffer
suffer(6, signal.SIGKILL)
train.main(sys.argv[1:])
"""


def suffer(step: int, number: int) -> None:
    """One of the two gets the signal at a step. Both must end, and after Ctrl-C at the same step, or the other would
    wait for ever."""
    train_step = Trainer.train_step

    def step_and_suffer(self: Trainer) -> None:
        train_step(self)
        if self.worker.rank == 1 and self.step == step:
            os.kill(os.getpid(), number)

    Trainer.train_step = step_and_suffer


@dataclass(frozen=True)
class Place:
    """Who a process is among two, as torchrun tells it; Ctrl-C comes to one of them at step ``stop``."""

    rank: int
    port: int
    stop: int = 0

    def prepare(self) -> None:
        told = {"RANK": self.rank, "LOCAL_RANK": self.rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}
        told |= {"MASTER_ADDR": "localhost", "MASTER_PORT": self.port}
        os.environ.update({name: str(value) for name, value in told.items()})
        suffer(self.stop, signal.SIGINT)


def run_two(arguments: list[str], stop: int = 0) -> list[Ending]:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda rank: run_doomed(arguments, Place(rank, port, stop)), range(2)))


def test_two_processes_end_together_resume_and_equal_one(tmp_path):
    script, together, alone = tmp_path / "killed.py", tmp_path / "together", tmp_path / "alone"
    script.write_text(KILLED)
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2)
    killed = run_process(*torchrun, script, *command(together, **SETTINGS))
    assert killed.returncode != 0
    assert "exitcode  : -9" in killed.stderr, killed.stderr
    assert "[rank0]" not in killed.stderr  # the other ends without a traceback
    assert saved_step(together) == 4, killed.stderr

    stopped = run_two(command(together, **SETTINGS), stop=9)
    assert [ending.code for ending in stopped] == [130, 0], stopped
    assert saved_step(together) == 9, stopped
    assert ["stopped and saved" in ending.stdout for ending in stopped] == [True, False]  # the leader alone writes

    resumed = run_two(command(together, **SETTINGS))
    assert [ending.code for ending in resumed] == [0, 0], resumed
    assert ["held-out loss" in ending.stdout for ending in resumed] == [True, False]

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
