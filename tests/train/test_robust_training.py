"""Training outlives kills at any moment, full disks and damaged data: what is left is what an unbroken run leaves."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from safetensors.torch import load_file

from llm_core import load_model, load_tokenizer
from llm_core.text.articles import Article, is_held_out
from llm_core.train.data import CHUNK_CHARACTERS, TokenStore
from llm_core.train.run_state import STATE_FILE, History
from tests.train.doomed_run import DoomedRun, Ending, Misfortune, run_doomed
from tests.train.test_run_state import saved_step
from tests.train.tiny_run import ARTICLES, ROOT, STEPS, command, losses, run_process

SETTINGS = {"dropout": 0.1, "save_every": 3, "optimizer": "muon", "snapshots": 6}
SNAPSHOTS = (0, 1, 2, 4, 8, STEPS)
TIMES = ("seconds", "tokens_per_second")


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Path, Ending]:
    """A run that nothing happened to."""
    out = tmp_path_factory.mktemp("unbroken")
    ending = run_doomed(command(out, **SETTINGS))
    assert ending.code == 0
    return out, ending


@pytest.fixture(scope="module")
def unbroken(finished) -> dict[str, object]:
    """What it leaves."""
    out, _ending = finished
    assert len(losses(out)) == STEPS + 2
    assert sorted(path.name for path in (out / "snapshots").iterdir()) == [f"{step:06d}" for step in SNAPSHOTS]
    assert all(load_model(path) for path in (out / "snapshots").iterdir())
    return remains(out)


def remains(out: Path) -> dict[str, object]:
    """Every file and folder of a run: tensors bit for bit, the history, the bytes of others; without times."""
    return {str(path.relative_to(out)): _content(path) for path in sorted(out.rglob("*"))}


def _content(path: Path) -> object:
    if path.is_dir():
        return "folder"
    if path.suffix == ".safetensors":
        return {name: (x.dtype, tuple(x.shape), x.numpy().tobytes()) for name, x in load_file(path).items()}
    if path.suffix == ".jsonl":
        return [{name: x for name, x in entry.items() if name not in TIMES} for entry in History(path).read()]
    return re.sub(rb"Wall time \| [\d.]+ hours", b"", path.read_bytes())


def assert_whole(out: Path) -> None:
    """Whatever a misfortune left under its final name is complete."""
    for store in (out / "tokens" / "train", out / "tokens" / "validation"):
        assert not store.exists() or len(TokenStore(store).bounds) > 10
    for model in out.glob("model/model.safetensors"):
        assert not model.with_name("README.md").exists() or load_model(model.parent)
    if (out / STATE_FILE).exists():
        assert 0 <= saved_step(out) <= STEPS


def assert_same(out: Path, unbroken: dict[str, object]) -> None:
    left = remains(out)
    assert sorted(left) == sorted(unbroken)  # and no drafts are lying around
    for name, content in unbroken.items():
        assert left[name] == content, name


@pytest.fixture
def dice() -> random.Random:
    """Other moments in every run of the tests; pytest shows the seed where one fails."""
    seed = int(os.environ.get("SEED", time.time_ns() % 10**6))
    print(f"SEED={seed}")
    return random.Random(seed)


# --- kill -9 ---


def test_killed_at_every_turn(tmp_path, unbroken, dice):
    """Each attempt lives for a few changes of files longer than the last, until one saves more than was saved."""
    attempts, count, saved = 0, 0, None
    while True:
        count += dice.randint(1, 5)
        happens = dice.choice(("kill", "kill while writing"))
        size = int(10 ** dice.uniform(0, 6.4))  # up to all of the state
        ending = run_doomed(command(tmp_path, **SETTINGS), Misfortune(happens, tmp_path, count, size=size))
        if not ending.killed_by:
            break
        assert ending.killed_by in (signal.SIGKILL, signal.SIGXFSZ)
        assert_whole(tmp_path)
        attempts += 1
        if (tmp_path / STATE_FILE).exists() and saved_step(tmp_path) != saved:
            count, saved = 0, saved_step(tmp_path)
    assert ending.code == 0 and attempts > 10
    assert_same(tmp_path, unbroken)


def kill_at_start(milliseconds: int, words: list[str]) -> int:
    """``python -m llm_core.train``, killed while Python and PyTorch start; returns how it ended."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    words = [sys.executable, "-m", "llm_core.train", *words]
    with subprocess.Popen(words, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        time.sleep(milliseconds / 1000)
        process.kill()
        process.communicate()
    return process.returncode


def kill_when(happened: Callable[[], bool], words: list[str]) -> int | str:
    """One that is started, killed as soon as ``happened``; returns the signal, or its exit code if it was over."""
    run = DoomedRun(words)
    while run.process.is_alive() and not happened():
        time.sleep(0.001)
    run.process.kill()
    ending = run.end()
    return -ending.killed_by or ending.code


def test_a_run_is_killed_again_and_again(tmp_path, unbroken, dice):
    """Whenever the kills come, the end is the same; they are late on a busy machine, and that is as good."""
    first, second = sorted(dice.sample(range(1, STEPS - 1), 2))
    words = command(tmp_path, **{**SETTINGS, "save_every": 1})
    moments = [
        (tmp_path / "tokens" / "train.partial").exists,
        lambda: num_written(tmp_path) >= first,
        lambda: num_written(tmp_path) >= second and (tmp_path / ".saving").exists(),
        (tmp_path / "model").exists,
    ]
    endings = [kill_at_start(dice.randrange(1000), words)]
    for moment in moments:
        endings.append(kill_when(lambda moment=moment: moment() or is_over(tmp_path), words))
        assert_whole(tmp_path)
    assert endings[0] == -signal.SIGKILL
    assert set(endings) <= {-signal.SIGKILL, 0}
    assert run_doomed(command(tmp_path, **SETTINGS)).code == 0
    assert_same(tmp_path, unbroken)


def num_written(out: Path) -> int:
    return len(History(out / "history.jsonl").read())


def is_over(out: Path) -> bool:
    return (out / "loss.png").exists()


# --- full disks ---


@pytest.mark.parametrize(
    ("name", "count", "size", "place", "step"),
    [
        ("tokens/train.partial/tokens.u16", 1, 1000, "tokens/train", None),
        ("run.json", 1, 0, "", None),
        ("history.jsonl", 7, 650, "history.jsonl", 3),  # in the middle of a line
        ("history.jsonl", 7, 100_000, "", 3),  # the line still fits, the state does not
        ("model/.saving/model.safetensors", 1, 1000, "model", STEPS),
        (".saving/loss.png", 1, 1000, "", STEPS),
        ("snapshots/000004/.saving/model.safetensors", 1, 1000, "snapshots/000004", 3),
    ],
    ids=["tokens", "settings", "history", "state", "model", "plot", "snapshot"],
)
def test_a_full_disk_is_told_and_the_run_goes_on_when_there_is_room(name, count, size, place, step, tmp_path, unbroken):
    ending = run_doomed(command(tmp_path, **SETTINGS), Misfortune("full disk", tmp_path, count, name, size))
    assert_told(ending, tmp_path / place)
    assert_whole(tmp_path)
    assert (saved_step(tmp_path) if (tmp_path / STATE_FILE).exists() else None) == step
    assert run_doomed(command(tmp_path, **SETTINGS)).code == 0
    assert_same(tmp_path, unbroken)


def assert_told(ending: Ending, place: Path) -> None:
    """One sentence that names the place, and no traceback."""
    assert ending.code.startswith("error: ") and "\n" not in ending.code
    assert str(place) in ending.code and "could not be" in ending.code
    assert "Traceback" not in ending.stderr


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Callable[[int], None]]:
    """A file system of its own in memory, if we may mount one; yields what gives it another size."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if sys.platform != "linux" or os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk; the tests above have the same with a limit of file sizes")
    try:
        yield lambda size: subprocess.run(["mount", "-o", f"remount,size={size}m", str(folder)], check=True)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_really_full(tmp_path, unbroken):
    with small_disk(tmp_path / "disk", megabytes=5) as resize:  # a state has 2.4, a snapshot 0.4
        out = tmp_path / "disk" / "run"
        ended = run_process("-m", "llm_core.train", *command(out, **SETTINGS))
        assert ended.returncode == 1
        sentence = ended.stderr.splitlines()[-1]
        assert sentence.startswith(f"error: the run could not be saved in {out} (")
        assert "No space left on device" in sentence and sentence.endswith("; the last saved state is intact")
        assert "Traceback" not in ended.stderr
        assert saved_step(out) == 3
        resize(20)
        assert run_doomed(command(out, **SETTINGS)).code == 0
        assert_same(out, unbroken)


# --- damaged data ---


def test_damaged_data_is_trained_through_and_counted(tmp_path, finished):
    good = ARTICLES.read_bytes().splitlines()
    article = json.loads(good[0])
    enormous = {**article, "title": "How to Write Without Ever Stopping", "text": "word after word, " * 300_000}  # 5 MB
    assert not is_held_out(enormous["title"], 0.2)
    rows = [
        good[0][:100],
        b'{"title": "\xff\xfe", "headline": "h", "text": "t"}',
        b"\0" * 1000,
        *[b"[" * 50_000] * 2,
        *[json.dumps({**article, "text": text}).encode() for text in ("", " \n", 7, None, ["a"])],
        json.dumps({**article, "title": {"a": 1}}).encode(),
        b"null",
        good[1],
        good[1],
        good[1].replace(b"How to", b"HOW TO"),
        json.dumps(enormous).encode(),
    ]
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.jsonl").write_bytes(b"\n".join([*rows, *good]))
    (data / "b.csv").write_bytes(b"title,headline,text\nHow to,h,\xe4\xff\nHow to,h\nHow to Csv,h,a text\n")
    ending = run_doomed(command(tmp_path / "run", **{**SETTINGS, "data": data, "steps": 3}))
    assert ending.code == 0
    assert ending.peak_bytes < finished[1].peak_bytes + 30 * len(enormous["text"])
    reasons = {
        "not JSON": 5,
        "text is empty": 2,
        "text is not text": 3,
        "title is not text": 1,
        "not an object": 1,
        "not UTF-8": 1,
        "wrong number of columns": 1,
    }
    for reason, count in reasons.items():
        assert ending.stdout.count(f"{count} skipped ({reason})") == 1
    kept = len(good) + 5  # the enormous one, the one of the CSV file, and one title three times more
    assert f"({kept + sum(reasons.values())} rows read, " in ending.stdout
    assert "3 kept whose title came before)" in ending.stdout
    stores = [TokenStore(tmp_path / "run" / "tokens" / part) for part in ("train", "validation")]
    assert sum(len(store.bounds) for store in stores) == kept
    longest = max(stores[0].bounds, key=lambda bounds: bounds[2] - bounds[1])
    assert load_tokenizer().decode(stores[0].tokens[longest[1] : longest[2] - 1]) == enormous["text"].strip()


def test_long_articles_are_tokenised_a_few_at_a_time(tmp_path):
    """Memory holds so many characters of text, however long the articles are."""
    alive, most = weakref.WeakSet(), 0

    def articles() -> Iterator[Article]:
        nonlocal most
        for i in range(24):
            article = Article(f"How to {i}", "", "a" * (CHUNK_CHARACTERS // 3))
            alive.add(article)
            most = max(most, len(alive))
            yield article

    assert len(TokenStore.build(articles(), load_tokenizer(), tmp_path / "store").bounds) == 24
    assert 3 <= most <= 4
