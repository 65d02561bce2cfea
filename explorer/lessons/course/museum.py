"""Lesson 6: the bug museum. Twelve real mistakes, each switched on in a copy of the trained model.

Copies share the model's weights and run the wrong lines, so every difference on the screen comes from those lines.
A step shows one head at work in both (the one that changed most, or a chosen one), all heads small, the next token,
the held-out loss, and what was measured of tiny models that were trained with the mistake.
"""

import math

from ...engine.runner import Runner
from ..lesson import OWN, Bars, Control, Facts, Lesson, Message, Panel, Scene, Shown, Step
from ..mistakes import museum_questions as ask
from ..mistakes.effects import HELD_OUT, loss_with, next_token_bars, right_and_wrong
from ..mistakes.exhibit import MOST_CHANGED, Exhibit, Run, exhibit, noisy_runs
from ..mistakes.verdict import SEEDS, Trained, measurements, noisy_losses, noisy_model, sees_later_tokens, trained_with
from ..source import code_of

NUM_MISTAKES = 12
ROOM, LEAST, MOST = 34, 2, 8  # px: one of many heads, and the sides of its cells

QUESTIONS = {
    "wrong-split": ask.how_the_loss_changes,
    "wrong-merge": ask.where_it_begins,
    "one-head": ask.which_shape,
    "no-scale": ask.which_map_is_scaled,
    "scale-by-width": ask.which_map_is_scaled,
    "softmax-axis": ask.what_the_first_row_sums_to,
    "mask-after-softmax": ask.what_the_first_row_sums_to,
    "mask-inverted": ask.what_the_last_token_sees,
    "mask-off-by-one": ask.which_map_hides_the_future,
    "no-positions": ask.how_the_loss_changes,
    "norm-in-every-block": ask.how_the_loss_changes,
    "third-dropout": ask.what_eval_mode_shows,
}


# the steps


def build(scene: Scene) -> list[Step]:
    from llm_core.mistakes.known import MISTAKES

    return [entrance(scene), *(step_of(exhibit(scene, mistake)) for mistake in MISTAKES)]


def entrance(scene: Scene) -> Step:
    from llm_core.mistakes import known as mistakes

    return Step(
        title="Twelve mistakes that people made",
        source="All losses are means over held-out articles; your text plays no part.",
        text="Each was found in someone's code. Here each is switched on in a copy of the trained model: the weights "
        "stay as they are, and only the marked lines differ. Press Next: the wrong line is shown next to the right "
        "one, and you see what it does to attention, to the next token and to the loss.",
        show=overview(scene.runner),
        code=[code_of(mistakes.broken, "part.__class__ = ")],
    )


def overview(runner: Runner) -> list[Shown]:
    """The losses of all, and how many of the mistakes they told of."""
    from llm_core.mistakes.known import NAMED

    switched = [finite(loss_with(runner, name)) for name in (None, *NAMED)]
    found = [trained for trained in map(trained_with, NAMED) if trained]
    bars = loss_bars(f"Switched on in {runner.facts.name}, {HELD_OUT} held-out texts", "switched on", switched)
    words = (
        f"Switched on: the model {runner.facts.name} was trained with the right code; only the line was changed. "
        f"Uniform guessing among all V tokens gives ln V = {math.log(runner.facts.vocab_size):.2f}."
    )
    if len(found) < len(NAMED):
        return [
            bars,
            Message(text="", words=f"{words} The effect of training with each mistake has not been measured yet."),
        ]
    trained = [found[0].rights[0], *(finite(one.wrong) for one in found)]
    words += (
        " Trained with it: tiny models that learned from scratch with the mistake, on other held-out texts. The two "
        "charts are of different models and texts: compare within one, not between them."
    )
    return [
        told_by_the_loss([one.verdict for one in found]),
        bars,
        loss_bars("Trained with it: tiny models, other held-out texts", "trained with it", trained),
        Message(text="", words=words),
    ]


def loss_bars(title: str, name: str, losses: list[float]) -> Bars:
    from llm_core.mistakes.known import NAMED

    names = ["No mistake", *(mistake.title for mistake in NAMED.values())]
    return Bars(title=f"{title}: loss in nats per token", names=names, series={name: losses}, decimals=2)


def told_by_the_loss(verdicts: list[str]) -> Facts:
    return Facts(
        facts=[
            (
                "trained with it: clearly worse",
                f"{verdicts.count('worse') + verdicts.count('none')} of {len(verdicts)}",
                "",
            ),
            ("no further off than other seeds", f"{verdicts.count('same')} of {len(verdicts)}", ""),
            ("clearly better", f"{verdicts.count('better')} of {len(verdicts)}", "wrong"),
        ]
    )


def finite(loss: float) -> float:
    """As a bar can show it."""
    return loss if math.isfinite(loss) else 0.0


def step_of(shown: Exhibit) -> Step:
    picture = dropped_out(shown) if shown.mistake.mode == "train" else compared(shown)
    return Step(
        title=shown.mistake.title,
        source=f"{OWN} Losses are means over held-out articles; those of models trained with the mistake are tiny models'.",
        text=shown.mistake.story,
        show=picture,
        code=right_and_wrong(shown.mistake.name),
        question=QUESTIONS[shown.name](shown),
    )


def compared(shown: Exhibit) -> list[Shown]:
    place = f"layer {shown.layer}, head {shown.head}"
    alone = shown.wrong.pattern.shape[1] < shown.right.pattern.shape[1]
    wrong = f"layer {shown.layer}, its only head" if alone else "the same head"
    return [
        model_losses(shown),
        *training_told(shown),
        shown.panel(f"{place}, right"),
        shown.wrong_panel(f"{wrong}, wrong"),
        next_token_bars(shown.runner, {"right": shown.right.next, "wrong": shown.wrong.next}, title=after(shown)),
        *all_heads(shown.right, shown.wrong, shown.hidden, shown.wrong_hidden),
        *public_reports(shown.mistake),
    ]


def after(shown: Exhibit) -> str:
    return f"What comes after “{shown.labels[-1]}”"


def all_heads(right: Run, wrong: Run, hidden, wrong_hidden, recorded: bool = True) -> list[Panel]:
    where = "blocks.{1}.attn.pattern[0, {0}, {2}, {3}]" if recorded else ""
    return [
        small("right_patterns", "all heads, right", right.pattern, hidden, where),
        small("wrong_patterns", "all heads, wrong", wrong.pattern, wrong_hidden, ""),
    ]


def small(name: str, title: str, pattern, hidden, where: str) -> Panel:
    """All heads, side by side the layers, so that two such panels fit beside one another."""
    pattern = pattern.transpose(0, 1)  # (H, L, T, S)
    H, L, T, _ = pattern.shape
    return Panel(
        name=name,
        values=pattern,
        letters="HLTS",
        title=title,
        where=where,
        color="probability",
        blocks=[f"L{i} H{h}" for h in range(H) for i in range(L)],
        hidden=hidden.expand(pattern.shape),
        cell=max(LEAST, min(MOST, ROOM // T)),
    )


# what the losses say


def model_losses(shown: Exhibit) -> Facts:
    (right, wrong), leaks = shown.losses, sees_later_tokens(shown.runner, shown.name)
    return Facts(
        facts=[
            ("held-out loss, right", nats(right), "right"),
            ("held-out loss, wrong", nats(wrong), "wrong"),
            ("can a token see later ones?", *(("yes", "wrong") if leaks else ("no", ""))),
        ]
    )


def nats(loss: float) -> str:
    return f"{written(loss)} nats" if math.isfinite(loss) else written(loss)


def written(loss: float) -> str:
    return f"{loss:.3f}" if math.isfinite(loss) else "not a number"


def training_told(shown: Exhibit) -> list[Shown]:
    """Would the loss have shown it, to somebody who trained with the mistake?"""
    trained = trained_with(shown.name)
    if trained is None:
        return [Message(text="", words="The effect of training with this mistake has not been measured yet.")]
    leaks = sees_later_tokens(shown.runner, shown.name)
    facts = [
        (f"trained right, {len(trained.rights)} seeds", ranging(trained.rights, 3), "right"),
        ("trained with it", written(trained.wrong), "wrong"),
        *([("then run by the right code", written(trained.honest), "wrong")] if leaks else []),
        ("would the loss have shown it?", trained.answer, ""),
    ]
    return [Facts(facts=facts), Message(text="", words=reasons(trained, leaks))]


def reasons(trained: Trained, leaks: bool) -> str:
    found = measurements() or {}
    model, tokens = found["model"], f"{found['num_tokens'] / 1e6:.1f} million tokens"
    size = f"{model['n_layer']} layers, H={model['n_head']}, C={model['n_embd']}"
    spread = f"right runs lie {trained.spread:.3f} apart because of their seeds alone"
    said = {
        "none": "Nobody overlooks a NaN loss.",
        "same": f"The {spread}, and the mistaken run is not further from them than that: the loss reveals nothing.",
        "better": f"The {spread}; the mistaken run is further below them than that, which looks like a success.",
        "worse": f"The {spread}; the mistaken run is further above them than that. Without them, who would know?",
    }[trained.verdict]
    honest = (
        " Part of this comes from reading later tokens: the right code, with the same weights, cannot do that."
        if leaks
        else ""
    )
    return f"Tiny models ({size}), trained from scratch on {tokens} and judged on held-out text. {said}{honest}"


def public_reports(mistake) -> list[Message]:
    words = "Where such a mistake was found:"
    return [Message(text="", words=words, links=mistake.links)] if mistake.links else []


# dropout: nothing to see in eval mode


def dropped_out(shown: Exhibit) -> list[Shown]:
    """In eval mode both are equal; in train mode the heads' results lose numbers."""
    right, wrong = noisy_runs(shown.runner, shown.ids, shown.name)
    rate = noisy_model(shown.runner, shown.name).blocks[0].attn.attn_dropout.p
    layer, head = shown.layer, shown.head
    z, wrong_z = right.z[layer, head], wrong.z[layer, head]  # (T, D)
    lost, limit = (wrong_z == 0) & (z != 0), float(max(z.abs().max(), wrong_z.abs().max()))
    return [
        eval_facts(shown),
        result("z", f"layer {layer}, head {head}, train mode", z, shown.labels, limit=limit),
        result(
            "wrong_z",
            "with the third dropout",
            wrong_z,
            shown.labels,
            limit=limit,
            marks=lost.nonzero().tolist(),
            note=f"Outlined: {int(lost.sum())} of {lost.numel()} numbers that were dropped, {share(lost)}. {told_of(layer)}",
        ),
        train_facts(shown, rate),
        *training_told(shown),
        next_token_bars(shown.runner, {"right": right.next, "wrong": wrong.next}, title=f"{after(shown)}, train mode"),
        next_token_bars(
            shown.runner, {"right": shown.right.next, "wrong": shown.wrong.next}, title=f"{after(shown)}, eval mode"
        ),
        *all_heads(right, wrong, shown.hidden, shown.wrong_hidden, recorded=False),
        *public_reports(shown.mistake),
    ]


def share(lost) -> str:
    return f"{float(lost.float().mean()):.0%}"


def told_of(layer: int) -> str:
    if layer == 0:
        return "Both started from the same seed, so the others differ only by the factor 1/(1-p)."
    return "The wrong run has drawn more random numbers by now, so the others differ too."


def result(name: str, title: str, z, labels: list[str], **more) -> Panel:
    return Panel(name=name, values=z, letters="TD", title=title, rows=labels, cell=14, **more)


def eval_facts(shown: Exhibit) -> Facts:
    right, wrong = shown.losses
    apart = float((shown.right.logits - shown.wrong.logits).abs().max())
    return Facts(
        facts=[
            ("eval mode: largest difference of any logit", f"{apart:.3g}", "right" if apart == 0 else "wrong"),
            ("held-out loss, right", nats(right), "right"),
            ("held-out loss, wrong", nats(wrong), "right" if nats(right) == nats(wrong) else "wrong"),
        ]
    )


def train_facts(shown: Exhibit, rate: float) -> Facts:
    return Facts(
        facts=[
            ("train mode: rate of dropout", f"p = {rate:g}", ""),
            (f"held-out loss, right, {len(SEEDS)} seeds", ranging(noisy_losses(shown.runner)), "right"),
            ("held-out loss, wrong, same seeds", ranging(noisy_losses(shown.runner, shown.name)), "wrong"),
        ]
    )


def ranging(losses: list[float], decimals: int = 2) -> str:
    if not all(map(math.isfinite, losses)):
        return "not a number"
    return f"{min(losses):.{decimals}f}–{max(losses):.{decimals}f}"


def controls(runner: Runner) -> list[Control]:
    steps = range(2, NUM_MISTAKES + 2)
    info = "auto: the head that changed most"
    return [
        chooser("layer", "Layer", runner.facts.n_layer, steps),
        chooser("head", "Head", runner.facts.n_head, steps, info),
    ]


def chooser(name: str, label: str, count: int, steps, info: str = "") -> Control:
    options = [(MOST_CHANGED, "auto"), *((i, str(i)) for i in range(count))]
    return Control(
        name=name, label=label, kind="choice", value=MOST_CHANGED, options=options, info=info, steps=list(steps)
    )


LESSON = Lesson(
    id="museum",
    title="The bug museum",
    summary="Twelve real mistakes, switched on in a trained model.",
    build=build,
    num_steps=NUM_MISTAKES + 1,
    controls=controls,
)
