"""The homework companion: which blocks of a student's file are right, and what is wrong with the others.

    python -m llm_core.homework my_llm_implementation.py

In a notebook, on the cells that have been run there:

    from llm_core.homework import check
    check()
"""

__all__ = ["check"]


def check(file: str | None = None) -> None:
    """Draw the report of a file, or of the notebook that this is called in, in the cell's output.

    Raises:
        OSError: the file cannot be read.
        RuntimeError: there is neither a file nor a notebook.
    """
    from .notebook import show

    show(file)
