"""What attention does not tell: weights and what they carry, heads that cancel, ablation, repair, patching, lenses.

Attention shows where a head looks. Whether that matters for the prediction is another question, and here it is measured.
"""

from functools import cached_property

from ..lesson import (
    OWN,
    Bars,
    Control,
    Facts,
    Formula,
    Lesson,
    Message,
    Operand,
    Option,
    Panel,
    Question,
    Scene,
    Step,
    written,
)
from ..mistakes.effects import next_token_bars
from ..questions import distinct
from ..settings import head_control, layer_control
from ..source import code_of
from .attention import attention_code
from .evidence import FITTED, TESTED, Lenses, contributions, lenses, with_each_head, with_each_token

STEPS = 9
LAYER, HEAD = 1, 1  # looked at first: its largest weight is not its largest contribution
FILLER = " thing"  # what a token is replaced by
LEAST_GAP = 0.05  # nats: with less there is nothing to restore


class Evidence:
    """The model on the learner's text, and the same with parts changed."""

    def __init__(self, scene: Scene):
        self.scene, self.layer, self.head = scene, scene.inputs["layer"], scene.inputs["head"]
        self.runner, self.model, self.trace = scene.runner, scene.model, scene.recorded.trace
        self.ids, self.labels = scene.recorded.ids, scene.labels
        self.L, self.H = scene.runner.facts.n_layer, scene.runner.facts.n_head
        self.T = len(self.ids)

    @cached_property
    def logits(self):
        return self.trace["logits"][0, -1]  # (V,)

    @cached_property
    def answer(self) -> int:
        """The token that the model finds likeliest."""
        return int(self.logits.argmax())

    @property
    def named(self) -> str:
        return f"“{written(self.runner.tokenizer.piece(self.answer))}”"

    def of(self, layer: int, point: str):
        return self.trace[f"blocks.{layer}.attn.{point}"][0]

    def log_p(self, logits):
        """Of the answer, in nats."""
        return logits.log_softmax(-1)[..., self.answer]

    @cached_property
    def contributed(self) -> list:
        """For each layer, what the last token's heads read of each token (H, S), and the lengths of values (H, S)."""
        found = []
        for layer in range(self.L):
            read_, lengths = contributions(
                self.model.blocks[layer].attn, self.of(layer, "pattern"), self.of(layer, "v")
            )
            found.append((read_[:, -1], lengths))
        return found

    @cached_property
    def added(self):
        """What each head adds to the answer's logit at the last place, (L, H)."""
        return self.attribution(self.trace).heads.float()

    def attribution(self, trace):
        from llm_core.analysis.attribution import logit_attribution

        return logit_attribution(self.model, trace, self.T - 1, self.answer)

    def change(self, how):
        """How much the answer's log-probability changes with each head changed, (L, H)."""
        with self.runner.alone():
            logits = with_each_head(self.model, self.ids, how)
        return self.log_p(logits) - self.log_p(self.logits)

    @cached_property
    def zeroed(self):
        return self.change(lambda layer, head: 0)

    @cached_property
    def meaned(self):
        means = self.runner.means
        return self.change(lambda layer, head: means[f"blocks.{layer}.attn.z"][head])

    def evened(self, layer: int, head: int):
        """z of a head that looks at all it sees alike, (T, D)."""
        import torch

        from llm_core.analysis.patterns import uniform

        v = self.of(layer, "v")
        pattern = uniform(torch.ones(self.T, self.T, dtype=torch.bool).tril())
        return pattern @ v[head * len(v) // self.H]

    def by_head(self, name: str, values, title: str, **more) -> Panel:
        return Panel(
            name=name,
            values=values,
            letters=("", "H"),
            title=title,
            rows=[f"layer {layer}" for layer in range(self.L)],
            marks=[(self.layer, self.head)],
            cell=46,
            **more,
        )

    def at(self, place: int) -> str:
        return f"“{self.labels[place]}” (position {place})"


def build(scene: Scene) -> list[Step]:
    evidence = Evidence(scene)
    return [
        weight_and_length(evidence),
        where_they_part(evidence),
        adds_and_cancels(evidence),
        zero_ablation(evidence),
        mean_ablation(evidence),
        made_up(evidence),
        another_pattern(evidence),
        patched(evidence),
        three_lenses(evidence),
    ]


def weight_and_length(e: Evidence) -> Step:
    weights = e.of(e.layer, "pattern")[e.head, -1]  # (S,)
    carried, lengths = (part[e.head] for part in e.contributed[e.layer])  # (S,)

    def row(name: str, values, title: str, formula: Formula | None = None, **more) -> Panel:
        return Panel(
            name=name, values=values, letters="S", title=title, columns=e.labels, formula=formula, cell=50, **more
        )

    order = carried.argsort(descending=True).tolist()
    heaviest = int(weights.argmax())
    options = distinct(
        Option(e.at(order[0]), True, f"Weight times length is {float(carried[order[0]]):.3f}, the largest."),
        Option(
            e.at(heaviest),
            False,
            f"It has the largest weight, but weight times length is {float(carried[heaviest]):.3f}.",
        ),
        *(
            Option(e.at(place), False, f"Weight times length is only {float(carried[place]):.3f}.")
            for place in (*order[1:2], order[-1])
        ),
    )
    return Step(
        title="A weight is only half of it",
        text="Attention pictures show `weights`. A token really passes on its weight times its value, and values "
        "differ in length: `lengths`, measured where they enter the residual stream. A large weight on a short "
        "value moves little: many heads that find nothing to look for put most of their weight on the start token, "
        "an attention sink. Kobayashi et al. 2020, “Attention is Not Only a Weight”.",
        show=[
            row(
                "weights",
                weights,
                "of the last token",
                color="probability",
                where=f"blocks.{e.layer}.attn.pattern[0, {e.head}, {e.T - 1}, {{0}}]",
            ),
            row("lengths", lengths, "of each token's value, after W_out"),
            row(
                "carried",
                carried,
                "weight × length",
                Formula(
                    kind="product",
                    a=Operand(name="weights", values=weights, letters="S"),
                    b=Operand(name="lengths", values=lengths, letters="S"),
                ),
            ),
        ],
        code=[code_of(contributions, "lengths = (v @ columns)", "return pattern * lengths")],
        question=Question(
            prompt=f"Layer {e.layer}, head {e.head}: which token moves the last token most?", options=options
        )
        if len(options) > 1
        else None,
    )


def where_they_part(e: Evidence) -> Step:
    import torch

    heaviest = torch.stack([e.of(layer, "pattern")[:, -1].argmax(-1) for layer in range(e.L)])  # (L, H)
    moves = torch.stack([carried.argmax(-1) for carried, _ in e.contributed])  # (L, H)
    differ = heaviest != moves
    count, all_ = int(differ.sum()), e.L * e.H
    options = distinct(
        Option(
            str(count),
            True,
            "Count the outlined cells. Nothing in the picture of the weights says which heads these are.",
        ),
        Option("0", False, "Then the weight alone would be enough, and for these heads it is not."),
        Option(str(all_), False, "For most heads the largest weight also carries most."),
        Option(str(all_ // 2), False, "Not half of them: see the outlined cells."),
    )
    panel = e.by_head(
        "place", moves, "the position that moves the last token most", color="origin", origin=moves, decimals=0
    )
    return Step(
        title="Where weight and effect disagree",
        text=f"The same for all {all_} heads: `place` is the position of the token that moves the last token most. "
        f"The heads in which another token has the largest weight are outlined: {count} of {all_}. "
        + ("A sentence such as “it attends to X, so X matters” is a guess there, and a wrong one." if count else ""),
        show=[with_marks(panel, differ), Facts(facts=[("heads where they differ", f"{count} of {all_}", "")])],
        code=[code_of(contributions, "return pattern * lengths")],
        question=Question(
            prompt=f"In how many of {all_} heads is the token with the largest weight not the one that moves most?",
            options=options,
        )
        if len(options) > 1
        else None,
    )


def with_marks(panel: Panel, chosen) -> Panel:
    from dataclasses import replace

    return replace(panel, marks=chosen.nonzero().tolist())


def adds_and_cancels(e: Evidence) -> Step:
    from llm_core.analysis.attribution import logit_attributions

    up, down = float(e.added.clamp(min=0).sum()), float(e.added.clamp(max=0).sum())
    against, all_ = int((e.added < 0).sum()), e.L * e.H
    options = distinct(
        Option(
            str(against), True, f"Together they lower the logit by {-down:.2f}, and the others raise it by {up:.2f}."
        ),
        Option("0", False, "Heads were not trained to agree: only their sum was trained."),
        Option(str(all_), False, "Then no head would have added anything."),
    )
    return Step(
        title="Heads that cancel",
        text=f"The logit of {e.named} is a sum over everything that was added to the stream. `added` is each head's "
        f"share: above 0 it speaks for {e.named}, below 0 against it. Heads for it add {up:.2f}, heads against it "
        f"{down:.2f}; what is left is their sum. A head can look at the right token and still cancel what another "
        "head added.",
        show=[
            e.by_head("added", e.added, f"to the logit of {e.named}"),
            Facts(
                facts=[("for it", f"{up:.4f}", ""), ("against it", f"{down:.4f}", ""), ("sum", f"{up + down:.4f}", "")]
            ),
        ],
        code=[code_of(logit_attributions, "shares = _shares(")],
        question=Question(
            prompt=f"The model predicts {e.named}. How many of its {all_} heads speak against this token?",
            options=options,
        )
        if len(options) > 1
        else None,
    )


def ablated(e: Evidence, name: str, values, words: str) -> tuple[Panel, Facts, int]:
    worst = int(values.argmin())
    layer, head = divmod(worst, e.H)
    panel = e.by_head(name, values, f"change of ln p of {e.named}")
    fact = Facts(
        facts=[
            (f"largest fall, {words}", f"{float(values.min()):.4f} nats", ""),
            ("by", f"layer {layer}, head {head}", ""),
        ]
    )
    return panel, fact, worst


def zero_ablation(e: Evidence) -> Step:
    panel, fact, worst = ablated(e, "zero", e.zeroed, "head set to 0")
    most = int(e.added.argmax())
    options = distinct(
        Option(
            f"layer {worst // e.H}, head {worst % e.H}",
            True,
            f"Without it ln p changes by {float(e.zeroed.min()):.3f}.",
        ),
        Option(
            f"layer {most // e.H}, head {most % e.H}",
            False,
            f"It adds most to the logit itself, but without it ln p changes by only {float(e.zeroed.flatten()[most]):.3f}.",
        ),
        Option(
            f"layer {e.layer}, head {e.head}",
            False,
            f"Without it ln p changes by {float(e.zeroed[e.layer, e.head]):.3f}.",
        ),
    )
    return Step(
        title="Zero ablation: what if it were silent?",
        text="To find out whether a head matters, remove what it says and look at the prediction. Here each head on "
        f"its own is set to 0, for all tokens, and `zero` is how ln p of {e.named} changes. That includes what the "
        "head did for later layers, which no picture of its attention shows. Michel et al. 2019 found that most "
        "heads can be removed, one at a time.",
        show=[panel, fact],
        code=[code_of(with_each_head, "new[layer * H + head, head] = change(layer, head)")],
        question=Question(prompt=f"Which of these heads does {e.named} need most?", options=options)
        if len(options) > 1
        else None,
    )


def mean_ablation(e: Evidence) -> Step:
    from llm_core.analysis.effects import mean_activations

    panel, fact, _ = ablated(e, "mean", e.meaned, "head set to its mean")
    gap = (e.zeroed - e.meaned).abs()
    layer, head = divmod(int(gap.argmax()), e.H)
    zero, mean = float(e.zeroed[layer, head]), float(e.meaned[layer, head])
    return Step(
        title="Mean ablation: silent is not normal",
        source=f"{OWN} The means are over the tokens of other texts.",
        text="0 is a value that later layers never saw: even a head that always says the same seems to matter then, "
        "though it says nothing about this text. Mean ablation replaces what a head says with its mean over the "
        "tokens of other texts: the head stays as loud as ever, but knows nothing. The two differ most for layer "
        f"{layer}, head {head}: {zero:.3f} and {mean:.3f}. Always say which ablation you used. Wang et al. 2022.",
        show=[e.by_head("zero", e.zeroed, "set to 0"), panel, fact],
        code=[code_of(mean_activations, "return {name: total / count")],
        question=Question(
            prompt=f"Layer {layer}, head {head} changes ln p by {zero:.3f} when it is set to 0. What if it is set to "
            "its mean?",
            options=distinct(
                Option(f"{mean:.3f}", True, "Here the two differ most of all heads."),
                Option(f"{zero:.3f}", False, "That would be so if its mean were 0."),
                Option(
                    f"{zero * 2:.3f}",
                    False,
                    "That is twice the effect of setting it to 0; the measurement shows something else.",
                ),
            ),
        )
        if f"{mean:.3f}" != f"{zero:.3f}"
        else None,
    )


def made_up(e: Evidence) -> Step:
    import torch

    from llm_core import intervene, record
    from llm_core.analysis.surgery import Edit, interventions

    early = e.added[:-1] if e.L > 1 else e.added
    layer, head = divmod(int(early.argmax()), e.H)
    edit = Edit(what="head", how="zero", layer=layer, head=head)
    off = interventions(e.model, [edit])
    with e.runner.alone(), torch.inference_mode(), intervene(e.model, off), record(e.model) as trace:
        e.model(torch.tensor([e.ids]))
    before, after = e.attribution(e.trace), e.attribution(trace.on_cpu())
    others = (after.heads - before.heads).float()
    others[layer, head] = 0
    direct = float(e.added[layer, head])
    fell = float(before.logit - after.logit)
    heads, mlps = float(others.sum()), float((after.mlps - before.mlps).sum())
    said = (
        "by less, because others make up for some of it."
        if fell < direct
        else "by more, because later parts had built on it."
    )
    return Step(
        title="Without it, the others change",
        text=f"Layer {layer}, head {head} adds {direct:.3f} to the logit of {e.named}, the most of any head before "
        f"the last layer. Without it, the logit falls by {fell:.3f}: {said} `others` is the change in each other "
        "head's share, because it read a changed stream. Where later heads step in, an ablation makes a part look "
        "less important than it was (McGrath et al. 2023, “The Hydra Effect”).",
        show=[
            with_marks(e.by_head("others", others, "change of what each other head adds"), one_cell(e, layer, head)),
            Facts(
                facts=[
                    ("the head added", f"{direct:.4f}", ""),
                    ("other heads changed by", f"{heads:.4f}", ""),
                    ("MLPs changed by", f"{mlps:.4f}", ""),
                    ("embeddings and biases, by the norm's scale", f"{direct - fell - heads - mlps:.4f}", ""),
                    ("the logit fell by", f"{fell:.4f}", ""),
                ]
            ),
        ],
        code=[code_of(interventions, "surgery = _AttentionSurgery(own")],
        question=fall_question(e, direct, fell),
    )


def one_cell(e: Evidence, layer: int, head: int):
    import torch

    cells = torch.zeros(e.L, e.H, dtype=torch.bool)
    cells[layer, head] = True
    return cells


def fall_question(e: Evidence, direct: float, fell: float) -> Question:
    difference = fell - direct
    near = abs(difference) < 0.01
    return Question(
        prompt=f"The head adds {direct:.3f} to the logit. Then it is switched off. By how much does the logit fall?",
        options=[
            Option("by less", not near and difference < 0, f"By {fell:.3f}: others made up for some of it."),
            Option(
                "by just that",
                near,
                f"By {fell:.3f}. It would be exactly that if nothing later had read what the head wrote.",
            ),
            Option("by more", not near and difference > 0, f"By {fell:.3f}: later parts had built on what it wrote."),
        ],
    )


def another_pattern(e: Evidence) -> Step:
    with e.runner.alone():
        logits = with_each_head(e.model, e.ids, e.evened)
    p = e.logits.softmax(-1)
    moved = (logits.softmax(-1) - p).abs().sum(-1) / 2  # (L, H)
    own = float(moved[e.layer, e.head])
    few = int((moved < 0.01).sum())
    series = {"as it is": p, "even": logits[e.layer, e.head].softmax(-1)}
    return Step(
        title="Another pattern, the same prediction",
        text="If attention explained a prediction, a different pattern should give a different prediction. Here each "
        "head, on its own, attends equally to all tokens it sees, and `moved` is the probability that goes to other "
        f"tokens (0 none, 1 all). For {few} of {e.L * e.H} heads it is less than 0.01: where they look hardly "
        "matters here. Jain and Wallace 2019, “Attention is not Explanation”, showed it for other models. The bars "
        "show the chosen head.",
        show=[
            e.by_head("moved", moved, "total variation distance", color="probability", decimals=3),
            next_token_bars(e.runner, series, title=f"Next token; layer {e.layer}, head {e.head}"),
        ],
        code=[code_of(Evidence.evened), attention_code("pattern = F.softmax(")],
        question=moved_question(e, own),
    )


def moved_question(e: Evidence, own: float) -> Question:
    return Question(
        prompt=f"Layer {e.layer}, head {e.head} is made to attend equally to all tokens. How much of the probability "
        "moves?",
        options=[
            Option("less than 0.01", own < 0.01, f"{own:.4f}: the prediction hardly changes."),
            Option("0.01 to 0.1", 0.01 <= own < 0.1, f"It is {own:.4f}."),
            Option("more than 0.1", own >= 0.1, f"It is {own:.4f}. Only a few heads can move that much."),
        ],
    )


def patched(e: Evidence) -> Step:
    import torch

    from llm_core import record

    filler = e.runner.tokenizer.encode(FILLER)[-1]
    place, broken = 0, list(e.ids)
    if e.T > 1:
        with e.runner.alone():
            place = 1 + int(e.log_p(with_each_token(e.model, e.ids, filler)).argmin())
        broken[place] = filler
    with e.runner.alone(), torch.inference_mode(), record(e.model, ["logits"]) as trace:
        e.model(torch.tensor([broken]))
    clean, low = float(e.log_p(e.logits)), float(e.log_p(trace["logits"][0, -1]))
    gap = clean - low
    with e.runner.alone():
        logits = with_each_head(e.model, broken, lambda layer, head: e.of(layer, "z")[head])
    restored = (e.log_p(logits) - low) / gap if gap > LEAST_GAP else torch.zeros(e.L, e.H)
    best = int(restored.argmax())
    said = (
        f"{e.at(place)} is replaced by “{FILLER.strip()}”" if e.T > 1 else "The text has one token: nothing to replace"
    )
    return Step(
        title="Patching: what carries the answer",
        text=f"Better evidence comes from putting something back. {said}, and ln p of {e.named} goes from {clean:.3f} "
        f"to {low:.3f}. Then, in the broken text, one head at a time is set to what it said in the whole text, for "
        "all tokens: `restored` is the fraction of the fall that this undoes, 1 for all of it. A head that restores "
        "much carries what the token meant for the answer, wherever it looks. Wang et al. 2022, “Interpretability "
        "in the Wild”.",
        show=[
            e.by_head("restored", restored, "fraction of the fall that is undone"),
            Facts(
                facts=[
                    ("ln p, whole text", f"{clean:.4f}", ""),
                    ("ln p, token replaced", f"{low:.4f}", ""),
                    ("most restored", f"{float(restored.max()):.3f}", ""),
                    ("by", f"layer {best // e.H}, head {best % e.H}", ""),
                ]
            ),
        ],
        code=[code_of(with_each_head, "new[layer * H + head, head] = change(layer, head)")],
    )


def three_lenses(e: Evidence) -> Step:
    from llm_core.analysis.tuned_lens import fit, read
    from llm_core.analysis.tuned_lens import train as train_lens

    found = lenses(e.runner)
    names = ["embedding", *(f"after layer {layer}" for layer in range(e.L))]
    lens_of: dict = {"logit lens": None, "fitted lens": found.fit}
    kl = {"logit lens": found.plain, "fitted lens": found.fitted}
    if found.lens and found.tuned:
        lens_of["tuned lens"], kl["tuned lens"] = found.lens, found.tuned
    trained = (
        f"is trained on the prediction itself: {int(found.lens.about['tokens']):,} tokens of other articles."
        if found.lens
        else "would be trained on the prediction itself."
    )
    return Step(
        title="Lenses on what comes before",
        source=f"{OWN} The first chart is about {found.tested:,} tokens of {TESTED} other articles.",
        text="The logit lens reads the stream after each layer as if it were the last; early layers write in another "
        "form, so it misreads them. Other lenses first translate the stream by an affine map for each layer, x A + "
        "b: a matrix product and a bias. The fitted lens has the map that takes the stream nearest to the last one, "
        f"in squared distance (least squares), over {found.read:,} tokens of {FITTED} articles. "
        f"{'The' if found.lens else 'A'} tuned lens (Belrose et al. 2023) {trained} All of them tell what could be "
        "read there, not what the model uses.",
        show=[
            Bars(
                title="KL to the model's prediction on other texts, in nats: lower is nearer. Each row has its own scale",
                names=names,
                series=kl,
                by_row=True,
            ),
            *nearer_once(found, names),
            Bars(title=f"On your text: probability of {e.named}", names=names, series=on_text(e, lens_of), full=1),
            Message(
                text="",
                words="The two charts ask different things. KL compares all probabilities at every position of those "
                "articles, on average; the second chart shows one token at one position, the last. A lens can be "
                f"nearer in KL and still give {e.named} less probability here.",
            ),
        ],
        code=[
            code_of(read),
            code_of(fit, "A = torch.linalg.solve("),
            *([code_of(train_lens, "losses = [")] if found.lens else []),
        ],
        question=lens_question(e, kl, names),
    )


def on_text(e: Evidence, lens_of: dict) -> dict[str, list[float]]:
    """The answer's probability as each lens reads it after the learner's text, L+1 numbers each."""
    import torch

    from llm_core.analysis.tuned_lens import read

    own = text_stream(e)  # L+1 of (C,)
    with torch.no_grad(), e.runner.alone():
        return {
            name: [
                float(read(e.model, (lens.translated(x, row) if lens else x)[None])[0, e.answer].exp())
                for row, x in enumerate(own)
            ]
            for name, lens in lens_of.items()
        }


def nearer_once(found: Lenses, names: list[str]) -> list[Message]:
    """Said where the fitted lens is nearer than the one that was trained to be near."""
    if not found.lens or not found.tuned:
        return []
    rows = [row for row in range(len(names) - 1) if found.fitted[row] < found.tuned[row]]
    where = ", ".join(f"{names[row]} ({found.fitted[row]:.3f} against {found.tuned[row]:.3f})" for row in rows)
    words = (
        f"Here the fitted lens is nearer at: {where}. The tuned lens is not the best possible map: it was trained for "
        f"{found.lens.about['steps']} steps, and on other articles than those measured."
    )
    return [Message(text="", words=words)] if rows else []


def lens_question(e: Evidence, series: dict[str, list[float]], names: list[str]) -> Question:
    place = e.L - 1
    best = min(series, key=lambda name: series[name][place])
    why = {
        "logit lens": "It reads every layer as if it were the last.",
        "fitted lens": "It brings the stream near the last one in all directions, whether the prediction reads them or not.",
        "tuned lens": "It was trained to match the prediction, and nothing else.",
    }
    return Question(
        prompt=f"One layer before the end ({names[place]}), which lens is nearest to the model's own prediction?",
        options=[
            Option(f"the {name}", name == best, f"{kl[place]:.3f} nats. {why[name]}") for name, kl in series.items()
        ],
    )


def text_stream(e: Evidence) -> list:
    """The last token's row after each layer, L+1 of (C,)."""
    from llm_core.analysis.lens import residual_stream

    return [residual_stream(e.model, e.trace, row)[0, -1] for row in range(e.L + 1)]


def controls(runner) -> list[Control]:
    steps = (1, 4, 7)
    return [layer_control(runner, LAYER, steps), head_control(runner, HEAD, steps)]


LESSON = Lesson(
    id="beyond-attention",
    title="What attention does not tell",
    summary="Does it matter where a head looks? Ablation, patching and lenses.",
    build=build,
    num_steps=STEPS,
    controls=controls,
)
