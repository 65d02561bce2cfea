"""A tiny model that learns a task while one watches: less than a million parameters, on a CPU, in a minute or two.

choices.py   what can be chosen, and which choices are impossible
tasks.py     copy, reverse, induction, sorting, articles: examples from (seed, step) alone
tiny.py      choices -> model, and the model -> a checkpoint
observer.py  what it does: accuracy on fresh examples, attention on a fixed one, what heads become
trainer.py   the steps, and signs of trouble
card.py      what is written beside its checkpoint
frames.py    what travels to another process
session.py   a run led by commands, which sends frames
__main__.py  ``python -m llm_core.live``: a process of its own: commands on stdin, frames on stdout
"""

from ..lazily import handed_on

__all__ = ["Choices", "Event", "Observer", "Point", "Session", "TinyTrainer", "describe", "new_model", "parse", "save"]

__getattr__, __dir__ = handed_on(
    __name__,
    {
        "choices": ["Choices", "describe", "parse"],
        "observer": ["Observer"],
        "session": ["Session"],
        "tiny": ["new_model", "save"],
        "trainer": ["Event", "Point", "TinyTrainer"],
    },
)
