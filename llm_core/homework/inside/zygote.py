"""A process that has imported torch once, and forks another for each student: importing takes seconds, a fork none.

Nobody's code runs in it, and it knows of no student: what it is sent are the open ends of pipes that a new process
gets, and no more. So a student's process starts from memory that no other student's code has seen, and what it does
to its own no other sees. Between the two stands a *keeper*, who has put the student's process into namespaces of its
own, passes signals on to it, tells how it ended, and ends it when who has asked is gone.
"""

import gc
import os
import select
import signal
import socket
import traceback
from contextlib import suppress
from typing import NoReturn

from . import worker
from .course import course
from .kernel import separate, show_no_other


def main() -> None:
    """Reads from its input, which is a socket, until that ends: ends for input, output and errors, and a line."""
    course()
    gc.freeze()
    asked = socket.socket(fileno=0)
    _nothing_at(2)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers are not waited for
    while len(ends := socket.recv_fds(asked, 1, 4)[1]) == 4:
        if os.fork() == 0:
            try:
                asked.detach()
                _keep(*ends)
            finally:
                os._exit(1)
        for end in ends:
            os.close(end)


def _nothing_at(*places: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for place in places:
        os.dup2(nothing, place)
    os.close(nothing)


def _keep(into: int, out: int, errors: int, line: int) -> NoReturn:
    _nothing_at(0)  # the zygote's socket
    separate()
    bell, rung = os.pipe()
    os.set_blocking(rung, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(rung)
    student = os.fork()
    if student == 0:
        _become(into, out, errors)
    for end in (into, out, errors):
        os.close(end)
    status = _pass_signals_on(student, line, bell)
    with suppress(OSError):
        os.write(line, str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _become(*ends: int) -> NoReturn:
    """The student's process: with these ends and nothing else open, and a group of its own."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for place, end in enumerate(ends):
        os.dup2(end, place)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.setsid()
    show_no_other()
    try:
        worker.main()
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def _pass_signals_on(student: int, line: int, bell: int) -> int:
    """Each byte of the line is a signal's number; the status when the process has ended."""
    while True:
        ended, status = os.waitpid(student, os.WNOHANG)
        if ended:
            return status
        ready = select.select([line, bell], [], [])[0]
        if bell in ready:
            os.read(bell, 100)
        if line in ready:
            number = os.read(line, 1)
            _send(student, number[0] if number else signal.SIGKILL)
            if not number:
                return os.waitpid(student, 0)[1]


def _send(student: int, number: int) -> None:
    if number == signal.SIGKILL:
        with suppress(OSError):
            os.killpg(student, number)  # whatever it may have started, where it has no namespace
    with suppress(OSError):
        os.kill(student, number)
