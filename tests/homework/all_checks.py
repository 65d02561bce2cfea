"""In place of the homework's checks, for tests of what is around them: a block passes if its function returns True."""

from llm_core.homework.loading import load  # noqa: F401  (the sandbox asks for it here)


def check_block(name: str, module) -> dict:
    """``embedding()`` in the file decides over "embedding", and so on; a block without a function is not started."""
    function = getattr(module, name.replace(" ", "_").replace("-", "_"), None)
    status = "not started" if function is None else "passed" if function() is True else "failed"
    points = {"passed": 2 if name == "pipeline" else 1}.get(status, 0)
    return {"name": name, "status": status, "points": points, "sentence": "", "faults": []}
