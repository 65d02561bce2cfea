"""Gradio without the stubs for editors that it writes anew, beside each component's source, whenever it is imported:
they take a third of its import."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_stubs() -> Iterator[None]:
    """What is imported inside writes none: Gradio leaves out a component that has no file."""
    getfile = inspect.getfile

    def file_of(thing) -> str:
        if type(thing).__name__ == "ComponentMeta":
            raise OSError
        return getfile(thing)

    inspect.getfile = file_of  # type: ignore[assignment]
    try:
        yield
    finally:
        inspect.getfile = getfile
