"""Tiny models that train live: their tasks, choices, measurements, checkpoints, and the signs of trouble."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from explorer.engine.payload import unpack
from llm_core import load_model, record
from llm_core.live import trainer
from llm_core.live.card import card
from llm_core.live.choices import CHOICES, Choices, describe, parse
from llm_core.live.frames import frame
from llm_core.live.observer import Observer, answers, earlier, follows_the_same, inputs, previous
from llm_core.live.tasks import ARCHITECTURES, END, MASK, PAD, START, TASKS, TOKENIZER, Row, collate
from llm_core.live.tiny import as_chosen, new_model, save, unscaled
from llm_core.live.trainer import Divergence, TinyTrainer
from llm_core.model.checkpoints import CheckpointError, num_parameters, tokenizer_name
from llm_core.text.articles import is_held_out
from llm_core.train.data import IGNORE

PAIRS = [(task, a) for task in TASKS for a in ARCHITECTURES if a not in TASKS[task].impossible]
SMALL = {"n_layer": 2, "n_head": 3, "n_embd": 48}  # D = 16


def written(ids, hidden: str = ".") -> str:
    """Ids as text: ^ is the start, $ the end, _ a masked place, and ``hidden`` what nobody asks for."""
    special = {START: "^", END: "$", MASK: "_", PAD: "#", IGNORE: hidden}
    return "".join(special[id] if id in special else chr(id) for id in map(int, ids))


@pytest.mark.parametrize(
    ("task", "architecture", "ids", "targets", "decoder_ids"),
    [
        ("copy", "decoder", "^monkey|monkey", ".......monkey$", None),
        ("copy", "encoder", "^monkey|______", "........monkey", None),
        ("copy", "encoder-decoder", "monkey", "monkey$", "^monkey"),
        ("reverse", "decoder", "^monkey|yeknom", ".......yeknom$", None),
        ("reverse", "encoder-decoder", "monkey", "yeknom$", "^yeknom"),
        ("sorting", "decoder", "^monkey|ekmnoy", ".......ekmnoy$", None),
        ("sorting", "encoder", "^monkey|______", "........ekmnoy", None),
        ("induction", "decoder", "^monkey|ey|key|onk|mo|mo|ey|key|", "........y..ey..nk..o..o..y..ey..", None),
        ("articles", "decoder", "^How to Make Lemonade\n1. Roll an", "How to Make Lemonade\n1. Roll and", None),
        ("articles", "encoder-decoder", "How to Make Lemonade", "1. Roll and squeeze the lemons.\n",
         "^1. Roll and squeeze the lemons."),
    ],
)  # fmt: skip
def test_each_task_asks_only_for_what_can_be_known(task, architecture, ids, targets, decoder_ids):
    row = TASKS[task].demo(architecture)
    assert (written(row.ids), written(row.targets)) == (ids, targets)
    assert decoder_ids == (row.decoder_ids and written(row.decoder_ids))


def test_a_masked_article_is_the_article_where_nothing_is_masked():
    row = TASKS["articles"].demo("encoder")
    shown = "^How to Make Lemonade\n1. Roll an"
    assert "".join(b if b != "_" else t for b, t in zip(written(row.ids), written(row.targets))) == shown
    assert [place for place, id in enumerate(row.ids) if id == MASK] == [
        place for place, target in enumerate(row.targets) if target != IGNORE
    ]


@pytest.mark.parametrize(("task", "architecture"), PAIRS)
def test_batches_depend_on_seed_and_step_alone(task, architecture):
    def batch(seed=3, step=5, **more):
        return TASKS[task].batch(architecture, seed, step, 4, **more)

    torch.manual_seed(1)
    np.random.seed(1)
    first = batch()
    torch.manual_seed(2)
    again = batch()
    for name, x in vars(first).items():
        assert x is None or torch.equal(x, getattr(again, name)), name
    for other in (batch(step=6), batch(seed=4), batch(fresh=True)):
        assert first.ids.shape != other.ids.shape or not torch.equal(first.ids, other.ids)
    longest = max(first.targets.shape[1], first.ids.shape[1])
    assert longest <= TASKS[task].window(architecture)


@pytest.mark.parametrize("task", ["copy", "reverse", "sorting"])
def test_letters_are_right_in_every_row_and_none_of_the_fresh_is_trained_on(task):
    result = {"copy": list, "reverse": lambda s: s[::-1], "sorting": sorted}[task]
    lengths = set()
    for step in range(4):
        for fresh in (False, True):
            batch = TASKS[task].batch("decoder", 0, step, 16, fresh=fresh)
            for ids, targets in zip(batch.ids, batch.targets):
                source, answer = written(ids).rstrip("#").strip("^").split("|")
                assert answer == "".join(result(list(source)))
                assert written(targets, "").strip() == answer + "$"
                assert len(set(source)) == len(source)
                assert is_held_out(source, 0.1) == fresh
                lengths.add(len(source))
    assert lengths == set(range(3, 11))


def test_what_comes_next_in_a_piece_is_what_came_next_in_the_letters():
    for fresh in (False, True):
        batch = TASKS["induction"].batch("decoder", 0, 3, 16, fresh=fresh)
        for ids, targets in zip(batch.ids, batch.targets):
            source = written(ids).strip("^").split("|")[0]
            assert is_held_out(source, 0.1) == fresh
            for place, (id, target) in enumerate(zip(ids, targets)):
                in_piece = place > len(source) and id != ord("|") and (target != IGNORE)
                assert (target != IGNORE) == in_piece
                if in_piece:
                    assert chr(target) == source[source.index(chr(id)) + 1]
            assert written(ids).count("|") >= 2 and len(ids) == 32


def test_an_induction_head_is_one_where_no_place_tells_the_answer():
    def roles(task: str) -> set[str]:
        choices = Choices(task=task, **SMALL)
        return {role.name for role in Observer(new_model(choices), choices).fresh(0).lifts}

    assert roles("induction") == {"previous token", "duplicate token", "induction"}
    assert roles("copy") == {"previous token", "duplicate token", "answer"}
    assert roles("articles") == {"previous token"}


def test_fresh_articles_are_other_articles():
    kinds = TASKS["articles"].articles
    assert {True: len(kinds[True]), False: len(kinds[False])} == {True: 10, False: 38}
    assert not {a.title for a in kinds[True]} & {a.title for a in kinds[False]}


# Accuracy and heads


def test_accuracy_counts_the_known_places_only():
    observer = Observer(new_model(choices := Choices(**SMALL)), choices)
    rows = [Row([START, 97, 124, 97], [IGNORE, IGNORE, 97, END]), Row([START, 124], [IGNORE, 98])]
    batch = collate(rows)
    logits = torch.full((2, 4, 260), -4.0)
    logits[0, 2, 97] = 4.0  # right
    logits[0, 3, 98] = 4.0  # wrong
    logits[1, 1, 98] = 4.0  # right
    logits[0, 0, 5] = logits[1, 2, 6] = 4.0  # not asked
    observer._record = lambda _: {"logits": logits}
    observer._lifts = lambda *_: {}
    observer.task = type("", (), {"batch": staticmethod(lambda *_, **__: batch)})
    found = observer.fresh(0)
    assert found.accuracy == pytest.approx(2 / 3)
    others = math.log(1 + 259 * math.exp(-8.0))  # minus the log-probability of a logit of 4 beside 259 of -4
    assert found.loss == pytest.approx(others + 8 / 3, abs=1e-4)


def test_which_cells_belong_to_a_role():
    row = TASKS["copy"].demo("decoder")
    ids, targets = torch.tensor([row.ids]), torch.tensor([row.targets])

    def cells(mask):
        return {(q, k) for _, q, k in mask.nonzero().tolist()}

    # ^ m o n k e y | m o n  k  e  y
    # 0 1 2 3 4 5 6 7 8 9 10 11 12 13
    seen = torch.ones(14, 14, dtype=torch.bool).tril()[None]
    assert cells(answers(ids, targets) & seen) == {(7 + i, 1 + i) for i in range(6)}
    assert cells(answers(ids, targets) & follows_the_same(ids) & seen) == {(8 + i, 2 + i) for i in range(5)}
    assert cells(earlier(ids)) == {(8 + i, 1 + i) for i in range(6)}
    assert cells(previous(ids)) == {(i, i - 1) for i in range(1, 14)}


@pytest.mark.parametrize(("task", "architecture"), PAIRS)
def test_a_look_is_what_the_model_computes(task, architecture):
    choices = Choices(task=task, architecture=architecture, dropout="right", **SMALL)
    run = TinyTrainer(choices)
    found, row = run.observer.look(), run.observer.row
    assert run.computing.training
    model = run.model.eval()
    given = collate([row])
    with torch.no_grad(), record(model, ["*attn.pattern"]) as trace:
        logits = model(**inputs(given))
    probabilities = F.softmax(logits[0, run.observer.places], dim=-1)
    assert found.ids == probabilities.argmax(-1).tolist()
    assert found.probabilities == pytest.approx(probabilities.max(-1).values.tolist())
    names = {"encoder-decoder": {"encoder", "decoder", "cross"}}.get(architecture, {architecture})
    assert set(found.patterns) == names
    for name, patterns in found.patterns.items():
        stack = "" if architecture != "encoder-decoder" else "encoder." if name == "encoder" else "decoder."
        kind = "cross_attn" if name == "cross" else "attn"
        for layer in range(2):
            assert torch.equal(patterns[layer], trace[f"{stack}blocks.{layer}.{kind}.pattern"][0])
        assert patterns.shape[:2] == (2, 3)


def copied(model, trace, asked, targets):
    """(L, H): one head and one place after the other, how often what it writes raises the target most; from chance."""
    rows, scale = model.lm_head.weight.double(), model.ln_f.weight.double()
    found = torch.zeros(model.config.n_layer, model.config.n_head, dtype=torch.float64)
    for layer, block in enumerate(model.blocks):
        z = trace[f"blocks.{layer}.attn.z"].double()  # (B, H, T, D)
        D = z.shape[-1]
        for h in range(model.config.n_head):
            columns = block.attn.out_proj.weight.double()[:, h * D : (h + 1) * D]  # (C, D)
            for b, t in asked.nonzero().tolist():
                written = columns @ z[b, h, t]  # (C,)
                found[layer, h] += int((rows @ (scale * (written - written.mean()))).argmax()) == int(targets[b, t])
    chance = 1 / len(rows)
    return ((found / asked.sum() - chance) / (1 - chance)).float()


def test_lifts_are_measured_from_uniform_attention_to_the_whole():
    choices = Choices(task="induction", **SMALL)
    observer = Observer(new_model(choices), choices)
    batch = observer.task.batch("decoder", 0, 0, 8, fresh=True)
    visible = (batch.ids != PAD)[:, None, :] & torch.ones(batch.ids.shape[1], batch.ids.shape[1]).tril().bool()
    meant = answers(batch.ids, batch.targets) & follows_the_same(batch.ids) & visible
    evenly = visible / visible.sum(-1, keepdim=True).clamp(min=1)
    assert meant.sum(-1).max() > 1  # a letter that came several times
    wholly = torch.where(meant.any(-1, keepdim=True), meant / meant.sum(-1, keepdim=True).clamp(min=1), evenly)
    half = (evenly + wholly) / 2
    heads = torch.stack([evenly, wholly, half], dim=1)  # (B, H, T, T)
    trace = observer._record(batch)
    trace._tensors |= {f"blocks.{layer}.attn.pattern": heads for layer in range(2)}
    lifts = {role.name: lift for role, (_, lift) in observer._lifts(trace, batch).items()}
    matching, copying = torch.tensor([[0, 1, 0.5]] * 2), copied(observer.model, trace, meant.any(-1), batch.targets)
    assert torch.allclose(lifts["induction"], torch.minimum(matching, copying), atol=1e-6)
    assert set(lifts) == {"previous token", "duplicate token", "induction"}


# Choices


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        ({"task": "chess"}, "The task cannot be 'chess': choose copy, reverse, induction, sorting or articles."),
        ({"architecture": "rnn"}, "cannot be 'rnn': choose decoder, encoder or encoder-decoder."),
        ({"n_layer": 0}, "The number of layers cannot be 0: choose a whole number from 1 to 6."),
        ({"n_layer": 2.0}, "cannot be 2.0: choose a whole number"),
        ({"n_layer": True}, "cannot be True"),
        ({"n_head": 5}, "5 heads cannot share a width of 64 evenly: choose 1, 2, 4 or 8 heads"),
        ({"n_embd": 65}, "The width cannot be 65: choose 16, 32, 48, 64, 96 or 128."),
        ({"n_embd": [64]}, "cannot be [64]"),
        ({"learning_rate": 0}, "choose a number from 1e-06 to 100."),
        ({"learning_rate": math.nan}, "The learning rate cannot be nan"),
        ({"learning_rate": "fast"}, "cannot be 'fast'"),
        ({"positions": 1}, "Positions cannot be 1: choose true or false."),
        ({"scale": None}, "cannot be None"),
        ({"dropout": "everywhere"}, "choose none, right or wrong."),
        ({"steps": 10**9}, "choose a whole number from 1 to 50,000."),
        ({"seed": -1}, "The seed cannot be -1"),
        ({"learning_rte": 1}, "There is no choice 'learning_rte': did you mean learning_rate?"),
        ({"colour": "x" * 999}, "There is no choice 'colour': there are task, architecture"),
        ({"task": "x" * 999}, "xxx…: choose copy"),
        ({"n_layer": 6, "n_embd": 128}, "1,"),
        ({"task": "induction", "architecture": "encoder-decoder"}, "Induction looks back in one text"),
        ({"task": "induction", "architecture": "encoder"}, "Induction asks what comes next"),
        ([], "must be one JSON object"),
    ],
)
def test_what_is_impossible_is_one_sentence(chosen, sentence):
    with pytest.raises(ValueError) as caught:
        parse(chosen)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 260


def test_too_large_a_model_is_told_with_its_size():
    with pytest.raises(ValueError, match=r"make 1,2\d\d,\d\d\d parameters, and a tiny model has at most 1,000,000"):
        parse({"n_layer": 6, "n_embd": 128})


def test_the_description_has_every_choice_with_its_default():
    described = describe()
    assert [choice["name"] for choice in described["choices"]] == list(Choices.__dataclass_fields__)
    assert parse({choice["name"]: choice["default"] for choice in described["choices"]}) == Choices() == parse({})
    for choice in described["choices"]:
        for value in choice.get("allowed", []):
            assert next(c for c in CHOICES if c.name == choice["name"]).allows(value)
    assert {task["name"]: list(task["impossible"]) for task in described["tasks"]}["induction"] == [
        "encoder",
        "encoder-decoder",
    ]


# Models


def test_the_counted_parameters_are_those_of_the_model():
    for architecture in ARCHITECTURES:
        choices = Choices(architecture=architecture, **SMALL)
        assert choices.num_parameters == num_parameters(new_model(choices))


def test_without_positions_order_is_not_seen_and_stays_unseen():
    run = TinyTrainer(Choices(architecture="encoder", positions=False, **SMALL))
    for _ in range(3):
        run.advance()
    assert run.model.embedding.position_table.weight.eq(0).all()
    ids = torch.tensor([[START, 97, 98, 99, 124]])
    swapped = ids[:, [0, 3, 2, 1, 4]]
    with torch.no_grad():
        a, b = run.model.eval()(ids), run.model(swapped)
    assert torch.allclose(a, b[:, [0, 3, 2, 1, 4]], atol=1e-5)


def test_without_scale_scores_are_the_plain_products_and_still_teach():
    choices = Choices(scale=False, dropout="wrong", **SMALL)
    model = new_model(choices)
    ids = TASKS["copy"].batch("decoder", 0, 0, 3).ids
    computing = as_chosen(model, choices).eval()
    with torch.no_grad(), record(computing, ["blocks.1.attn.[qk]", "blocks.1.attn.scores"]) as trace:
        computing(ids)
    q, k, scores = (trace[f"blocks.1.attn.{name}"] for name in ("q", "k", "scores"))
    seen = scores.isfinite()
    assert torch.allclose(scores[seen], (q @ k.transpose(-2, -1))[seen], atol=1e-5)
    computing.train()(ids).logsumexp(-1).sum().backward()
    gradients = [p.grad for p in model.parameters()]
    assert all(g is not None and g.abs().sum() > 0 for g in gradients if g is None or g.dim() > 1)


def test_dropout_is_where_it_was_chosen():
    ids = TASKS["copy"].batch("decoder", 0, 0, 3).ids

    def zeros(dropout: str) -> tuple[float, float]:
        """Shares of zeros in the heads' results, and in what attention gives out."""
        choices = Choices(dropout=dropout, **SMALL)
        computing = as_chosen(new_model(choices), choices).train()
        with torch.no_grad(), record(computing, ["blocks.0.attn.z", "blocks.0.attn.out"]) as trace:
            computing(ids)
        return tuple((trace[f"blocks.0.attn.{name}"] == 0).float().mean().item() for name in ("z", "out"))

    assert zeros("none") == (0, 0)
    z, out = zeros("right")
    assert z < 0.05 and 0.05 < out < 0.15  # a first row has one weight, which is sometimes dropped
    z, out = zeros("wrong")
    assert 0.05 < z < 0.2 and 0.05 < out < 0.15


@pytest.mark.parametrize(
    ("architecture", "more"),
    [
        ("decoder", {}),
        ("decoder", {"scale": False, "dropout": "wrong"}),
        ("encoder", {"scale": False}),
        ("encoder-decoder", {"scale": False, "dropout": "right", "positions": False}),
    ],
)
def test_a_kept_model_computes_what_the_running_one_does(architecture, more, tmp_path):
    run = TinyTrainer(Choices(architecture=architecture, **SMALL, **more))
    for _ in range(21):
        run.advance()
    save(run.model, run.choices, tmp_path / "mine", card(run))
    kept = load_model(tmp_path / "mine")
    given = inputs(TASKS["copy"].batch(architecture, 0, 0, 4, fresh=True))
    with torch.no_grad():
        expected, found = run.computing.eval()(**given), kept(**given)
    assert torch.allclose(found, expected, atol=1e-5)
    assert tokenizer_name(tmp_path / "mine") == "bytes"
    text = (tmp_path / "mine" / "README.md").read_text()
    assert "for 21 steps" in text and f"{num_parameters(kept):,} parameters" in text
    assert f"accuracy {run.fresh[1].accuracy:.1%}" in text and "| The width | 48 |" in text


def test_folding_the_scale_changes_the_queries_alone():
    choices = Choices(scale=False, **SMALL)  # D = 16, so that √D is 4, exactly
    model = new_model(choices)
    folded = dict(unscaled(model, choices).named_parameters())
    for name, parameter in model.named_parameters():
        assert torch.equal(folded[name], parameter * (4 if ".q_proj." in name else 1)), name


def test_a_disk_that_refuses_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    choices = Choices(**SMALL)
    with pytest.raises(CheckpointError, match="could not be written"):
        save(new_model(choices), choices, tmp_path / "file" / "inside", "")


# Training


def test_a_short_training_learns():
    run = TinyTrainer(Choices(n_layer=1, n_head=2, n_embd=32, learning_rate=5e-3, steps=80))
    points = [run.advance()[0] for _ in range(80)]
    assert points[0].loss == pytest.approx(math.log(260), abs=0.3)
    assert sum(p.loss for p in points[-10:]) / 10 < math.log(27) + 0.1  # which letters there are, at least
    assert run.is_done and run.fresh[0] == 80 and run.fresh[1].loss < math.log(260) - 2
    assert [p.step for p in points] == list(range(80))
    assert points[0].lr == pytest.approx(1e-4) and points[60].lr == 5e-3


def test_measuring_does_not_change_the_training():
    def losses(look: bool) -> list[float]:
        run, found = TinyTrainer(Choices(dropout="right", **SMALL)), []
        for _ in range(5):
            found.append(run.advance()[0].loss)
            if look:
                run.measure()
                run.observer.look()
        return found

    assert losses(True) == losses(False)


def test_a_loss_that_is_no_number_stops_with_a_sentence():
    run = TinyTrainer(Choices(learning_rate=0.25, **SMALL))
    run.advance()
    before = run.last
    run.model.ln_f.weight.data[0] = math.nan
    with pytest.raises(
        FloatingPointError, match=r"At step 1 the loss is no longer a number .*nan.* well below 0\.25\.$"
    ):
        run.advance()
    assert run.last is before and run.step == 1


def test_gradients_that_are_no_numbers_stop_it_too():
    run = TinyTrainer(Choices(**SMALL))
    run.model.ln_f.weight.register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(FloatingPointError, match="At step 0 the size of the gradients is no longer a number"):
        run.advance()


def test_a_learning_rate_far_too_high_is_told_and_the_run_goes_on():
    run, events = TinyTrainer(Choices(learning_rate=30.0, **SMALL)), []
    for _ in range(40):
        events += run.advance()[1]
    (event,) = [event for event in events if event.what == "diverging"]
    assert run.step == 40 and math.isfinite(run.last.loss)
    assert "learning rate below 30" in event.sentence and "\n" not in event.sentence


def test_divergence_is_told_once_per_rise():
    watch = Divergence()
    told = [watch.begins(loss) for loss in [5.0] * 10 + [1.0] * 20 + [9.0] * 20 + [1.0] * 20 + [9.0] * 20]
    assert [step for step, begins in enumerate(told) if begins] == [31, 71]
    assert not any(Divergence().begins(loss) for loss in np.linspace(5.6, 0.0, 500))


def test_solved_and_roles_are_told_once(monkeypatch):
    run = TinyTrainer(Choices(**SMALL))
    role, part = next(iter(run.observer.fresh(0).lifts.items()))
    lifts = torch.tensor([[0.39, 0.4, 0.0], [0.0, 0.0, 0.9]])
    fresh = replace(run.observer.fresh(0), accuracy=0.995, lifts={role: (part[0], lifts)})
    monkeypatch.setattr(run.observer, "fresh", lambda step: fresh)
    told = run.measure()
    assert [(e.what, e.layer, e.head) for e in told] == [
        ("solved", None, None),
        ("head becomes", 0, 1),
        ("head becomes", 1, 2),
    ]
    assert told[1].title == "Layer 0, head 1 becomes a previous-token head"
    assert run.measure() == []


def test_a_frame_is_what_every_page_reads():
    pattern = torch.rand(2, 3, 5, 7).numpy()
    message = frame({"kind": "measured", "text": "é"}, {"decoder": pattern})
    assert int.from_bytes(message[:4], "little") == len(message) - 4
    header, arrays = unpack(message[4:])
    assert (header["kind"], header["text"]) == ("measured", "é")
    assert np.abs(arrays["decoder"] - pattern).max() <= 8e-6
    with pytest.raises(ValueError):
        frame({"loss": math.nan})


def test_the_examples_of_a_step_are_as_many_as_said():
    run = TinyTrainer(Choices(**SMALL))
    assert run.task.batch("decoder", 0, 0, trainer.BATCH).ids.shape[0] == 32
    assert TOKENIZER.n_vocab == 260
