"""The Gradio app: pages lay out and wire, views draw in the browser, the runner runs models."""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before gradio is imported: no outside host is looked up
