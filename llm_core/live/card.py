"""The card of a tiny model: what it was trained for, with which choices, and how well it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.checkpoints import num_parameters
from .choices import CHOICES, DROPOUT
from .tasks import TOKENIZER

if TYPE_CHECKING:
    from .trainer import Run


def card(run: Run) -> str:
    """Markdown. Raises nothing that a run at step 0 could not answer: what was not measured is left out."""
    choices = run.choices
    rows = [f"| {choice.title} | {_written(choice.name, getattr(choices, choice.name))} |" for choice in CHOICES]
    return "\n".join(
        [
            f"# {run.task.title}, {choices.architecture}",
            "",
            f"A tiny model of {num_parameters(run.model):,} parameters, trained live for {run.step:,} steps "
            f"({run.seconds:.0f} seconds) on this task: {run.task.sentence}",
            "",
            *_measured(run),
            f"Its tokens are the bytes of the text (tokenizer `{TOKENIZER.name}`), and it reads {run.window} of them at"
            " most. It knows this task and nothing else."
            + " Give it small letters only: every other byte is new to it."
            * run.task.finds,
            "",
            "| choice | |",
            "|---|---|",
            *rows,
            "",
        ]
    )


def _measured(run: Run) -> list[str]:
    if run.fresh is None:
        return []
    step, fresh = run.fresh
    return [
        f"On examples that were not trained on, at step {step:,}: loss {fresh.loss:.4f} nats per answer (guessing: "
        f"{run.uniform_loss:.4f}), accuracy {fresh.accuracy:.1%}. {run.task.rule}",
        "",
    ]


def _written(name: str, value: object) -> str:
    if name == "dropout":
        return DROPOUT[value]
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
