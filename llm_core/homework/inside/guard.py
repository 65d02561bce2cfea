"""What Python itself can refuse, on every system: an audit hook (PEP 578), which nobody can take away again.

The message says what was tried, so that a student whose file really wants to save a picture learns why it stopped.
What gets round Python (ctypes, a C extension) gets round this too: see ``kernel.py`` for what Linux adds.
"""

import os
import sys
from collections.abc import Callable

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
FILES = 200  # times that a file may be opened for writing: with the limit of each, a bound for the disk

PATHS = {  # event: (how many of its arguments are paths, what it would do)
    "os.chmod": (1, "change the rights of"),
    "os.chown": (1, "change the owner of"),
    "os.link": (2, "make a link to"),
    "os.mkdir": (1, "make the folder"),
    "os.remove": (1, "delete"),
    "os.rename": (2, "rename"),
    "os.rmdir": (1, "delete the folder"),
    "os.symlink": (2, "make a link to"),
    "os.truncate": (1, "empty"),
    "os.utime": (1, "change the time of"),
    "shutil.rmtree": (1, "delete the folder"),
    "sqlite3.connect": (1, "open the database"),
}
NEVER = {
    "resource.prlimit": "set limits of processes",
    "os.setxattr": "set attributes of files",
    "os.removexattr": "set attributes of files",
    "os.unshare": "leave its place",
    "os.exec": "start another program",
    "os.fork": "start other processes",
    "os.forkpty": "start other processes",
    "os.kill": "send signals",
    "os.killpg": "send signals",
    "os.posix_spawn": "start another program",
    "os.spawn": "start another program",
    "os.startfile": "start another program",
    "os.system": "start another program",
    "socket.__new__": "use the network",
    "socket.getaddrinfo": "use the network",
    "subprocess.Popen": "start another program",
}


class NoChecker:
    """Nothing of the checker can be imported, also where it is installed."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.split(".")[0] == "llm_core":
            raise ModuleNotFoundError(f"No module named {name!r}", name="llm_core")


HERE = os.path.dirname(os.path.realpath(__file__))


def watch(folder: str, hidden: list[str], readable: list[str]) -> None:
    """From here on in this process: writing and deleting inside ``folder`` only, no other program, no network.

    Read is what lies there and in ``readable`` places: no other student's file gets into a message. What lies in
    ``hidden`` folders, but for this one, is not read in any case: the checker itself, with the solution.

    Raises:
        PermissionError: where it is tried, with a sentence.
    """
    sys.meta_path.insert(0, NoChecker())
    folder, *rest = map(os.path.realpath, (folder, *readable))
    sys.addaudithook(_hook(folder, [os.path.realpath(path) for path in hidden], [folder, *rest]))


def _hook(folder: str, hidden: list[str], readable: list[str]) -> Callable:
    opened = 0
    free = {folder, os.path.realpath(os.devnull)}
    known, within = {*free, *readable}, tuple(place.rstrip(os.sep) + os.sep for place in readable)

    def is_outside(path: int | str | bytes | os.PathLike[str]) -> bool:
        if isinstance(path, int):  # opened already: then it was allowed
            return False
        real = os.path.realpath(os.fsdecode(path))
        return real not in free and not real.startswith(folder + os.sep)

    def is_hidden(path: int | str | bytes | os.PathLike[str]) -> bool:
        if isinstance(path, int):
            return False
        real = os.path.realpath(os.fsdecode(path))
        within = any(real == place or real.startswith(place + os.sep) for place in hidden)
        return within and not real.startswith(HERE + os.sep)

    def refuse_reading(path: int | str | bytes | os.PathLike[str]) -> None:
        if is_hidden(path):
            raise PermissionError("a homework file may not read the checker")
        if isinstance(path, int):
            return
        real = os.path.realpath(os.fsdecode(path))
        if real not in known and not real.startswith(within):
            raise PermissionError(f"a homework file may not read {os.fsdecode(path)}")

    def hook(event: str, args: tuple) -> None:
        nonlocal opened
        if event == "open":
            path, _mode, flags = args
            if flags & WRITING and not isinstance(path, int):
                opened += 1
                if is_outside(path):
                    raise PermissionError(f"a homework file may not write {os.fsdecode(path)}")
                if opened > FILES:
                    raise PermissionError(f"a homework file may not write more than {FILES} files")
            refuse_reading(path)
        elif event in ("os.listdir", "os.scandir") and args[0] is not None:
            refuse_reading(args[0])
        elif event in NEVER:
            raise PermissionError(f"a homework file may not {NEVER[event]}")
        elif event in PATHS:
            count, what = PATHS[event]
            opened += event == "os.mkdir"
            if opened > FILES:
                raise PermissionError(f"a homework file may not make more than {FILES} files and folders")
            for path in args[:count]:
                if is_outside(path):
                    raise PermissionError(f"a homework file may not {what} {os.fsdecode(path)}")

    return hook
