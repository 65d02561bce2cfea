"""A run that was killed, stopped, or ran out of disk goes on as if nothing had been."""

import json
import os
import resource
import shutil
import signal
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from safetensors import safe_open
from safetensors.torch import save_file

from llm_core.model.architectures import Decoder
from llm_core.model.config import ModelConfig
from llm_core.train import model_card, run_state
from llm_core.train.run_state import STATE_FILE, History, load_run, save_run
from tests.common import DECODER, build
from tests.read_only import read_only
from tests.train.doomed_run import run_doomed
from tests.train.tiny_run import ARTICLES, command, losses, run_here

DROPOUT = 0.1  # resuming must find the same dropout masks again


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("unbroken")
    assert run_here(folder, dropout=DROPOUT) == 0
    return losses(folder)


def saved_step(folder: Path) -> int:
    with safe_open(folder / STATE_FILE, framework="pt") as file:
        return int(file.metadata()["step"])


@dataclass(frozen=True)
class EarlyEnd:
    """What happens when step 6 stands in the history: a signal, behind half a line or not. At 0 comes a kill instead,
    in the middle of the save of step 8."""

    signal: int = 0
    half_a_line: str = ""

    def prepare(self) -> None:
        append, save_file = run_state.History.append, run_state.save_file

        def append_and_end(history: History, entry: dict) -> None:
            append(history, entry)
            if entry["step"] == 6 and self.signal:
                with open(history.path, "a") as file:
                    file.write(self.half_a_line)
                os.kill(os.getpid(), self.signal)

        def save_half(tensors: dict, path: Path, metadata: dict) -> None:
            save_file(tensors, path, metadata)
            if metadata["step"] == "8":
                os.truncate(path, os.path.getsize(path) // 2)
                os.kill(os.getpid(), signal.SIGKILL)

        run_state.History.append, run_state.save_file = append_and_end, save_half


@pytest.mark.parametrize(
    "end", [EarlyEnd(signal.SIGKILL, half_a_line='{"step": 7, "lo'), EarlyEnd()], ids=["in a line", "in a save"]
)
def test_a_killed_run_has_the_losses_of_an_unbroken_one(end, tmp_path, unbroken):
    assert run_doomed(command(tmp_path, dropout=DROPOUT), end).killed_by == signal.SIGKILL
    assert saved_step(tmp_path) == 4
    assert run_here(tmp_path, dropout=DROPOUT) == 0
    assert losses(tmp_path) == pytest.approx(unbroken, abs=1e-6)
    assert (tmp_path / "model" / "model.safetensors").exists()


def test_ctrl_c_saves_and_the_run_goes_on(tmp_path, unbroken):
    stopped = run_doomed(command(tmp_path, dropout=DROPOUT), EarlyEnd(signal.SIGINT))
    assert stopped.code == 130
    assert "stopped and saved at step 6 of 12; the same command resumes it" in stopped.stdout
    assert "Traceback" not in stopped.stderr
    assert saved_step(tmp_path) == 6
    assert not (tmp_path / "model").exists()
    assert run_here(tmp_path, dropout=DROPOUT) == 0
    assert losses(tmp_path) == pytest.approx(unbroken, abs=1e-6)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    assert run_here(folder, steps=2) == 0
    return folder


def test_a_run_that_is_over_is_not_trained_on(finished):
    paths = [finished / name for name in (STATE_FILE, "history.jsonl", "model/model.safetensors", "model/README.md")]
    before = [path.read_bytes() for path in paths]
    (finished / "model" / "README.md").unlink()  # as if the end had been cut off
    assert run_here(finished, steps=2) == 0
    assert [path.read_bytes() for path in paths] == before


@contextmanager
def largest_file(num_bytes: int):
    """The system refuses to let any file grow beyond this, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_ends_the_run_with_a_sentence(tmp_path, unbroken):
    with largest_file(500_000):
        message = run_here(tmp_path, dropout=DROPOUT)
    assert message.startswith(f"error: the run could not be saved in {tmp_path} (")
    assert message.endswith("; the last saved state is intact")
    assert run_here(tmp_path, dropout=DROPOUT) == 0
    assert losses(tmp_path) == pytest.approx(unbroken, abs=1e-6)


def stepped(steps: int = 1):
    """A model and its optimizer after some updates."""
    torch.manual_seed(0)
    model = build("decoder")
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    for _ in range(steps):
        model(torch.arange(7)[None]).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    return model, optimizer


def test_a_full_disk_leaves_the_last_state(tmp_path):
    save_run(tmp_path, *stepped(), step=1, num_tokens=7, seconds=0.5)
    before = (tmp_path / STATE_FILE).read_bytes()
    with (
        largest_file(len(before) // 2),
        pytest.raises(OSError, match=r"could not be saved.*state is intact"),
    ):
        save_run(tmp_path, *stepped(2), step=2, num_tokens=14, seconds=1.0)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {STATE_FILE: before}


def test_everything_comes_back(tmp_path):
    model, optimizer = stepped(3)
    save_run(tmp_path, model, optimizer, step=3, num_tokens=21, seconds=1.25)
    fresh = build("decoder")
    fresh_optimizer = torch.optim.AdamW(fresh.parameters(), lr=0.1, fused=True)
    assert load_run(tmp_path, fresh, fresh_optimizer) == (3, 21, 1.25)
    for old, new in zip(model.parameters(), fresh.parameters()):
        assert torch.equal(old, new)
        assert optimizer.state[old].keys() == fresh_optimizer.state[new].keys() == {"step", "exp_avg", "exp_avg_sq"}
        for key, value in optimizer.state[old].items():
            assert torch.equal(value, fresh_optimizer.state[new][key])


def test_a_folder_without_a_state_starts_anew(tmp_path):
    model, optimizer = stepped()
    before = [p.clone() for p in model.parameters()]
    assert load_run(tmp_path, model, optimizer) == (0, 0, 0.0)
    assert all(map(torch.equal, before, model.parameters()))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 5)


def overwrite(path: Path) -> None:
    path.write_bytes(b"no tensors in here")


def forget_the_step(path: Path) -> None:
    save_file({"model.ln_f.weight": torch.ones(24)}, path)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [cut, empty, overwrite, forget_the_step])
def test_a_damaged_state_is_one_sentence(damage, tmp_path):
    model, optimizer = stepped()
    save_run(tmp_path, model, optimizer, step=1, num_tokens=7, seconds=0.5)
    damage(tmp_path / STATE_FILE)
    with pytest.raises(ValueError, match=f"{STATE_FILE} is damaged .*: move it away to start over") as error:
        load_run(tmp_path, model, optimizer)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"n_embd": 28}, r"embedding.token_table.weight is \(29, 24\) in it, and \(29, 28\) in this one"),
        ({"n_layer": 4}, r"blocks.3.ln_1.weight is not there in it, and \(24,\) in this one"),
        ({"n_layer": 2}, r"blocks.2.[\w.]+ is \([\d, ]+\) in it, and not there in this one"),
    ],
)
def test_a_state_of_another_size_is_one_sentence(change, fault, tmp_path):
    save_run(tmp_path, *stepped(), step=1, num_tokens=7, seconds=0.5)
    other = Decoder(ModelConfig(**{**DECODER.to_dict(), **change}))
    before = [p.clone() for p in other.parameters()]
    with pytest.raises(ValueError, match=f"holds another model: {fault}"):
        load_run(tmp_path, other, torch.optim.AdamW(other.parameters()))
    assert all(map(torch.equal, before, other.parameters()))  # nothing was half restored


def rewritten(path: Path, tensors: dict | None = None, **counters: str) -> None:
    """The state with some tensors exchanged (None: left out) and other counters."""
    with safe_open(path, framework="pt") as file:
        kept = {name: file.get_tensor(name) for name in file.offset_keys()} | (tensors or {})
        counters = file.metadata() | counters
    save_file({name: tensor for name, tensor in kept.items() if tensor is not None}, path, metadata=counters)


@pytest.mark.parametrize(
    ("name", "tensor", "fault"),
    [
        (
            "optimizer.ln_f.weight/exp_avg",
            torch.ones(7),
            r"state: .*/exp_avg is \(7,\) in it, and \(24,\) in this one; ",
        ),
        (
            "optimizer.ln_f.weight/exp_avg_sq",
            torch.ones(()),
            r"state: .*/exp_avg_sq is \(\) in it, and \(24,\) in this",
        ),
        ("optimizer.ln_f.bias/step", torch.ones(24), r"state: .*/step is \(24,\) in it, and \(\) in this one; "),
        ("optimizer.ln_f.bias/exp_avg", None, r"state: .*/exp_avg is not there in it, and \(24,\) in this one; "),
        ("optimizer.ln_f.bias/momentum_buffer", torch.ones(24), r"/momentum_buffer is \(24,\) in it, and not there in"),
        (
            "optimizer.nobody/exp_avg",
            torch.ones(24),
            r"optimizer.nobody/exp_avg is \(24,\) in it, and not there in this",
        ),
        ("unknown", torch.ones(1), r"unknown is \(1,\) in it, and not there in this one; "),
        (
            "model.ln_f.weight",
            torch.full((24,), torch.nan),
            r"is damaged \(model.ln_f.weight holds NaN or infinity\): ",
        ),
        (
            "optimizer.ln_f.bias/exp_avg",
            torch.full((24,), torch.inf),
            r"damaged \(.*/exp_avg holds NaN or infinity\): ",
        ),
        (
            "model.ln_f.bias",
            torch.ones(24, dtype=torch.int32),
            r"damaged \(.* holds torch.int32 instead of fractions\): ",
        ),
    ],
)
def test_a_state_that_does_not_fit_is_not_half_restored(name, tensor, fault, tmp_path):
    save_run(tmp_path, *stepped(), step=1, num_tokens=7, seconds=0.5)
    rewritten(tmp_path / STATE_FILE, {name: tensor})
    fresh = build("decoder")
    optimizer, before = torch.optim.AdamW(fresh.parameters(), fused=True), [p.clone() for p in fresh.parameters()]
    with pytest.raises(ValueError, match=fault) as error:
        load_run(tmp_path, fresh, optimizer)
    assert str(error.value).startswith(str(tmp_path / STATE_FILE)) and "\n" not in str(error.value)
    assert str(error.value).endswith("move it away to start over, or put a copy in its place")
    assert all(map(torch.equal, before, fresh.parameters())) and not optimizer.state


@pytest.mark.parametrize("counters", [{"step": "-1"}, {"step": "1e3"}, {"num_tokens": "many"}, {"seconds": "nan"}])
def test_counters_that_count_nothing_are_damage(counters, tmp_path):
    model, optimizer = stepped()
    save_run(tmp_path, model, optimizer, step=1, num_tokens=7, seconds=0.5)
    rewritten(tmp_path / STATE_FILE, **counters)
    with pytest.raises(ValueError, match=f"{STATE_FILE} is damaged .*: move it away to start over"):
        load_run(tmp_path, model, optimizer)


def test_a_step_beyond_the_last_is_one_sentence(finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "run")
    rewritten(folder / STATE_FILE, step="20")
    assert run_here(folder, steps=2) == (
        f"error: {folder / STATE_FILE} is at step 20, beyond the last, 2: move it away to start over, or put a copy in "
        "its place"
    )


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"model": "dec'])
def test_settings_that_are_none_are_one_sentence(content, finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "run")
    (folder / "run.json").write_bytes(content)
    for message in (run_here(folder, steps=2), message_of(model_card.main, [str(folder)])):
        assert message.startswith(f"error: {folder / 'run.json'} ") and "\n" not in message
        assert message.endswith(": move it away to start over, or put a copy in its place")


def message_of(main, arguments: list[str]) -> str:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    return end.value.code


@pytest.mark.parametrize(
    "line", [b"[1, 2]", b"7", b"null", b'{"loss": 1.5}', b'{"step": "1"}', b'{"step": 1, "loss": "x"}', b"\xff"]
)
def test_a_line_of_the_history_that_is_no_entry_is_one_sentence(line, finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "run")
    path = folder / "history.jsonl"
    first, *rest = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([first, line, *rest]))
    sentence = f"error: {path}, line 2 is not an entry of a run's history: remove it, or move the file away"
    assert run_here(folder, steps=2) == sentence
    assert message_of(model_card.main, [str(folder)]) == sentence
    path.write_bytes(b"\n".join([first, *rest, line]))  # as a kill may leave the last one
    assert len(History(path).read()) == 1 + len(rest)


def test_a_history_without_an_end_is_one_sentence(finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "run")
    (folder / "history.jsonl").unlink()
    message = message_of(model_card.main, [str(folder)])
    assert message.startswith(f"error: {folder / 'history.jsonl'} has no entry that says how long the run took")


@pytest.mark.parametrize("name", ["train", "validation", "train/info.json"])
def test_tokens_that_are_missing_are_made_anew(name, finished, tmp_path, capsys):
    folder = shutil.copytree(finished, tmp_path / "run")
    before = (folder / "tokens" / "train" / "tokens.u16").read_bytes()
    missing = folder / "tokens" / name
    missing.unlink() if missing.is_file() else shutil.rmtree(missing)
    assert run_here(folder, steps=2) == 0
    assert f"{name.split('/')[0]}: " in capsys.readouterr().out
    assert (folder / "tokens" / "train" / "tokens.u16").read_bytes() == before


def test_tokens_of_other_data_are_refused(finished, tmp_path):
    folder, data = shutil.copytree(finished, tmp_path / "run"), tmp_path / "a.jsonl"
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**record, "data": [str(data)]}))
    data.write_bytes(b"".join(ARTICLES.read_bytes().splitlines(True)[:40]))
    shutil.rmtree(folder / "tokens")
    counts = [f"{count:,}" for count in record["num_tokens"]]
    message = run_here(folder, steps=2, data=data)
    assert message.startswith(f"error: {folder} was trained on {counts[0]} tokens and judged on {counts[1]}, and the ")
    assert message.endswith(": give it the same data, or another --out")


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"n_embd": 30}, "n_embd=24, not 30"),
        ({"model": "encoder"}, "model='decoder', not 'encoder'"),
        ({"steps": 3}, "steps=2, not 3"),
        ({"held_out": 0.3}, "held_out=0.2, not 0.3"),
        ({"batch_size": 8}, "batch_size=4, not 8"),
        ({"learning_rate": 0.25}, "learning_rate=0.01, not 0.25"),
    ],
)
def test_a_folder_belongs_to_one_run(change, difference, finished):
    assert run_here(finished, **{"steps": 2, **change}) == (
        f"error: {finished} holds a run with {difference}: resume it with the same settings, or give another --out"
    )


def test_a_run_that_was_begun_before_a_setting_existed_goes_on(tmp_path):
    assert run_here(tmp_path, steps=2) == 0
    record = tmp_path / "run.json"
    settings = json.loads(record.read_text())
    assert settings.pop("optimizer") == "adamw"
    record.write_text(json.dumps(settings))
    assert run_here(tmp_path, steps=2) == 0
    assert json.loads(record.read_text())["optimizer"] == "adamw"


def test_a_folder_is_trained_in_by_one_process_at_a_time(tmp_path):
    with FileLock(tmp_path / ".lock"):
        assert run_here(tmp_path, steps=2) == (
            f"error: another process is training in {tmp_path}: wait until it ends, or give another --out"
        )
        assert not (tmp_path / "run.json").exists()
    assert run_here(tmp_path, steps=2) == 0


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    sealed, file = tmp_path / "sealed", tmp_path / "file"
    (sealed / "begun").mkdir(parents=True)
    file.touch()
    with read_only(sealed), read_only(sealed / "begun"):
        for folder in (sealed / "new", sealed / "begun"):
            said = f"error: cannot write into {folder} (Permission denied): give another --out"
            assert run_here(folder, steps=2) == said
    assert list(sealed.rglob("*")) == [sealed / "begun"]
    assert run_here(file / "run", steps=2) == (
        f"error: cannot write into {file / 'run'} (Not a directory): give another --out"
    )


def test_history_forgets_what_was_not_saved_and_half_a_line(tmp_path):
    history = History(tmp_path / "run" / "history.jsonl")
    history.cut_after(0)  # a new run
    assert history.read() == []
    entries = [{"step": step, "loss": 9.0 - step} for step in range(1, 6)]
    for entry in entries:
        history.append(entry)
    with open(history.path, "a") as file:
        file.write('{"step": 6, "lo')
    assert history.read() == entries
    history.cut_after(3)
    assert history.read() == entries[:3]
    history.append({"step": 4, "loss": 1.5})
    assert history.path.read_text().splitlines()[3:] == ['{"step": 4, "loss": 1.5}']
