"""Two gloo processes on a CPU, started by torchrun, against one that accumulates twice as often."""

import pytest

from tests.test_run_state import saved_step
from tests.tiny_run import STEPS, command, losses, run_here, run_process

SETTINGS = {"model": "encoder-decoder-cross", "batch_size": 8, "micro_batch_size": 2, "dropout": 0.1}

# Only one of the two gets the signal: both must stop, and at the same step, or one would wait for ever.
INTERRUPTED = """
import os, signal, sys
from llm_core import train, training
train_step = training.Trainer.train_step

def step_and_interrupt(self):
    train_step(self)
    if self.step == 5 and self.worker.rank == 1:
        os.kill(os.getpid(), signal.SIGINT)

training.Trainer.train_step = step_and_interrupt
train.main(sys.argv[1:])
"""


def torchrun(*arguments: object):
    return run_process("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2, *arguments)


def test_two_processes_stop_together_resume_and_equal_one(tmp_path):
    script, together, alone = tmp_path / "interrupted.py", tmp_path / "together", tmp_path / "alone"
    script.write_text(INTERRUPTED)
    stopped = torchrun(script, *command(together, **SETTINGS))
    assert "exitcode  : 130" in stopped.stderr, stopped.stderr
    assert saved_step(together) == 5, stopped.stderr

    resumed = torchrun("-m", "llm_core.train", *command(together, **SETTINGS))
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stdout.count("held-out loss") == 1  # the leader alone writes

    assert run_here(alone, **SETTINGS) == 0
    assert len(losses(alone)) == STEPS + 2
    assert losses(together) == pytest.approx(losses(alone), abs=1e-5)
