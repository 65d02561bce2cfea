"""How glibc's malloc, where torch's tensors on the CPU come from, treats memory. Does nothing on other systems."""

import ctypes
import sys

TRIM_THRESHOLD, MOST_MAPPINGS, MOST_ARENAS = -1, -4, -8  # M_TRIM_THRESHOLD, M_MMAP_MAX and M_ARENA_MAX of malloc.h


def keep_freed_memory() -> None:
    """For a training: else the large tensors of every step come from the system anew, page by page."""
    _set({MOST_MAPPINGS: 0, TRIM_THRESHOLD: 2**31 - 1})


def share_freed_memory() -> None:
    """For a server: what one thread frees another gets. Else each has a heap of its own, full of holes."""
    _set({MOST_ARENAS: 1})


def _set(options: dict[int, int]) -> None:
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        for name, value in options.items():
            libc.mallopt(name, value)
