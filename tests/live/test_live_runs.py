"""Runs of tiny models on the server: who trains and who waits, what ends them, and what is kept of them."""

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from explorer.ask import ask_route
from explorer.engine.payload import unpack
from explorer.engine.runner import Runner
from explorer.engine.shelf import Shelf
from explorer.guard import Guard
from explorer.live import publish as publishing
from explorer.live import runs as live
from explorer.live.publish import ABOUT, publish, safe_name
from explorer.live.runs import GONE, LiveRun, LiveRuns
from llm_core.paths import ROOT
from tests.read_only import read_only

ENGINE = [sys.executable, "-m", "tests.live.engine"]
PATIENCE = 60


def until(condition: Callable[[], object]):
    """What the condition gives once that is true."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)
    return found


class Watcher:
    """What a page does: it fetches the frames of a run, and knows what they said."""

    def __init__(self, run: LiveRun):
        self.run, self.number, self.frames, self.arrays = run, 0, [], []

    def look(self) -> list[dict]:
        for frame in self.run.after(self.number):
            header, arrays = unpack(frame)
            self.frames.append(header)
            self.arrays.append(arrays)
            self.number += 1
        return self.frames

    def of(self, kind: str) -> list[dict]:
        return [frame for frame in self.look() if frame["kind"] == kind]

    def states(self) -> list[str]:
        return [frame["state"] for frame in self.of("state")]

    def wait_for(self, state: str) -> None:
        until(lambda: state in self.states())

    def wait_for_ready(self) -> dict:
        return until(lambda: self.of("ready"))[0]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch) -> Iterator[LiveRuns]:
    monkeypatch.setattr(live, "check", lambda choices: None)  # the stand-in has choices of its own
    found = LiveRuns(folder=tmp_path / "runs", command=ENGINE)
    yield found
    found.end_all()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z" if Path("/proc").is_dir() else True


def test_frames_arrive_as_the_engine_sends_them_and_each_once(runs):
    page = Watcher(runs.start("page", {"steps": 50}))
    page.wait_for("done")
    points = [frame["points"] for frame in page.of("measured")]
    assert [p["step"][0] for p in points] == list(range(50))
    assert [p["loss"][0] for p in points] == [5.5 / (step + 1) for step in range(50)]
    assert page.states() == ["running", "done"]
    assert page.run.after(page.number) == []


def test_a_page_that_comes_late_misses_no_number_but_only_the_newest_attention_waits(runs):
    run = runs.start("page", {"steps": 30})
    until(lambda: run.is_over)
    page = Watcher(run)
    page.look()
    with_attention = [i for i, arrays in enumerate(page.arrays) if arrays]
    assert len(page.of("measured")) == 30
    assert [page.frames[i]["step"] for i in with_attention] == [29]
    assert page.arrays[with_attention[0]]["decoder"].shape == (1, 2, 3, 3)
    assert page.arrays[with_attention[0]]["decoder"][0, 1, 2, 0] == pytest.approx(0.9, abs=1e-4)


def test_frames_that_are_fetched_are_no_longer_held(runs):
    run = runs.start("page", {"steps": 20})
    until(lambda: run.is_over)
    held = len(run.after(0))
    assert len(run.after(10)) == held - 10
    assert run.after(9) == run.after(10)  # what a page has said it has does not come back
    assert run.after(10**9) == []


def test_pause_stops_the_frames_and_resume_brings_them_back(runs):
    page = Watcher(runs.start("page", {}))
    until(lambda: len(page.of("measured")) > 3)
    page.run.pause()
    page.wait_for("paused")
    count = len(page.of("measured"))
    time.sleep(0.1)
    assert len(page.of("measured")) == count
    page.run.resume()
    until(lambda: len(page.of("measured")) > count)
    steps = [frame["step"] for frame in page.of("measured")]
    assert steps == list(range(len(steps)))


def test_two_train_others_wait_in_turn_and_know_their_place(runs):
    pages = [Watcher(runs.start(f"page {i}", {})) for i in range(4)]
    pids = [page.wait_for_ready()["pid"] for page in pages[:2]]
    assert [page.of("waiting") for page in pages[:2]] == [[], []]
    assert [(f["place"], f["training"]) for f in pages[2].of("waiting")] == [(1, 2)]
    assert [(f["place"], f["training"]) for f in pages[3].of("waiting")] == [(2, 2)]
    with pytest.raises(ValueError, match="still waiting for its turn"):
        pages[3].run.pause()

    pages[0].run.stop()
    pages[2].wait_for_ready()
    until(lambda: [f["place"] for f in pages[3].of("waiting")] == [2, 1])
    assert not is_alive(pids[0]) and is_alive(pids[1])

    pages[3].run.stop()  # before its turn
    assert pages[3].states() == ["stopped"] and pages[3].of("ready") == []


def test_only_so_many_may_wait(runs, monkeypatch):
    monkeypatch.setattr(live, "MOST_WAITING", 2)
    runs.at_once = 0
    for i in range(2):
        runs.start(f"page {i}", {})
    with pytest.raises(
        ValueError, match="2 models are waiting to be trained on this server: try again in a few minutes"
    ):
        runs.start("page 3", {})
    runs.start("page 1", {})  # in the place of its own first one


def test_a_second_run_of_a_page_ends_its_first(runs):
    first = Watcher(runs.start("page", {}))
    pid = first.wait_for_ready()["pid"]
    second = Watcher(runs.start("page", {}))
    second.wait_for_ready()
    until(lambda: not is_alive(pid))
    with pytest.raises(ValueError, match="no longer here"):
        runs.get(first.run.id)


def test_who_asks_for_nothing_is_gone(runs):
    away, here = (Watcher(runs.start(name, {})) for name in ("away", "here"))
    pids = [page.wait_for_ready()["pid"] for page in (away, here)]
    away.run.seen -= live.AWAY_SECONDS + 1
    runs.look_after()
    until(lambda: not is_alive(pids[0]))
    assert is_alive(pids[1]) and runs.get(here.run.id) is here.run
    with pytest.raises(ValueError, match="no longer here"):
        runs.get(away.run.id)


def test_a_paused_run_gives_way_only_when_others_wait(runs):
    runs.at_once = 1
    page = Watcher(runs.start("page", {}))
    page.wait_for_ready()
    page.run.pause()
    page.wait_for("paused")
    page.run.since -= live.PAUSED_SECONDS + 1
    runs.look_after()
    assert page.states()[-1] == "paused"
    other = Watcher(runs.start("other", {}))
    runs.look_after()
    page.wait_for("stopped")
    assert page.of("event")[0]["sentence"].startswith("It was paused for 5 minutes while others were waiting")
    other.wait_for_ready()
    assert runs.keep(page.run.id, "mine") == "runs/mine"


def test_an_engine_that_dies_is_told_in_a_sentence_and_frees_its_place(runs):
    runs.at_once = 1
    page, other = Watcher(runs.start("page", {"die": True})), Watcher(runs.start("other", {}))
    page.wait_for("failed")
    assert page.of("state")[0]["sentence"] == (
        "The training process ended by itself (status 3): perhaps the memory was full."
    )
    other.wait_for_ready()
    with pytest.raises(ValueError, match="nothing to keep"):
        runs.keep(page.run.id, "x")


@pytest.mark.parametrize("when", ["running", "paused", "stopped", "done"])
def test_a_model_is_kept_in_every_state_and_never_over_another(runs, when):
    page = Watcher(runs.start("page", {"steps": 40} if when == "done" else {}))
    until(lambda: len(page.of("measured")) > 3)
    if when in ("paused", "stopped"):
        {"paused": page.run.pause, "stopped": page.run.stop}[when]()
    page.wait_for(when)
    until(lambda: page.run.has_ended or when in ("running", "paused"))
    assert runs.keep(page.run.id, "My model!") == "runs/My-model"
    assert runs.keep(page.run.id, "My model!") == "runs/My-model-2"
    folder = runs.folder / "My-model"
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", ABOUT, "model.safetensors"]
    assert json.loads((folder / ABOUT).read_text())["step"] > 3


def test_what_a_run_saved_for_itself_goes_with_it(runs):
    page = Watcher(runs.start("page", {"steps": 3}))
    page.wait_for("done")
    until(lambda: page.run.has_ended)
    folder = Path(page.run._folder.name)
    assert any(folder.iterdir())
    runs.close(page.run.id)
    until(lambda: not folder.exists())


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted in /proc")
def test_a_run_that_has_ended_leaves_no_pipe(runs):
    def num_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    gc.disable()  # what only waits to be collected counts
    try:
        before = num_files()
        pages = [Watcher(runs.start(name, {"steps": 3})) for name in ("one", "two")]
        for page in pages:
            page.wait_for("done")
            runs.close(page.run.id)
        until(lambda: num_files() <= before)
    finally:
        gc.enable()


def test_the_number_of_kept_models_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(publishing, "MOST", 2)
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    (tmp_path / "runs" / "trained").mkdir(parents=True)  # not kept by the page: does not count
    assert [publish(model, tmp_path / "runs", "a", {}) for _ in range(2)] == ["a", "a-2"]
    with pytest.raises(ValueError, match="2 models are kept already: delete a folder in runs/"):
        publish(model, tmp_path / "runs", "a", {})


def test_a_model_that_cannot_be_written_is_not_kept(tmp_path):
    model, runs = tmp_path / "model", tmp_path / "runs"
    for folder in (model, runs):
        folder.mkdir()
    (model / "config.json").write_text("{}")
    with read_only(runs), pytest.raises(ValueError, match=r"could not be kept: Permission denied\.$"):
        publish(model, runs, "a", {})
    assert list(runs.iterdir()) == []


def test_a_refused_or_finished_copy_leaves_nothing_behind(runs, monkeypatch):
    page = Watcher(runs.start("page", {}))
    until(lambda: len(page.of("measured")) > 3)
    own = Path(page.run._folder.name)
    runs.keep(page.run.id, "a")
    monkeypatch.setattr(publishing, "MOST", 1)
    for _ in range(5):
        with pytest.raises(ValueError, match="1 models are kept already"):
            runs.keep(page.run.id, "b")
    assert list(own.iterdir()) == []


def test_what_a_killed_app_has_left_is_taken_away(runs, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    left, ours = tmp_path / "headscope-live-999999999-x", tmp_path / f"headscope-live-{os.getpid()}-x"
    for folder in (left, ours):
        folder.mkdir()
    runs.start("page", {})
    assert not left.exists() and ours.exists()


def test_a_copy_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="could not be kept: No space left on device"):
        publish(model, tmp_path / "runs", "a", {})
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.parametrize(
    "name, safe",
    [("copy 4 heads", "copy-4-heads"), ("../../etc/passwd", "etc-passwd"), ("", "tiny"), ("…", "tiny"),
     ("CON", "tiny-CON"), ("a" * 99, "a" * 40), (".hidden", "hidden"), ("a/b\\c:d\0e", "a-b-c-d-e"), ("ключ 1", "1")],
)  # fmt: skip
def test_names_of_folders_are_clean(name, safe):
    assert safe_name(name) == safe


def test_processes_end_with_the_app_even_if_it_is_killed(tmp_path):
    program = (
        "import sys, time\nfrom explorer.live import runs as live\nfrom explorer.engine.payload import unpack\n"
        "live.check = lambda choices: None\n"
        "run = live.LiveRuns(command=[sys.executable, '-m', 'tests.live.engine']).start('page', {})\n"
        "while not (frames := run.after(0)): time.sleep(0.02)\n"
        "print(unpack(frames[0])[0]['pid'], flush=True)\ntime.sleep(60)\n"
    )
    app = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE)
    pid = int(app.stdout.readline())
    assert is_alive(pid)
    app.kill()
    app.wait()
    until(lambda: not is_alive(pid))


# over HTTP


@pytest.fixture
def client(runs: LiveRuns) -> Iterator[TestClient]:
    app = Starlette(routes=[ask_route(Shelf(Runner()), live=runs)], middleware=[Middleware(Guard)])
    with TestClient(app) as client:
        yield client


def frames_in(body: bytes) -> list[dict]:
    found, at = [], 0
    while at < len(body):
        length = int.from_bytes(body[at : at + 4], "little")
        found.append(unpack(body[at + 4 : at + 4 + length])[0])
        at += 4 + length
    return found


def asked(client: TestClient, question: str, **body):
    answer = client.post(f"/ask/{question}", json=body)
    assert answer.status_code == 200, answer.text
    return answer


def test_a_run_over_http(client):
    run = asked(client, "live_start", page="page-1234", choices={"steps": 25}).json()["run"]
    frames = []
    while not frames or frames[-1].get("state") != "done":
        frames += frames_in(asked(client, "live_frames", run=run, after=len(frames)).content)
    assert [f["step"] for f in frames if f["kind"] == "measured"] == list(range(25))
    assert asked(client, "live_keep", run=run, name="from http").json() == {"kept": "runs/from-http"}
    asked(client, "live_tell", run=run, what="close")
    gone = client.post("/ask/live_frames", json={"run": run})
    assert (gone.status_code, gone.text) == (422, GONE)


def test_frames_come_as_they_are_made_and_what_was_not_taken_comes_again(client, runs):
    run = asked(client, "live_start", page="page-1234", choices={"steps": 9}).json()["run"]
    until(lambda: runs.get(run).is_over)
    first = frames_in(asked(client, "live_frames", run=run).content)
    assert frames_in(asked(client, "live_frames", run=run).content) == first  # the page has not said that it has them
    assert frames_in(asked(client, "live_frames", run=run, after=3).content) == first[3:]
    assert frames_in(asked(client, "live_frames", run=run, after=2).content) == first[3:]  # by now they are dropped


@pytest.mark.parametrize(
    "name, body, sentence",
    [
        ("live_start", {"page": "short", "choices": {}}, "A run is started with"),
        ("live_start", {"page": "../../../../etc", "choices": {}}, "A run is started with"),
        ("live_tell", {"run": "nothing", "what": "pause"}, GONE),
        ("live_keep", {"run": "nothing", "name": ""}, GONE),
        ("live_frames", {"run": "nothing"}, GONE),
        ("live_tell", {"run": "nothing", "what": "saved"}, "A run can be told to pause, resume, stop or close, not to"),
    ],
)
def test_what_cannot_be_is_answered_with_a_sentence(client, name, body, sentence):
    answer = client.post(f"/ask/{name}", json=body)
    assert answer.status_code == 422 and answer.text.startswith(sentence)
    assert "\n" not in answer.text


def test_pages_of_other_sites_cannot_start_or_command_runs(client, runs):
    body = {"page": "page-1234", "choices": {}}
    answer = client.post("/ask/live_start", json=body, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert runs._runs == {}
