"""The Gradio app: pages lay out and wire, views draw in the browser, the runner runs models.

``from explorer import show`` gives its attention view to notebooks.
"""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before gradio is imported: no outside host is looked up


def __getattr__(name: str):
    if name == "show":  # only then: it needs NumPy, and the app starts without it
        from .export.notebook import show

        return show
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
