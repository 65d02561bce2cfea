"""What the bug museum asks before it shows a mistake. Every right answer is computed from the two runs."""

import math

from ..lesson import Option, Question, as_array
from ..questions import distinct
from .exhibit import Exhibit

MUCH = 1.0  # nats
LEAST = 0.0005  # what a sum of three decimals can tell from 1


def ask(shown: Exhibit, prompt: str, *options: Option) -> Question:
    """A question in front of the right picture."""
    before = [shown.panel(f"layer {shown.layer}, head {shown.head}, right")]
    return Question(prompt=prompt, options=distinct(*options), before=before)


def how_the_loss_changes(shown: Exhibit) -> Question | None:
    right, wrong = shown.losses
    if not (math.isfinite(right) and math.isfinite(wrong)):
        return None
    happens = "falls" if wrong <= right else "much" if wrong > right + MUCH else "little"
    told = f"It is {right:.2f} with the right line and {wrong:.2f} with the wrong one."
    texts = {
        "much": "it rises by more than 1 nat",
        "little": "it rises by less than 1 nat",
        "falls": "it does not rise",
    }
    whys = {
        "much": f"The weights do better than that, even with the wrong line. {told}",
        "little": f"Later blocks build on the result of this line, so more breaks than that. {told}",
        "falls": "These weights were trained with the right line. They cannot make use of another line.",
    }
    return ask(
        shown,
        "The weights stay the same, the line changes. What happens to the loss on held-out text? (1 nat more means "
        "that the probability of the right token is divided by 2.7.)",
        *[Option(texts[name], name == happens, told if name == happens else whys[name]) for name in texts],
    )


def where_it_begins(shown: Exhibit) -> Question:
    T, (L, H) = len(shown.ids), shown.right.pattern.shape[:2]
    first = first_changed_layer(shown)
    here = {
        None: f"There is nothing to mix up here: T={T}, H={H}, and the number of layers is {L}.",
        0: "Its queries and keys differ already.",
    }.get(first, "It is the first to read what was merged wrongly before it.")
    whys = {
        0: "Its pattern is computed before anything is merged, from the same queries and keys.",
        1: "It would be the first to read what a wrong merge left, but here a wrong merge gives the same result as a right one.",
        None: "What is merged goes into the residual stream, and later layers read it there.",
    }
    texts = {0: "in layer 0", 1: "in layer 1", None: "in none: patterns are computed before merging"}
    texts.setdefault(first, f"in layer {first}" if first is not None else "")
    return ask(
        shown,
        "Heads are merged wrongly in every layer, after each has its pattern. Which is the first layer with a wrong pattern?",
        *[Option(text, place == first, here if place == first else whys[place]) for place, text in texts.items()],
    )


def first_changed_layer(shown: Exhibit) -> int | None:
    """The first layer whose patterns are not those of the right run."""
    change = (shown.right.pattern - shown.wrong.pattern).abs().amax((1, 2, 3))  # (L,)
    return next((i for i, most in enumerate(change.tolist()) if most > 0), None)


def which_shape(shown: Exhibit) -> Question:
    T, (H, wrong_H) = len(shown.ids), (run.pattern.shape[1] for run in (shown.right, shown.wrong))
    return ask(
        shown,
        f"With the right line the pattern of a layer has the shape (1, {H}, {T}, {T}). What is the shape with the wrong line?",
        Option(f"(1, {wrong_H}, {T}, {T})", True, "There is one head as wide as the model, so there is one pattern."),
        Option(
            f"(1, {H}, {T}, {T})", False, "The number of heads comes from the line that was changed, so it is gone."
        ),
        Option(f"(1, {H}, {T * H}, {T * H})", False, "Tokens stay tokens: only the width is cut, or left whole."),
        Option("there is none: Python raises an error", False, "Nothing after it asks how many heads there are."),
    )


def which_map_is_scaled(shown: Exhibit) -> Question | None:
    """None where the larger scores do not make the sharper pattern: that is sure in layer 0 alone, where both runs get
    the same input."""
    D, C = shown.right.z.shape[-1], shown.runner.facts.n_embd
    sharpness = [float(as_array(panel.values).max(-1).mean()) for panel in (shown.panel(""), shown.wrong_panel(""))]
    undivided = shown.name == "no-scale"
    if abs(sharpness[0] - sharpness[1]) < 0.01 or (sharpness[1] > sharpness[0]) != undivided:
        return None
    told = "On average, the largest weight of its rows is {:.2f}, in the other map {:.2f}."
    if undivided:
        right, wrong = (
            f"Divided by √{D}, scores are closer together.",
            f"Undivided, scores lie √{D} times further apart.",
        )
        asked = f"In one of them the scores were not divided by √{D}."
    else:
        right, wrong = (
            f"Divided by √{D} only, scores stay further apart.",
            f"Divided by √{C}, scores move too close together.",
        )
        asked = f"In one of them the scores were divided by √{C}, the width of the model, instead of √{D}."
    whys = {True: f"{right} {told.format(*sharpness)}", False: f"{wrong} {told.format(*sharpness[::-1])}"}
    return which_map(
        shown, f"One head of layer {shown.layer}, twice. {asked} Which is the right one?", whys, right_first=undivided
    )


def which_map_hides_the_future(shown: Exhibit) -> Question | None:
    if bool((shown.hidden == shown.wrong_hidden).all()):
        return None
    whys = {
        True: "The diagonal is the end: a token sees itself and what comes before it.",
        False: "Look above the diagonal: each token sees the next one too, which it has to predict.",
    }
    return which_map(
        shown, "Rows are queries, columns are keys. Which of the two masks is right?", whys, right_first=False
    )


def which_map(shown: Exhibit, prompt: str, whys: dict[bool, str], right_first: bool) -> Question:
    order = [right_first, not right_first]
    return Question(
        prompt=prompt,
        options=[Option(name, is_right, whys[is_right]) for name, is_right in zip("AB", order)],
        before=[shown.unnamed(is_right, name) for name, is_right in zip("AB", order)],
    )


def what_the_first_row_sums_to(shown: Exhibit) -> Question:
    T = len(shown.ids)
    found = float(shown.wrong.pattern[shown.layer, shown.wrong_head, 0].sum())
    sums = "exactly 1" if abs(found - 1) < LEAST else "less than 1" if found < 1 else "more than 1"
    whys = {
        "exactly 1": "That is so if the softmax runs over the visible keys of a row. Look where it runs now.",
        "less than 1": "The weight that it loses goes to other tokens, but here nearly nothing is lost.",
        "more than 1": "A softmax shares out 1: no cell is above 1, and row 0 has only one visible cell.",
    }
    if shown.name == "softmax-axis":
        why = f"only its first key is visible, and that key shares 1 among all T={T} queries."
    else:
        why = f"the 1 is shared among all T={T} keys, and the mask then takes away what the later ones got."
    return ask(
        shown,
        "Row 0 of the pattern is the first token's, and sums to 1. What does it sum to with the wrong line, in this head?",
        *[Option(text, text == sums, f"It is {found:.3f}: {why}" if text == sums else whys[text]) for text in whys],
    )


def what_the_last_token_sees(shown: Exhibit) -> Question:
    T = len(shown.ids)
    visible = T - int(shown.wrong_hidden[-1].sum())
    sees = "none" if visible == 0 else "all" if visible == T else "itself"
    whys = {
        "none": "Everything that it may see is hidden now, and nothing comes after it. Its row is a softmax of "
        "nothing, “not a number”, which the code turns into zeros.",
        "all": "That is so with the right line: the last token sees everything up to itself.",
        "itself": "The diagonal was visible, so it is hidden now.",
    }
    texts = {"none": "nothing at all", "all": "all tokens", "itself": "only itself"}
    return ask(
        shown,
        "With the right line the last token sees all tokens. What does it see if the mask is read the wrong way round?",
        *[Option(texts[name], name == sees, whys[name]) for name in texts],
    )


def what_eval_mode_shows(shown: Exhibit) -> Question:
    import torch

    equal = torch.equal(shown.right.logits, shown.wrong.logits)
    return ask(
        shown,
        "The model is in eval mode, as it is when it writes. How much do its logits change through the third dropout?",
        Option("not at all", equal, "In eval mode a dropout is the identity, in the right places and in wrong ones."),
        Option("a little", not equal, "Dropout draws random numbers in train mode only."),
        Option("a lot", False, "Dropout draws random numbers in train mode only; in eval mode it does nothing."),
    )
