"""The views: each is an element of the page on which a module of ``static/`` mounts.

A view's template never changes, so what its module draws survives every update. Data reaches all of them
through one client store, filled by ``PayloadLink``.
"""

import hashlib
from pathlib import Path

import gradio as gr

STATIC = Path(__file__).parent / "static"


def static_version() -> str:
    """A hash over everything in ``static/``: part of the URL, so that no browser mixes two versions."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


VERSION = static_version()
SAVE = (
    f"import(new URL('static/{VERSION}/save.mjs', document.baseURI).href)"
    ".then(({ attach }) => attach(element.querySelector('.hs-view')));"
)


class View(gr.HTML):
    """An element on which ``static/<module>`` mounts: ``mount(element, {props, watch, trigger})``.

    Gradio gives a component the events that stand quoted in its script, so ``own_events`` are listed there.
    What a view shows can be saved, if it ``saves``.
    """

    module = ""
    saves = True
    own_events = ()

    def __init__(self, value: str | None = None, **options):
        super().__init__(
            value,
            html_template=f'<div class="hs-view" data-view="{self.module.removesuffix(".mjs")}"></div>',
            js_on_load=(
                f"import(new URL('static/{VERSION}/{self.module}', document.baseURI).href)"
                ".then((m) => m.mount(element.querySelector('.hs-view'), { props, watch, trigger }));"
                + (SAVE if self.saves else "")
                + "".join(f" /* '{event}' */" for event in self.own_events)
            ),
            apply_default_css=False,
            padding=False,
            **options,
        )

    def get_block_name(self) -> str:
        return "html"


class Header(View):
    """Name, theme and keys."""

    module = "header_view.mjs"
    saves = False


class ModelChoice(View):
    """Which model the text is given to; its value is the name of the one that the app was started with."""

    module = "model_choice.mjs"
    saves = False


class PayloadLink(View):
    """Draws only problems: its value says where the payload lies, or what went wrong, as JSON."""

    module = "payload_link.mjs"
    saves = False


class TokenStrip(View):
    """The tokens of the text, and how much of the window they use."""

    module = "tokens_view.mjs"


class HeadGrid(View):
    """All layers x heads as thumbnails."""

    module = "grid_view.mjs"


class AttentionHead(View):
    """One head, large: matrix or lines."""

    module = "attention_view.mjs"


class HeadRoles(View):
    """What the chosen head does on standard tests."""

    module = "roles_view.mjs"


class NextToken(View):
    """The distribution behind the chosen token."""

    module = "next_view.mjs"


class Inside(View):
    """The switch between the panels below it, which show the rest of the model."""

    module = "inside_view.mjs"
    saves = False


class Pipeline(View):
    """The whole forward pass, from text to next token."""

    module = "pipeline_view.mjs"


class LogitLens(View):
    """What each layer would predict."""

    module = "lens_view.mjs"


class Residual(View):
    """What every head and MLP adds to a token's logit."""

    module = "residual_view.mjs"
    own_events = ("ask",)


class Surgery(View):
    """Heads, layers and MLPs switched off or changed; its value is what a measurement has found so far, as JSON."""

    module = "surgery_view.mjs"
    own_events = ("effect", "sweep", "halt")


class SurgeryBanner(View):
    """Says that it is a changed model that is shown."""

    module = "surgery_banner.mjs"
    saves = False


class Generate(View):
    """The Generate page; ``ask`` carries a question of its, its value is the answer, as JSON; ``use`` opens a text."""

    module = "generate_view.mjs"
    own_events = ("ask", "use")


class GenerateRun(View):
    """Carries longer work of that page: its value is one JSON object a line, only ever appended to."""

    module = "generate_run.mjs"
    saves = False
    own_events = ("go", "halt")


class Lessons(View):
    """The Learn page; ``ask`` carries a question of its, its value is the answer, as JSON."""

    module = "learn_view.mjs"
    saves = False
    own_events = ("ask",)


class TrainSwitch(View):
    """The switch between the two parts of the Train page."""

    module = "train_switch.mjs"
    saves = False


class Timeline(View):
    """What was recorded of models while they trained, step by step."""

    module = "timeline_view.mjs"


class Live(View):
    """Choose a tiny model, train it, and watch it learn."""

    module = "live_view.mjs"


class Check(View):
    """The page "Check your code"; ``check`` carries a file, if the app takes any, its value is the answer, as JSON."""

    module = "check_view.mjs"
    saves = False
    own_events = ("check", "halt")


class Comparison(View):
    """The Compare page; ``ask`` carries a question of its, its value is the answer, as JSON."""

    module = "compare_view.mjs"
    own_events = ("ask",)
