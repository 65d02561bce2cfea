"""The package that homework files import, ours: found by the name the course gave it while a file is checked."""

import importlib
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

GIVEN = Path(__file__).parent / "given"


@cache
def course() -> ModuleType:
    """``gtgpt.model`` with the base classes; from here on ``import gtgpt`` finds ours."""
    sys.path.insert(0, str(GIVEN))
    for name in [name for name in sys.modules if name.split(".")[0] == "gtgpt"]:
        del sys.modules[name]
    return importlib.import_module("gtgpt.model")
