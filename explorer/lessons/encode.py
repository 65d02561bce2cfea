"""Steps -> one payload. Arrays are sent once, however many panels and formulas share them; so is source code."""

import hashlib
from dataclasses import asdict
from typing import Any

import numpy as np

from ..engine.payload import pack
from .lesson import (
    Bars,
    Facts,
    Formula,
    Lesson,
    Message,
    Operand,
    Panel,
    Question,
    Scene,
    Shown,
    Step,
    TokenMap,
    as_array,
)
from .source import Code

KINDS = {"f": "float32", "i": "int32", "b": "uint8"}


def lesson_payload(lesson: Lesson, scene: Scene, steps: list[Step]) -> bytes:
    """What the browser draws a whole lesson from. Raises ``ValueError`` if the lesson breaks its own contract."""
    if len(steps) != lesson.num_steps:
        raise ValueError(f"the lesson {lesson.id} built {len(steps)} steps, and announces {lesson.num_steps}")
    store = Store()
    encoded = [store.step(step) for step in steps]
    header = {
        "lesson": lesson.id,
        "controls": [{**asdict(control), "value": scene.inputs[control.name]} for control in scene.controls],
        "about": about(lesson, scene) if lesson.uses_text else None,
        "steps": encoded,
        "codes": [asdict(code) for code in store.codes],
    }
    return pack(header, store.arrays)


def about(lesson: Lesson, scene: Scene) -> dict:
    """What the page says about the text and the model."""
    recorded = scene.recorded
    return {
        "text": scene.text,
        "tokens": recorded.tokens,
        "total": recorded.total,
        "model": lesson.model or scene.runner.facts.name,
    }


class Store:
    """Arrays and source listings by number, each kept once."""

    def __init__(self):
        self.arrays: dict[str, tuple[str, np.ndarray]] = {}
        self.codes: list[Code] = []
        self._keys: dict[tuple, str] = {}

    def array(self, values: Any) -> str | None:
        """The key under which an array lies; the same numbers have one key."""
        if values is None:
            return None
        array = as_array(values)
        kind = KINDS[array.dtype.kind]
        same = (kind, array.shape, array.tobytes())
        if same not in self._keys:
            self._keys[same] = f"a{len(self._keys)}"
            self.arrays[self._keys[same]] = (kind, array)
        return self._keys[same]

    def code(self, code: Code) -> int:
        if code not in self.codes:
            self.codes.append(code)
        return self.codes.index(code)

    def step(self, step: Step) -> dict:
        return {
            "title": step.title,
            "text": step.text,
            "show": [self.shown(item) for item in step.show],
            "code": [self.code(code) for code in step.code],
            "source": step.source,
            "question": self.question(step.question) if step.question else None,
        }

    def question(self, question: Question) -> dict:
        options = sorted(map(asdict, question.options), key=lambda option: _order(question.prompt, option["text"]))
        before = None if question.before is None else [self.shown(item) for item in question.before]
        return {"prompt": question.prompt, "options": options, "before": before}

    def shown(self, item: Shown) -> dict:
        if isinstance(item, Panel):
            return {"kind": "panel", **self.panel(item)}
        kinds = {Bars: "bars", Facts: "facts", Message: "message", TokenMap: "map"}
        return {"kind": kinds[type(item)], **asdict(item)}

    def panel(self, panel: Panel) -> dict:
        _check(panel)
        plain = ("name", "title", "where", "color", "limit", "width", "decimals", "cell", "note")
        lists = ("letters", "rows", "columns", "blocks", "marks")
        tape = panel.tape
        return {
            **{name: getattr(panel, name) for name in plain},
            **{name: list(getattr(panel, name)) for name in lists},
            "family": panel.family or panel.name,
            "values": self.array(panel.values),
            "origin": self.array(panel.origin),
            "hidden": self.array(panel.hidden),
            "formula": panel.formula and self.formula(panel.formula),
            "tape": tape and {
                "storage": self.array(tape.storage),
                "origin": self.array(tape.origin),
                "strides": list(tape.strides),
                "offset": tape.offset,
                "block": tape.block,
            },
        }  # fmt: skip

    def formula(self, formula: Formula) -> dict:
        plain = ("kind", "over", "number", "number_text")
        operands = {name: getattr(formula, name) for name in ("a", "b", "bias")}
        return {
            **{name: getattr(formula, name) for name in plain},
            **{name: operand and self.operand(operand) for name, operand in operands.items()},
        }

    def operand(self, operand: Operand) -> dict:
        return {"name": operand.name, "values": self.array(operand.values), "letters": operand.letters}


def _order(prompt: str, text: str) -> bytes:
    """Options in an order that does not tell the right one, and stays the same for one question."""
    return hashlib.sha256(f"{prompt}/{text}".encode()).digest()


def _check(panel: Panel) -> None:
    """What the browser relies on; a lesson that breaks it fails here, by name."""
    shape = as_array(panel.values).shape
    if len(panel.letters) != len(shape):
        raise ValueError(f"panel {panel.name}: {len(panel.letters)} letters for the shape {shape}")
    for name in ("origin", "hidden"):
        other = getattr(panel, name)
        if other is not None and as_array(other).shape != shape:
            raise ValueError(f"panel {panel.name}: {name} has the shape {as_array(other).shape}, not {shape}")
    if panel.color == "origin" and panel.origin is None:
        raise ValueError(f'panel {panel.name}: the color "origin" needs origins')
