"""What Linux itself can forbid a process for good, without being root: new processes, sockets, writes elsewhere.

Two of its mechanisms, called by number because Python has no names for them: seccomp (a filter of system calls,
see seccomp(2)) and Landlock (rules for the file system, see landlock(7)). Where there is neither (another system,
an old kernel, a container that forbids it), ``confine`` does less and says so by what it returns.
"""

import ctypes
import errno
import os
import platform
import signal
import struct
import sys

PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 22, 38
SECCOMP_MODE_FILTER, ALLOW, REFUSE = 2, 0x7FFF0000, 0x00050000
LOAD, EQUAL, AT_LEAST, HAS_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # instructions of the filter's machine
NUMBER, ARCHITECTURE, ARGUMENT = 0, 4, 16  # where they lie in seccomp_data
CLONE_THREAD = 0x10000

# Numbers of system calls. "own" may be aimed at this process only: signals.
CALLS = {
    "x86_64": {
        "architecture": 0xC000003E,
        "never": [57, 58, 59, 322, 41, 101, 311, 424, 425],  # fork vfork execve execveat socket ptrace …
        "own": [62, 129, 200, 234, 297],  # kill rt_sigqueueinfo tkill tgkill rt_tgsigqueueinfo
        "clone": 56,
    },
    "aarch64": {
        "architecture": 0xC00000B7,
        "never": [221, 281, 198, 117, 271, 424, 425],
        "own": [129, 138, 130, 131, 240],
        "clone": 220,
    },
}
CLONE3 = 435  # its flags lie in memory, where a filter cannot look: "not there" makes the C library use clone

LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
WRITE_FILE, TRUNCATE = 1 << 1, 1 << 14
CHANGES = WRITE_FILE | sum(1 << bit for bit in range(4, 13))  # remove and make, of every kind
SINCE = {2: 1 << 13, 3: TRUNCATE}  # rights that later versions know


def confine(folder: str) -> set[str]:
    """From here on, for this process and its threads: no new process, no socket, no writing outside ``folder``.

    Returns which of {"calls", "files"} the kernel has agreed to. Threads that run already stay free.
    """
    if not sys.platform.startswith("linux"):
        return set()
    libc = ctypes.CDLL(None, use_errno=True)
    nothing = [ctypes.c_ulong(0)] * 3
    libc.prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), *nothing)  # who checks is gone: so are we
    if libc.prctl(PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), *nothing):
        return set()
    agreed = {"files"} if _landlock(libc, folder) else set()
    return agreed | ({"calls"} if _seccomp(libc) else set())


def _landlock(libc: ctypes.CDLL, folder: str) -> bool:
    version = libc.syscall(LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    rights = CHANGES | sum(right for since, right in SINCE.items() if version >= since)
    rules = libc.syscall(LANDLOCK_CREATE, struct.pack("=Q", rights), ctypes.c_size_t(8), 0)
    if rules < 0:
        return False
    for path, allowed in ((folder, rights), (os.devnull, rights & (WRITE_FILE | TRUNCATE))):
        place = os.open(path, os.O_PATH)
        libc.syscall(LANDLOCK_ADD, rules, 1, struct.pack("=Qi", allowed, place), 0)
        os.close(place)
    done = libc.syscall(LANDLOCK_RESTRICT, rules, 0) == 0
    os.close(rules)
    return done


def _seccomp(libc: ctypes.CDLL) -> bool:
    calls = CALLS.get(platform.machine())
    if calls is None:
        return False
    program = b"".join(struct.pack("=HBBI", *step) for step in _filter(calls))
    held = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(held))  # struct sock_fprog
    return libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), header) == 0


def _filter(calls: dict) -> list[tuple[int, int, int, int]]:
    """(instruction, steps to jump if true, if false, value), run by the kernel at every system call."""

    def refused(code: int) -> tuple[int, int, int, int]:
        return RETURN, 0, 0, REFUSE | code

    allowed = RETURN, 0, 0, ALLOW
    steps = [(LOAD, 0, 0, ARCHITECTURE), (EQUAL, 1, 0, calls["architecture"]), refused(errno.EPERM)]
    steps += [(LOAD, 0, 0, NUMBER), (AT_LEAST, 0, 1, 0x40000000), refused(errno.EPERM)]  # x86's other set of numbers
    for number in calls["never"]:
        steps += [(EQUAL, 0, 1, number), refused(errno.EPERM)]
    steps += [(EQUAL, 0, 1, CLONE3), refused(errno.ENOSYS)]
    for test, value, numbers in ((HAS_BIT, CLONE_THREAD, [calls["clone"]]), (EQUAL, os.getpid(), calls["own"])):
        for number in numbers:  # allowed if the first argument is right
            steps += [(EQUAL, 0, 4, number), (LOAD, 0, 0, ARGUMENT), (test, 0, 1, value), allowed, refused(errno.EPERM)]
    return [*steps, allowed]
