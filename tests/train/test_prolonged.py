"""A run whose rate stays is prolonged, killed, and copied to decay: every way has the losses of one unbroken run."""

import itertools
import json
import math
import signal
from pathlib import Path

import pytest

from llm_core import load_model
from llm_core.train.loop import Trainer
from llm_core.train.options import parse_arguments
from llm_core.train.run_state import read_settings
from tests.train.doomed_run import Misfortune, run_doomed
from tests.train.tiny_run import STEPS, command, losses, run_here, run_words

WSD = {"schedule": "wsd", "dropout": 0.1, "optimizer": "muon", "save_every": 2, "snapshots": 4}
LEVEL = {**WSD, "steps": 8}
WHOLE = {**WSD, "steps": STEPS, "decay_steps": 4}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("unbroken")
    assert run_here(folder, **WHOLE) == 0
    return losses(folder)


@pytest.fixture(scope="module")
def level(tmp_path_factory) -> Path:
    """A run that has come to its end without a decay, to be left as it is."""
    folder = tmp_path_factory.mktemp("level")
    assert run_here(folder, **LEVEL) == 0
    return folder


def decay_here(folder: Path, **changes: object) -> int | str:
    """The command of the run, and ``--decay-now``."""
    return run_words([*command(folder, **changes), "--decay-now", "--decay-steps", "4"])


def training_losses(folder: Path) -> dict:
    """Without the held-out ones, which a run measures at its end too."""
    return {key: loss for key, loss in losses(folder).items() if key[0] == "loss"}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a run but those of the copies that decay."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and "decayed" not in path.parts]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def stop_at(monkeypatch):
    """Makes a run end with Ctrl-C's exception at a step: what was not saved then is lost."""

    def stop(step: int) -> None:
        after_step = Trainer._after_step

        def and_stop(self, bar):
            after_step(self, bar)
            if self.step == step:
                monkeypatch.setattr(Trainer, "_after_step", after_step)
                raise KeyboardInterrupt

        monkeypatch.setattr(Trainer, "_after_step", and_stop)

    return stop


def test_a_prolonged_run_has_the_losses_of_one_that_was_planned_so(tmp_path, unbroken, capsys):
    assert run_here(tmp_path, **{**LEVEL, "steps": 5}) == 0
    assert "its learning rate has not decayed: more --steps extend the run" in capsys.readouterr().out
    assert run_here(tmp_path, **LEVEL) == 0
    assert run_here(tmp_path, **WHOLE) == 0
    wanted = {key: loss for key, loss in unbroken.items() if key[0] == "loss"}
    assert training_losses(tmp_path) == pytest.approx(wanted, abs=1e-6)
    assert read_settings(tmp_path)["steps"] == STEPS
    assert sorted(map(int, (path.name for path in (tmp_path / "snapshots").iterdir())))[-1] == STEPS


@pytest.mark.parametrize("settings", [LEVEL, WHOLE], ids=["level", "decaying"])
def test_a_run_killed_and_prolonged_has_them_too(settings, tmp_path, unbroken):
    written = 7 if settings is LEVEL else 11
    misfortune = Misfortune("kill", tmp_path, count=written + 2, name="history.jsonl")  # after its first draft
    assert run_doomed(command(tmp_path, **settings), misfortune).killed_by == signal.SIGKILL
    assert run_doomed(command(tmp_path, **WHOLE)).code == 0
    assert losses(tmp_path) == pytest.approx(unbroken, abs=1e-6)


def test_a_copy_that_decays_has_them_and_leaves_the_run_untouched(level, unbroken):
    before = contents(level)
    assert decay_here(level, **WSD) == 0
    copy = level / "decayed" / "000008+4"
    wanted = {key: loss for key, loss in unbroken.items() if key[0] == "loss"}
    assert training_losses(copy) == pytest.approx(wanted, abs=1e-6)
    assert contents(level) == before
    assert load_model(copy / "model")
    steps = {path.name for path in (level / "snapshots").iterdir()}
    assert {path.name for path in (copy / "snapshots").iterdir()} == steps | {"000012"}
    card = (copy / "model" / "README.md").read_bytes()
    assert decay_here(level, **WSD) == 0  # it is over
    assert (copy / "model" / "README.md").read_bytes() == card and len(list(copy.parent.iterdir())) == 1


def test_the_run_goes_on_beside_a_copy_that_was_interrupted(tmp_path, unbroken, stop_at):
    stop_at(6)
    assert run_here(tmp_path, **LEVEL) == 130
    stop_at(9)
    assert decay_here(tmp_path, **LEVEL) == 130
    assert run_here(tmp_path, **LEVEL) == 0  # the run itself
    assert decay_here(tmp_path, **LEVEL) == 0
    copies = sorted(path.name for path in (tmp_path / "decayed").iterdir())
    assert copies == ["000006+4"]  # what was begun comes first
    early = losses(tmp_path / "decayed" / "000006+4")
    assert [early["loss", step] for step in range(1, 7)] == pytest.approx([unbroken["loss", i] for i in range(1, 7)])
    assert decay_here(tmp_path, **LEVEL) == 0
    late = training_losses(tmp_path / "decayed" / "000008+4")
    assert late == pytest.approx({key: loss for key, loss in unbroken.items() if key[0] == "loss"}, abs=1e-6)


def test_a_copy_is_killed_at_every_turn(level, unbroken):
    before, ending = contents(level), None
    words = [*command(level, **WSD), "--decay-now", "--decay-steps", "3"]
    for count in itertools.count(1, 5):
        ending = run_doomed(words, Misfortune("kill", level, count=count))
        assert contents(level) == before
        if not ending.killed_by:
            break
    assert ending.code == 0 and count > 20
    found = training_losses(level / "decayed" / "000008+3")
    assert len(found) == 11
    assert {key: found[key] for key in list(found)[:8]} == pytest.approx(
        {("loss", step): unbroken["loss", step] for step in range(1, 9)}, abs=1e-6
    )


def test_a_cosine_run_decays_from_the_rate_that_it_has(tmp_path, stop_at):
    settings = {**WSD, "schedule": "cosine", "steps": 1000}
    stop_at(6)
    assert run_here(tmp_path, **settings) == 130
    record = json.loads((tmp_path / "run.json").read_text())
    for name in ("schedule", "decay_steps", "tokenizer", "text_column", "title_column", "init_from", "num_tokens"):
        record.pop(name)  # as a run has it that was begun before there were these
    (tmp_path / "run.json").write_text(json.dumps(record))
    before = contents(tmp_path)
    words = ["--out", str(tmp_path), "--decay-now", "--device", "cpu", "--micro-batch-size", "2"]
    args = parse_arguments(words)
    assert (args.n_embd, args.dropout, args.optimizer, args.data) == (24, 0.1, "muon", record["data"])
    assert run_words([*words, "--decay-steps", "3", "--no-bf16", "--log-every", "1"]) == 0
    assert contents(tmp_path) == before
    copy = tmp_path / "decayed" / "000006+3"
    rates = [json.loads(line).get("lr") for line in (copy / "history.jsonl").read_text().splitlines()]
    rates = [rate for rate in rates if rate]
    now = 1e-2 * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * 4 / 998)))
    assert rates[6:] == pytest.approx([now * (0.1 + 0.9 * (1 - (n / 3) ** 0.5)) for n in range(3)])
    assert "9 steps" in (copy / "model" / "README.md").read_text()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"steps": 7}, "is at step 8, but should decay from step 7 on: give more --steps"),
        ({"decay_steps": 2}, "is at step 8, but should decay from step 6 on: give more --steps"),
        ({"learning_rate": 0.02}, "holds a run with learning_rate=0.01, not 0.02: resume it with"),
        ({"schedule": "cosine"}, "holds a run with schedule='wsd', not 'cosine': resume it with"),
    ],
)
def test_what_would_not_be_the_same_run_is_refused(changes, sentence, level):
    assert run_here(level, **{**LEVEL, **changes}).startswith(f"error: {level} {sentence}")


def test_a_copy_of_another_run_is_refused(level):
    message = decay_here(level, **WSD, batch_size=8)
    assert message.startswith(f"error: {level} holds a run with batch_size=4, not 8: resume it with the same settings")


def test_a_run_that_has_begun_to_decay_is_not_prolonged(tmp_path, stop_at):
    stop_at(10)
    assert run_here(tmp_path, **WHOLE) == 130
    assert run_here(tmp_path, **{**WHOLE, "steps": 20}) == (
        f"error: {tmp_path} began to decay at step 8 and is at step 10: it can no longer be extended; "
        f"--init-from {tmp_path / 'model'} starts another run from the model it makes"
    )
    message = decay_here(tmp_path, **WSD)
    assert message == f"error: {tmp_path} began to decay at step 8 by itself: let it finish"


def test_what_cannot_decay_is_one_sentence(tmp_path, stop_at):
    assert decay_here(tmp_path) == f"error: {tmp_path} has no run.json, so it is not the folder of a run"
    stop_at(1)
    assert run_here(tmp_path, **WSD, warmup_steps=6) == 130
    message = decay_here(tmp_path, **WSD, warmup_steps=6)
    assert message == f"error: {tmp_path} has no state.safetensors yet: nothing of the run has been saved"
    stop_at(2)
    assert run_here(tmp_path, **WSD, warmup_steps=6) == 130
    message = decay_here(tmp_path, **WSD, warmup_steps=6)
    assert message == f"error: {tmp_path} is at step 2 and warms up until 6: let it continue first"
    assert not list((tmp_path / "decayed").iterdir())
