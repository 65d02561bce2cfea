"""What the card measures, recounted one token at a time, on windows, masks and pairs."""

import math
import random

import pytest
import torch

from llm_core.analysis.roles import head_roles, repeats
from llm_core.model.architectures import Decoder, EncoderDecoder
from llm_core.model.config import ModelConfig
from llm_core.paths import ASSETS
from llm_core.text.articles import read_articles
from llm_core.text.tokenizer import load_tokenizer
from llm_core.train.data import IGNORE, TokenStore
from llm_core.train.loop import ARCHITECTURES, batches_for, build_model, evaluate
from llm_core.train.measures import HeldOut, UnderOtherTitles, held_out_losses, on_repeats, tokens_in_epoch

from ..common import randomised

T = 37
TITLE = "How to Fold a Paper Boat"
TEXT_MODELS = [name for name in ARCHITECTURES if name != "encoder"]


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer()


@pytest.fixture(scope="module")
def store(tokenizer, tmp_path_factory):
    articles = list(read_articles(str(ASSETS / "sample_articles.jsonl")))[:10]
    return TokenStore.build(articles, tokenizer, tmp_path_factory.mktemp("tokens") / "store")


@pytest.fixture(scope="module")
def models(tokenizer):
    """Every architecture, narrow, with weights that are not those of the start."""
    torch.manual_seed(0)
    sizes = ModelConfig(vocab_size=tokenizer.n_vocab, block_size=T, n_layer=2, n_head=3, n_embd=24)
    return {name: randomised(build_model(name, sizes), std=0.05) for name in ARCHITECTURES}


def rows_of(batches, num_batches):
    """The rows of batches of eight, each alone and without its padding: (inputs, targets)."""
    for i in range(num_batches):
        tensors = {name: x for name, x in vars(batches.batch(i, 8)).items() if x is not None}
        for row in range(8):
            real = {"ids": tensors.get("attention_mask"), "decoder_ids": tensors["targets"] != IGNORE}
            real = {name: slice(None) if mask is None else mask[row] for name, mask in real.items()}
            inputs = {name: tensors[name][row][real[name]][None] for name in real if name in tensors}
            yield inputs, tensors["targets"][row]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_losses_are_those_of_every_token_alone(architecture, models, store, tokenizer):
    model, batches = models[architecture], batches_for(models[architecture], store, T, tokenizer, seed=3)
    found = held_out_losses(model, batches, tokenizer)
    is_pairs = isinstance(model, EncoderDecoder)
    num_rows = len(store.bounds) if is_pairs else (len(store) - 1) // T - 1
    nats, counts, text = [0.0] * T, [0] * T, b""
    for inputs, targets in rows_of(batches, num_rows // 8):
        with torch.no_grad():
            logprobs = model(**inputs)[0].log_softmax(-1)
        for place, target in enumerate(targets.tolist()):
            if target != IGNORE:
                nats[place] -= float(logprobs[place, target])
                counts[place] += 1
                text += b"" if tokenizer.is_special(target) else tokenizer.token_bytes(target)
    assert found.counts.tolist() == counts and found.nats.tolist() == pytest.approx(nats, rel=1e-4)
    assert (found.num_targets, found.num_bytes) == (sum(counts), len(text))
    assert found.loss == pytest.approx(sum(nats) / sum(counts), rel=1e-5)
    assert found.bits_per_byte == pytest.approx(sum(nats) / math.log(2) / len(text), rel=1e-5)
    loss, count = evaluate(model, batches, num_rows // 8, 8)
    assert (found.loss, found.num_targets) == (pytest.approx(loss, rel=1e-5), count)


@pytest.mark.parametrize("architecture", ARCHITECTURES[2:])
def test_losses_under_other_titles_are_those_of_every_pair_alone(architecture, models, store, tokenizer):
    """Recounted with each article's own text, and the title read from the batch's other rows."""
    model, batches = models[architecture], batches_for(models[architecture], store, T, tokenizer, seed=3)
    rows = list(rows_of(batches, 1))
    nats = 0.0
    for (inputs, targets), (other, _) in zip(rows, [rows[-1], *rows]):
        assert other["ids"].tolist() != inputs["ids"].tolist()
        with torch.no_grad():
            logprobs = model(other["ids"], inputs["decoder_ids"])[0].log_softmax(-1)
        real = targets[targets != IGNORE]
        nats -= float(logprobs[range(len(real)), real].sum())
    found, own = (
        held_out_losses(model, UnderOtherTitles(batches), tokenizer),
        held_out_losses(model, batches, tokenizer),
    )
    assert float(found.nats.sum()) == pytest.approx(nats, rel=1e-5) != pytest.approx(float(own.nats.sum()), rel=1e-5)
    assert found.counts.tolist() == own.counts.tolist() and found.num_bytes == own.num_bytes


def test_the_bytes_of_a_whole_store_are_its_bytes(store, tokenizer):
    lengths = [0 if tokenizer.is_special(id) else len(tokenizer.token_bytes(id)) for id in store.tokens.tolist()]
    assert sum(lengths) == store.num_bytes


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 21, 256, 257])
def test_places_double_and_leave_none_out(count):
    random_ = torch.Generator().manual_seed(count)
    counts = torch.randint(1, 9, (count,), generator=random_)
    nats = torch.rand(count, generator=random_, dtype=torch.float64)
    rows = HeldOut(nats=nats, counts=counts, num_bytes=1).by_place()
    assert [place for first, last, _ in rows for place in range(first, last + 1)] == list(range(1, count + 1))
    assert [first for first, _, _ in rows] == [2**i for i in range(len(rows))]
    for first, last, mean in rows:
        of = range(first - 1, last)
        assert mean == pytest.approx(sum(float(nats[i]) for i in of) / sum(int(counts[i]) for i in of))


def test_the_places_of_our_window():
    ones = torch.ones(256, dtype=torch.float64)
    places = [(a, b) for a, b, _ in HeldOut(nats=ones, counts=ones.long(), num_bytes=1).by_place()]
    assert places == [(1, 1), (2, 3), (4, 7), (8, 15), (16, 31), (32, 63), (64, 127), (128, 256)]


def test_places_where_nothing_was_asked_are_left_out():
    counts = torch.tensor([0, 2, 2, 0, 0, 0, 0, 4])
    assert HeldOut(nats=counts.double() * 3, counts=counts, num_bytes=1).by_place() == [(2, 3, 3.0), (4, 8, 3.0)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_epoch_is_what_the_batches_of_one_have(architecture, models, store, tokenizer):
    batches = batches_for(models[architecture], store, T, tokenizer, seed=0)
    count = len(store.bounds) if architecture in ARCHITECTURES[2:] else (len(store) - 1) // T - 1
    assert tokens_in_epoch(batches) == sum(batches.batch(i, 1).num_tokens for i in range(count))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_repeats_score_as_head_roles_does(architecture, models, tokenizer):
    model = models[architecture]
    stack = "decoder" if isinstance(model, EncoderDecoder) else ""
    roles, found = head_roles(model, tokenizer, 4, stack), on_repeats(model, tokenizer, TITLE, seed=4)
    assert list(found.scores) == ["prefix matching", "duplicate token"]
    for name, scores in found.scores.items():
        torch.testing.assert_close(scores, roles.scores[name])
        assert found.chance[name] == pytest.approx(roles.baselines[name], rel=1e-5)
    assert (found.losses is None) == (architecture == "encoder")


@pytest.mark.parametrize("architecture", TEXT_MODELS)
def test_losses_on_repeats_token_by_token(architecture, models, tokenizer):
    model, title, halves = models[architecture], torch.tensor([tokenizer.encode(TITLE)]), ([], [])
    for ids in repeats(tokenizer, T, random.Random(4)):
        n = len(ids) // 2
        for half, losses in enumerate(halves):
            places = range(half * n, half * n + n - 1)
            beginnings = [torch.tensor([ids[: place + 1]]) for place in places]
            with torch.no_grad():
                logits = [(model(x) if isinstance(model, Decoder) else model(title, x))[0, -1] for x in beginnings]
            nats = [-float(at.log_softmax(-1)[ids[place + 1]]) for at, place in zip(logits, places)]
            losses.append(sum(nats) / (n - 1))
    wanted = [sum(losses) / len(losses) for losses in halves]
    assert on_repeats(model, tokenizer, TITLE, seed=4).losses == pytest.approx(wanted, rel=1e-5)


def test_a_title_conditions_the_decoder(models, tokenizer):
    model = models["encoder-decoder-cross"]
    one, other = (on_repeats(model, tokenizer, title).losses for title in (TITLE, "How to Win"))
    assert one != other


def test_a_window_too_short_for_a_repeat(tokenizer):
    sizes = ModelConfig(vocab_size=tokenizer.n_vocab, block_size=5, n_layer=1, n_head=1, n_embd=8)
    assert on_repeats(build_model("decoder", sizes).eval(), tokenizer, TITLE) is None
