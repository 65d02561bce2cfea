"""The card states what was measured, and can be written anew from what a run leaves in its folder."""

import json
import math
import re
from dataclasses import replace
from functools import lru_cache

import pytest
import torch

from llm_core import load_model, load_tokenizer
from llm_core.analysis.roles import head_roles
from llm_core.generation.sampling import generate
from llm_core.model.config import ModelConfig
from llm_core.train.baselines import Baseline, save_baselines
from llm_core.train.data import IGNORE, PackedBatches, TokenStore
from llm_core.train.devices import describe_device
from llm_core.train.loop import ARCHITECTURES, build_model
from llm_core.train.measures import HeldOut, on_repeats
from llm_core.train.model_card import RunFacts, main, model_card, write_card
from llm_core.train.samples import MASKED, MOST, PROMPTS, SETTINGS, stays_with, written

from .tiny_run import SETTINGS as TINY
from .tiny_run import STEPS, command, run_words

FACTS = RunFacts(
    name="abacus",
    data="a.jsonl, b.jsonl",
    num_articles=(94_038, 464),
    trained_on="CPU, 7 cores, float32",
    tokens_seen=6_789_000,
    epochs=2.345,
    steps=420,
    seconds=5400.0,
    baselines=[Baseline(name="5-gram", tokens=6_789_000, bits_per_byte=1.5)],
    recipe="| learning rate | held-out loss |\n|--:|--:|\n| 0.001 | 3.7 |",
)
LOSSES = HeldOut(
    nats=torch.tensor([60.0, 44, 42, 40], dtype=torch.float64), counts=torch.tensor([10, 11, 12, 10]), num_bytes=170
)
EXCHANGED = replace(LOSSES, nats=LOSSES.nats + torch.tensor([20.0, 0, -6, 0]))
TEXT_MODELS = [name for name in ARCHITECTURES if name != "encoder"]


@lru_cache
def tiny(architecture: str):
    torch.manual_seed(0)
    sizes = ModelConfig(vocab_size=load_tokenizer().n_vocab, block_size=40, n_layer=2, n_head=3, n_embd=24)
    return build_model(architecture, sizes).eval()


@lru_cache
def card(architecture: str) -> str:
    model, tokenizer = tiny(architecture), load_tokenizer()
    exchanged = EXCHANGED if "-" in architecture else None
    return model_card(model, FACTS, LOSSES, on_repeats(model, tokenizer, PROMPTS[0]), tokenizer, exchanged)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_card_states_the_facts(architecture):
    what = "masked token" if architecture == "encoder" else "token"
    for line in (
        "# abacus",
        "license: cc-by-nc-sa-3.0",
        "| Tokens seen | 6,789,000 in 420 steps, 2.35 times the training text |",
        "| Trained on | CPU, 7 cores, float32 |",
        "| Articles | 94,038 for training, 464 held out |",
        "| Wall time | 1.50 hours |",
        f"| Held-out loss | {186 / 43:.4f} nats per {what} (43 places in articles never trained on) |",
        *FACTS.recipe.splitlines(),
    ):
        assert line in card(architecture).splitlines()
    assert "a.jsonl, b.jsonl |" in card(architecture)


def test_another_text_is_not_called_wikihow():
    facts, tokenizer = replace(FACTS, is_wikihow=False), load_tokenizer()
    text = model_card(tiny("decoder"), facts, LOSSES, on_repeats(tiny("decoder"), tokenizer, PROMPTS[0]), tokenizer)
    assert "ikiHow" not in text.split("## What it writes")[0] and "name wikiHow" not in text
    assert "license: other\n" in text and "| Data | a.jsonl, b.jsonl |" in text
    assert "Whoever shares the weights has to keep the terms of the text that they learned from. The model" in text


def test_measures_of_text_belong_to_those_that_write():
    bits, perplexity = 186 / math.log(2) / 170, math.exp(186 / 43)
    given = " of an article's first 4 tokens, its title given"
    for architecture, more in zip(TEXT_MODELS, ("", given, given)):
        assert f"| Bits per byte | {bits:.4f}{more} |" in card(architecture)
        assert f"| Perplexity | {perplexity:.2f} per token |" in card(architecture)
    assert "Bits per byte" not in card("encoder") and "Perplexity" not in card("encoder")


def test_simple_methods_stand_beside_the_decoder_alone():
    rows = ["| **abacus** | 6,789,000 | 1.5785 |", "| 5-gram | 6,789,000 | 1.5000 |"]
    assert "\n".join(rows) in card("decoder") and math.isclose(186 / math.log(2) / 170, 1.5785, abs_tol=5e-5)
    assert all("5-gram" not in card(other) for other in ARCHITECTURES if other != "decoder")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_loss_by_place(architecture):
    lines = card(architecture).splitlines()
    place = lines.index("| Place | 1 | 2–4 |")
    assert lines[place + 2] == f"| Nats per token | 6.0000 | {126 / 33:.4f} |"
    sentence = {"encoder": "Masked tokens by", "decoder": "the n tokens before it"}.get(architecture, "the title and")
    assert sentence in lines[place - 2]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_worth_of_a_title_is_said_of_models_that_read_it_apart(architecture):
    text = card(architecture)
    assert ("## What the title is worth" in text) == ("-" in architecture)
    if "-" in architecture:
        assert f"{200 / 43:.4f} nats per token, {14 / 43:+.4f} against its own." in text
        assert f"| Difference in nats per token | +2.0000 | {-6 / 33:+.4f} |" in text.splitlines()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_induction_by_layer(architecture):
    text, name = card(architecture), "decoder" if "-" in architecture else ""
    roles = head_roles(tiny(architecture), load_tokenizer(), stack=name)
    for layer in range(2):
        cells = [str(layer)]
        for role in ("prefix matching", "duplicate token"):
            scores = roles.scores[role][layer].tolist()
            highest = max(scores)
            cells += [f"{highest:.3f} (head {scores.index(highest)})", f"{sum(scores) / 3:.3f}"]
        assert f"| {' | '.join(cells)} |" in text.splitlines()
    chances = [f"{roles.baselines[role]:.3f}" for role in ("prefix matching", "duplicate token") for _ in range(2)]
    assert f"| chance | {' | '.join(chances)} |" in text.splitlines()
    assert ("nats per token the first time" in text) == (architecture != "encoder")


def test_without_baselines_recipe_and_room_for_repeats_their_sections_are_left_out():
    model, facts = tiny("decoder"), replace(FACTS, baselines=[], recipe="")
    headings = re.findall("^## (.*)", model_card(model, facts, LOSSES, None, load_tokenizer()), re.M)
    assert headings == ["Held-out loss by place", "What it writes", "Licence and limits"]
    everything = ["Beside simple methods", "How the recipe was found", headings[0], "What its heads do with repeats"]
    assert re.findall("^## (.*)", card("decoder"), re.M) == [*everything, *headings[1:]]


# --- samples ---


def test_ten_texts_with_their_seeds():
    assert len(PROMPTS) == len(set(PROMPTS)) == len(MASKED) == len(set(MASKED)) == 10
    for architecture in TEXT_MODELS:
        assert card(architecture).count("```text\n") == 10
        assert all(f"**{prompt}** (seed {seed})" in card(architecture) for seed, prompt in enumerate(PROMPTS, 1))
    filled = [line for line in card("encoder").splitlines() if line.startswith("- ")]
    assert len(filled) == 10
    assert all(len(line.split(" → ")[1].split(", ")) >= 5 for line in filled)


def test_who_stays_with_the_title():
    for text, stays in {
        "Take a sheet of paper and fold it.": True,  # 2 of 3
        "Preheat your oven. Use parchment paper.": False,
        "Folding boats": True,
        "FOLDED PAPERS": True,
        "unfold a newspaper": False,
        "": False,
    }.items():
        assert stays_with("How to Fold a Paper Boat", text) == stays
    assert stays_with("How to Write a Letter", "a letter") and not stays_with("How to Write a Big Letter Box", "boxes")
    for architecture in TEXT_MODELS:
        texts = re.findall(r"\*\*([^\n*]+)\*\* \(seed \d+\)\n\n```text\n(.*?)\n?```", card(architecture), re.S)
        assert len(texts) == 10
        num_staying = sum(stays_with(*one) for one in texts)
        assert f"\n\nSamples that stay with their title: {num_staying} of 10. " in card(architecture)


def test_a_sample_can_be_drawn_again():
    tokenizer, model = load_tokenizer(), tiny("decoder")
    start = [tokenizer.start, *tokenizer.encode("How to Fix a Squeaky Bicycle\n")]
    ids = generate(model, [start], 40 - len(start), seed=9, stop=tokenizer.end, **SETTINGS)[0][len(start) :]
    text = tokenizer.decode([id for id in ids if id < tokenizer.n_vocab - 4]).strip()
    assert f"**How to Fix a Squeaky Bicycle** (seed 9)\n\n```text\n{text}\n```" in card("decoder")
    assert written(model, tokenizer, PROMPTS[8], 9) == text != written(model, tokenizer, PROMPTS[8], 10)


def test_what_is_filled_in_is_the_likeliest():
    tokenizer, model = load_tokenizer(), tiny("encoder")
    ids = [*tokenizer.encode("Let the cake"), tokenizer.mask, *tokenizer.encode(" for an hour.")]
    with torch.no_grad():
        best = model(torch.tensor([ids]))[0, ids.index(tokenizer.mask)].topk(5).indices.tolist()
    pieces = ", ".join(repr(tokenizer.piece(id)) for id in best)
    assert f"- Let the cake **[mask]** for an hour. → {pieces}" in card("encoder").splitlines()


# --- from a finished run ---


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    assert run_words(command(out), sample_tokens=MOST) == 0
    return out


def card_of(run) -> str:
    return (run / "model" / "README.md").read_text()


def test_a_run_writes_its_card(run):
    last = json.loads((run / "history.jsonl").read_text().splitlines()[-1])
    store = {part: TokenStore(run / "tokens" / part) for part in ("train", "validation")}
    T, B = TINY["block-size"], TINY["batch-size"]
    epochs = STEPS * B * T / (((len(store["train"]) - 1) // T - 1) * T)
    text = card_of(run)
    assert f"| Tokens seen | {STEPS * B * T:,} in {STEPS} steps, {epochs:.2f} times the training text |" in text
    assert "| Trained on | CPU, " in text and last["step"] == STEPS
    assert "arXiv:1810.09305): sample_articles.jsonl |" in text
    counts = [len(store[part].bounds) for part in ("train", "validation")]
    assert f"| Articles | {counts[0]} for training, {counts[1]} held out |" in text and sum(counts) == 48
    batch = PackedBatches(store["validation"], T).batch(0, 8)
    assert (batch.targets != IGNORE).all()  # so the places of the table are all asked equally often
    row = re.search(r"Nats per token \| (.*) \|", text)[1].split(" | ")
    widths = [1, 2, 4, 8, 17]
    mean = sum(float(nats) * width for nats, width in zip(row, widths, strict=True)) / T
    assert mean == pytest.approx(float(re.search(r"Held-out loss \| ([\d.]+)", text)[1]), abs=1e-3)


def test_a_card_is_written_anew_without_training(run, capsys):
    before = card_of(run)
    weights = (run / "model" / "model.safetensors").read_bytes()
    main([str(run)])
    assert card_of(run) == before and (run / "model" / "model.safetensors").read_bytes() == weights
    stated = re.search(r"Held-out loss \| ([\d.]+)", before)[1]
    card_path = run / "model" / "README.md"
    assert capsys.readouterr().out == f"held-out loss {stated} nats per target; the card is {card_path}\n"


def test_what_lies_beside_the_model_comes_into_the_card(run):
    before = card_of(run)
    save_baselines([Baseline(name="gzip -9", tokens=0, bits_per_byte=2.3456)], run)
    (run / "recipe.md").write_text("Two rates were tried – 0.01 won.\n", encoding="utf-8")
    try:
        losses = write_card(run, trained_on="an abacus")
        text = card_of(run)
    finally:
        (run / "baselines.json").unlink(), (run / "recipe.md").unlink()
        (run / "model" / "README.md").write_text(before)
    own = f"| **decoder** | {STEPS * TINY['batch-size'] * TINY['block-size']:,} | {losses.bits_per_byte:.4f} |"
    assert {own, "| gzip -9 | none | 2.3456 |", "| Trained on | an abacus |"} <= set(text.splitlines())
    assert "## How the recipe was found\n\nTwo rates were tried – 0.01 won.\n\n##" in text


def test_the_samples_are_those_of_the_shipped_weights(run):
    model, tokenizer = load_model(run / "model"), load_tokenizer()
    assert f"```text\n{written(model, tokenizer, PROMPTS[3], 4)}\n```" in card_of(run)


@pytest.mark.parametrize("arguments", [[], ["--trained-on", "an abacus"]])
def test_no_finished_run(arguments, tmp_path):
    with pytest.raises(SystemExit, match="holds no model: give the folder of a run that has reached its last step"):
        main([str(tmp_path), *arguments])


def test_a_run_whose_machine_nobody_knows(run):
    before = card_of(run)
    (run / "model" / "README.md").unlink()
    try:
        with pytest.raises(SystemExit, match="does not say what the model was trained on: give --trained-on"):
            main([str(run)])
    finally:
        (run / "model" / "README.md").write_text(before)


def test_device_in_words():
    assert describe_device("cpu", False, False).endswith(" cores, float32")
    assert describe_device("cpu", True, True, 2).startswith("2 × CPU, ")
    assert describe_device("cpu", True, True, 2).endswith(", bf16 autocast, torch.compile")
