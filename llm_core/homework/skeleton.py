"""The file that students start from: the interface, what goes in and comes out, and blanks."""

import errno
from pathlib import Path

SKELETON = Path(__file__).with_name("my_llm_implementation.py.txt")


def write_skeleton(path: Path) -> None:
    """
    Raises:
        FileExistsError: if there is something of this name already; it stays as it is.
        OSError: if the folder does not exist or cannot be written.
    """
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(SKELETON.read_text(encoding="utf-8"))
    except FileExistsError:
        told = "exists already, and is not overwritten; choose another name"
        raise FileExistsError(errno.EEXIST, told, str(path)) from None
