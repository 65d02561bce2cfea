"""Induction: two heads in two layers that say again what came before, measured, switched off, and how they came to be.

Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"; Olsson et al. 2022, "In-context Learning and
Induction Heads".
"""

import json
import math
import random
from functools import cached_property
from itertools import combinations
from typing import NamedTuple

from ... import first_sight
from ...engine.timelines import FACTS, FOLDER
from ..lesson import OWN, Bars, Facts, Lesson, Message, Option, Panel, Question, Scene, Step, readable
from ..mistakes.effects import next_token_bars
from ..questions import distinct
from ..source import code_of
from .attention import attention_code

STEPS = 8
REMEMBER, MATCH, COPY = "previous token", "prefix matching", "copying"
SCORE = 0.4  # from which a head is said to do it
OFF = 2  # heads that remember, switched off together
CANDIDATES = 4  # of which they are chosen
SEED = 0  # of the random tokens
CHANGED = 0.1  # a weight or probability that moves by less is called the same


class Place(NamedTuple):
    layer: int
    head: int

    def __str__(self) -> str:
        return f"layer {self.layer}, head {self.head}"


def example() -> str:
    """A text that ends in a token which came before: that of the first screen."""
    return first_sight.shipped()["text"]


class Circuit:
    """A text whose last token came before, and the heads that see it."""

    def __init__(self, scene: Scene):
        self.runner, self.model = scene.runner, scene.model
        self.L, self.H = scene.runner.facts.n_layer, scene.runner.facts.n_head
        self.recorded = scene.recorded
        self.is_own = self.earlier is not None
        if not self.is_own:
            self.recorded = scene.runner.recorded(example(), len(scene.runner.encode(example())))
        self.trace, self.ids = self.recorded.trace, self.recorded.ids
        self.labels = [readable(token) for token in self.recorded.tokens]
        self.T = len(self.ids)

    @property
    def earlier(self) -> int | None:
        """Where the last token came before, the last time."""
        ids = self.recorded.ids
        return next((i for i in range(len(ids) - 2, -1, -1) if ids[i] == ids[-1]), None)

    @cached_property
    def after(self) -> int:
        """The place of the token that followed it then. In a window too short for a repetition: the last one."""
        return self.T - 1 if self.earlier is None else self.earlier + 1

    @property
    def source(self) -> str:
        if self.is_own:
            return OWN
        return f"The numbers are this model’s, for “{example()}”: the last token of your text does not occur earlier in it."

    def at(self, place: int) -> str:
        return f"“{self.labels[place]}” (position {place})"

    @cached_property
    def patterns(self):
        """(L, H, T, T)."""
        import torch

        return torch.stack([self.trace[f"blocks.{layer}.attn.pattern"][0] for layer in range(self.L)])

    @cached_property
    def finder(self) -> Place:
        """The head that attends most from the last token to the one that followed the first time."""
        return Place(*divmod(int(self.patterns[:, :, -1, self.after].argmax()), self.H))

    @cached_property
    def remembering(self):
        """Mean attention of each head from a token to the one before it, (L, H)."""
        import torch

        from llm_core.analysis.roles import text_scores

        if self.T < 2:
            return torch.zeros(self.L, self.H)
        nothing = torch.zeros(self.T, dtype=torch.bool)
        return text_scores(self.patterns, nothing.expand(self.T, -1), nothing)[REMEMBER]

    @cached_property
    def rememberers(self) -> list[Place]:
        """Of the heads before the finder's layer that attend most from that token to the one before it, those without
        which the finder finds it least, the strongest first; in a first layer there are none."""
        back = self.patterns[: self.finder.layer, :, self.after, self.after - 1].flatten()
        most = [Place(*divmod(i, self.H)) for i in back.argsort(descending=True)[:CANDIDATES].tolist()]
        return min((list(some) for some in combinations(most, OFF)), key=self.still_found, default=[])

    def still_found(self, off: list[Place]) -> float:
        """The finder's weight on the token it finds, without these heads."""
        layer, head = self.finder
        return float(self.without(off)[f"blocks.{layer}.attn.pattern"][0, head, -1, self.after])

    @property
    def head(self) -> Place:
        """The one that remembers best; where none stands before the one that finds, the best of all."""
        return next(iter(self.rememberers), Place(*divmod(int(self.remembering.argmax()), self.H)))

    def without(self, heads: list[Place]):
        """The trace of the text with these heads set to 0."""
        import torch

        from llm_core import intervene, record
        from llm_core.analysis.surgery import Edit, interventions

        edits = [Edit(what="head", how="zero", layer=layer, head=head) for layer, head in heads]
        changes = interventions(self.model, edits)
        with self.runner.alone(), torch.inference_mode(), intervene(self.model, changes), record(self.model) as trace:
            self.model(torch.tensor([self.ids]))
        return trace.on_cpu()

    @cached_property
    def forgetful(self):
        return self.without(self.rememberers)

    def next_of(self, trace):
        """Probabilities after the last token, (V,)."""
        return trace["logits"][0, -1].softmax(-1)

    def piece(self, id: int) -> str:
        return f"“{readable(self.runner.describe([id])[0])}”"

    def weights(self, name: str, values, title: str, layer: int | None = None, head: int | None = None) -> Panel:
        """What the last token attends to, (S,)."""
        is_recorded = self.is_own and layer is not None
        return Panel(
            name=name,
            values=values,
            letters="S",
            title=title,
            columns=self.labels,
            color="probability",
            marks=[(self.after,)],
            cell=50,
            where=f"blocks.{layer}.attn.pattern[0, {head}, {self.T - 1}, {{0}}]" if is_recorded else "",
        )


def build(scene: Scene) -> list[Step]:
    c = Circuit(scene)
    return [
        comes_again(c),
        one_remembers(c),
        one_finds(c),
        why_it_finds(c),
        it_copies(c),
        without_either(c),
        without_a_text(c),
        how_they_came(),
    ]


def comes_again(c: Circuit) -> Step:
    p = c.next_of(c.trace)
    best, then = int(p.argmax()), c.ids[c.after]
    options = distinct(
        Option(c.piece(best), True, f"It gives {float(p[best]):.1%}, more than any other token."),
        Option(c.piece(then), False, f"It followed the first time. Here it gets {float(p[then]):.1%}."),
        Option(c.piece(c.ids[-1]), False, f"The same token once more: {float(p[c.ids[-1]]):.1%}."),
        Option(c.piece(c.ids[0]), False, f"The first token of the text: {float(p[c.ids[0]]):.1%}."),
    )
    tokens = Panel(
        name="ids",
        values=_integers(c.ids),
        letters="T",
        title="tokens; the same color is the same token",
        columns=c.labels,
        color="origin",
        origin=_integers([c.ids.index(id) for id in c.ids]),
        marks=[(place,) for place in {c.earlier, c.after, c.T - 1} if place is not None],
        decimals=0,
        cell=50,
    )
    came = f"The last token, {c.at(c.T - 1)}, has "
    came += (
        f"occurred before, at position {c.earlier}, and {c.at(c.after)} followed."
        if c.earlier is not None
        else "not occurred before."
    )
    return Step(
        title="What followed the first time?",
        text=f"{came} A model that notices this can repeat it, whatever the words mean: names, numbers, code. This "
        f"model gives {c.piece(then)} {float(p[then]):.1%}. A head in the first layer cannot find that token by "
        "looking for the token before it: there, a key holds only its own token and position. Two heads in two "
        "layers can. Their circuit is called induction.",
        show=[tokens, next_token_bars(c.runner, {"probability": p}, title="Next token")],
        source=c.source,
        question=Question(prompt="What does the model expect next?", options=options, before=[tokens]),
    )


def _integers(numbers: list):
    import torch

    return torch.tensor(numbers)


def one_remembers(c: Circuit) -> Step:
    layer, head = c.head
    pattern, score = c.patterns[layer, head], float(c.remembering[layer, head])
    place = c.after
    most = int(pattern[place].argmax())
    does = f"{c.head} attends from each token to the token right before it: {score:.2f} on average."
    if score < SCORE:
        does = f"no head of these layers does that well: {c.head} does it best, with {score:.2f} on average."
    options = distinct(
        *(
            Option(c.at(other), other == most, f"It puts {float(pattern[place, other]):.3f} there.")
            for other in sorted({most, max(place - 1, 0), place, 0})
        )
    )
    return Step(
        title="One head remembers the token before",
        text=f"Here {does} It writes what it reads into the vector of the token it looks from, so the vector of "
        f"{c.at(place)} then also says “after {c.labels[max(place - 1, 0)]}”. `pattern` shows this head; the cells "
        "one position back are outlined.",
        show=[
            Panel(
                name="pattern",
                values=pattern,
                letters=("T", "S"),
                title=str(c.head),
                rows=c.labels,
                columns=c.labels,
                color="probability",
                hidden=~_seen(c.T),
                marks=[(i, i - 1) for i in range(1, c.T)],
                where=f"blocks.{layer}.attn.pattern[0, {head}, {{0}}, {{1}}]" if c.is_own else "",
            )
        ],
        code=[attention_code("pattern = F.softmax(")],
        source=c.source,
        question=Question(prompt=f"Where does {c.head} look from {c.at(place)}?", options=options)
        if len(options) > 1
        else None,
    )


def _seen(T: int):
    import torch

    return torch.ones(T, T, dtype=torch.bool).tril()


def one_finds(c: Circuit) -> Step:
    layer, head = c.finder
    weights = c.patterns[layer, head, -1]
    most = int(weights.argmax())
    options = distinct(
        *(
            Option(c.at(place), place == most, f"Its weight is {float(weights[place]):.3f}.")
            for place in sorted({most, c.after, c.T - 1, c.earlier or 0})
        )
    )
    return Step(
        title="Another finds the token that came after it",
        text=f"{'A later head' if c.rememberers else 'One head'}, {c.finder}, puts {float(weights[c.after]):.2f} of "
        f"the last token’s attention on {c.at(c.after)}, the most of all {c.L * c.H} heads. It does not look for the "
        f"same token as its own: the earlier copy gets {float(weights[c.earlier or 0]):.2f}. It looks for a token "
        "that followed a copy of its own, which is what the earlier head has written.",
        show=[c.weights("weights", weights, f"{c.finder}, from the last token", layer, head)],
        code=[attention_code("q @ k.transpose")],
        source=c.source,
        question=Question(prompt=f"Where does {c.finder} look from the last token?", options=options)
        if len(options) > 1
        else None,
    )


def why_it_finds(c: Circuit) -> Step:
    from llm_core.analysis.surgery import interventions

    layer, head = c.finder
    before = c.patterns[layer, head, -1]
    after = c.forgetful[f"blocks.{layer}.attn.pattern"][0, head, -1]
    fall = float(before[c.after] - after[c.after])
    went = f"From {float(before[c.after]):.3f} to {float(after[c.after]):.3f}."
    names = " and ".join(map(str, c.rememberers)).capitalize()
    off = f"{names} set to 0" if c.rememberers else "No layer comes before it that could be switched off"
    return Step(
        title="Its keys hold what the first one wrote",
        text=f"Is that true? {off}, for all tokens: the weight on {c.at(c.after)} goes from "
        f"{float(before[c.after]):.3f} to {float(after[c.after]):.3f}. Nothing was changed in {c.finder} itself. "
        "What it reads is different: its keys no longer hold what those heads wrote. One head’s output becomes part "
        "of another’s key: K-composition.",
        show=[
            c.weights("weights", before, f"{c.finder}, as it is", layer, head),
            c.weights("without", after, "the heads that remember are off"),
            Facts(
                facts=[
                    ("weight, as it is", f"{float(before[c.after]):.4f}", ""),
                    ("weight, those heads off", f"{float(after[c.after]):.4f}", ""),
                ]
            ),
        ],
        code=[code_of(interventions, "surgery = _AttentionSurgery(own")],
        source=c.source,
        question=Question(
            prompt=f"The heads that remember are off. What happens to the weight on {c.at(c.after)}?",
            options=[
                Option("It falls", fall > CHANGED, went),
                Option("It stays the same", abs(fall) <= CHANGED, went),
                Option("It rises", fall < -CHANGED, went),
            ],
        ),
    )


def it_copies(c: Circuit) -> Step:
    from llm_core.analysis.attribution import logit_attributions

    layer, head = c.finder
    ids = list(dict.fromkeys(c.ids[1:] or c.ids))  # the start token is not of the text
    asked = _integers([ids] * c.T)  # (T, K)
    shares = logit_attributions(c.model, c.trace, asked).heads[layer, head, -1].float()  # (K,)
    best = int(shares.argmax())
    options = distinct(
        *(
            Option(c.piece(ids[k]), k == best, f"It adds {float(shares[k]):.3f} to that logit.")
            for k in dict.fromkeys([best, ids.index(c.ids[c.after]), ids.index(c.ids[-1]), 0])
        )
    )
    return Step(
        title="And it copies what it found",
        text="Looking is only half of the work. The other half is what the head does with what it reads: its value "
        f"and output matrices can turn a token’s vector into a vote for that very token. Here is what {c.finder} "
        "alone adds to the logit of each token of the text, at the last position: "
        f"{float(shares[ids.index(c.ids[c.after])]):.2f} for {c.piece(c.ids[c.after])}.",
        show=[
            Bars(
                title=f"What {c.finder} adds to each logit",
                names=[c.runner.tokenizer.piece(id) for id in ids],
                series={"added": shares.tolist()},
                decimals=3,
                marks=[ids.index(c.ids[c.after])],
            )
        ],
        code=[code_of(logit_attributions, "shares = _shares(")],
        source=c.source,
        question=Question(prompt=f"Which logit does {c.finder} raise most?", options=options)
        if len(options) > 1
        else None,
    )


def without_either(c: Circuit) -> Step:
    then = c.ids[c.after]
    found = {
        "as it is": c.next_of(c.trace),
        "those that remember off": c.next_of(c.forgetful),
        f"{c.finder} off": c.next_of(c.without([c.finder])),
    }
    whole, forgetful, silent = (float(p[then]) for p in found.values())
    change = whole - silent
    on_it = c.patterns[:, :, -1, c.after]
    alike = int((on_it >= SCORE).sum()) - int(on_it.max() >= SCORE)
    return Step(
        title="Without one head, without the other",
        text=f"The prediction is the proof. {c.piece(then)} gets {whole:.1%}. Without the heads that remember, it "
        f"gets {forgetful:.1%}; without {c.finder}, {silent:.1%}. That head may not be alone: of the others, {alike} "
        f"put at least {SCORE} of their attention on the same token. Where several heads copy, losing one of them "
        "matters less than losing what all of them read.",
        show=[
            next_token_bars(c.runner, found, count=9),
            Facts(facts=[(name, f"{float(p[then]):.4f}", "") for name, p in found.items()]),
        ],
        source=c.source,
        question=Question(
            prompt=f"Only {c.finder} is off. What happens to the probability of {c.piece(then)}?",
            options=[
                Option("It falls by more than half", silent < whole / 2, f"From {whole:.3f} to {silent:.3f}."),
                Option("It falls by less", silent >= whole / 2 and change > 0, f"From {whole:.3f} to {silent:.3f}."),
                Option("It does not fall", silent >= whole / 2 and change <= 0, f"From {whole:.3f} to {silent:.3f}."),
            ],
        ),
    )


def without_a_text(c: Circuit) -> Step:
    from llm_core.analysis.copying import copying_on_repeats
    from llm_core.analysis.roles import repeat_scores, repeats

    tokenizer, window = c.runner.tokenizer, c.runner.facts.block_size
    source = "Random tokens, the same at every visit, read by this model."
    sequences = repeats(tokenizer, window, random.Random(SEED))
    code = [code_of(repeat_scores, '"prefix matching"'), code_of(copying_on_repeats, "best = own_logits(")]
    text = (
        "Is it about names? To find out, take all meaning away: random tokens, written twice. Nothing in the first "
        "half can be predicted; everything in the second half can. `matching` is the mean weight on the token that "
        "followed the first time; `copying` is how often the head raises that token’s logit above all others."
    )
    if not sequences:
        return Step(
            title="The same on random tokens",
            text=text,
            show=[
                Message(
                    text="", words=f"This model reads {window} tokens at a time: too few to repeat a sequence of them."
                )
            ],
            code=code,
            source=source,
        )
    ids = sequences[0]
    matching, copying, losses = repeated(c, ids)
    n = len(ids) // 2
    count = int((matching.minimum(copying) >= SCORE).sum())
    all_ = c.L * c.H
    options = distinct(
        Option(str(count), True, f"These have at least {SCORE} in both; they are outlined."),
        Option("0", False, "Compare the losses of both halves: some head sees the repetition."),
        Option(str(all_), False, "Count the outlined cells: the others do something else."),
        Option(str(all_ // 2), False, "Count the outlined cells."),
    )
    worn = (matching.minimum(copying) >= SCORE).nonzero().tolist()
    grid = {"letters": ("L", "H"), "color": "probability", "cell": 46, "marks": worn}
    rows = [f"layer {layer}" for layer in range(c.L)]
    return Step(
        title="The same on random tokens",
        text=f"{text} A head with both is an induction head (Olsson et al. 2022).",
        show=[
            Panel(name="matching", values=matching, rows=rows, title=f"{n} random tokens, twice", **grid),
            Panel(name="copying", values=copying, rows=rows, title="does it raise the right one?", **grid),
            Facts(
                facts=[
                    ("loss, first half", f"{float(losses[: n - 1].mean()):.3f} nats", ""),
                    ("loss, second half", f"{float(losses[n:].mean()):.3f} nats", ""),
                    ("induction heads", str(count), ""),
                ]
            ),
        ],
        code=code,
        source=source,
        question=Question(prompt=f"How many of {all_} heads match and copy, each at least {SCORE}?", options=options)
        if len(options) > 1
        else None,
    )


def repeated(c: Circuit, ids: list[int]):
    """Matching (L, H), copying (L, H), and the losses of the 2n - 1 tokens that something comes before."""
    import torch

    from llm_core import record
    from llm_core.analysis.copying import copying_on_repeats
    from llm_core.analysis.roles import repeat_scores

    from .four_models import token_losses

    names = ["blocks.*.attn.pattern", "blocks.*.attn.z", "logits"]
    with c.runner.alone(), torch.inference_mode(), record(c.model, names) as trace:
        c.model(torch.tensor([ids]))
    trace, half = trace.on_cpu(), torch.tensor(ids[: len(ids) // 2])
    patterns = torch.stack([trace[f"blocks.{layer}.attn.pattern"][0] for layer in range(c.L)])
    copying = [copying_on_repeats(c.model, layer, trace[f"blocks.{layer}.attn.z"][0], half) for layer in range(c.L)]
    return repeat_scores(patterns)[MATCH], torch.stack(copying), token_losses(trace["logits"][0], ids)


def how_they_came() -> Step:
    """From what was recorded of the shipped decoder while it was trained."""
    facts = json.loads((FOLDER / "decoder" / FACTS).read_text(encoding="utf-8"))
    best = {
        name: [max(max(row) for row in scores) for scores in facts["scores"]["decoder"][name]["scores"]]
        for name in (REMEMBER, MATCH)
    }
    steps = facts["steps"]
    shown = [i for i, step in enumerate(steps) if step >= 250]
    first = {
        name: next((step for step, top in zip(steps, tops) if top >= SCORE), math.inf) for name, tops in best.items()
    }
    came = {name: f"at step {step:,}" if step < math.inf else "never" for name, step in first.items()}
    return Step(
        title="How they came to be",
        text="Nobody designed these heads: they formed in training. The bars show the best score of any head while "
        f"the shipped decoder learned, for {steps[-1]:,} steps. A head that remembers reaches {SCORE} "
        f"{came[REMEMBER]}, a head that matches {came[MATCH]}. Olsson et al. 2022 saw induction heads form within a "
        "short phase of training in which the loss fell faster.",
        show=[
            Bars(
                title="The best head’s score, by training step",
                names=[f"step {steps[i]:,}" for i in shown],
                series={name: [tops[i] for i in shown] for name, tops in best.items()},
                decimals=2,
                full=1,
            ),
            Message(
                text="",
                words="Every head at every step:",
                links=[("?show=train&train=timeline", "The timeline of training")],
            ),
        ],
        source="Recorded from the shipped decoder while it was trained.",
        question=Question(
            prompt="Which came first?",
            options=[
                Option("the head that remembers", first[REMEMBER] < first[MATCH], f"{SCORE} {came[REMEMBER]}."),
                Option("the head that matches", first[MATCH] < first[REMEMBER], f"{SCORE} {came[MATCH]}."),
                Option("both at once", first[MATCH] == first[REMEMBER], f"Look at the step where each passes {SCORE}."),
            ],
        ),
    )


LESSON = Lesson(
    id="induction",
    title="Induction heads",
    summary="How two heads in two layers repeat what came before.",
    build=build,
    num_steps=STEPS,
)
