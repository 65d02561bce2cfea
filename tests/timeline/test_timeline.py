"""A timeline's numbers are those of the snapshots, worked out from their weights; what is damaged is one sentence."""

import gzip
import json
import math

import numpy as np
import pytest
import safetensors.numpy
import torch
from torch.nn import functional as F

from llm_core import Decoder, Encoder, EncoderDecoder, ModelConfig, load_model, load_tokenizer, save_model
from llm_core.analysis.patterns import uniform
from llm_core.analysis.roles import ROLES, badges, head_roles
from llm_core.model.checkpoints import CheckpointError
from llm_core.model.masks import causal_mask
from llm_core.model.recording import hook_points, intervene, record
from llm_core.paths import ASSETS
from llm_core.text.articles import read_articles
from llm_core.timeline import command as timeline
from llm_core.timeline.command import (
    INFO,
    TIMELINES,
    TimelineError,
    list_timelines,
    main,
    read_timeline,
    write_timeline,
)
from llm_core.timeline.moment import GAPS, SETTINGS, kinds_of_attention, record_prompt
from llm_core.timeline.prompts import TITLE, prompts_for
from llm_core.timeline.run import find_marks, snapshots, thinned, tokens_at
from llm_core.train.data import IGNORE, TokenStore
from llm_core.train.loop import ARCHITECTURES, batches_for
from llm_core.train.schedule import snapshot_steps

from ..by_hand import encoder_decoder_by_hand, stack_by_hand
from ..common import randomised
from ..train.tiny_run import SETTINGS as RUN_SETTINGS
from ..train.tiny_run import run_here

STEPS = [0, 2, 5]
LAYERS, HEADS, WIDTH, WINDOW = 2, 4, 20, 40  # D=5; with N=3 steps, all differ
tokenizer = load_tokenizer()


def sizes(**changes) -> ModelConfig:
    given = {"block_size": WINDOW, "n_layer": LAYERS, "n_head": HEADS, "n_embd": WIDTH}
    return ModelConfig(vocab_size=tokenizer.n_vocab, **{**given, **changes})


def build(architecture: str):
    """The encoder of two has other sizes than its decoder."""
    if architecture == "encoder":
        return Encoder(sizes())
    if architecture == "decoder":
        return Decoder(sizes())
    return EncoderDecoder(sizes(n_layer=1, n_head=5), sizes(), architecture.rsplit("-", 1)[1])


def make_run(folder, architecture: str):
    """The folder of a run, with a snapshot of other weights at each of STEPS."""
    folder.mkdir(parents=True)
    for step in STEPS:
        save_model(randomised(build(architecture), seed=step, std=0.4), folder / "snapshots" / f"{step:06d}")
    (folder / "snapshots" / "000007").mkdir()  # not whole yet
    articles = list(read_articles(str(ASSETS / "sample_articles.jsonl")))[:3]
    TokenStore.build(articles, tokenizer, folder / "tokens" / "validation")
    settings = {"model": architecture, "steps": 9, "cycles": 3, "block_size": WINDOW, "seed": 3}
    (folder / "run.json").write_text(json.dumps(settings))
    lines = [{"step": step, "tokens": 70 * step, "loss": 9 - step} for step in range(1, 6)]
    (folder / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return {name: make_run(folder / name, name) for name in ARCHITECTURES}


@pytest.fixture(scope="module")
def shelf(runs, tmp_path_factory):
    """All four timelines."""
    folder = tmp_path_factory.mktemp("timelines")
    for name, run in runs.items():
        write_timeline(run, folder, name)
    return folder


def models_of(run) -> list:
    return [load_model(path) for path in snapshots(run).values()]


def by_hand(model, prompt: dict) -> dict[str, torch.Tensor]:
    """Every tensor of a forward pass on a prompt, from the weights alone, by hook-point name; and "logits" (T, V)."""
    own, source = (torch.tensor([[token["id"] for token in prompt[key]]]) for key in ("tokens", "source"))
    with torch.no_grad():
        if isinstance(model, EncoderDecoder):
            seen = encoder_decoder_by_hand(model, source, own, torch.ones_like(source).bool())
            return {**seen, "logits": seen["decoder.logits"][0]}
        T = own.shape[1]
        visible = torch.ones(1, T, T).bool()
        seen = stack_by_hand(model, own, visible.tril() if isinstance(model, Decoder) else visible)
    return {**seen, "logits": seen["logits"][0]}


def every_moment(shelf, runs, name: str):
    """(tensors by hand, arrays of the prompt at that step, the prompt, the timeline)."""
    line, models = read_timeline(shelf, name), models_of(runs[name])
    for k, prompt in enumerate(line.info["prompts"]):
        arrays = line.prompt(k)
        for i, model in enumerate(models):
            yield by_hand(model, prompt), {key: array[i] for key, array in arrays.items()}, prompt, line


# --- numbers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_attention_is_what_the_weights_give_in_16_bits(name, shelf, runs):
    checked = 0
    for seen, arrays, _, line in every_moment(shelf, runs, name):
        for kind in line.info["stacks"]:
            found = arrays[f"attention.{kind['name']}"]
            wanted = [seen[kind["tensor"].format(layer=i)][0] for i in range(kind["n_layer"])]
            torch.testing.assert_close(torch.tensor(found), torch.stack(wanted), atol=1 / 65535, rtol=0)
            assert found.shape[:2] == (kind["n_layer"], kind["n_head"])
            assert found.std() > 0.05  # nothing is even, so nothing can be mistaken for it
            checked += found.size
    assert checked > 5000


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_predictions_are_the_full_softmax(name, shelf, runs):
    for seen, arrays, prompt, line in every_moment(shelf, runs, name):
        probs = seen["logits"][prompt["places"]].softmax(-1)  # (Q, V)
        best = probs.topk(12)
        torch.testing.assert_close(torch.tensor(arrays["next.probs"]), best.values, atol=1e-6, rtol=1e-4)
        here = probs.gather(1, torch.tensor(arrays["next.ids"]).long())  # near ties may change places
        torch.testing.assert_close(here, best.values, atol=1e-6, rtol=1e-4)
        for q, id in enumerate(prompt["truth"]):
            if id is None:
                assert arrays["truth.probs"][q] == arrays["truth.ranks"][q] == 0
                continue
            assert arrays["truth.probs"][q] == pytest.approx(float(probs[q, id]), rel=1e-4, abs=1e-7)
            ranked = probs[q].argsort(descending=True).tolist()
            assert abs(ranked.index(id) + 1 - arrays["truth.ranks"][q]) <= 2
        for id in arrays["next.ids"].ravel().tolist():
            assert line.info["pieces"][str(id)] == tokenizer.piece(id)


def test_of_causal_attention_the_lower_triangle_is_stored(shelf):
    line = read_timeline(shelf, "encoder-decoder-prefix")
    for k, prompt in enumerate(line.info["prompts"]):
        stored = safetensors.numpy.load(gzip.decompress((line.folder / prompt["file"]).read_bytes()))
        M = len(prompt["source"]) + len(prompt["tokens"])
        assert prompt["prefix"] == len(prompt["source"]) > 0
        triangle = stored["attention.decoder"]
        assert triangle.dtype == np.uint16
        assert triangle.shape == (len(STEPS), LAYERS, HEADS, M * (M + 1) // 2)
        square = line.prompt(k)["attention.decoder"]
        assert square.shape == (len(STEPS), LAYERS, HEADS, M, M)
        assert not square[..., ~np.tri(M, dtype=bool)].any()
        q, key = M - 2, 3
        np.testing.assert_array_equal(square[..., q, key], triangle[..., q * (q + 1) // 2 + key] / np.float32(65535))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_roles_and_held_out_loss_are_those_of_each_snapshot(name, shelf, runs):
    info, models = read_timeline(shelf, name).info, models_of(runs[name])
    batches = batches_for(models[0], TokenStore(runs[name] / "tokens" / "validation"), WINDOW, tokenizer, 3)
    for i, model in enumerate(models):
        for kind, roles in info["scores"].items():
            measured = head_roles(model, tokenizer, stack=kind if isinstance(model, EncoderDecoder) else "")
            assert set(roles) == set(measured.scores) >= {"previous token", "prefix matching", "first token"}
            for role, found in roles.items():
                assert found["baseline"] == pytest.approx(measured.baselines[role], abs=1e-6)
                torch.testing.assert_close(
                    torch.tensor(found["scores"][i]), measured.scores[role].float(), atol=6e-5, rtol=0
                )
        total, count = 0.0, 0
        for index in range(info["held_out"]["num_windows"]):
            batch = batches.batch(index, 1)
            inputs = {key: x for key, x in vars(batch).items() if x is not None and key != "targets"}
            with torch.no_grad():
                logits = model(**inputs)
            total += float(F.cross_entropy(logits[0], batch.targets[0], ignore_index=IGNORE, reduction="sum"))
            count += int((batch.targets != IGNORE).sum())
        assert count == info["held_out"]["num_targets"] or name == "encoder"  # masks are drawn for a batch, not a row
        if name != "encoder":
            assert info["held_out"]["loss"][i] == pytest.approx(total / count, rel=1e-4)
    assert set(info["scores"]) == {kind["name"] for kind in info["stacks"]} - {"cross"}


def test_the_encoders_held_out_loss_counts_masked_places_alone(shelf, runs):
    info, model = read_timeline(shelf, "encoder").info, models_of(runs["encoder"])[1]
    batches = batches_for(model, TokenStore(runs["encoder"] / "tokens" / "validation"), WINDOW, tokenizer, 3)
    num_windows = info["held_out"]["num_windows"]
    B = math.gcd(num_windows, 8)
    read = [batches.batch(i, B) for i in range(num_windows // B)]
    with torch.no_grad():
        logits = torch.cat([model(batch.ids) for batch in read]).flatten(0, 1)
    targets = torch.cat([batch.targets for batch in read]).flatten()
    assert (targets != IGNORE).sum() == info["held_out"]["num_targets"]
    assert float(F.cross_entropy(logits, targets)) == pytest.approx(info["held_out"]["loss"][1], rel=1e-4)


def test_samples_are_what_the_snapshot_writes(shelf, runs):
    info, model = read_timeline(shelf, "decoder").info, models_of(runs["decoder"])[1]
    sample = info["sample"]
    assert sample["prompt"] == TITLE and sample["max_new_tokens"] == 48
    start = [tokenizer.start, *tokenizer.encode(f"{TITLE}\n")]
    ids, random = list(start), torch.Generator().manual_seed(sample["seed"])
    with torch.no_grad():
        probs = (model(torch.tensor([ids]))[0, -1] / sample["temperature"]).softmax(-1)
    best = probs.sort(descending=True)
    kept = best.values.cumsum(0) - best.values < sample["top_p"]
    cut = (best.values * kept).cumsum(0) / (best.values * kept).sum()
    first = int(best.indices[int((cut <= torch.rand(1, 1, generator=random)).sum())])
    assert sample["texts"][1].startswith(tokenizer.decode([first]))
    assert len(set(sample["texts"])) == len(STEPS)
    assert {key: sample[key] for key in SETTINGS} == SETTINGS


def test_the_encoder_fills_its_gaps(shelf, runs):
    sample, model = read_timeline(shelf, "encoder").info["sample"], models_of(runs["encoder"])[2]
    parts = [tokenizer.encode(part) for part in GAPS.split("{mask}")]
    ids = [id for part in parts for id in (*part, tokenizer.mask)][:-1]
    with torch.no_grad():
        probs = model(torch.tensor([ids]))[0].softmax(-1)
    gaps = [i for i, id in enumerate(ids) if id == tokenizer.mask]
    assert sample["prompt"] == GAPS and len(sample["fills"]) == len(STEPS)
    for i, found in zip(gaps, sample["fills"][2], strict=True):
        assert found["p"] == pytest.approx(float(probs[i].max()), abs=2e-6)
        assert found["text"] == tokenizer.piece(int(probs[i].argmax()))


# --- what is told beside the numbers ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_facts(name, shelf, runs):
    info, model = read_timeline(shelf, name).info, models_of(runs[name])[0]
    assert (info["name"], info["architecture"], info["masked"]) == (name, name, name == "encoder")
    assert info["steps"] == STEPS and info["tokens"] == [0, 140, 350]
    assert info["restarts"] == [3]  # the run stopped before 6
    assert info["curve"] == [[step, 70 * step, 9 - step] for step in range(1, 6)]
    assert info["num_parameters"] == sum(p.numel() for p in model.parameters())
    assert {kind["tensor"].format(layer=0) for kind in info["stacks"]} <= set(hook_points(model))
    assert [role["name"] for role in info["roles"]] == [role.name for role in ROLES]
    assert len(info["prompts"]) == 3
    for prompt in info["prompts"]:
        T, S = len(prompt["tokens"]), len(prompt["source"])
        assert 0 < T <= 24 and S <= 24 and (S > 0) == (len(info["stacks"]) > 1)
        assert all(token["text"] == tokenizer.piece(token["id"]) for token in prompt["tokens"] + prompt["source"])
        ids = [token["id"] for token in prompt["tokens"]]
        if name == "encoder":
            assert [ids[place] for place in prompt["places"]] == [tokenizer.mask]
        else:
            assert prompt["places"] == list(range(T)) and prompt["truth"] == [*ids[1:], None]


def test_random_words_stand_twice(shelf):
    for name in ARCHITECTURES:
        prompts = read_timeline(shelf, name).info["prompts"]
        prompt = next(prompt for prompt in prompts if prompt["title"].startswith("Random words"))
        ids = [token["id"] for token in prompt["tokens"] if token["text"] != "<|startofarticle|>"]
        for place, hidden in zip(prompt["places"], prompt["truth"]) if name == "encoder" else ():
            ids[place] = hidden
        n = len(ids) // 2
        assert n == 11 and ids[:n] == ids[n:] and len(set(ids)) == n


def test_marks_of_a_table_by_hand():
    steps, chance = [0, 1, 4, 9], 0.2  # a lift of 0.4 is a score of 0.52
    previous = [[[0.9, 0.5, 0.53]], [[0.9, 0.5, 0.51]], [[0.2, 0.5, 0.53]], [[0.9, 0.51, 0.53]]]  # (N, 1, 3)
    induction = [[[0.2, 0.6, 0.2]], [[0.2, 0.6, 0.2]], [[0.2, 0.6, 0.2]], [[0.2, 0.6, 0.5]]]
    scores = {
        "decoder": {
            "previous token": {"baseline": chance, "scores": previous},
            "induction": {"baseline": chance, "scores": induction},
            "same token": {"baseline": chance, "scores": induction},
        }
    }
    wanted = [("induction", 1, 0), ("previous token", 2, 4), ("previous token", 0, 9)]
    found = find_marks(steps, scores)
    assert [(mark["role"], mark["head"], mark["step"]) for mark in found] == wanted
    assert all(mark["stack"] == "decoder" and mark["layer"] == 0 for mark in found)


def test_tokens_between_two_lines_of_the_history():
    history = [{"step": 10, "tokens": 1000, "loss": 3.0}, {"step": 20, "tokens": 1800, "held_out_loss": 2.0}]
    assert tokens_at([0, 5, 10, 15, 20], history) == [0, 500, 1000, 1400, 1800]


def test_of_too_many_snapshots_a_timeline_takes_as_many_as_it_has_room_for(tmp_path):
    """A run that was prolonged has kept those of its first plan too."""
    kept = sorted(snapshot_steps(400, 32) | snapshot_steps(4000, 32))
    for step in kept:
        folder = tmp_path / "snapshots" / f"{step:06d}"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
    taken = list(snapshots(tmp_path))
    assert taken == sorted(snapshot_steps(4000, 32)) and len(taken) == 32 < len(kept)


def test_a_long_curve_keeps_its_beginning_and_the_means_of_the_rest():
    history = [{"step": i, "tokens": 10 * i, "loss": float(i)} for i in range(1, 2101)]
    history.insert(7, {"step": 7, "tokens": 70, "held_out_loss": 1.0})
    curve = thinned(history)
    assert len(curve) == 300
    assert curve[:100] == [[i, 10 * i, i] for i in range(1, 101)]
    assert curve[100] == [106, 1055, 105.5]  # steps 101 to 110
    assert sum(loss for _, _, loss in curve[100:]) * 10 == pytest.approx(sum(range(101, 2101)))
    assert thinned([]) == [] and len(thinned(history[:150])) == 149


# --- roles of an encoder-decoder --------------------------------------------------------------------------


def looking_back(pattern: torch.Tensor) -> torch.Tensor:
    """Every query looks at the key before it, the first at itself."""
    T = pattern.shape[-1]
    keys = (torch.arange(T) - 1).clamp(min=0)
    return F.one_hot(keys, T).float().expand_as(pattern)


@pytest.mark.parametrize("conditioning", ["prefix", "cross"])
@pytest.mark.parametrize("stack", ["encoder", "decoder"])
def test_a_pure_head_of_an_encoder_decoder_wears_its_badge(stack, conditioning):
    model = randomised(build(f"encoder-decoder-{conditioning}"))
    with intervene(model, {f"{stack}.blocks.*.attn.pattern": looking_back}):
        roles = head_roles(model, tokenizer, stack=stack)
    L, H = (1, 5) if stack == "encoder" else (LAYERS, HEADS)
    torch.testing.assert_close(roles.scores["previous token"], torch.ones(L, H))
    assert badges(roles) == [[["previous token"]] * H] * L


@pytest.mark.parametrize("stack", ["encoder", "decoder"])
def test_even_attention_scores_the_baseline_with_a_prefix_in_front_too(stack):
    model = randomised(build("encoder-decoder-prefix"))

    def even(pattern):
        T = pattern.shape[-1]
        return uniform(causal_mask(T)[0, 0] if stack == "decoder" else torch.ones(T, T)).expand_as(pattern)

    with intervene(model, {f"{stack}.blocks.*.attn.pattern": even}):
        roles = head_roles(model, tokenizer, stack=stack)
    assert ("induction" in roles.scores) == (stack == "decoder")  # the one that predicts the next token
    for name in set(roles.scores) - {"induction"}:
        wanted, score = roles.baselines[name], roles.scores[name]
        torch.testing.assert_close(score, torch.full_like(score, wanted), atol=1e-5, rtol=0)
    assert set(roles.scores) >= {"previous token", "prefix matching", "duplicate token"}


def test_matching_behind_a_prefix_counts_own_places():
    model = randomised(build("encoder-decoder-prefix"))
    P = {}

    def induct(pattern):
        """In random tokens: the place after the first occurrence, as the sequence without its prefix has it."""
        M = pattern.shape[-1]
        n = (M - P["length"]) // 2
        square = torch.eye(M)
        for i in range(M - n, M):
            square[i] = F.one_hot(torch.tensor(i - n + 1), M)
        return square.expand_as(pattern)

    def note(states):
        P["length"] = states.shape[1]
        return states

    with intervene(model, {"encoder.ln_f": note, "decoder.blocks.*.attn.pattern": induct}):
        roles = head_roles(model, tokenizer, stack="decoder")
    torch.testing.assert_close(roles.scores["prefix matching"], torch.ones(LAYERS, HEADS))
    assert all("prefix matching" in worn for layer in badges(roles) for worn in layer)


def test_a_stack_that_is_not_there_is_one_sentence():
    with pytest.raises(ValueError, match='stack=\'cross\': must be "encoder" or "decoder" of an EncoderDecoder'):
        head_roles(build("encoder-decoder-cross").eval(), tokenizer, stack="cross")
    with pytest.raises(ValueError, match="stack='decoder': must be"):
        head_roles(build("decoder").eval(), tokenizer, stack="decoder")


# --- files ------------------------------------------------------------------------------------------------


def test_the_list_follows_the_architectures(shelf, tmp_path):
    assert [one["name"] for one in list_timelines(shelf)] == list(ARCHITECTURES)
    assert list_timelines(tmp_path) == []


def test_the_same_run_gives_the_same_files(shelf, runs, tmp_path):
    folder = write_timeline(runs["decoder"], tmp_path, "decoder")
    for path in (shelf / "decoder").iterdir():
        assert (folder / path.name).read_bytes() == path.read_bytes()
    assert len(list(folder.iterdir())) == 4


@pytest.fixture
def copy(shelf, tmp_path):
    folder = tmp_path / "decoder"
    folder.mkdir()
    for path in (shelf / "decoder").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def spoiled(info: dict, key: str, value: object) -> bytes:
    return json.dumps({**info, key: value}).encode()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda info, whole: whole[:-20],
        lambda info, whole: b"",
        lambda info, whole: b"[1, 2]",
        lambda info, whole: b"\xff\xfe{}",
        lambda info, whole: spoiled(info, "version", 2),
        lambda info, whole: spoiled(info, "architecture", "perceptron"),
        lambda info, whole: spoiled(info, "steps", [0, 2]),
        lambda info, whole: spoiled(info, "prompts", [{"title": "x"}]),
        lambda info, whole: spoiled(info, "scores", {"decoder": {"induction": {"scores": [[0.5]]}}}),
        lambda info, whole: json.dumps({key: x for key, x in info.items() if key != "pieces"}).encode(),
    ],
)
def test_damaged_facts_are_one_sentence(spoil, copy):
    whole = (copy / INFO).read_bytes()
    (copy / INFO).write_bytes(spoil(json.loads(whole), whole))
    with pytest.raises(TimelineError, match=r"timeline.json is damaged or missing .*: record it again") as error:
        read_timeline(copy.parent, "decoder")
    assert "\n" not in str(error.value)
    assert list_timelines(copy.parent) == []


def test_a_damaged_prompt_is_one_sentence(copy):
    line, path = read_timeline(copy.parent, "decoder"), copy / "1.safetensors.gz"
    whole = path.read_bytes()
    for content in (whole[:-9], whole[:100] + b"?" + whole[101:], (copy / "2.safetensors.gz").read_bytes(), b""):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"1.safetensors.gz is damaged or missing .*: record it again"):
            line.prompt(1)
    path.unlink()
    with pytest.raises(TimelineError, match=r"1.safetensors.gz is damaged or missing"):
        line.prompt(1)
    assert line.prompt(0)


def test_what_is_not_there_is_named(shelf, tmp_path):
    with pytest.raises(TimelineError, match=r"no timeline of 'gpt' in .*; there are: encoder, decoder"):
        read_timeline(shelf, "gpt")
    with pytest.raises(TimelineError, match="there are: none"):
        read_timeline(tmp_path, "decoder")
    for name in ("../decoder", "", ".saving", "a/b"):
        with pytest.raises(TimelineError, match="must be letters, digits, dots, dashes"):
            read_timeline(shelf, name)
    with pytest.raises(TimelineError, match="has no snapshots"):
        write_timeline(tmp_path, tmp_path, "decoder")


def test_too_many_bytes_are_refused_before_anything_is_written(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(timeline, "MAX_BYTES", 10_000)
    with pytest.raises(
        TimelineError, match=r"the timeline of 3 snapshots takes .* bytes, more than 10,000: keep fewer"
    ):
        write_timeline(runs["decoder"], tmp_path, "decoder")
    assert not list(tmp_path.iterdir())


def test_a_damaged_snapshot_leaves_the_old_timeline(copy, tmp_path):
    run = make_run(tmp_path / "run", "decoder")
    (run / "snapshots" / "000000" / "model.safetensors").write_bytes(b"nothing")
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    with pytest.raises(CheckpointError, match=r"model.safetensors"):
        write_timeline(run, copy.parent, "decoder")
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before


# --- from a real run --------------------------------------------------------------------------------------


def test_a_run_and_its_timeline_by_their_commands(tmp_path, capsys):
    run, out = tmp_path / "run", tmp_path / "timeline"
    assert run_here(run, snapshots=5, steps=6, log_every=1) == 0
    main([str(run), "--out", str(out), "--name", "tiny"])
    assert "5 steps" in capsys.readouterr().out
    line = read_timeline(out, "tiny")
    steps, tokens = line.info["steps"], RUN_SETTINGS["batch-size"] * RUN_SETTINGS["block-size"]
    assert (steps[0], steps[-1], len(steps)) == (0, 6, 5)
    assert line.info["tokens"] == [step * tokens for step in steps]
    assert [step for step, *_ in line.info["curve"]] == [1, 2, 3, 4, 5, 6]
    losses = line.info["held_out"]["loss"]
    assert losses[0] == pytest.approx(math.log(tokenizer.n_vocab), abs=0.2) and losses[-1] < losses[0]
    assert line.prompt(0)["attention.decoder"].shape[:3] == (5, 2, 3)


def test_a_folder_that_is_no_run_is_one_sentence(tmp_path):
    with pytest.raises(SystemExit) as end:
        main([str(tmp_path), "--out", str(tmp_path / "out")])
    assert str(end.value).startswith(f"error: {tmp_path} has no snapshots")


# --- those that ship ---


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_last_step_of_a_timeline_that_ships_is_the_model_that_ships(architecture):
    recorded, model = read_timeline(TIMELINES, architecture), load_model(architecture)
    assert len(recorded.info["steps"]) == 32 and recorded.info["steps"][:6] == [0, 1, 2, 4, 8, 16]
    for k, prompt in enumerate(prompts_for(model, tokenizer)):
        arrays, now = recorded.prompt(k), record_prompt(model, prompt)
        assert np.abs(arrays["next.probs"][-1] - now["next.probs"]).max() < 1e-5
        kind = kinds_of_attention(model)[-1]
        with torch.no_grad(), record(model) as trace:
            model(*(torch.tensor([ids]) for ids in (prompt.source, prompt.ids) if ids))
        own = torch.stack([trace[kind.tensor.format(layer=i)][0] for i in range(kind.n_layer)]).numpy()
        assert np.abs(arrays[f"attention.{kind.name}"][-1] - own).max() < 2e-5


def test_the_timelines_that_ship_are_small():
    assert {one["name"] for one in list_timelines()} == set(ARCHITECTURES)
    assert sum(path.stat().st_size for path in TIMELINES.rglob("*") if path.is_file()) <= 24 * 2**20
