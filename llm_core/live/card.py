"""The card of a tiny model: what it was trained for, with which choices, and how well it does."""

from typing import Any

from ..model.checkpoints import num_parameters
from .choices import CHOICES, DROPOUT
from .tasks import TOKENIZER
from .trainer import TinyTrainer


def card(trainer: TinyTrainer) -> str:
    """Markdown. Raises nothing that a run at step 0 could not answer: what was not measured is left out."""
    choices = trainer.choices
    rows = [f"| {choice.title} | {_written(choice.name, getattr(choices, choice.name))} |" for choice in CHOICES]
    return "\n".join(
        [
            f"# {trainer.task.title}, {choices.architecture}",
            "",
            f"A tiny model of {num_parameters(trainer.model):,} parameters, trained live for {trainer.step:,} steps "
            f"({trainer.seconds:.0f} seconds) on this task: {trainer.task.sentence}",
            "",
            *_measured(trainer),
            f"Its tokens are the bytes of the text (tokenizer `{TOKENIZER.name}`), and it reads {trainer.window} of"
            " them at most. It knows this task and nothing else."
            + " Give it small letters only: every other byte is new to it."
            * trainer.task.finds,
            "",
            "| choice | |",
            "|---|---|",
            *rows,
            "",
        ]
    )


def _measured(trainer: TinyTrainer) -> list[str]:
    if trainer.fresh is None:
        return []
    step, fresh = trainer.fresh
    return [
        f"On examples that were not trained on, at step {step:,}: loss {fresh.loss:.4f} nats per answer (guessing: "
        f"{trainer.uniform_loss:.4f}), accuracy {fresh.accuracy:.1%}. {trainer.task.rule}",
        "",
    ]


def _written(name: str, value: Any) -> str:
    if name == "dropout":
        return DROPOUT[value]
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
