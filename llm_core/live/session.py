"""A run led by commands, which sends frames.

Each method that sends a frame is one kind of frame. Numbers of every step are sent; attention, which is large, only
with each "measured" frame, some times a second. While nobody takes the frames the run waits.
"""

import queue
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from ..model.checkpoints import CheckpointError, num_parameters
from .card import card
from .choices import Choices
from .frames import frame
from .observer import THRESHOLD, AttentionKind, describe_tokens
from .tiny import save
from .trainer import Event, Point, TinyTrainer

COMMANDS = ("pause", "resume", "stop", "keep")


class Session:
    """``commands`` gives dicts, and None when there will be no more; ``send`` takes one frame's bytes."""

    def __init__(self, choices: Choices, commands: queue.Queue, send: Callable[[bytes], None], interval: float):
        self.choices, self.commands, self.send = choices, commands, send
        self.interval = interval  # seconds between two "measured" frames
        self.trainer = TinyTrainer(choices)
        self.state = "running"
        self._points: list[Point] = []
        self._sent = -np.inf  # when the last "measured" frame was

    def serve(self) -> bool:
        """Train until told to stop; False if the loss was no number any more."""
        self.ready()
        self.events(self.trainer.measure())
        self.measured()
        self.enter("running")
        while self.state not in ("stopped", "failed"):
            self._obey()
            if self.state == "running":
                self._advance()
        return self.state == "stopped"

    def _advance(self) -> None:
        try:
            point, events = self.trainer.advance()
        except FloatingPointError as error:
            self.measured(with_look=False)
            return self.enter("failed", str(error))
        self._points.append(point)
        self.events(events)
        if self.trainer.is_done:
            self.measured()
            self.enter("done")
        elif time.monotonic() - self._sent >= self.interval:
            self.measured()

    def _obey(self) -> None:
        """Whatever was commanded; while the run rests, wait for it without using the CPU."""
        while True:
            try:
                command = self.commands.get(block=self.state in ("paused", "done"))
            except queue.Empty:
                return
            self._do(command)
            if self.state == "stopped":
                return

    def _do(self, command: Any) -> None:
        command = {"do": "stop"} if command is None else command if isinstance(command, dict) else {}
        action = command.get("do")
        if action == "stop":
            self.enter("stopped")
        elif action == "pause" and self.state == "running":
            self.measured()
            self.enter("paused")
        elif action == "resume" and self.state == "paused":
            self.enter("running")
        elif action == "keep" and isinstance(command.get("folder"), str):
            self._save(command["folder"])
        elif action in ("pause", "resume"):
            self.refused(f"The run is {self.state}, so there is nothing to {action}.")
        elif action == "keep":
            self.refused('Say where to keep the model: {"do": "keep", "folder": "…"}.')
        else:
            self.refused(f'There is no such command; there are {", ".join(COMMANDS)}, written {{"do": "pause"}}.')

    def _save(self, folder: str) -> None:
        try:
            save(self.trainer.model, self.choices, folder, card(self.trainer))
        except CheckpointError as error:
            return self.refused(str(error))
        self.send(frame({"kind": "kept", "folder": folder, "step": self.trainer.step}))

    def ready(self) -> None:
        """Send what does not change during the run."""
        trainer, observer = self.trainer, self.trainer.observer
        self.send(
            frame(
                {
                    "kind": "ready",
                    "choices": asdict(self.choices),
                    "num_parameters": num_parameters(trainer.model),
                    "uniform_loss": trainer.uniform_loss,
                    "window": trainer.window,
                    "task": {"name": trainer.task.name, "title": trainer.task.title, "sentence": trainer.task.sentence},
                    "rule": trainer.task.rule,
                    "threshold": THRESHOLD,
                    "parts": [self._attention(kind) for kind in observer.kinds],
                    "probe": {"places": observer.places, "answers": describe_tokens(observer.targets)},
                }
            )
        )

    def _attention(self, kind: AttentionKind) -> dict:
        row = self.trainer.observer.row
        own = row.answering if kind.name != "encoder" else row.ids
        return {
            "name": kind.name,
            "title": kind.title,
            "causal": kind.name == "decoder",
            "n_layer": self.choices.n_layer,
            "n_head": self.choices.n_head,
            "queries": describe_tokens(own),
            "keys": describe_tokens(row.ids if kind.cross else own),
        }

    def measured(self, with_look: bool = True) -> None:
        """All points since the last such frame, and a look at the model unless its weights are no numbers."""
        trainer, points, self._points = self.trainer, self._points, []
        header = {
            "kind": "measured",
            "step": trainer.step,
            "seconds": trainer.seconds,
            "tokens_per_second": trainer.num_tokens / trainer.seconds if trainer.seconds else 0.0,
            "points": {name: [getattr(point, name) for point in points] for name in Point.__slots__},
            "fresh": self._fresh(),
            "roles": self._roles(),
        }
        arrays = {}
        if with_look:
            look = trainer.observer.look()
            arrays = {name: pattern.numpy() for name, pattern in look.patterns.items()}
            header["answer"] = [{**token, "p": p} for token, p in zip(describe_tokens(look.ids), look.probabilities)]
            header["right"] = [
                id == trainer.observer.row.targets[place] for id, place in zip(look.ids, trainer.observer.places)
            ]
        self.send(frame(header, arrays))
        self._sent = time.monotonic()

    def _fresh(self) -> dict | None:
        if self.trainer.fresh is None:
            return None
        step, fresh = self.trainer.fresh
        return {"step": step, "loss": fresh.loss, "accuracy": fresh.accuracy}

    def _roles(self) -> list[dict]:
        lifts = self.trainer.fresh[1].lifts if self.trainer.fresh else {}
        return [{"role": role.name, "part": kind.name, "lifts": lift.tolist()} for role, (kind, lift) in lifts.items()]

    def events(self, events: list[Event]) -> None:
        """Send what is worth telling."""
        for event in events:
            self.send(frame({"kind": "event", **event.to_dict()}))

    def enter(self, state: str, sentence: str = "") -> None:
        """Go into a state, and say so."""
        self.state = state
        self.send(frame({"kind": "state", "state": state, "step": self.trainer.step, "sentence": sentence}))

    def refused(self, sentence: str) -> None:
        """Say why a command was not obeyed."""
        self.send(frame({"kind": "refused", "sentence": sentence}))
