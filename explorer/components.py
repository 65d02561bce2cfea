"""The views: each is an element of the page on which a module of ``web/`` mounts.

A view's template never changes, so what its module draws stays. Views get their data by asking (``web/state/ask.mjs``);
what all of them are about lies in one client store.
"""

from typing import ClassVar

import gradio as gr


class View(gr.HTML):
    """An element on which ``web/<module>`` mounts: ``mount(element, {props})``, once its page is open.

    The first HTML's import map says where ``headscope/`` is. What a view shows can be saved "below" it, or from the
    "menu" of the Explore page, as ``saves`` says.
    """

    view, module = "", ""
    shown_on = ""  # its page; "" for what several have
    seen_with: ClassVar[dict[str, str]] = {}  # what else the address says when it is seen
    saves = "below"

    def __init__(self, value: str | None = None, **options):
        super().__init__(
            value,
            html_template=(
                f'<div class="hs-view" data-view="{self.view}" data-module="{self.module}" data-on="{self.shown_on}" '
                f'data-saves="{self.saves}"></div>'
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
    saves = ""


class Prompt(View):
    """Gives the text above it to the model, and says what went wrong; ``given`` are the examples, as JSON."""

    view, module = "prompt_view", "shell/prompt.mjs"
    saves = ""


class Examples(View):
    """Texts to choose from; ``given`` are their names, as JSON."""

    view, module = "examples_view", "explore/examples.mjs"
    shown_on = "explore"
    saves = ""


class SaveMenu(View):
    """What is seen on the Explore page, to be saved and shared."""

    view, module = "save_view", "save/menu.mjs"
    shown_on = "explore"
    saves = ""


class TokenStrip(View):
    """The tokens of the text, and how much of the window they use."""

    view, module = "tokens_view", "explore/tokens.mjs"
    shown_on = "explore"
    saves = "menu"


class HeadGrid(View):
    """All layers x heads as thumbnails."""

    view, module = "grid_view", "explore/grid.mjs"
    shown_on = "explore"
    saves = "menu"


class AttentionHead(View):
    """One head, large: matrix or lines."""

    view, module = "attention_view", "attention/view.mjs"
    shown_on = "explore"
    saves = "menu"


class HeadRoles(View):
    """What the chosen head does on standard tests."""

    view, module = "roles_view", "explore/roles.mjs"
    shown_on = "explore"
    saves = "menu"


class HeadScatter(View):
    """All heads as points by two scores; a click chooses a head."""

    view, module = "scatter_view", "explore/scatter.mjs"
    shown_on = "explore"
    saves = ""


class NextToken(View):
    """The distribution behind the chosen token."""

    view, module = "next_view", "explore/next.mjs"
    shown_on = "explore"
    saves = "menu"


class Phone(View):
    """What a phone shows instead of columns: a button for the text, and a bar that leads from head to head."""

    view, module = "phone_view", "explore/phone.mjs"
    shown_on = "explore"
    saves = ""


class Tabs(View):
    """Which picture of the model stands in the middle."""

    view, module = "tabs_view", "explore/tabs.mjs"
    shown_on = "explore"
    saves = ""


class Pipeline(View):
    """The whole forward pass, from text to next token."""

    view, module = "pipeline_view", "pipeline/view.mjs"
    shown_on = "explore"
    saves = "menu"


class LogitLens(View):
    """What each layer would predict."""

    view, module = "lens_view", "lens/view.mjs"
    shown_on = "explore"
    saves = "menu"


class Residual(View):
    """What every head and MLP adds to a token's logit."""

    view, module = "residual_view", "residual/view.mjs"
    shown_on = "explore"
    saves = "menu"


class Surgery(View):
    """Heads, layers and MLPs switched off or changed; ``given`` are the experiments, as JSON."""

    view, module = "surgery_view", "surgery/view.mjs"
    shown_on = "explore"
    saves = "menu"


class SurgeryBoard(View):
    """The head grid, on which the model is changed."""

    view, module = "surgery_board", "surgery/board.mjs"
    shown_on = "explore"
    seen_with = {"panel": "surgery"}
    saves = "menu"


class SurgeryNext(View):
    """The next token before and after a change."""

    view, module = "surgery_next", "surgery/next.mjs"
    shown_on = "explore"
    seen_with = {"panel": "surgery"}
    saves = "menu"


class SurgeryBanner(View):
    """Says that a changed model is shown."""

    view, module = "surgery_banner", "surgery/banner.mjs"
    shown_on = "explore"
    seen_with = {"edits": "zero.h.3.2", "changed": "everywhere"}
    saves = ""


class Patch(View):
    """What brings the answer back when it is put from one text into another; ``given`` are the experiments, as JSON."""

    view, module = "patch_view", "patch/view.mjs"
    shown_on = "explore"
    saves = "menu"


class Generate(View):
    """The Generate page."""

    view, module = "generate_view", "generate/view.mjs"
    shown_on = "generate"


class Lessons(View):
    """The Learn page."""

    view, module = "learn_view", "learn/view.mjs"
    shown_on = "learn"
    saves = ""


class Turn(View):
    """A block of the homework to write yourself."""

    view, module = "turn_view", "check/turn/view.mjs"
    shown_on = "learn"
    seen_with: ClassVar[dict[str, str]] = {"turn": "embedding"}
    saves = ""


class TrainSwitch(View):
    """The switch between the two parts of the Train page."""

    view, module = "train_switch", "train/switch.mjs"
    shown_on = "train"
    saves = ""


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
    saves = ""


class Comparison(View):
    """The Compare page."""

    view, module = "compare_view", "compare/view.mjs"
    shown_on = "compare"
