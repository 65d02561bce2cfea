"""Train a tiny model in a process of its own: a crash or an endless loop harms nobody, and killing it is always safe.

    python -m llm_core.live --describe    what can be chosen, as JSON
    python -m llm_core.live               commands on stdin, frames on stdout

The first line of stdin is a JSON object of choices; each later one is a command:

    {"do": "pause"}  {"do": "resume"}  {"do": "stop"}  {"do": "keep", "folder": "/where/to"}

What happens is sent in frames (``frames.py``; their kinds are in ``session.py``). The process ends when it is stopped,
when stdin ends, or when the loss is no number any more; when all steps are done it waits for a command.
"""

import argparse
import json
import os
import queue
import signal
import sys
import threading
from typing import BinaryIO

import torch

from .choices import describe, parse
from .frames import frame
from .session import Session

STOPPED, FAILED, REFUSED = 0, 1, 2  # exit statuses
GRACE = 1.5  # seconds for an orderly end once stdin has ended
LONGEST_LINE = 65_536


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m llm_core.live", description=__doc__.splitlines()[0])
    parser.add_argument("--describe", action="store_true", help="print what can be chosen, as JSON, and end")
    parser.add_argument(
        "--threads", type=int, default=1, help="of the CPU (%(default)s; tiny models gain little by more)"
    )
    parser.add_argument("--frames", type=float, default=4, help="frames a second that carry attention (%(default)s)")
    args = parser.parse_args()
    if args.threads < 1 or not args.frames > 0:
        parser.error("--threads must be at least 1, and --frames above 0")
    if args.describe:
        print(json.dumps(describe(), indent=2))
        return STOPPED
    torch.set_num_threads(args.threads)
    if hasattr(os, "nice"):
        os.nice(10)  # whoever waits for a picture comes first
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C in the app's terminal ends us without a traceback
    return serve(sys.stdin.buffer, sys.stdout.buffer, 1 / args.frames)


def serve(stdin: BinaryIO, stdout: BinaryIO, seconds_per_frame: float) -> int:
    def send(message: bytes) -> None:
        stdout.write(message)
        stdout.flush()

    try:
        choices = parse(json_of(stdin.readline(LONGEST_LINE)))
    except ValueError as error:
        send(frame({"kind": "refused", "sentence": str(error)}))
        return REFUSED
    return STOPPED if Session(choices, listen(stdin), send, seconds_per_frame).serve() else FAILED


def listen(stdin: BinaryIO) -> queue.Queue:
    """The commands as they come, then None. Nobody may take our frames then, so the end does not wait for that."""
    commands: queue.Queue = queue.Queue()

    def read() -> None:
        while line := stdin.readline(LONGEST_LINE):
            commands.put(json_of(line))
        commands.put(None)
        threading.Event().wait(GRACE)
        os._exit(STOPPED)

    threading.Thread(target=read, name="commands", daemon=True).start()
    return commands


def json_of(line: bytes) -> object:
    """What the line says; "" if it is no JSON."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return ""


if __name__ == "__main__":
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:  # nobody listens any more
        status = STOPPED
    os._exit(status)  # without waiting for the thread that reads stdin
