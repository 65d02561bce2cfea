"""How students' processes are started: from one that has torch already, and knows of no student."""

import os
import signal
import subprocess
import sys
import time

import pytest

from llm_core.homework import apart, process
from llm_core.homework.apart import Apart, Problem
from llm_core.homework.inside.limits import Limits
from llm_core.homework.sandbox import check_file

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere nothing is forked")
LIMITS = Limits(seconds=500)

LEAVES = """
import builtins, os, random, torch
builtins.mark = torch.mark = 1
torch.set_default_dtype(torch.float64)
torch.manual_seed(7)
os.environ["MARK"] = os.getcwd()
"""
LOOKS = """
import builtins, os, sys, torch
found = [hasattr(builtins, "mark"), hasattr(torch, "mark"), "MARK" in os.environ, torch.get_default_dtype()]
raise RuntimeError(f"{found} {torch.initial_seed()} {len(os.listdir())}")
"""


def test_a_file_finds_nothing_of_the_one_before(tmp_path):
    """Both processes are forks of the same one."""
    first, second = tmp_path / "first.py", tmp_path / "second.py"
    first.write_text(LEAVES)
    second.write_text(LOOKS)
    before = check_file(second, LIMITS).problem
    zygote = process._zygote
    assert check_file(first, LIMITS).problem is None
    assert check_file(second, LIMITS).problem == before
    assert "[False, False, False, torch.float32]" in before and before.endswith(" 1.")
    assert process._zygote is zygote and zygote.is_alive


def why(code: str, tmp_path) -> str:
    path = tmp_path / "my_llm_implementation.py"
    path.write_text(code)
    with (
        pytest.raises(Problem) as caught,
        Apart(path, Limits(seconds=500, patience=20), time.monotonic() + 500) as asked,
    ):
        asked.load()
    return caught.value.sentence


WITHOUT_TORCH = (
    "import os, sys, time, types; sys.path.insert(0, sys.argv[1]); held = []; "
    "main = lambda: (print('here', flush=True), HELD, time.sleep(1000)); "
    "sys.modules['inside.course'] = types.SimpleNamespace(course=int); "
    "sys.modules['inside.worker'] = types.SimpleNamespace(main=main); "
    "from inside.%s import main; main()"
)


@pytest.fixture
def light(monkeypatch):
    """A zygote whose students' processes say that they are there, and sleep."""
    monkeypatch.setattr(process, "START", WITHOUT_TORCH.replace("HELD", "0"))
    monkeypatch.setattr(process, "_zygote", None)
    yield
    process._zygote.close()


@pytest.mark.usefixtures("light")
def test_a_zygote_that_is_gone_is_replaced():
    first, zygote = process.start(), process._zygote
    assert first.stdout.readline() == b"here\n"
    zygote.close()
    second = process.start()
    assert second.stdout.readline() == b"here\n" and process._zygote is not zygote
    with pytest.raises(subprocess.TimeoutExpired):
        first.wait(0.1)  # it goes on without
    for forked in (first, second):
        forked.kill()
        assert forked.wait() == -signal.SIGKILL
        for pipe in (forked.stdin, forked.stdout, forked.stderr):
            pipe.close()


def test_a_zygote_that_cannot_start_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "START", "raise ImportError('no torch %s')")
    monkeypatch.setattr(process, "_zygote", None)
    assert why("", tmp_path) == "The checks themselves could not start: ImportError: no torch zygote"


def test_who_closes_all_that_is_open_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(apart, "ENDING", 1)
    code = "import os, time\nos.closerange(0, 100)\ntime.sleep(1000)"
    assert why(code, tmp_path) == "Your code closes what its answers go through: it was stopped."


ORPHAN = """
import sys, time
from llm_core.homework import process
process.START = sys.argv[1]
forked = process.start()
print(forked.stdout.readline().decode(), end="", flush=True)
time.sleep(1000)
"""


def test_when_who_checks_is_killed_so_is_the_students_process(tmp_path):
    """Which has a fifo open, whose other end sees it go."""
    fifo = str(tmp_path / "fifo")
    os.mkfifo(fifo)
    code = WITHOUT_TORCH.replace("HELD", f"held.append(open({fifo!r}, 'w'))")
    with subprocess.Popen([sys.executable, "-c", ORPHAN, code], stdout=subprocess.PIPE) as checker:
        assert checker.stdout.readline() == b"here\n"
        with open(fifo, "rb") as end:
            checker.send_signal(signal.SIGKILL)
            assert end.read() == b""
