"""A tiny training as a process of its own: what it is told, what it tells, and that it always ends."""

import io
import json
import math
import os
import queue
import select
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from explorer.engine.payload import unpack
from llm_core import load_model
from llm_core.live.__main__ import serve
from llm_core.live.choices import Choices, parse
from llm_core.live.session import Session
from llm_core.live.trainer import TinyTrainer
from llm_core.paths import ROOT

SMALL = {"task": "copy", "n_layer": 2, "n_head": 2, "n_embd": 32, "dropout": "right", "steps": 60}


class Process:
    """``python -m llm_core.live``, spoken to."""

    def __init__(self, *arguments: str):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "llm_core.live", *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()

    def say(self, what: object) -> None:
        self.process.stdin.write(json.dumps(what).encode() + b"\n")
        self.process.stdin.flush()

    def frame(self) -> tuple[dict, dict]:
        return next(frames(self.process.stdout))

    def until(self, kind: str, **wanted) -> list[tuple[dict, dict]]:
        """All frames up to the first of this kind that says what is wanted."""
        seen = [self.frame()]
        while seen[-1][0]["kind"] != kind or any(seen[-1][0][name] != value for name, value in wanted.items()):
            seen.append(self.frame())
        return seen

    def ticks(self) -> int:
        """Processor time so far, in hundredths of a second."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])


def frames(stream):
    while size := stream.read(4):
        yield unpack(stream.read(struct.unpack("<I", size)[0]))


def points(seen: list[tuple[dict, dict]], name: str) -> list[float]:
    return [value for header, _ in seen if header["kind"] == "measured" for value in header["points"][name]]


def test_pause_rests_resume_goes_on_as_if_nothing_had_been_and_the_end_of_stdin_ends(tmp_path):
    with Process("--frames", "50") as process:
        process.say(SMALL)
        seen = process.until("measured", step=0)
        process.say({"do": "pause"})
        seen += process.until("state", state="paused")
        step = seen[-1][0]["step"]
        process.say({"do": "keep", "folder": str(tmp_path / "half")})
        process.say({"do": "dance"})
        assert process.frame()[0] == {"kind": "kept", "folder": str(tmp_path / "half"), "step": step, "arrays": []}
        assert "there are pause, resume, stop, keep" in process.frame()[0]["sentence"]
        before = process.ticks()
        assert not select.select([process.process.stdout], [], [], 0.5)[0]
        assert process.ticks() - before <= 1
        process.say({"do": "resume"})
        seen += process.until("state", state="done")
        assert process.process.poll() is None
        process.process.stdin.close()
        assert process.until("state", state="stopped")
        assert process.process.wait(60) == 0
        assert process.process.stderr.read() == b""

    unbroken = TinyTrainer(parse(SMALL))
    expected = [unbroken.advance()[0] for _ in range(60)]
    assert points(seen, "step") == list(range(60))
    assert points(seen, "loss") == [point.loss for point in expected]
    assert points(seen, "grad_norm") == [point.grad_norm for point in expected]
    header, arrays = [frame for frame in seen if frame[0]["kind"] == "measured"][-1]
    look = unbroken.observer.look()
    assert (torch.tensor(arrays["decoder"]) - look.patterns["decoder"]).abs().max() <= 1e-5
    assert [token["id"] for token in header["answer"]] == look.ids
    assert header["fresh"] == {
        "step": 60,
        "loss": unbroken.fresh[1].loss,
        "accuracy": unbroken.fresh[1].accuracy,
    }
    load_model(tmp_path / "half")


def test_it_ends_with_stdin_although_nobody_takes_its_frames():
    with Process("--frames", "100000") as process:
        process.say({"steps": 50_000})
        assert process.frame()[0]["kind"] == "ready"
        process.process.stdin.close()
        assert process.process.wait(60) == 0


def test_an_impossible_choice_is_refused_with_a_sentence():
    for line in (b'{"n_head": 5}\n', b"not json\n", b"[1]\n", b""):
        out = io.BytesIO()
        assert serve(io.BytesIO(line), out, 1.0) == 2
        out.seek(0)
        ((header, _),) = frames(out)
        assert header["kind"] == "refused" and header["sentence"].endswith(".")


# A session, without a process


def session(*commands: object, **choices) -> tuple[bool, list[tuple[dict, dict]]]:
    """What it returns and tells when these commands have come before the first step."""
    waiting: queue.Queue = queue.Queue()
    for command in commands:
        waiting.put(command)
    told: list[bytes] = []
    ended = Session(Choices(**{**SMALL, **choices}), waiting, told.append, 0.0).serve()
    return ended, [unpack(message[4:]) for message in told]


@pytest.mark.parametrize("architecture", ["decoder", "encoder", "encoder-decoder"])
def test_the_first_frames_say_everything_a_screen_needs(architecture):
    _, told = session(None, architecture=architecture)
    (ready, _), (measured, arrays) = told[:2]
    assert (ready["kind"], measured["kind"], measured["step"]) == ("ready", "measured", 0)
    assert ready["uniform_loss"] == pytest.approx(math.log(260))
    assert ready["choices"]["n_embd"] == 32 and ready["window"] == (11 if architecture == "encoder-decoder" else 22)
    for part in ready["parts"]:
        shape = (2, 2, len(part["queries"]), len(part["keys"]))
        assert arrays[part["name"]].shape == shape
        assert abs(arrays[part["name"]].sum(-1) - 1).max() < 1e-3
    assert set(arrays) == {part["name"] for part in ready["parts"]}
    answering = ready["parts"][1 if architecture == "encoder-decoder" else 0]["queries"]
    assert max(ready["probe"]["places"]) < len(answering)
    letters = "".join(token["text"] for token in ready["probe"]["answers"] if not token["special"])
    assert letters == "monkey"
    assert len(measured["answer"]) == len(measured["right"]) == len(ready["probe"]["places"])
    assert "".join(token["text"] for token in ready["parts"][-1]["keys"] if not token["special"])[:6] == "monkey"


def test_commands_that_fit_no_state_are_refused():
    commands = [{"do": "resume"}, {"do": "keep"}, "pause", {"do": 3}, {"do": "stop"}, {"do": "pause"}]
    ended, told = session(*commands)
    assert ended
    sentences = [header["sentence"] for header, _ in told if header["kind"] == "refused"]
    assert sentences[0] == "The run is running, so there is nothing to resume."
    assert sentences[1].startswith("Say where to keep the model")
    assert len(sentences) == 4
    assert [header["state"] for header, _ in told if header["kind"] == "state"] == ["running", "stopped"]


def test_a_folder_that_cannot_be_written_is_refused_and_the_run_goes_on(tmp_path):
    (tmp_path / "file").write_text("")
    _, told = session({"do": "keep", "folder": str(tmp_path / "file" / "x")}, {"do": "pause"}, None)
    assert [header["kind"] for header, _ in told[3:]] == ["refused", "measured", "state", "state"]


def test_a_loss_that_is_no_number_ends_the_run_and_the_last_numbers_stay(monkeypatch):
    advance = TinyTrainer.advance

    def broken(run):
        if run.step == 4:
            run.model.ln_f.weight.data[0] = math.nan
        return advance(run)

    monkeypatch.setattr(TinyTrainer, "advance", broken)
    ended, told = session()
    assert not ended
    (failed, _) = told[-1]
    assert (failed["kind"], failed["state"]) == ("state", "failed")
    assert "is no longer a number" in failed["sentence"]
    assert points(told, "step") == [0, 1, 2, 3]
    assert all(map(math.isfinite, points(told, "loss")))


def test_nothing_listens_any_more():
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb", 0) as out, pytest.raises(BrokenPipeError):
        serve(io.BytesIO(b'{"n_head": 5}\n'), out, 1.0)
