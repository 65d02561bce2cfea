"""How much a student's file may use, and what a process does to hold itself to it."""

import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass

try:
    import resource
    import signal
except ImportError:  # Windows: only the process that checks looks at the clock, and memory has no limit
    resource = signal = None

MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds, sizes in bytes."""

    seconds: float = 120  # for the whole file, by the clock
    block_seconds: float = 10  # for one block (and for what runs on import), of computing: a busy machine is no fault
    patience: float = 60  # for the same, by the clock: who sleeps does not compute
    memory: int = 4096 * MB  # beyond what torch itself takes
    output: int = 16 * MB  # what it may print
    file_size: int = 16 * MB  # of a file that it writes


class TimeIsUp(BaseException):
    """Not an ``Exception``, so that a student's ``except Exception`` lets it pass."""


def hold_to(limits: Limits) -> None:
    """Cannot be raised again by the process itself, unless it is root's. What the system does not know is left out.

    macOS knows a limit of address space but does not enforce it; Linux knows them all. There is no limit of
    processes, because a system counts all of a user's, and root's not at all: see ``kernel.py`` and ``guard.py``.
    """
    if resource is None:
        return
    wanted = {
        "RLIMIT_AS": _address_space() + limits.memory,
        "RLIMIT_CPU": int(2 * limits.seconds) + 10,  # if nobody is there any more to keep the time
        "RLIMIT_FSIZE": limits.file_size,
        "RLIMIT_NOFILE": 256,
        "RLIMIT_CORE": 0,
    }
    for name, most in wanted.items():
        with suppress(AttributeError, ValueError, OSError):
            which = getattr(resource, name)
            hard = resource.getrlimit(which)[1]
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(which, (most, most))


def _address_space() -> int:
    """What this process has mapped: much more than it uses, and more still where torch has CUDA."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 4096 * MB


@contextmanager
def at_most(seconds: float):
    """Raises ``TimeIsUp`` in the line that runs when so much has been computed, if it ever returns to Python."""
    if signal is None:
        yield
        return

    def ring(_number, _frame):
        raise TimeIsUp

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def too_slow(seconds: float) -> str:
    return f"This is still running after {seconds:g} seconds: look for a loop that never ends."


def out_of_memory(most: int) -> str:
    return f"Your code asks for more than the {most / 2**30:.2g} GB of memory that it may use."
