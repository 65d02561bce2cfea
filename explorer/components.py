"""The views: each is an element of the page on which a module of ``web/`` mounts.

A view's template never changes, so what its module draws stays. Views get their data by asking (``web/state/ask.mjs``);
what all of them are about lies in one client store.
"""

from typing import ClassVar

import gradio as gr

SAVER = "save/save.mjs"  # the module that adds "Save" below a view


class View(gr.HTML):
    """An element on which ``web/<module>`` mounts: ``mount(element, {props})``, once its page is open.

    The first HTML's import map says where ``headscope/`` is. What a view shows can be saved, if it ``saves``.
    """

    view, module = "", ""
    shown_on = ""  # its page; "" for what several have
    seen_with: ClassVar[dict[str, str]] = {}  # what else the address says when it is seen
    saves = True

    def __init__(self, value: str | None = None, **options):
        super().__init__(
            value,
            html_template=(
                f'<div class="hs-view" data-view="{self.view}" data-module="{self.module}" data-on="{self.shown_on}" '
                f'data-saver="{SAVER if self.saves else ""}"></div>'
            ),
            js_on_load="import('headscope/shell/mount.mjs').then((m) => m.mount(element, { props }));",
            apply_default_css=False,
            padding=False,
            **options,
        )

    def get_block_name(self) -> str:
        return "html"


class ModelChoice(View):
    """Which model the text is given to; its value is the name of the one that the app was started with."""

    view, module = "model_choice", "shell/model_choice.mjs"
    saves = False


class Prompt(View):
    """Gives the text above it to the model, and says what went wrong; ``given`` are the examples, as JSON."""

    view, module = "prompt_view", "shell/prompt.mjs"
    saves = False


class TokenStrip(View):
    """The tokens of the text, and how much of the window they use."""

    view, module = "tokens_view", "explore/tokens.mjs"
    shown_on = "explore"


class HeadGrid(View):
    """All layers x heads as thumbnails."""

    view, module = "grid_view", "explore/grid.mjs"
    shown_on = "explore"


class AttentionHead(View):
    """One head, large: matrix or lines."""

    view, module = "attention_view", "attention/view.mjs"
    shown_on = "explore"


class HeadRoles(View):
    """What the chosen head does on standard tests."""

    view, module = "roles_view", "explore/roles.mjs"
    shown_on = "explore"


class NextToken(View):
    """The distribution behind the chosen token."""

    view, module = "next_view", "explore/next.mjs"
    shown_on = "explore"


class Inside(View):
    """The switch between the panels below it, which show the rest of the model."""

    view, module = "inside_view", "explore/inside.mjs"
    shown_on = "explore"
    saves = False


class Pipeline(View):
    """The whole forward pass, from text to next token."""

    view, module = "pipeline_view", "pipeline/view.mjs"
    shown_on = "explore"


class LogitLens(View):
    """What each layer would predict."""

    view, module = "lens_view", "lens/view.mjs"
    shown_on = "explore"


class Residual(View):
    """What every head and MLP adds to a token's logit."""

    view, module = "residual_view", "residual/view.mjs"
    shown_on = "explore"


class Surgery(View):
    """Heads, layers and MLPs switched off or changed."""

    view, module = "surgery_view", "surgery/view.mjs"
    shown_on = "explore"


class SurgeryBanner(View):
    """Says that it is a changed model that is shown."""

    view, module = "surgery_banner", "surgery/banner.mjs"
    shown_on = "explore"
    seen_with = {"edits": "zero.h.3.2", "changed": "everywhere"}
    saves = False


class Generate(View):
    """The Generate page."""

    view, module = "generate_view", "generate/view.mjs"
    shown_on = "generate"


class Lessons(View):
    """The Learn page."""

    view, module = "learn_view", "learn/view.mjs"
    shown_on = "learn"
    saves = False


class TrainSwitch(View):
    """The switch between the two parts of the Train page."""

    view, module = "train_switch", "train/switch.mjs"
    shown_on = "train"
    saves = False


class Timeline(View):
    """What was recorded of models while they trained, step by step."""

    view, module = "timeline_view", "train/timeline/view.mjs"
    shown_on = "train"
    seen_with = {"train": "timeline"}


class Live(View):
    """Choose a tiny model, train it, and watch it learn."""

    view, module = "live_view", "train/live/view.mjs"
    shown_on = "train"


class Check(View):
    """The page "Check your code"."""

    view, module = "check_view", "check/view.mjs"
    shown_on = "check"
    saves = False


class Comparison(View):
    """The Compare page."""

    view, module = "compare_view", "compare/view.mjs"
    shown_on = "compare"
