"""Numbers as they are written: with so many decimals, and each of them right."""

import re
from collections.abc import Iterable


def decimals(text: str) -> int:
    assert re.fullmatch(r"[+-]?\d+(\.\d+)?", text), text
    return len(text.partition(".")[2])


def agrees(text: str, true: float) -> int:
    """How many decimals were written, each of which is right."""
    if text.startswith("<"):
        assert 0 < true < float(text[1:]) / 2, true
        return 3
    wanted = f"{float(true):.{decimals(text)}f}"
    assert text == (wanted if float(wanted) else wanted.replace("-", "")), true
    return decimals(text)


def all_agree(texts: Iterable[str], truths: Iterable[float], least: float) -> None:
    """Every one, with ``least`` decimals in the mean."""
    found = [agrees(text, true) for text, true in zip(texts, truths, strict=True)]
    assert sum(found) / len(found) >= least


def is_rounded(number: float, true: float) -> bool:
    """To three decimals, or to fewer."""
    return any(number == float(f"{float(true):.{count}f}") for count in (3, 2, 1))
