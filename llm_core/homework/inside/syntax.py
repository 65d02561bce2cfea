"""Syntax errors in a sentence."""

import platform
import re

LATER = re.compile(r"\s*(?:type \w+(?:\[.*\])? *=|(?:async def|def|class) \w+\[)")  # as Python 3.12 and later write


def syntax_sentence(error: SyntaxError, line: int | None) -> str:
    """For who wrote it; ``line`` is where it stands in the file."""
    if LATER.match(error.text or "") and line:
        version = ".".join(platform.python_version_tuple()[:2])
        return f"What stands in line {line} needs a later Python than the {version} that runs here."
    why = re.sub(r" \(detected at line \d+\)", "", error.msg)
    return f"There is a Python syntax error in {f'line {line}' if line else 'your file'}: {why}."
