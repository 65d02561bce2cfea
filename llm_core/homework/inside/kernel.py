"""What Linux itself can forbid a process for good, without being root: other processes, sockets, files elsewhere.

Three of its mechanisms, called by number because Python has no names for them: namespaces (processes, a network, a host
name and rights of its own, see namespaces(7)), seccomp (a filter of system calls, see seccomp(2)) and Landlock (rules
for the file system, see landlock(7)). Where there is none (another system, an old kernel, a container that forbids it),
less is done, and ``confine`` says so by what it returns.
"""

import ctypes
import errno
import os
import platform
import signal
import struct
import sys
from contextlib import suppress

PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 22, 38
SECCOMP_MODE_FILTER, ALLOW, REFUSE = 2, 0x7FFF0000, 0x00050000
LOAD, EQUAL, AT_LEAST, HAS_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # instructions of the filter's machine
NUMBER, ARCHITECTURE, ARGUMENT = 0, 4, 16  # where they lie in seccomp_data
CLONE_THREAD = 0x10000

NAMESPACES = 0x10000000 | 0x40000000 | 0x08000000 | 0x04000000  # user, network, ipc, host name
OF_PROCESSES = 0x20000000 | 0x20000  # processes, and mounts, for a /proc that shows them
NO_PROGRAMS = 0xE  # of a mount: no devices, nothing to run, no other user's rights

# Numbers of system calls. "own": the first argument has to be this process; "zero": it has to be 0, which is the same.
CALLS = {
    "x86_64": {
        "architecture": 0xC000003E,
        "never": [
            *(
                57,
                58,
                59,
                322,
                41,
                101,
                310,
                311,
                424,
                425,
                434,
                438,
            ),  # fork exec socket ptrace process_vm pidfd io_uring
            *(141, 142, 144, 203, 251, 314),  # setpriority sched_set… ioprio_set
            *(170, 171, 272, 308, 161, 165, 166, 155, 428, 429, 430, 442),  # names, namespaces, chroot, mounts
            *(90, 91, 268, 452, 92, 93, 94, 260, 132, 235, 261, 280, 188, 189, 190, 197, 198, 199),  # rights, times
            *(321, 248, 249, 250, 298, 323, 175, 313, 169, 167, 164, 227, 159, 163, 103, 304, 172, 173),  # the system
        ],
        "own": [62, 129, 200, 234, 297],  # kill rt_sigqueueinfo tkill tgkill rt_tgsigqueueinfo
        "zero": [302],  # prlimit64
        "clone": 56,
    },
    "aarch64": {
        "architecture": 0xC00000B7,
        "never": [
            *(221, 281, 198, 117, 270, 271, 424, 425, 434, 438),
            *(140, 118, 119, 122, 30, 274),
            *(161, 162, 97, 268, 51, 40, 39, 41, 428, 429, 430, 442),
            *(52, 53, 452, 54, 55, 88, 5, 6, 7, 14, 15, 16),
            *(280, 217, 218, 219, 241, 282, 105, 273, 142, 224, 170, 112, 171, 89, 116, 265),
        ],
        "own": [129, 138, 130, 131, 240],
        "zero": [261],
        "clone": 220,
    },
}
CLONE3 = 435  # its flags lie in memory, where a filter cannot look: "not there" makes the C library use clone

LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
WRITE_FILE, READ_FILE, READ_FOLDER, TRUNCATE = 1 << 1, 1 << 2, 1 << 3, 1 << 14
CHANGES = WRITE_FILE | sum(1 << bit for bit in range(4, 13))  # remove and make, of every kind
SINCE = {2: 1 << 13, 3: TRUNCATE}  # rights that later versions know


def separate() -> None:
    """From here on this process and its children have rights, a network and a host name of their own: none, none, and
    one that nobody sees. The next child is the first of processes that know of no others; when it ends, all of them do.

    Only while this has one thread; what it may not have is left out.
    """
    libc = ctypes.CDLL(None)
    if libc.unshare(NAMESPACES | OF_PROCESSES):
        libc.unshare(NAMESPACES)


def show_no_other() -> None:
    """In the first process of a namespace: /proc has those of the namespace alone."""
    if os.getpid() == 1:
        ctypes.CDLL(None).mount(b"proc", b"/proc", b"proc", ctypes.c_ulong(NO_PROGRAMS), None)


def confine(folder: str, readable: list[str]) -> set[str]:
    """From here on, for this process and its threads: no new process, no socket, no writing outside ``folder``, and no
    reading outside it and ``readable``.

    Returns which of {"calls", "files"} the kernel has agreed to. Threads that run already stay free.
    """
    if not sys.platform.startswith("linux"):
        return set()
    libc = ctypes.CDLL(None, use_errno=True)
    nothing = [ctypes.c_ulong(0)] * 3
    libc.prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), *nothing)  # who checks is gone: so are we
    if libc.prctl(PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), *nothing):
        return set()
    agreed = {"files"} if _landlock(libc, folder, readable) else set()
    return agreed | ({"calls"} if _seccomp(libc) else set())


def installation(hidden: list[str]) -> list[str]:
    """What Python and its libraries read, without the ``hidden`` folders."""
    system = [
        "/usr",
        "/lib",
        "/lib64",
        "/etc/ld.so.cache",
        "/etc/localtime",
        "/dev/null",
        "/dev/urandom",
        "/sys/devices",
    ]
    places = {os.path.realpath(path) for path in (sys.prefix, sys.base_prefix, *sys.path, *system) if path}
    hidden = [os.path.realpath(path) for path in hidden]
    return [path for place in sorted(places) for path in _without(place, hidden)]


def _without(place: str, hidden: list[str]) -> list[str]:
    """The place, or what is in it but the hidden folders."""
    if any(place == path or place.startswith(path + os.sep) for path in hidden):
        return []
    if not any(path.startswith(place.rstrip(os.sep) + os.sep) for path in hidden):
        return [place] if os.path.exists(place) else []
    inside = sorted(entry.path for entry in os.scandir(place) if not entry.is_symlink())
    return [path for child in inside for path in _without(child, hidden)]


def _landlock(libc: ctypes.CDLL, folder: str, readable: list[str]) -> bool:
    version = libc.syscall(LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    reads = READ_FILE | READ_FOLDER
    rights = CHANGES | reads | sum(right for since, right in SINCE.items() if version >= since)
    rules = libc.syscall(LANDLOCK_CREATE, struct.pack("=Q", rights), ctypes.c_size_t(8), 0)
    if rules < 0:
        return False
    free = [(folder, rights), (os.devnull, rights & (WRITE_FILE | TRUNCATE | READ_FILE))]
    for path, allowed in free + [(path, reads) for path in readable]:
        with suppress(OSError):
            place = os.open(path, os.O_PATH)
            allowed = allowed if os.path.isdir(path) else allowed & (WRITE_FILE | TRUNCATE | READ_FILE)
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
    tests = [(HAS_BIT, CLONE_THREAD, [calls["clone"]]), (EQUAL, os.getpid(), calls["own"]), (EQUAL, 0, calls["zero"])]
    for test, value, numbers in tests:
        for number in numbers:  # allowed if the first argument is right
            steps += [(EQUAL, 0, 4, number), (LOAD, 0, 0, ARGUMENT), (test, 0, 1, value), allowed, refused(errno.EPERM)]
    return [*steps, allowed]
