"""The views: each is an element of the page on which a module of ``web/`` mounts.

A view's template never changes, so what its module draws survives every update. Data reaches all of them
through one client store, filled by ``PayloadLink``.
"""

import hashlib
from pathlib import Path

import gradio as gr

STATIC = Path(__file__).parent / "web"


def static_version() -> str:
    """A hash over everything in ``web/``: part of the URL, so that no browser mixes two versions."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


VERSION = static_version()
SAVE = (
    f"import(new URL('static/{VERSION}/save/save.mjs', document.baseURI).href)"
    ".then(({ attach }) => attach(element.querySelector('.hs-view')));"
)


class View(gr.HTML):
    """An element on which ``web/<module>`` mounts: ``mount(element, {props, watch, trigger})``.

    Gradio gives a component the events that stand quoted in its script, so ``own_events`` are listed there.
    What a view shows can be saved, if it ``saves``.
    """

    view, module = "", ""
    saves = True
    own_events: tuple[str, ...] = ()

    def __init__(self, value: str | None = None, **options):
        super().__init__(
            value,
            html_template=f'<div class="hs-view" data-view="{self.view}"></div>',
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

    view, module = "header_view", "shell/header.mjs"
    saves = False


class ModelChoice(View):
    """Which model the text is given to; its value is the name of the one that the app was started with."""

    view, module = "model_choice", "shell/model_choice.mjs"
    saves = False


class PayloadLink(View):
    """Draws only problems: its value says where the payload lies, or what went wrong, as JSON."""

    view, module = "payload_link", "shell/payload_link.mjs"
    saves = False


class TokenStrip(View):
    """The tokens of the text, and how much of the window they use."""

    view, module = "tokens_view", "explore/tokens.mjs"


class HeadGrid(View):
    """All layers x heads as thumbnails."""

    view, module = "grid_view", "explore/grid.mjs"


class AttentionHead(View):
    """One head, large: matrix or lines."""

    view, module = "attention_view", "attention/view.mjs"


class HeadRoles(View):
    """What the chosen head does on standard tests."""

    view, module = "roles_view", "explore/roles.mjs"


class NextToken(View):
    """The distribution behind the chosen token."""

    view, module = "next_view", "explore/next.mjs"


class Inside(View):
    """The switch between the panels below it, which show the rest of the model."""

    view, module = "inside_view", "explore/inside.mjs"
    saves = False


class Pipeline(View):
    """The whole forward pass, from text to next token."""

    view, module = "pipeline_view", "pipeline/view.mjs"


class LogitLens(View):
    """What each layer would predict."""

    view, module = "lens_view", "lens/view.mjs"


class Residual(View):
    """What every head and MLP adds to a token's logit."""

    view, module = "residual_view", "residual/view.mjs"
    own_events = ("ask",)


class Surgery(View):
    """Heads, layers and MLPs switched off or changed; its value is what a measurement has found so far, as JSON."""

    view, module = "surgery_view", "surgery/view.mjs"
    own_events = ("effect", "sweep", "halt")


class SurgeryBanner(View):
    """Says that it is a changed model that is shown."""

    view, module = "surgery_banner", "surgery/banner.mjs"
    saves = False


class Generate(View):
    """The Generate page; ``ask`` carries a question of its, its value is the answer, as JSON; ``use`` opens a text."""

    view, module = "generate_view", "generate/view.mjs"
    own_events = ("ask", "use")


class GenerateRun(View):
    """Carries longer work of that page: its value is one JSON object a line, only ever appended to."""

    view, module = "generate_run", "generate/run.mjs"
    saves = False
    own_events = ("go", "halt")


class Lessons(View):
    """The Learn page; ``ask`` carries a question of its, its value is the answer, as JSON."""

    view, module = "learn_view", "learn/view.mjs"
    saves = False
    own_events = ("ask",)


class TrainSwitch(View):
    """The switch between the two parts of the Train page."""

    view, module = "train_switch", "train/switch.mjs"
    saves = False


class Timeline(View):
    """What was recorded of models while they trained, step by step."""

    view, module = "timeline_view", "train/timeline/view.mjs"


class Live(View):
    """Choose a tiny model, train it, and watch it learn."""

    view, module = "live_view", "train/live/view.mjs"


class Check(View):
    """The page "Check your code"; ``check`` carries a file, if the app takes any, its value is the answer, as JSON."""

    view, module = "check_view", "check/view.mjs"
    saves = False
    own_events = ("check", "halt")


class Comparison(View):
    """The Compare page; ``ask`` carries a question of its, its value is the answer, as JSON."""

    view, module = "compare_view", "compare/view.mjs"
    own_events = ("ask",)
