"""Tiny models that train while somebody watches: each in a process of its own, a bounded number at a time.

``LiveRuns`` starts ``python -m llm_core.live`` for a page, listens to it, and passes its frames on as they are. Who
comes when all places are taken waits in turn. A run ends with the page that watches it: when that says so, or asks for
nothing any more; and every process ends with the app, whose end closes the pipe that it reads from.
"""

import atexit
import json
import os
import secrets
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from llm_core.homework.leftovers import sweep
from llm_core.paths import ROOT, RUNS

from ..engine.payload import pack, unpack
from .publish import publish, require_room

COMMAND = [sys.executable, "-m", "llm_core.live"]
AT_ONCE = 2  # models that train; each takes about one core
MOST_WAITING = 16
MOST_ENDED = 32  # runs that are over, and can still be kept as a checkpoint
AWAY_SECONDS = 12  # a page that has asked for nothing for so long is gone; it asks every five at least
PAUSED_SECONDS = 300  # a paused run gives its place to who waits after so long
SAVE_SECONDS = 30
OVER = ("stopped", "failed", "done")
GONE = "This run is no longer here: it ended when its page was closed or away for long. Press Train to start again."


class LiveRun:
    """One run: its process, and the frames that its page has not fetched yet. ``on_end()`` hears that it has ended."""

    def __init__(self, choices: dict, command: list[str], on_end: Callable[[], None], address: str = ""):
        self.id, self.choices, self.state = secrets.token_hex(12), choices, "waiting"
        self.address = address  # of the network, from which it was asked for
        self.seen = self.since = time.monotonic()  # when the page last asked, and when the state began
        self.place = 0  # in the queue, while it waits
        self._command, self._on_end = command, on_end
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._frames: list[bytes] = []
        self._first = 1  # the number of the first of them
        self._measured = 0  # the number of the newest frame with attention
        self._lock, self._closed = threading.Lock(), False
        self._saves: deque[Callable[[dict], None]] = deque()  # who waits for the answers to "keep", in turn
        self._last: Save | None = None  # the one that a run ends with

    # for the page

    def after(self, number: int) -> list[bytes]:
        """The frames behind the one with that number; the page has what came before, so that is dropped."""
        self.forget(number)
        return self.frames(number)

    def forget(self, number: int) -> None:
        """The page has all frames up to that one."""
        with self._lock:
            had = min(max(number + 1 - self._first, 0), len(self._frames))
            del self._frames[:had]
            self._first += had

    def frames(self, number: int) -> list[bytes]:
        """The frames behind the one with that number, for a page that watches now."""
        with self._lock:
            self.seen = time.monotonic()
            return self._frames[max(number + 1 - self._first, 0) :]

    @property
    def is_over(self) -> bool:
        return self.state in OVER

    @property
    def has_ended(self) -> bool:
        """Whether its process is gone too, so that its place is free."""
        return self.is_over and (self._process is None or self._process.poll() is not None)

    def pause(self) -> None:
        self._tell({"do": "pause"})

    def resume(self) -> None:
        self._tell({"do": "resume"})

    def stop(self) -> None:
        """End it; what it has learned can still be kept."""
        if self.state == "waiting":
            self._move_to("stopped")
            self.add({"kind": "state", "state": "stopped", "step": 0, "sentence": "Stopped before its turn came."})
        elif not self.is_over:
            self._end()

    def saved(self) -> tuple[Path, dict]:
        """A folder with the model as it is now, and the engine's words about it; ``ValueError`` if it cannot be."""
        if self.state == "failed":
            raise ValueError("There is nothing to keep: the numbers of this model broke while it trained.")
        save = self._last or self._save()
        save.answered.wait(SAVE_SECONDS)
        if save.answer.get("kind") != "kept":
            raise ValueError(save.answer.get("sentence", "The model could not be saved: the training process is busy."))
        return save.folder, save.answer

    def forget_save(self, folder: Path) -> None:
        """What was saved is copied; only what a run ends with is kept for another time."""
        if self._last is None or folder != self._last.folder:
            shutil.rmtree(folder, ignore_errors=True)

    # for the registry

    def begin(self) -> None:
        """Its turn: start the process."""
        self._folder = tempfile.TemporaryDirectory(prefix=f"headscope-live-{os.getpid()}-", ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._move_to("starting")
        self._tell(self.choices)
        threading.Thread(target=self._listen, args=[self._process], name=f"live {self.id}", daemon=True).start()

    def wait_at(self, place: int, training: int) -> None:
        """Tell the page its place in the queue, if that has changed."""
        if place != self.place:
            self.place = place
            self.add({"kind": "waiting", "place": place, "training": training})

    def give_way(self) -> None:
        """End a run that was paused for so long that others should train now."""
        why = f"It was paused for {PAUSED_SECONDS // 60} minutes while others were waiting. You can still keep it."
        self.add({"kind": "event", "step": None, "what": "gave way", "title": "Stopped for others", "sentence": why})
        self.stop()

    def close(self) -> None:
        """End it at once, with everything it has."""
        self._closed = True
        if self._process is None:
            self._move_to("stopped")
        else:
            self._process.kill()

    def clean(self) -> None:
        """Take away what it has saved for itself."""
        if self._folder is not None and self.has_ended:
            self._folder.cleanup()

    def add(self, header: dict) -> None:
        self._append(pack(header, {}))

    # the process

    def _tell(self, command: dict) -> None:
        if self._process is None or self._process.stdin is None:
            raise ValueError("This run is still waiting for its turn.")
        with suppress(OSError, ValueError):  # it has ended
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            self._process.stdin.flush()

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        while (frame := _read_frame(process.stdout)) is not None:
            self._hear(frame, unpack(frame)[0])
        status = process.wait()
        for pipe in filter(None, (process.stdin, process.stdout)):  # now, and not when the garbage is collected
            with suppress(OSError):  # what was to be told to a process that has ended
                pipe.close()
        if not self.is_over:
            self._move_to("failed")
            if not self._closed:
                sentence = f"The training process ended by itself (status {status}): perhaps the memory was full."
                self.add({"kind": "state", "state": "failed", "step": None, "sentence": sentence})
        while self._saves:
            self._saves.popleft()({"kind": "refused", "sentence": "The training ended before the model was saved."})
        if self._closed:
            self.clean()
        self._on_end()

    def _hear(self, frame: bytes, header: dict) -> None:
        kind = header["kind"]
        if kind in ("kept", "refused") and self._saves:
            return self._saves.popleft()(header)
        if kind == "refused" and self.state == "starting":
            header = {"kind": "state", "state": "failed", "step": 0, "sentence": header["sentence"]}
            frame, kind = pack(header, {}), "state"
        if kind == "state":
            if self.is_over:
                return None  # it was done, and now its process goes
            self._move_to(header["state"])
        self._append(frame, is_measured=kind == "measured")
        if self.state == "done":
            self._end()
        return None

    def _append(self, frame: bytes, is_measured: bool = False) -> None:
        """Only the newest attention is kept: nobody sees an older one that was not fetched in time."""
        with self._lock:
            if is_measured:
                self._strip()
                self._measured = self._first + len(self._frames)
            self._frames.append(frame)

    def _strip(self) -> None:
        """Leave the newest measured frame its numbers, and take its attention."""
        at = self._measured - self._first
        if 0 <= at < len(self._frames):
            header, _ = unpack(self._frames[at])
            self._frames[at] = pack(header, {})

    def _move_to(self, state: str) -> None:
        self.state, self.since = state, time.monotonic()

    def _end(self) -> None:
        """Save, then stop: what was learned can be kept when the process is gone."""
        if self._last is None:
            self._last = self._save(then=lambda: self._tell({"do": "stop"}))

    def _save(self, then: Callable[[], None] = lambda: None) -> "Save":
        if self._process is None or self._folder is None:
            raise ValueError("There is nothing to keep: the training has not begun.")
        save = Save(Path(self._folder.name, secrets.token_hex(4)), then)
        self._saves.append(save.hear)
        self._tell({"do": "keep", "folder": str(save.folder)})
        return save


class Save:
    """One question to the engine to save the model into ``folder``, and its answer."""

    def __init__(self, folder: Path, then: Callable[[], None]):
        self.folder, self.answered, self._then = folder, threading.Event(), then
        self.answer: dict[str, Any] = {}

    def hear(self, answer: dict) -> None:
        self.answer = answer
        self.answered.set()
        self._then()


class LiveRuns:
    """All runs of this app: ``at_once`` of them train, one for each page."""

    def __init__(self, at_once: int = AT_ONCE, folder: Path = RUNS, command: list[str] = COMMAND):
        self.at_once, self.folder, self._command = at_once, folder, command
        self.each: int | None = None  # runs of one network address at a time; None: as many as there is room for
        self._runs: OrderedDict[str, LiveRun] = OrderedDict()  # in the order in which they came
        self._of: dict[str, str] = {}  # the newest run of each page
        self._lock, self._watching = threading.RLock(), False

    def start(self, page: str, choices: dict, address: str = "") -> LiveRun:
        """A run for a page, which ends the one that it had; ``ValueError`` with one sentence if it cannot be."""
        check(choices)
        with self._lock:
            self.close(self._of.pop(page, ""))
            self._check_share(address)
            if sum(run.state == "waiting" for run in self._runs.values()) >= MOST_WAITING:
                raise ValueError(
                    f"{MOST_WAITING} models are waiting to be trained on this server: try again in a few minutes."
                )
            run = LiveRun(choices, self._command, self._advance, address)
            self._runs[run.id], self._of[page] = run, run.id
            self._advance()
            self._watch()
        return run

    def _check_share(self, address: str) -> None:
        mine = [run for run in self._runs.values() if run.address == address and not run.has_ended]
        if self.each is not None and address and len(mine) >= self.each:
            raise ValueError(f"{self.each} of your models are training or waiting already: stop one of them first.")

    def get(self, id: str) -> LiveRun:
        with self._lock:
            if id not in self._runs:
                raise ValueError(GONE)
            return self._runs[id]

    def keep(self, id: str, name: str) -> str:
        """Save a run's model as a checkpoint beside the app, and return its name: "runs/NAME"."""
        run = self.get(id)
        require_room(self.folder)  # before anything is written
        folder, said = run.saved()
        try:
            return f"runs/{publish(folder, self.folder, name, {'choices': run.choices, 'step': said['step']})}"
        finally:
            run.forget_save(folder)

    def close(self, id: str) -> None:
        """The page is gone, or wants another run: this one ends, and nothing of it stays."""
        with self._lock:
            run = self._runs.pop(id, None)
        if run:
            run.close()
            run.clean()
            self._advance()

    def end_all(self) -> None:
        for run in list(self._runs.values()):
            self.close(run.id)

    def _advance(self) -> None:
        """Begin those whose turn it is, and tell the others where they stand."""
        with self._lock:
            waiting = [run for run in self._runs.values() if run.state == "waiting"]
            training = [run for run in self._runs.values() if run.state != "waiting" and not run.has_ended]
            free = max(self.at_once - len(training), 0)
            for run in waiting[:free]:
                run.begin()
            for place, run in enumerate(waiting[free:], start=1):
                run.wait_at(place, min(self.at_once, len(training) + free))
            ended = [run for run in self._runs.values() if run.has_ended]
            for run in ended[: max(len(ended) - MOST_ENDED, 0)]:
                self.close(run.id)

    def _watch(self) -> None:
        if not self._watching:
            self._watching = True
            sweep()
            atexit.register(self.end_all)
            threading.Thread(target=self._watch_forever, name="live runs", daemon=True).start()

    def _watch_forever(self) -> None:
        while True:
            time.sleep(1)
            self.look_after()

    def look_after(self) -> None:
        """End what nobody watches, and what is paused for long while others wait."""
        now = time.monotonic()
        with self._lock:
            running = [run for run in self._runs.values() if not run.is_over]
        for run in running:
            if now - run.seen > AWAY_SECONDS:
                self.close(run.id)
            elif (
                run.state == "paused"
                and now - run.since > PAUSED_SECONDS
                and any(r.state == "waiting" for r in running)
            ):
                run.give_way()


LIVE = LiveRuns()


def check(choices: dict) -> None:
    """Raise ``ValueError`` with one sentence for choices that cannot be trained."""
    from llm_core.live.choices import parse  # brings torch

    parse(choices)


def _read_frame(stream) -> bytes | None:
    """The next payload behind its length, uint32; None at the end."""
    length = stream.read(4)
    if len(length) < 4:
        return None
    frame = stream.read(struct.unpack("<I", length)[0])
    return frame if len(frame) == struct.unpack("<I", length)[0] else None
