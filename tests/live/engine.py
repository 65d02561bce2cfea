"""A stand-in for ``python -m llm_core.live`` that trains nothing: the same protocol, as fast as it is asked.

Choices: {"steps": N} makes N measured frames and is done; without it frames come until "stop". {"die": true} ends at
once without a word.
"""

import json
import os
import queue
import struct
import sys
import threading
import time
from pathlib import Path

import numpy as np

from explorer.engine.payload import pack


def say(header: dict, arrays: dict | None = None) -> None:
    frame = pack(header, arrays or {})
    sys.stdout.buffer.write(struct.pack("<I", len(frame)) + frame)
    sys.stdout.buffer.flush()


def listen(commands: queue.Queue) -> None:
    for line in sys.stdin:
        commands.put(json.loads(line))
    os._exit(0)  # the app has ended


def measured(step: int) -> None:
    points = {"step": [step], "loss": [5.5 / (step + 1)], "lr": [0.01], "grad_norm": [1.0]}
    attention = np.full((1, 2, 3, 3), (step % 10) / 10, dtype=np.float32)
    say({"kind": "measured", "step": step, "points": points}, {"decoder": ("unit16", attention)})


def keep(folder: str, step: int) -> None:
    if not Path(folder).parent.is_dir():
        return say({"kind": "refused", "sentence": "No space left on device."})
    Path(folder).mkdir()
    for name in ("config.json", "model.safetensors"):
        Path(folder, name).write_text(f"{name} at step {step}")
    return say({"kind": "kept", "folder": folder, "step": step})


def main() -> None:
    commands: queue.Queue = queue.Queue()
    threading.Thread(target=listen, args=[commands], daemon=True).start()
    choices = commands.get()
    if choices.get("die"):
        os._exit(3)
    say({"kind": "ready", "choices": choices, "pid": os.getpid()})
    step, state, steps = 0, "running", choices.get("steps", 10**9)
    say({"kind": "state", "state": state, "step": 0, "sentence": ""})
    while True:
        if state == "running":
            if step >= steps:
                state = "done"
                say({"kind": "state", "state": state, "step": step, "sentence": ""})
            else:
                measured(step)
                step += 1
                time.sleep(0.002)
        try:
            command = commands.get(block=state != "running")
        except queue.Empty:
            continue
        if command["do"] == "keep":
            keep(command["folder"], step)
        if command["do"] in ("pause", "resume", "stop"):
            state = {"pause": "paused", "resume": "running", "stop": "stopped"}[command["do"]]
            say({"kind": "state", "state": state, "step": step, "sentence": ""})
        if state == "stopped":
            return


if __name__ == "__main__":
    main()
