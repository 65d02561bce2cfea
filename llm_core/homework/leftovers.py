"""The folders in which strangers' code runs: each goes away at the end, whatever was put into it.

What a check or a training has left behind because it was killed is taken away when the next one starts.
"""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

OURS = re.compile(r"^(?:homework|headscope-live)-(\d+)-")


@contextmanager
def own_folder(prefix: str) -> Iterator[Path]:
    """A folder named after this process, for as long as it is needed."""
    folder = Path(tempfile.mkdtemp(prefix=f"{prefix}-{os.getpid()}-")).resolve()
    try:
        yield folder
    finally:
        remove(folder)


def remove(folder: Path) -> None:
    """The folder with all that is in it, however deep: what lies in a folder inside is moved up before that goes.

    ``shutil.rmtree`` calls itself for each level, and a path may be longer than the system can name. Links are not
    followed. What cannot be removed stays.
    """
    numbers = count()
    with suppress(OSError):
        while entries := list(os.scandir(folder)):
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    _move_up(Path(entry.path), folder, numbers)
                else:
                    os.unlink(entry.path)
        os.rmdir(folder)


def _move_up(place: Path, folder: Path, numbers: Iterator[int]) -> None:
    place.chmod(0o700)
    for entry in list(os.scandir(place)):
        free = (folder / f"{number}" for number in numbers)
        os.rename(entry.path, next(path for path in free if not os.path.lexists(path)))
    place.rmdir()


def sweep() -> None:
    """Those whose process is gone, and that are this user's."""
    for place in Path(tempfile.gettempdir()).glob("h*-*-*"):
        match = OURS.match(place.name)
        with suppress(OSError):
            if match and not _is_alive(int(match[1])) and place.is_dir() and not place.is_symlink():
                remove(place)


def _is_alive(process: int) -> bool:
    if not hasattr(os, "killpg"):
        return True  # Windows cannot ask without harm
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
