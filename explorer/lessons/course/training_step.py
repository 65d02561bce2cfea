"""A training step: two texts as a batch, targets one place on, the loss number by number, and one update of the weights.

The losses, the gradients and the updated weights are those of the model and of copies of it; the model stays as it is.
"""

import inspect
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...engine.runner import Runner
from ..batch import BOTH_TEXTS, filler, second_control
from ..lesson import (
    Bars,
    Control,
    Facts,
    Formula,
    Lesson,
    Operand,
    Option,
    Panel,
    Question,
    Scene,
    Shown,
    Step,
    readable,
)
from ..questions import distinct
from ..source import code_of
from ..training.articles import Batch
from ..training.step import (
    LONG_RUN,
    Stepped,
    fresh_loss,
    gradient_of_logits,
    inputs_and_targets,
    loss_by_hand,
    one_step,
    one_step_without_zeroing,
)

if TYPE_CHECKING:
    from torch import Tensor

STEPS = 11
RATES = ("0.0001", "0.001", "0.01")
RATE_STEPS = (9, 10)
TEXTS = ["your text", "second text"]


def build(scene: Scene) -> list[Step]:
    batch = Batch(scene)
    return [
        two_articles(batch),
        one_apart(batch),
        teacher_forcing(batch),
        log_softmax(batch),
        picked_and_averaged(batch),
        ignored(batch),
        at_the_start(batch),
        backward(batch),
        update(batch),
        forgotten_zeroing(batch),
        perplexity(batch),
    ]


def ids_panel(name: str, row: list[int], labels: list[str], title: str, first: int = 0, hidden=None) -> Panel:
    """Ids under their tokens; cells are known by their place in the article, so that they move with it."""
    import torch

    return Panel(
        name=name,
        values=torch.tensor(row),
        letters="T",
        title=title,
        color="origin",
        origin=torch.arange(first, first + len(row)),
        family="article",
        columns=labels,
        decimals=0,
        hidden=hidden,
        cell=46,
    )


def two_articles(batch: Batch) -> Step:
    from llm_core.train.data import _write_tokens

    return Step(
        title="Two articles become rows of tokens",
        source=BOTH_TEXTS,
        text="A model learns from plain texts: nobody labels them. Each article begins with a start token and ends "
        "with an end token. "
        + " ".join(f"{who} has {len(row)} tokens here." for who, row in zip(("Yours", "The second"), batch.rows))
        + (" Your text was longer, and was cut." if batch.scene.recorded.total > batch.T else ""),
        show=[
            ids_panel(f"rows[{b}]", row, labels, who)
            for b, (row, labels, who) in enumerate(zip(batch.rows, batch.labels, TEXTS))
        ],
        code=[code_of(_write_tokens, "ids = [tokenizer.start")],
    )


def one_apart(batch: Batch) -> Step:
    from llm_core.train.data import PackedBatches

    row, labels, place = batch.rows[0], batch.labels[0], batch.T - 1
    at = f"“{labels[place]}” (position {place})"
    return Step(
        title="Inputs and targets are one position apart",
        source=BOTH_TEXTS,
        text="The answer to every token is the token after it. `inputs` is the row without its last token, `targets` "
        "is the row without its first: the same cells, moved by one position. Column by column: read the upper "
        "token, predict the lower one. Shift only once: if the forward pass shifts as well, targets are off by two.",
        show=[
            ids_panel("inputs", row[:-1], labels[:-1], "what the model reads: row[:-1]"),
            ids_panel("targets", row[1:], labels[1:], "what it has to predict: row[1:]", first=1),
        ],
        code=[
            code_of(inputs_and_targets, "row[:-1]", "row[1:]"),
            code_of(PackedBatches.batch, "ids=windows[:, :-1]"),
        ],
        question=Question(
            prompt=f"The model has read up to {at}. Which token is its target there?",
            options=distinct(
                Option(
                    f"“{labels[place + 1]}”", True, f"Position {place} of `targets` is position {place + 1} of the row."
                ),
                Option(f"“{labels[place]}”", False, "It has just read that token: copying it would be no achievement."),
                Option(
                    f"“{labels[0]}”", False, "Nothing wraps around: the last input has the last token as its target."
                ),
            ),
        ),
    )


def teacher_forcing(batch: Batch) -> Step:
    p = batch.log_p[0].exp()  # (T, V)
    right = p.gather(-1, batch.targets[0][:, None])[:, 0].tolist()
    best, ids = p.max(-1)
    guesses = [readable(token) for token in batch.runner.describe(ids.tolist())]
    inputs, targets = batch.labels[0][:-1], batch.labels[0][1:]
    wrong = [t for t in range(batch.T - 1) if ids[t] != batch.targets[0, t]]
    return Step(
        title="Teacher forcing: all positions at once, each with the true past",
        source=BOTH_TEXTS,
        text=f"One forward pass predicts at all {batch.T} positions. Each position reads the true tokens before it, "
        "whatever the model would have written itself: a wrong guess does not spoil the next position. This is "
        "called teacher forcing. The causal mask keeps it honest: no position sees its own target.",
        show=[
            Bars(
                title="The probability of the target, and of the model's first guess",
                names=[f"{a} → {b}" for a, b in zip(inputs, targets)],
                series={"the target": right, "its first guess": best.tolist()},
            ),
            Facts(facts=[("first guess was right", f"{sum(a == b for a, b in zip(ids.tolist(), batch.targets[0].tolist()))} of {batch.T}", "")]),
        ],
        code=[code_of(loss_by_hand, "log_p = ")],
        question=past_question(wrong[0], guesses, targets) if wrong else None,
    )  # fmt: skip


def past_question(place: int, guesses: list[str], targets: list[str]) -> Question | None:
    guess, target = guesses[place], targets[place]
    if guess == target:  # other tokens that read alike
        return None
    return Question(
        prompt=f"At position {place} the model's first guess is “{guess}”, but the text continues with “{target}”. "
        f"What does position {place + 1} read?",
        options=distinct(
            Option(
                f"“{target}”", True, "Inputs come from the text alone. The guess counts in the loss, and nowhere else."
            ),
            Option(
                f"“{guess}”", False, "That is how it writes later. In training every position reads the text itself."
            ),
            Option("a mixture of both", False, "The loss weighs all tokens, but an input is one id."),
        ),
    )


def log_softmax(batch: Batch) -> Step:
    logits = batch.logits[0][:, batch.columns]  # (T, K)
    total = batch.logits[0].logsumexp(-1)  # (T,)
    V = batch.logits.shape[-1]
    return Step(
        title="Logits become log-probabilities",
        source=BOTH_TEXTS,
        text=f"`logits` has a number for each of {V:,} tokens at every position; the columns of your text's tokens "
        "are shown, with each row's target outlined. Take the sum of e^logit over a whole row and subtract its "
        "logarithm from every logit of the row: that is `log_p`. It is at most 0, and e^log_p is a probability.",
        show=[
            batch.of_first("logits", logits, "at every position"),
            Panel(
                name="log Σ e^logits",
                values=total,
                letters="T",
                title=f"over all {V:,} tokens",
                columns=batch.labels[0][:-1],
                cell=40,
            ),
            batch.of_first(
                "log_p",
                batch.log_p[0][:, batch.columns],
                "logits - log Σ e^logits",
                formula=Formula(
                    kind="difference",
                    a=Operand(name="logits", values=logits, letters="TK"),
                    b=Operand(name="log Σ e^logits", values=total, letters="T"),
                ),
            ),
        ],
        code=[code_of(loss_by_hand, "log_p = ")],
    )


def picked_and_averaged(batch: Batch) -> Step:
    from torch.nn import functional as F

    from llm_core.train.loop import TrainingLoss

    count, places = int(batch.counted.sum()), batch.targets.numel()
    torchs = F.cross_entropy(batch.logits.flatten(0, 1), batch.targets.flatten()).item()
    return Step(
        title="Cross-entropy: pick the target, take the mean",
        source=BOTH_TEXTS,
        text="In each row of `log_p` only the outlined number counts, the target's. Its negative is the surprise, 0 "
        "if the model was sure and right. The loss is the mean over all positions that have a target. torch's "
        "`F.cross_entropy` does all of this in one call, from logits: never apply a softmax before it.",
        show=[
            nll_panel(batch),
            Facts(
                facts=[
                    ("sum", f"{float(batch.nll.sum()):.4f}", ""),
                    ("targets", str(count), ""),
                    ("mean: the loss, in nats per token", f"{batch.loss:.4f}", ""),
                    ("F.cross_entropy", f"{torchs:.4f}", "right"),
                ]
            ),
        ],
        code=[code_of(loss_by_hand, "picked = ", "return -picked"), code_of(TrainingLoss.forward, "F.cross_entropy")],
        question=Question(
            prompt=f"The batch is (B=2, T={batch.T}). By which number is the sum divided?",
            options=distinct(
                Option(str(count), True, "By the number of targets: padded positions have none."),
                Option(str(places), False, "That counts padding as well, and makes the loss look smaller than it is."),
                Option("2", False, "That is the loss per article: a long one would weigh more than a short one."),
                Option(
                    str(batch.logits.shape[-1]),
                    False,
                    "V is summed over inside the softmax; the mean is over positions.",
                ),
            ),
        ),
    )


def nll_panel(batch: Batch) -> Panel:
    return Panel(
        name="surprise",
        values=batch.nll,
        letters="BT",
        title="-log_p of the target; hatched: no target",
        rows=TEXTS,
        hidden=~batch.counted,
        cell=46,
    )


def ignored(batch: Batch) -> Step:
    import torch
    from torch.nn import functional as F

    from llm_core.train.data import PairBatches

    default = inspect.signature(F.cross_entropy).parameters["ignore_index"].default
    pad = filler(batch.scene)
    counted = F.cross_entropy(batch.logits.flatten(0, 1), batch.targets.where(batch.counted, pad).flatten()).item()
    return Step(
        title="Padding has no target",
        source=BOTH_TEXTS,
        text=f"Where a row is padded there is nothing to predict. `targets` holds {default} there, which "
        "`F.cross_entropy` leaves out of the sum and of the count. If padding were counted, the model would learn "
        "to predict padding after every text, and the loss would mostly measure how long the padding is.",
        show=[
            Panel(
                name="targets",
                values=batch.targets,
                letters="BT",
                title=f"{default} where there is none",
                color="origin",
                origin=torch.arange(batch.T).expand(2, -1),
                rows=TEXTS,
                decimals=0,
                cell=46,
            ),
            nll_panel(batch),
            Facts(
                facts=[
                    ("the loss", f"{batch.loss:.4f}", "right"),
                    ("padding counted as a target", f"{counted:.4f}", "wrong" if not batch.counted.all() else ""),
                    ("divided by all positions", f"{float(batch.nll.mean()):.4f}", "wrong" if not batch.counted.all() else ""),
                ]
            ),
        ],
        code=[code_of(PairBatches.batch, "targets, _ = pad(")],
        question=Question(
            prompt="Which target does `F.cross_entropy` leave out by default?",
            options=distinct(
                Option(str(default), True, "That is the default of `ignore_index`. No token has this id."),
                Option("0", False, "0 is an ordinary token of the vocabulary."),
                Option(str(pad), False, "That is the padding token's id: torch does not know it, and would count it."),
            ),
        ),
    )  # fmt: skip


def at_the_start(batch: Batch) -> Step:
    from llm_core.model.architectures import _init_weights

    V = batch.logits.shape[-1]
    fresh = fresh_loss(batch.runner, tuple(map(tuple, batch.rows)), filler(batch.scene))
    return Step(
        title="At the start the loss is ln V",
        source=f"{BOTH_TEXTS} The new model has the same sizes and random weights.",
        text=f"A model with small random weights knows nothing: it gives each of {V:,} tokens about the same "
        "probability, 1/V. Its surprise is -ln(1/V) = ln V at every position. If a training run begins far above "
        "that, something is wrong before the first step. Wrong targets do not show here, but wrong initial weights "
        "do.",
        show=[
            Bars(
                title="Loss on this batch, in nats per token",
                names=["a new model", "ln V", "this model"],
                series={"loss": [fresh, math.log(V), batch.loss]},
            )
        ],
        code=[code_of(_init_weights, "std=0.02")],
        question=Question(
            prompt=f"V = {V:,}. What is the loss of a model that knows nothing?",
            options=distinct(
                Option(f"{math.log(V):.2f}", True, f"ln {V:,}: all tokens are equally likely."),
                Option(f"{math.log2(V):.2f}", False, "That is log₂ V: the same in bits. torch's loss is in nats."),
                Option("1.00", False, "It would have to give the right token e^-1 = 37 %, without knowing anything."),
                Option("0.00", False, "That is the loss of a model that is sure, and always right."),
            ),
        ),
    )


def backward(batch: Batch) -> Step:
    count = int(batch.counted.sum())
    whole = gradient_of_logits(batch.logits.clone(), batch.targets)[0]  # (T, V)
    gradient = whole[:, batch.columns] * count  # (T, K)
    expected = batch.probabilities - batch.one_hot
    off = float((gradient - expected).abs().max())
    return Step(
        title="Backward: the gradient of the logits is p - y",
        source=BOTH_TEXTS,
        text=f"`y` is 1 at the target and 0 elsewhere. What torch computes going backward, `gradient` × {count} "
        "targets, is simply p - y. At the target it is negative: a step against the gradient raises that logit. All "
        "other logits are lowered, each by its own probability. A position where the model was sure and right "
        "teaches it almost nothing.",
        show=[
            batch.of_first("p", batch.probabilities, "probabilities", color="probability", cell=34),
            batch.of_first("y", batch.one_hot, "the target", color="probability", decimals=0, cell=34),
            batch.of_first(
                "gradient",
                gradient,
                f"of the logits, from torch, × {count}",
                limit=1.0,
                cell=34,
                formula=Formula(
                    kind="difference",
                    a=Operand(name="p", values=batch.probabilities, letters="TK"),
                    b=Operand(name="y", values=batch.one_hot, letters="TK"),
                ),
            ),
            Facts(
                facts=[
                    ("largest difference of gradient and p - y", f"{off:.6f}", "right" if off < 1e-4 else "wrong"),
                    (f"a row's sum over all {whole.shape[1]:,} tokens", f"{abs(float(whole[0].sum())):.4f}", ""),
                ]
            ),
        ],
        code=[code_of(gradient_of_logits, "loss.backward()")],
        question=sign_question(batch),
    )


def sign_question(batch: Batch) -> Question:
    """Of the target that the model is least decided about."""
    p = [float(batch.probabilities[t, column]) for t, column in batch.right_cells]
    place = min(range(batch.T), key=lambda t: abs(p[t] - 0.4))
    gradient = p[place] - 1
    return Question(
        prompt=f"At position {place} the model gives the target, “{batch.labels[0][place + 1]}”, the probability "
        f"{p[place]:.2f}. What is p - y there?",
        options=distinct(
            Option(f"{gradient:.2f}", True, "y is 1 at the target: p - 1 is negative unless the model was sure."),
            Option(f"{p[place]:.2f}", False, "That would be p - 0, as for every token that is not the target."),
            Option(
                f"{-gradient:.2f}", False, "The sign is the other way round: this is y - p, the direction of the step."
            ),
        ),
    )


def line(name: str, values: "Tensor", title: str, **more) -> Panel:
    return Panel(name=name, values=values, letters="K", title=title, **{"cell": 50, "decimals": 4, **more})


def update(batch: Batch) -> Step:
    from llm_core.train.optimizers import _adamw

    done = batch.stepped
    token = batch.labels[0][-1]
    move = done.weight - done.new
    return Step(
        title="One step of the optimizer",
        source=BOTH_TEXTS,
        text=f"Backward has left a gradient in every weight. The cells are {len(move)} weights of a copy: the row of "
        f"“{token}” in the token table. AdamW divides by the gradient's own size, so in its first step each weight "
        f"moves by about the learning rate, {batch.rate:g}, against the sign of its gradient. Then the same batch is "
        "read again. Try a larger rate: it overshoots.",
        show=[
            line("w", done.weight, "before"),
            line("gradient", done.gradient, "of the loss"),
            line("step", move, "what AdamW takes away", limit=2 * batch.rate),
            line(
                "w after",
                done.new,
                "w - step",
                formula=Formula(
                    kind="difference",
                    a=Operand(name="w", values=done.weight, letters="K"),
                    b=Operand(name="step", values=move, letters="K"),
                ),
            ),
            Bars(
                title=f"Loss on this batch, learning rate {batch.rate:g}",
                names=["before the step", "after it"],
                series={"loss": [done.before, done.after]},
            ),
        ],
        code=[code_of(one_step, "loss.backward()", "optimizer.step()"), code_of(_adamw, "torch.optim.AdamW(")],
        question=after_question(done),
    )


def after_question(done: Stepped) -> Question:
    lower, change = done.after < done.before, f"{done.before:.3f} before, {done.after:.3f} after."
    return Question(
        prompt=f"One step with the learning rate {done.rate:g}, then the same batch again. The loss is …",
        options=[
            Option("lower", lower, f"The step went against the gradient of this very batch: {change}"),
            Option("the same", False, f"Every weight has moved: {change}"),
            Option("higher", not lower, f"A step that is too large does this: {change}"),
        ],
    )


def forgotten_zeroing(batch: Batch) -> Step:
    first, second, both = batch.stepped.gradients
    runs = batch.stepped.runs
    return Step(
        title="Forgetting zero_grad",
        source=BOTH_TEXTS,
        text="`backward()` adds to the gradients that are already there. Without `zero_grad()` the second text's "
        "gradient is added to the first one's, and so on: every step also repeats all steps before it, although the "
        "weights have moved on. Nothing raises an error. The order is: zero, forward, backward, step.",
        show=[
            line("first", first, "gradient of your text alone"),
            line("second", second, "gradient of the second text alone"),
            line(
                "never zeroed",
                both,
                "backward() of one, then of the other",
                formula=Formula(
                    kind="sum",
                    a=Operand(name="first", values=first, letters="K"),
                    b=Operand(name="second", values=second, letters="K"),
                ),
            ),
            Bars(
                title=f"Loss on this batch, learning rate {batch.rate:g}",
                names=[f"after {i} {'step' if i == 1 else 'steps'}" for i in range(LONG_RUN + 1)],
                series=runs,
            ),
        ],
        code=[
            code_of(one_step, "optimizer.zero_grad()", tone="right"),
            code_of(one_step_without_zeroing, "loss.backward()", tone="wrong"),
        ],
        question=Question(
            prompt="`backward()` runs for one batch, then for another, with no `zero_grad()` between. What do the gradients hold?",
            options=[
                Option("the sum of both", True, "torch adds. That is useful when a batch is too large and is cut into pieces."),
                Option("those of the second batch", False, "That is what you get only after `zero_grad()`."),
                Option("the mean of both", False, "Nothing is divided: torch only adds, so old gradients stay in the step's direction."),
            ],
        ),
    )  # fmt: skip


def perplexity(batch: Batch) -> Step:
    import torch

    from llm_core.train.measures import HeldOut, token_length

    nats = batch.nll[0]  # (T,)
    bits = nats / math.log(2)
    lengths = torch.tensor([token_length(batch.runner.tokenizer, id) for id in batch.targets[0].tolist()])
    mean, total = float(nats.mean()), int(lengths.sum())
    labels = batch.labels[0][1:]

    def row(name: str, values, title: str, **more) -> Panel:
        return Panel(name=name, values=values, letters="T", title=title, columns=labels, **{"cell": 46, **more})

    shown: list[Shown] = [
        row("nats", nats, "surprise of each target"),
        row(
            "bits",
            bits,
            "nats / ln 2",
            formula=Formula(
                kind="quotient",
                a=Operand(name="nats", values=nats, letters="T"),
                number=math.log(2),
                number_text="ln 2",
            ),
        ),
        row("bytes", lengths, "of the text of each target", decimals=0),
        Facts(
            facts=[
                ("loss, nats per token", f"{mean:.3f}", ""),
                ("perplexity, e^loss", f"{math.exp(mean):,.1f}", ""),
                ("bits per byte", f"{float(bits.sum()) / total:.3f}" if total else "no bytes here", ""),
            ]
        ),
    ]
    return Step(
        title="Perplexity and bits per byte",
        text="Here is the loss of your text in two other units. Perplexity is e^loss: the model is as unsure as if "
        "it drew from that many equally likely tokens. But tokens of one vocabulary can be longer than tokens of "
        "another. Bits per byte counts what a byte of text costs, so models with different tokenizers can be "
        "compared.",
        show=shown,
        code=[code_of(vars(HeldOut)["bits_per_byte"].fget, "math.log(2) / self.num_bytes")],
        question=Question(
            prompt=f"The loss is {mean:.3f} nats per token. What is the perplexity?",
            options=distinct(
                Option(
                    f"{math.exp(mean):,.1f}", True, "e^loss: the number of equally likely tokens with that surprise."
                ),
                Option(f"{2**mean:,.1f}", False, "2^loss is right for a loss in bits. torch's is in nats."),
                Option(f"{mean / math.log(2):,.1f}", False, "That is the loss in bits per token."),
            ),
        ),
    )


def controls(runner: Runner) -> Sequence[Control]:
    rates = [(rate, rate) for rate in RATES]
    return [
        second_control("Fold the paper"),
        Control(
            name="rate", label="Learning rate", kind="choice", value=RATES[1], options=rates, steps=RATE_STEPS
        ),
    ]  # fmt: skip


LESSON = Lesson(
    id="training-step",
    title="A training step",
    summary="From two texts to a loss, its gradient, and weights that have moved.",
    build=build,
    num_steps=STEPS,
    controls=controls,
)
