"""The report inside a notebook: of what its cells have defined, drawn in the output."""

import sys
from pathlib import Path
from typing import Any

from .evening.page import report_page
from .reading import Handin, of_cells
from .rendering import to_text
from .report import Report
from .sandbox import check_file, check_handin


def show(file: str | None = None) -> None:
    """Raises what ``check`` in ``__init__.py`` says."""
    report = check_file(Path(file)) if file else check_handin(executed(), "this notebook")
    draw(report)


def executed() -> Handin:
    """The cells that have been run, in their order; of what was run twice the last counts."""
    shell = _shell()
    if shell is None:
        raise RuntimeError("check() without a file is for a notebook: give it the file's name, check('homework.py')")
    cells = [(number, text) for number, text in enumerate(shell.user_ns["In"]) if text and "check(" not in text]
    return of_cells(cells)


def _shell() -> Any:
    """IPython's, if this runs in it."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def draw(report: Report) -> None:
    """As a page in a notebook, as text elsewhere."""
    if _shell() is None:
        print(to_text(report))
        return
    from IPython.display import HTML, display

    display(HTML(report_page(report)))
