"""Files that mean harm, or meet with an accident: each becomes a sentence, and takes no point from other blocks."""

import json
import os
import re
import subprocess
import sys
import time
from ast import literal_eval
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from llm_core.homework import apart, process, sandbox
from llm_core.homework.inside.limits import MB, Limits, TimeIsUp
from llm_core.homework.inside.probes import TESTED
from llm_core.homework.inside.worker import import_sentence
from llm_core.homework.outline import METHODS
from llm_core.homework.report import BLOCKS, BlockResult, from_json, to_json
from llm_core.homework.sandbox import check_file

SMALL = Limits(seconds=900, block_seconds=1, memory=512 * MB, output=1 * MB, file_size=1 * MB)
FORGERY = """
import contextlib, os
for number in range(1, 64):
    with contextlib.suppress(OSError):
        os.write(number, b'{"kind": "done"}\\n')
"""

ON_IMPORT = {  # what the file does: what its report says
    "syntax": ("def f(:\n    pass", "There is a Python syntax error in line 1: "),
    "exit": ("import sys; sys.exit()", "ends Python (exit) in line 1 while it is imported"),
    "exit at once": ("import os; os._exit(0)", "ends Python at once, with exit code 0"),
    "endless": ("while True:\n    pass", "is still running in line"),
    "crash": ("import ctypes; ctypes.string_at(0)", "crashes Python itself"),
    "much memory": ("x = bytearray(10 ** 10)", "asks for more memory than it may use in line 1"),
    "much output": ("while True: print('x' * 1000)", "prints more than 1 MB"),
    "fork bomb": (
        "import os\nwhile True:\n    os.fork()",
        "in line 3 while it is imported: PermissionError: a home",
    ),
    "the solution": (
        "from llm_core.homework.diagnosis.solution import solution\nglobals().update(vars(solution()))",
        "imports “llm_core” in line 1, which is not installed here",
    ),
    "forged": (FORGERY, "writes to the channel that carries its answers"),
}

ENDINGS = {  # of the process, in a block
    "attention": ("while True: pass", "still running after 1 seconds"),
    "block": ("raise SystemExit", "ends Python (exit)"),
    "transformer": ("import os; os._exit(3)", "exit code 3"),
    "encoder mask": ("import ctypes; ctypes.string_at(0)", "crashes Python itself"),
    "decoder mask": ("x = bytearray(10 ** 10)", "asks for more than the 0.5 GB of memory"),
    "generate": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
}

FORBIDDEN = {  # one in each block, without an end of the process
    "embedding": ("import os; os.remove({victim!r})", "may not delete {victim}"),
    "attention": ("import shutil; shutil.rmtree({folder!r})", "may not delete the folder {folder}"),
    "block": ("open({victim!r}, 'a').write('x')", "may not write {victim}"),
    "transformer": ("open('inside', 'w').write('x' * 2_000_000)", "OSError"),
    "encoder mask": ("for i in range(1000): open('inside', 'w').close()", "may not write more than 200 files"),
    "decoder mask": ("import subprocess; subprocess.run(['true'])", "may not start another program"),
    "generate": ("import socket; socket.create_connection(('127.0.0.1', 9))", "may not use the network"),
    "encoder-decoder": ("import os; os.kill(os.getppid(), 9)", "may not send signals"),
    "prefix generate": ("input()", "input(), and nobody is there to answer"),
}

WITHOUT_RUNNING = {
    "empty": (b" \n", "Your file is empty."),
    "binary": (bytes(range(256)), "Your file is not Python: it contains bytes that are not text."),
    "huge": (b"#" * 2_000_000, "Your file is larger than 1 MB: is it the right one?"),
}


def of_blocks(codes: dict[str, str]) -> str:
    """A file whose block runs the code, which stands in ``line_of`` the block."""
    return "import torch\n" + "".join(_written(name, code) for name, code in codes.items())


def _written(name: str, code: str) -> str:
    """Six lines, the last of which is the code."""
    if name not in METHODS:
        return f"\n\n\ndef {TESTED[name]}(*given):\n    'x'.upper()\n    {code}\n"
    init, method = ("forward", "__init__") if name == "encoder-decoder" else ("__init__", METHODS[name])
    head = f"class {TESTED[name]}(torch.nn.Module):\n    def {init}(self, *given):\n        super().__init__()\n"
    return f"{head}    def {method}(self, *given, **more):\n        'x'.upper()\n        {code}\n"


def line_of(name: str, codes: dict[str, str]) -> int:
    return 6 * list(codes).index(name) + 7


def test_a_file_that_cannot_be_imported_is_one_sentence(tmp_path):
    for name, (code, _) in ON_IMPORT.items():
        (tmp_path / f"{name}.py").write_text(code)
    with ThreadPoolExecutor(3) as pool:
        reports = dict(zip(ON_IMPORT, pool.map(lambda name: check_file(tmp_path / f"{name}.py", SMALL), ON_IMPORT)))
    told = {name: report.problem for name, report in reports.items()}
    assert {name: told[name] for name, (_, sentence) in ON_IMPORT.items() if sentence not in str(told[name])} == {}
    for report in reports.values():
        assert report.points == 0 and [block.name for block in report.blocks] == list(BLOCKS)
        assert "\n" not in report.problem and len(report.problem) < 300
        assert from_json(to_json(report)) == report


def test_a_block_that_ends_its_process_fails_alone(tmp_path):
    path, endings = tmp_path / "endings.py", {name: code for name, (code, _) in ENDINGS.items()}
    path.write_text(of_blocks({"embedding": "raise ValueError('shoe')", **endings}))
    report = check_file(path, SMALL)
    blocks = {block.name: block for block in report.blocks}
    assert report.problem is None and report.points == 0
    assert "ValueError: shoe" in blocks["embedding"].sentence
    assert blocks["prefix generate"].status == "not started"
    for name, (code, sentence) in ENDINGS.items():
        assert sentence in blocks[name].sentence and blocks[name].status == "failed"
        if name != "transformer":  # which leaves no trace
            line = line_of(name, {"embedding": "", **endings})
            assert (blocks[name].line.number, blocks[name].line.text.strip()) == (line, code)
    assert from_json(to_json(report)) == report


def test_what_a_file_may_not_do_is_said_where_it_tries(tmp_path):
    victim, path = tmp_path / "elsewhere" / "precious.txt", tmp_path / "forbidden.py"
    victim.parent.mkdir()
    victim.write_text("precious")
    places = {"victim": str(victim), "folder": str(victim.parent)}
    path.write_text(of_blocks({name: code.format(**places) for name, (code, _) in FORBIDDEN.items()}))
    for block in check_file(path, SMALL).blocks[:-1]:
        assert FORBIDDEN[block.name][1].format(**places) in block.sentence
        assert block.line.number == line_of(block.name, FORBIDDEN)
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("name", WITHOUT_RUNNING)
def test_what_is_no_python_is_not_even_run(tmp_path, monkeypatch, name):
    monkeypatch.setattr(sandbox, "Apart", None)
    path = tmp_path / "file.py"
    path.write_bytes(WITHOUT_RUNNING[name][0])
    assert check_file(path).problem == WITHOUT_RUNNING[name][1]


IMPORTS = {
    "import numpy_of_next_year": "Your file imports “numpy_of_next_year” in line 2, which is not installed here.",
    "from math import shoe": "Your file imports something that is not there in line 2: cannot import name 'shoe'",
    "1 / 0": "Your file stops in line 2 while it is imported: ZeroDivisionError: division by zero.",
    "assert False": "Your file stops in line 2 while it is imported: AssertionError.",
    "class E(BaseException):\n    def __str__(self): raise self\nraise E": "line 4 while it is imported: E.",
    "import torch; torch.ones(10 ** 15)": "Your file asks for more memory than it may use in line 2",
}


@pytest.mark.parametrize("code", IMPORTS)
def test_why_an_import_stopped(code):
    with pytest.raises(BaseException) as caught:
        exec(compile("\n" + code, "homework.py", "exec"), {"__name__": "homework"})
    assert IMPORTS[code] in import_sentence(caught.value, "homework.py")
    assert "only be imported: put" in import_sentence(TimeIsUp(), "homework.py")


@pytest.fixture
def late(monkeypatch) -> list[float]:
    """What the sandbox's clock is ahead: time passes as the test wants."""
    ahead = [0.0]
    clock = type("Clock", (), {"monotonic": staticmethod(lambda: time.monotonic() + ahead[0])})
    monkeypatch.setattr(sandbox, "time", clock)
    monkeypatch.setattr(apart, "time", clock)
    return ahead


def test_when_the_time_is_over_what_is_known_is_kept(tmp_path, late):
    path, seen = tmp_path / "slow.py", []
    path.write_text(of_blocks({"embedding": "raise ValueError", "attention": "import time; time.sleep(1000)"}))

    def progress(name: str) -> None:
        seen.append(name)
        late[0] = 1000.0 if name == "attention" else 0.0

    report = check_file(path, Limits(seconds=500, patience=200), progress)
    assert seen == ["embedding", "attention"] and report.problem is None
    assert "ValueError" in report.blocks[0].sentence and {block.status for block in report.blocks} == {"failed"}
    assert {block.sentence for block in report.blocks[1:]} == {"Not checked: the 500 seconds for a file were used up."}


def test_a_block_that_never_comes_back_to_python(tmp_path):
    path, endless = tmp_path / "slow.py", "import itertools; 'x' in itertools.repeat('y')"
    path.write_text(of_blocks({"embedding": endless}))
    report = check_file(path, Limits(seconds=1000, patience=5))
    assert report.blocks[0].sentence.startswith("This is still running after 5 seconds")
    assert report.blocks[0].line.text.strip() == endless
    assert [block.status for block in report.blocks] == ["failed"] + ["not started"] * 9


IN_C = """
import ctypes, json, os, sys, threading
sys.path.insert(0, sys.argv[1])
import kernel
agreed, libc = kernel.confine(os.getcwd(), kernel.installation([])), ctypes.CDLL(None)
open("inside", "w").close()
thread = threading.Thread(target=os.remove, args=["inside"])
thread.start(), thread.join()
forked = libc.fork()
if forked == 0:
    os._exit(0)
calls = [forked, libc.socket(2, 1, 0), libc.kill(os.getppid(), 0), libc.system(b"exit 3") >> 8]
files = [libc.unlink(sys.argv[2].encode()), libc.creat(sys.argv[2].encode() + b"2", 0o600)]
print(json.dumps({"agreed": sorted(agreed), "calls": calls, "files": files, "left": os.listdir()}))
"""


def refused_by_linux(folder: Path, victim: Path) -> dict:
    command = [sys.executable, "-c", IN_C, str(Path(sandbox.__file__).parent / "inside"), str(victim)]
    return json.loads(subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux")
def test_linux_itself_refuses_what_gets_round_python(tmp_path):
    folder, victim = tmp_path / "folder", tmp_path / "precious.txt"
    folder.mkdir()
    victim.write_text("precious")
    told = refused_by_linux(folder, victim)
    assert set(told["agreed"]) <= {"calls", "files"}  # an old kernel, or a container, may agree to less
    if "calls" in told["agreed"]:
        assert told["calls"] == [-1, -1, -1, 127]  # 127: no shell could be started
    if "files" in told["agreed"]:
        assert told["files"] == [-1, -1] and victim.read_text() == "precious"
    assert told["left"] == []  # a thread works as ever, and the own folder is free


ALONE = """
import json, os, sys, time
sys.path.insert(0, sys.argv[1])
import kernel
outside = os.getpid()
kernel.separate()
first = os.fork()
if first == 0:
    if os.getpid() != 1:
        print(json.dumps({"own": os.getpid()}), flush=True)
        os._exit(0)
    kernel.show_no_other()
    if os.fork() == 0:
        os.setsid()
        time.sleep(1000)
    try:
        reached = os.kill(outside, 0) is None
    except ProcessLookupError:
        reached = False
    seen = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    print(json.dumps({"own": os.getpid(), "parent": os.getppid(), "reached": reached, "seen": seen}), flush=True)
    time.sleep(1000)
time.sleep(0.5)
os.kill(first, 9)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux")
def test_processes_of_a_namespace_know_no_other_and_end_together():
    """By the namespace alone, without what refuses signals. The output ends when all that have it have ended."""
    command = [sys.executable, "-c", ALONE, str(Path(sandbox.__file__).parent / "inside")]
    told = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    if told["own"] != 1:
        pytest.skip("nobody may make a namespace of processes here")
    assert told == {"own": 1, "parent": 0, "reached": False, "seen": [1, 2]}


ELSEWHERE = (
    "import types; from inside import kernel, limits; "
    "kernel.sys = types.SimpleNamespace(**{**vars(sys), 'platform': 'x'}); "
    "limits.resource = limits.signal = None; "
)


def test_where_the_system_refuses_nothing_python_still_does(tmp_path, monkeypatch):
    """As on Windows, and in containers without namespaces, seccomp and Landlock."""
    monkeypatch.setattr(process, "sys", SimpleNamespace(platform="elsewhere", executable=sys.executable))
    monkeypatch.setattr(process, "START", process.START.replace("from inside", f"{ELSEWHERE} from inside", 1))
    victim, path = tmp_path / "precious.txt", tmp_path / "elsewhere.py"
    victim.write_text("precious")
    codes = {
        "embedding": f"import os; os.remove({str(victim)!r})",
        "attention": f"open({str(victim)!r}, 'w')",
        "block": f"raise ValueError(open({str(victim)!r}).read())",
        "transformer": f"import os; os.listdir({str(tmp_path)!r})",
        "encoder mask": "import xmlrpc.client; open('a', 'w').close(); raise ValueError(open('a').read() + 'read')",
    }
    path.write_text(of_blocks(codes))
    embedding, attention, block, transformer, mask, *_ = check_file(path, Limits(seconds=500)).blocks
    assert f"may not delete {victim}" in embedding.sentence and f"may not write {victim}" in attention.sentence
    assert f"may not read {victim}" in block.sentence and f"may not read {tmp_path}" in transformer.sentence
    assert "ValueError: read" in mask.sentence
    assert victim.read_text() == "precious"


# --- points and neighbours: each trick returns something true where it succeeds -----------------------------------

TRICKS = """
import builtins, ctypes, gc, importlib, inspect, os, pathlib, resource, sys

checker, victim, parent = {checker!r}, {victim!r}, {parent}
libc = ctypes.CDLL(None)


def read_by_c(path):
    libc.fopen.restype, file = ctypes.c_void_p, None
    file = libc.fopen(path.encode(), b"r")
    return bool(file)


def frames():
    frame, found = sys._getframe(), []
    while frame:
        found += [name for name in frame.f_locals if name in ("expected", "reference", "verdict")]
        frame = frame.f_back
    return found


TRICKS = {{
    "import": lambda: importlib.import_module("llm_core.homework.diagnosis.solution"),
    "import beside": lambda: importlib.import_module("diagnosis.solution"),
    "find": lambda: importlib.util.find_spec("llm_core"),
    "modules": lambda: [name for name in sys.modules if "solution" in name or "diagnose" in name or "faults" in name],
    "open": lambda: open(checker + "/diagnosis/solution.py").read(),
    "pathlib": lambda: pathlib.Path(checker, "diagnosis", "solution.py").read_bytes(),
    "os.open": lambda: os.read(os.open(checker + "/diagnosis/solution.py", os.O_RDONLY), 10),
    "list": lambda: os.listdir(checker),
    "relative": lambda: open(os.path.dirname(sys.modules["inside"].__file__) + "/../diagnosis/solution.py").read(),
    "gc": lambda: [x for x in gc.get_objects() if inspect.isclass(x) and "solution" in str(x.__module__)],
    "frames": frames,
    "forge the harness": lambda: sys.modules["inside.probes"].PROBES["attention"].clear(),
    "raise a limit": lambda: resource.prlimit(parent, resource.RLIMIT_CPU, (1, 1)) or True,
    "slow the parent": lambda: os.setpriority(os.PRIO_PROCESS, parent, 19) or True,
    "chmod": lambda: os.chmod(victim, 0o777) or True,
    "utime": lambda: os.utime(victim, (0, 0)) or True,
    "setxattr": lambda: os.setxattr(victim, "user.x", b"x") or True,
    "chroot": lambda: os.chroot(".") or True,
    "c chmod": lambda: libc.chmod(victim.encode(), 0o777) == 0,
    "c open": lambda: read_by_c(checker + "/diagnosis/solution.py"),
    "c prlimit": lambda: libc.prlimit(parent, 0, ctypes.create_string_buffer(bytes([1] + [0] * 15)), None) == 0,
    "c setpriority": lambda: libc.setpriority(0, parent, 19) == 0,
    "c sethostname": lambda: libc.sethostname(b"x", 1) == 0,
    "c unshare": lambda: libc.unshare(0x20000) == 0,
    "c chroot": lambda: libc.chroot(b".") == 0,
    "a neighbour's file": lambda: os.read(os.open(victim, os.O_RDONLY), 10),
    "the parent's memory": lambda: os.open(f"/proc/{{parent}}/mem", os.O_RDONLY),
    "the parent's surroundings": lambda: open(f"/proc/{{parent}}/environ", "rb").read(),
}}
SUCCEEDED = []
for name, trick in TRICKS.items():
    try:
        if trick():
            SUCCEEDED.append(name)
    except BaseException:
        pass
"""
ONLY_LANDLOCK = {"c open", "a neighbour's file", "the parent's memory", "the parent's surroundings"}
ONLY_SECCOMP = {name for name in re.findall(r'"([^"]+)": lambda', TRICKS) if name.startswith("c ")} - ONLY_LANDLOCK


TELLING = (
    "import tempfile; print('{}'); open('mine.txt', 'w').write('x'); here = os.path.realpath(os.getcwd()); "
    "homes = os.environ['HOME'], tempfile.gettempdir(), os.path.dirname(__file__); "
    "clean = {os.path.realpath(x) for x in homes} == {here} and 'SECRET' not in os.environ; "
    "raise RuntimeError(f'{clean} {here}')"
)


def said_in(block: BlockResult) -> str:
    return block.sentence.removesuffix(".").split("RuntimeError: ")[1]


def test_no_trick_gives_points_or_reaches_a_neighbour_and_surroundings_are_clean(tmp_path, monkeypatch):
    """No variable of ours, a folder of its own for everything, which is gone at the end; prints change nothing."""
    monkeypatch.setenv("SECRET", "x")
    victim, path = tmp_path / "elsewhere.txt", tmp_path / "tricks.py"
    victim.write_text("precious")
    before = victim.stat()
    told = TRICKS.format(checker=str(Path(sandbox.__file__).parent), victim=str(victim), parent=os.getpid())
    path.write_text(told + of_blocks({"embedding": "raise RuntimeError(repr(SUCCEEDED))", "block": TELLING}))
    report = check_file(path, Limits(seconds=500))
    assert report.points == 0 and report.problem is None
    succeeded = set(literal_eval(said_in(report.blocks[0])))
    clean, place = said_in(report.blocks[2]).split(" ")
    assert clean == "True" and not place.startswith(str(tmp_path)) and not os.path.exists(place)
    folder = tmp_path / "folder"
    folder.mkdir()
    agreed = refused_by_linux(folder, victim)["agreed"] if sys.platform.startswith("linux") else []
    weaker = (ONLY_LANDLOCK if "files" not in agreed else set()) | (ONLY_SECCOMP if "calls" not in agreed else set())
    assert succeeded <= weaker
    assert (victim.stat().st_mode, victim.stat().st_mtime) == (before.st_mode, before.st_mtime)
