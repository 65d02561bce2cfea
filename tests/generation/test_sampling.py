"""Generation against loops that know no cache, no packing and no shortcut; warping against Hugging Face's."""

import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from llm_core.generation.sampling import Context, fill_masks, generate, stream
from llm_core.generation.warping import Warping, draw, warp_logits
from llm_core.model import packed
from llm_core.model.architectures import Decoder, Encoder, EncoderDecoder
from llm_core.model.config import ModelConfig
from llm_core.model.masks import is_token
from llm_core.model.packed import PackedDecoder, can_pack
from llm_core.model.recording import intervene, record
from llm_core.text.tokenizer import load_tokenizer

from ..common import DECODER, ENCODER, randomised

V, WINDOW = DECODER.vocab_size, DECODER.block_size
PROMPTS = [[3, 14, 15, 9], [26], [5, 3, 5, 8, 9, 7, 9]]
TITLES = [[2, 7, 1, 8, 2], [30, 28], [4]]
WRITERS = {"decoder": 1, "prefix": 2, "cross": 3}  # the seed with which the architecture writes varied tokens


def build(architecture: str) -> nn.Module:
    """A tiny randomised model, the same at every call."""
    torch.manual_seed(0)
    if architecture == "encoder":
        return randomised(Encoder(ENCODER))
    model = Decoder(DECODER) if architecture == "decoder" else EncoderDecoder(ENCODER, DECODER, architecture)
    return randomised(model, WRITERS[architecture], std=0.5)


def conditions(model) -> dict:
    """What a writer needs beside ids: an encoder-decoder's start."""
    return {"decoder_ids": [1, 20, 6]} if isinstance(model, EncoderDecoder) else {}


@torch.no_grad()
def continue_slowly(model, ids: list[int], n: int, decoder_ids: list[int] | None = None) -> list[int]:
    """The n new greedy tokens: the whole model anew for each, on the tokens that fit its window."""
    written = list(ids if decoder_ids is None else decoder_ids)
    start = len(written)
    for _ in range(n):
        window = torch.tensor([written[-WINDOW:]])
        logits = model(window) if decoder_ids is None else model(torch.tensor([ids]), window)
        written.append(int(logits[0, -1].argmax()))
    return written[start:]


@pytest.mark.parametrize("architecture", WRITERS)
@pytest.mark.parametrize("n", [1, 4, 2 * WINDOW])
def test_greedy_tokens_equal_a_loop_without_cache(architecture, n):
    model = build(architecture)
    rows = generate(model, torch.tensor([PROMPTS[0], PROMPTS[0][::-1]]), n, temperature=0, **conditions(model))
    for row, prompt in zip(rows.tolist(), (PROMPTS[0], PROMPTS[0][::-1])):
        new = continue_slowly(model, prompt, n, **conditions(model))
        assert row == (new if architecture != "decoder" else prompt + new)
        assert n == 1 or len(set(new)) > 1


def test_a_prompt_longer_than_the_window():
    model, prompt = build("decoder"), [i * 5 % V for i in range(WINDOW + 4)]
    assert generate(model, [prompt], 5, temperature=0) == [prompt + continue_slowly(model, prompt, 5)]


def test_a_prompt_as_long_as_the_window_slides_from_its_second_new_token_on():
    steps = list(stream(build("decoder"), list(range(WINDOW)), 3, temperature=0))
    assert [step.slid for step in steps] == [False, True, True]
    assert [step.position for step in steps] == [WINDOW, WINDOW + 1, WINDOW + 2]


@pytest.mark.parametrize("n", [3, 2 * WINDOW])
def test_prompts_of_different_length_continue_as_each_alone(n):
    model = build("decoder")
    together = generate(model, PROMPTS, n, temperature=0)
    assert together == [prompt + continue_slowly(model, prompt, n) for prompt in PROMPTS]


@pytest.mark.parametrize("architecture", ["prefix", "cross"])
def test_titles_and_starts_of_different_length_continue_as_each_alone(architecture):
    model, n = build(architecture), WINDOW + 2
    together = generate(model, TITLES, n, temperature=0, decoder_ids=PROMPTS)
    assert together == [continue_slowly(model, title, n, start) for title, start in zip(TITLES, PROMPTS)]


@pytest.mark.parametrize("architecture", WRITERS)
def test_distributions_of_a_stream_equal_those_of_the_whole_model(architecture):
    model = build(architecture)
    steps = list(stream(model, PROMPTS[0], 6, temperature=0.7, seed=1, **conditions(model)))
    start = conditions(model).get("decoder_ids", PROMPTS[0])
    written = torch.tensor([[*start, *(step.id for step in steps)]])
    with torch.no_grad():
        logits = model(written) if architecture == "decoder" else model(torch.tensor([PROMPTS[0]]), written)
    expected = F.softmax(logits[0, len(start) - 1 : -1], dim=-1)  # (6, V)
    torch.testing.assert_close(torch.stack([step.warped.before for step in steps]), expected, atol=1e-6, rtol=1e-4)


# --- the cache, the encoder, and the packed step ---


@pytest.mark.parametrize("architecture", WRITERS)
def test_each_new_token_sends_one_row_through_the_blocks_and_the_encoder_runs_once(architecture):
    model = build(architecture)
    lengths, encoded = [], []
    decoder = model if architecture == "decoder" else model.decoder
    decoder.blocks[1].register_forward_hook(lambda _module, inputs, _output: lengths.append(inputs[0].shape[1]))
    if architecture != "decoder":
        model.encoder.ln_f.register_forward_hook(lambda *_: encoded.append(1))
    generate(model, PROMPTS[0], 5, seed=0, **conditions(model))
    first = {"decoder": 4, "cross": 3, "prefix": 4 + 3}[architecture]
    assert lengths == [first, 1, 1, 1, 1]
    assert len(encoded) == (architecture != "decoder")


def test_without_a_listener_the_packed_step_does_the_work(monkeypatch):
    shapes, step = [], PackedDecoder.next_logits

    def spy(self, ids, *rest):
        shapes.append(ids.shape)
        return step(self, ids, *rest)

    monkeypatch.setattr(PackedDecoder, "next_logits", spy)
    generate(build("decoder"), torch.tensor(PROMPTS[:1]), 5, temperature=0)
    assert shapes == [(1,)] * 4


@pytest.mark.parametrize("grain", [0, 10**9], ids=["fused", "in steps"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("conditioning", [None, "prefix", "cross"])
def test_the_packed_step_equals_the_modules(conditioning, bias, grain, monkeypatch):
    monkeypatch.setattr(packed, "GRAIN", grain)
    config = ModelConfig(vocab_size=V, block_size=WINDOW, n_layer=2, n_head=3, n_embd=12, bias=bias)
    decoder = randomised(Decoder(config, conditioning))
    ids, mask = torch.randint(V, (2, 7)), ~is_token(torch.tensor([3, 0]), 7)  # padding on the left
    memory_mask = is_token(torch.tensor([5, 2]), 5)
    memory = {"memory": torch.randn(2, 5, 12), "memory_mask": memory_mask} if conditioning else {}
    with torch.no_grad():
        context = Context(decoder, ids[:, :4], mask[:, :4], room=3, **memory)
        context.next_logits()
        for t in (4, 5, 6):
            context.append(ids[:, t : t + 1])
            expected = decoder(ids[:, : t + 1], mask[:, : t + 1], **memory)[:, -1]
            torch.testing.assert_close(context.next_logits(), expected, atol=2e-5, rtol=1e-4)
    assert isinstance(context.packed, PackedDecoder)


class Halved(nn.Module):
    def forward(self, x):
        return x / 2


def test_a_decoder_with_an_exchanged_part_is_not_packed():
    model = build("decoder")
    assert can_pack(model)
    model.blocks[2].mlp.activation = Halved()
    assert not can_pack(model)
    assert generate(model, PROMPTS[:1], 5, temperature=0) == [PROMPTS[0] + continue_slowly(model, PROMPTS[0], 5)]


def test_an_intervention_changes_what_is_generated():
    model = build("decoder")
    plain = generate(model, PROMPTS[:1], 6, temperature=0)
    with intervene(model, {"blocks.*.attn.z": torch.zeros_like}):
        ablated = generate(model, PROMPTS[:1], 6, temperature=0)
        assert ablated == [PROMPTS[0] + continue_slowly(model, PROMPTS[0], 6)]
    assert ablated != plain


def test_a_recorder_may_come_and_go_while_a_stream_is_open():
    model = build("decoder")
    expected = generate(model, PROMPTS[:1], 4, temperature=0)[0][4:]
    steps = stream(model, PROMPTS[0], 4, temperature=0)
    ids = [next(steps).id, next(steps).id]
    with record(model) as trace:
        ids.append(next(steps).id)
    assert trace.attention(2).shape == (1, 4, 1, 6)
    assert [*ids, next(steps).id] == expected


# --- stop, seeds, kinds of input ---


def test_finished_rows_are_filled_up_with_stop_and_lists_are_cut_after_it():
    model, n = build("decoder"), 9
    rows = [PROMPTS[0], PROMPTS[0][::-1]]
    new = [continue_slowly(model, row, n) for row in rows]
    stop = new[0][2]
    ends = [row.index(stop) + 1 if stop in row else n for row in new]
    assert ends[0] < ends[1]
    filled = [row[:end] + [stop] * (max(ends) - end) for row, end in zip(new, ends)]
    assert generate(model, torch.tensor(rows), n, temperature=0, stop=stop)[:, 4:].tolist() == filled
    cut = [prompt + row[:end] for prompt, row, end in zip(rows, new, ends)]
    assert generate(model, rows, n, temperature=0, stop=stop) == cut


def test_generation_ends_when_every_row_is_finished():
    model = build("decoder")
    new = continue_slowly(model, PROMPTS[0], 9)
    ids = generate(model, torch.tensor(PROMPTS[:1]), 9, temperature=0, stop=new[2])
    assert ids[0, 4:].tolist() == new[: new.index(new[2]) + 1]


def test_a_stream_ends_with_stop():
    model = build("decoder")
    new = continue_slowly(model, PROMPTS[0], 9)
    ids = [step.id for step in stream(model, PROMPTS[0], 9, temperature=0, stop=new[3])]
    assert ids == new[: new.index(new[3]) + 1]


SETTINGS = [{}, {"top_k": 5}, {"top_p": 0.8}, {"temperature": 1.7, "top_k": 12, "top_p": 0.9}, {"temperature": 0}]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("architecture", WRITERS)
def test_stream_and_generate_give_the_same_tokens_for_the_same_seed(architecture, settings):
    model = build(architecture)
    settings = {**settings, **conditions(model), "seed": 42}
    ids = [step.id for step in stream(model, PROMPTS[0], 15, **settings)]
    assert generate(model, PROMPTS[:1], 15, **settings)[0][-15:] == ids


def test_seeds_decide_the_tokens_and_nothing_else_does():
    model = build("decoder")
    runs = [generate(model, PROMPTS, 8, seed=seed) for seed in (7, 7, 8, None, None)]
    assert runs[0] == runs[1]
    assert all(a != b for a, b in itertools.combinations(runs[1:], 2))


def test_the_global_random_state_is_left_alone():
    model, before = build("decoder"), torch.get_rng_state()
    generate(model, PROMPTS, 4, seed=3)
    generate(model, PROMPTS, 4)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_result_is_a_batch_of_the_kind_that_was_given():
    model = build("decoder")
    flat = generate(model, torch.tensor(PROMPTS[0]), 3, temperature=0)
    assert flat.shape == (1, 7) and flat.dtype == torch.int64
    assert generate(model, PROMPTS[0], 3, temperature=0) == flat.tolist()
    assert generate(model, torch.tensor(PROMPTS[:1], dtype=torch.int32), 3, temperature=0).tolist() == flat.tolist()
    assert generate(model, PROMPTS, 0) == PROMPTS
    both = build("cross")
    assert generate(both, torch.tensor(TITLES[:1]), 0, decoder_ids=[1]).shape == (1, 0)
    assert generate(both, TITLES, 0, decoder_ids=[1]) == [[], [], []]


# --- modes ---


def modes(model: nn.Module) -> list[bool]:
    return [module.training for module in model.modules()]


def half_trained() -> Decoder:
    model = build("decoder").train()
    model.blocks[1].eval()
    return model


def test_generation_runs_in_eval_mode_and_restores_every_mode():
    model = half_trained()
    before = modes(model)
    expected = generate(build("decoder"), PROMPTS, 6, temperature=0)
    assert generate(model, PROMPTS, 6, temperature=0) == expected  # no dropout
    assert modes(model) == before


def test_a_stream_closed_early_leaves_nothing_behind():
    model = half_trained()
    before = modes(model)
    steps = stream(model, PROMPTS[0], 6, seed=0)
    assert modes(model) == before
    next(steps)
    assert not any(modes(model))
    assert not torch.is_inference_mode_enabled()
    steps.close()
    assert modes(model) == before


def test_an_error_in_the_model_restores_the_mode():
    model = half_trained()
    before = modes(model)
    with intervene(model, {"blocks.0.mlp.out": lambda _: 1 / 0}), pytest.raises(ZeroDivisionError):
        generate(model, PROMPTS, 2)
    assert modes(model) == before


def test_the_result_is_an_ordinary_tensor():
    ids = generate(build("decoder"), torch.tensor(PROMPTS[:1]), 2)
    ids[0, 0] = 5  # a tensor of inference mode would refuse
    step = next(stream(build("decoder"), PROMPTS[0], 2))
    assert not ids.is_inference() and not step.warped.before.is_inference()


# --- what a step tells ---


def test_a_step_tells_how_its_token_was_chosen():
    model, settings = build("decoder"), {"temperature": 1.6, "top_k": 9, "top_p": 0.95}
    steps = list(stream(model, PROMPTS[0], 7, seed=11, **settings))
    u = torch.Generator().manual_seed(11)
    written = list(PROMPTS[0])
    for position, step in enumerate(steps, start=4):
        with torch.no_grad():
            logits = model(torch.tensor([written]))[0, -1].double()  # (V,)
        assert step.logprob == pytest.approx(logits.log_softmax(-1)[step.id].item(), abs=1e-4)
        assert step.rank == logits.argsort(descending=True).tolist().index(step.id) + 1
        assert step.u == torch.rand(1, 1, generator=u).item()
        drawn_from = step.warped.after_top_p.double()
        below = drawn_from[drawn_from > drawn_from[step.id]].sum().item()  # likelier tokens come before it
        assert below - 1e-6 <= step.u < below + step.warped.after_top_p[step.id].item() + 1e-6
        assert (step.position, step.slid, step.piece) == (position, position > WINDOW, None)
        written.append(step.id)
    assert len({step.rank for step in steps}) > 1


def test_a_greedy_step_has_rank_one_and_no_random_number():
    steps = list(stream(build("decoder"), PROMPTS[0], 4, temperature=0))
    assert [(step.rank, step.u) for step in steps] == [(1, None)] * 4
    assert all(step.warped.after_top_p.argmax() == step.id for step in steps)


TOKENIZER = load_tokenizer()


def pieces(prompt: list[int], written: list[int]) -> list[str]:
    """The pieces of a stream whose tokens are forced."""
    model = Decoder(ModelConfig(vocab_size=TOKENIZER.n_vocab, block_size=64, n_layer=1, n_head=1, n_embd=2))
    script = iter(written)

    def force(logits):
        return logits.index_fill(-1, torch.tensor([next(script)]), 1e4)

    with intervene(model, {"logits": force}):
        steps = list(stream(model, prompt, len(written), temperature=0, tokenizer=TOKENIZER))
    assert [step.id for step in steps] == written
    return [step.piece for step in steps]


TEXT = "Fold it 🛶, café – 折り紙 👩‍🚀!"


def test_a_character_appears_with_the_last_of_its_tokens():
    ids = TOKENIZER.encode(TEXT)
    got = pieces(TOKENIZER.encode("How"), ids)
    assert "".join(got) == TEXT
    assert "\ufffd" not in "".join(got)
    whole = [TOKENIZER.encode(character) for character in "🛶折"]
    assert all(len(tokens) > 1 for tokens in whole)
    assert got.count("") >= sum(len(tokens) - 1 for tokens in whole)


def test_a_character_begun_in_the_prompt_is_completed():
    ids = TOKENIZER.encode("🛶")
    assert pieces(ids[:1], ids[1:])[-1] == "🛶"


def test_a_character_open_at_the_end_becomes_the_replacement_character():
    ids = TOKENIZER.encode("go 🛶")[:-1]
    assert "".join(pieces([0], ids)) == TOKENIZER.decode(ids) == "go \ufffd"


# --- warping and drawing ---

LOGITS = torch.randn(4, 37, generator=torch.Generator().manual_seed(5)) * 3


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("top_k", [None, 1, 6, 36, 37, 500])
@pytest.mark.parametrize("top_p", [None, 1e-6, 0.5, 0.9, 1.0])
def test_every_stage_equals_hugging_faces_warpers(temperature, top_k, top_p):
    warped = warp_logits(LOGITS, temperature, top_k, top_p)
    scores, stages = LOGITS, [warped.after_temperature, warped.after_top_k, warped.after_top_p]
    torch.testing.assert_close(warped.before, scores.softmax(-1))
    warpers = [TemperatureLogitsWarper(temperature), TopKLogitsWarper(top_k or 37), TopPLogitsWarper(top_p or 1.0)]
    for warper, stage in zip(warpers, stages):
        scores = warper(None, scores)
        torch.testing.assert_close(stage, scores.softmax(-1), atol=1e-6, rtol=1e-5)
        assert torch.equal(stage > 0, scores > -torch.inf)


def test_top_p_keeps_the_fewest_tokens_that_reach_it():
    logits = torch.tensor([[0.1, 0.5, 0.15, 0.25]]).log()
    kept = [warp_logits(logits, top_p=p).after_top_p[0] for p in (0.01, 0.49, 0.51, 0.74, 0.76, 0.91)]
    expected = [[0, 1, 0, 0], [0, 1, 0, 0], [0, 2 / 3, 0, 1 / 3], [0, 2 / 3, 0, 1 / 3], [0, 5 / 9, 1 / 6, 5 / 18], None]
    expected[-1] = [0.1, 0.5, 0.15, 0.25]
    torch.testing.assert_close(torch.stack(kept), torch.tensor(expected))


def test_equal_logits_still_leave_exactly_k():
    logits = torch.zeros(2, 23)
    assert (warp_logits(logits, top_k=4).after_top_k > 0).sum(-1).tolist() == [4, 4]
    assert len({int(draw(logits[:1], torch.tensor([[u / 50]]), Warping(top_k=4))) for u in range(50)}) == 4


def test_temperature_zero_is_one_hot_and_near_zero_does_not_overflow():
    expected = F.one_hot(LOGITS.argmax(-1), 37).float()
    for temperature in (0, 1e-3, 1e-300, 5e-324):
        warped = warp_logits(LOGITS, temperature, top_k=5, top_p=0.9)
        for stage in (warped.after_temperature, warped.after_top_k, warped.after_top_p):
            torch.testing.assert_close(stage, expected, atol=1e-6, rtol=0)
    tie = torch.tensor([[1.0, 4.0, 4.0]])
    assert warp_logits(tie, 0, top_k=1).after_top_p.tolist() == [[0, 1, 0]]


BAD_WARPING = [
    ({"temperature": -0.1}, "temperature=-0.1: .*at least 0"),
    ({"temperature": float("inf")}, "temperature=inf: .*finite"),
    ({"temperature": float("nan")}, "temperature=nan: .*finite"),
    ({"temperature": "hot"}, "temperature='hot': .*number"),
    ({"top_k": 0}, "top_k=0: .*at least 1"),
    ({"top_k": 2.5}, "top_k=2.5: .*whole number"),
    ({"top_p": 0}, "top_p=0: .*above 0"),
    ({"top_p": 1.01}, "top_p=1.01: .*at most 1"),
    ({"top_p": float("nan")}, "top_p=nan: .*above 0"),
]


@pytest.mark.parametrize("settings, message", BAD_WARPING, ids=str)
def test_values_out_of_range_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        warp_logits(LOGITS, **settings)
    with pytest.raises(ValueError, match=message):
        generate(build("decoder"), PROMPTS, 1, **settings)


def first_above(probabilities: list[float], u: float) -> int:
    """The rule that ``draw`` follows, as a loop: likeliest first, until the sum exceeds u."""
    cumulative, likeliest_first = 0.0, sorted(range(len(probabilities)), key=lambda id: -probabilities[id])
    for id in likeliest_first:
        cumulative += probabilities[id]
        if cumulative > u:
            return id
    return max(id for id in likeliest_first if probabilities[id] > 0)


@pytest.mark.parametrize("settings", SETTINGS[:4], ids=str)
def test_draw_inverts_the_cumulative_distribution(settings):
    distribution = warp_logits(LOGITS, **settings).after_top_p.double().tolist()
    for u in torch.linspace(0.001, 0.999, 41).tolist():
        ids = draw(LOGITS, torch.full((4, 1), u), Warping(**settings))
        assert ids[:, 0].tolist() == [first_above(row, u) for row in distribution]


def test_draw_never_takes_an_impossible_token():
    logits = torch.full((1, 9), -torch.inf)
    logits[0, 3:6] = torch.tensor([0.3, -40.0, 0.1])
    below_one = torch.nextafter(torch.tensor(1.0), torch.tensor(0.0)).item()
    for warping in (
        Warping(),
        Warping(top_k=8),
        Warping(top_p=0.999999),
        Warping(temperature=0.01, top_k=9, top_p=1.0),
    ):
        ends = [int(draw(logits, torch.tensor([[u]]), warping)) for u in (0.0, below_one)]
        assert ends == [3, 3 if warping.temperature < 1 else 5]


@pytest.mark.parametrize("settings", SETTINGS[:4], ids=str)
def test_samples_follow_the_warped_distribution(settings):
    model, N = build("decoder"), 4000
    with torch.no_grad():
        expected = N * warp_logits(model(torch.tensor(PROMPTS[:1]))[:, -1], **settings).after_top_p[0].double()
    drawn = generate(model, torch.tensor(PROMPTS[:1]).expand(N, -1), 1, seed=0, **settings)[:, -1]
    counts = drawn.bincount(minlength=V).double()
    assert counts[expected == 0].sum() == 0
    rare = expected < 5
    observed = torch.cat([counts[~rare], counts[rare].sum()[None]])
    expected = torch.cat([expected[~rare], expected[rare].sum()[None].clamp(min=1e-9)])
    chi_square, freedom = ((observed - expected) ** 2 / expected).sum().item(), int((~rare).sum())
    assert freedom >= 3
    assert chi_square < freedom + 4 * (2 * freedom) ** 0.5


# --- errors ---

BAD_REQUESTS = [
    ("decoder", {"ids": []}, "ids is empty"),
    ("decoder", {"ids": [[3], []]}, "ids is empty"),
    ("decoder", {"ids": torch.zeros(2, 0, dtype=torch.long)}, "ids is empty"),
    ("decoder", {"ids": [3, V]}, f"the id {V}: must be in the vocabulary, 0 to {V - 1}"),
    ("decoder", {"ids": torch.tensor([[-1, 3]])}, "the id -1: must be in the vocabulary"),
    ("decoder", {"ids": "How to"}, "ids has 'H': must be token ids"),
    ("decoder", {"ids": torch.tensor([1.5])}, "float32 of shape .*whole numbers"),
    ("decoder", {"ids": torch.zeros(1, 1, 1, dtype=torch.long)}, r"\(T,\) or \(B, T\)"),
    ("decoder", {"max_new_tokens": -1}, "max_new_tokens=-1: must be a whole number of at least 0"),
    ("decoder", {"max_new_tokens": 2.0}, "max_new_tokens=2.0: must be a whole number"),
    ("decoder", {"seed": 0.5}, "seed=0.5: must be a whole number from 0"),
    ("decoder", {"seed": -1}, "seed=-1: must be a whole number from 0"),
    ("decoder", {"stop": V}, f"stop={V}: must be a whole number from 0 to {V - 1}"),
    ("decoder", {"decoder_ids": [1]}, "decoder_ids is for an EncoderDecoder"),
    ("encoder", {}, "an Encoder cannot continue a text: give a Decoder or an EncoderDecoder"),
    ("cross", {}, "decoder_ids=None: an EncoderDecoder needs"),
    ("cross", {"decoder_ids": []}, "decoder_ids is empty"),
    ("cross", {"decoder_ids": [[1], [2], [3], [4]]}, "decoder_ids has 4 rows: must be 1, or 3"),
    ("prefix", {"decoder_ids": [V]}, f"decoder_ids has the id {V}"),
    ("prefix", {"ids": [list(range(14))], "decoder_ids": [1]}, "14 tokens do not fit"),
]


@pytest.mark.parametrize("architecture, arguments, message", BAD_REQUESTS, ids=str)
def test_a_request_that_cannot_be_met_is_one_clear_error(architecture, arguments, message):
    arguments = {"ids": PROMPTS, "max_new_tokens": 2, **arguments}
    with pytest.raises(ValueError, match=message):
        generate(build(architecture), **arguments)


def test_a_decoder_without_its_encoder_cannot_write():
    with pytest.raises(ValueError, match="give the EncoderDecoder that it belongs to"):
        generate(build("cross").decoder, PROMPTS, 2)


def test_a_stream_takes_one_prompt_and_checks_at_the_call():
    with pytest.raises(ValueError, match="one prompt, not 3"):
        stream(build("decoder"), PROMPTS, 2)
    with pytest.raises(ValueError, match="top_k=0"):
        stream(build("decoder"), PROMPTS[0], 2, top_k=0)


# --- filling masks ---

MASK = 30


def test_fill_masks_gives_the_softmax_at_every_mask():
    encoder = build("encoder").train()
    ids = torch.tensor([[4, MASK, 8, 2, 0], [MASK, 1, MASK, MASK, 0]])
    real = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 0, 0]])
    filled = fill_masks(encoder, ids, MASK, real)
    assert encoder.training
    assert [(place.row, place.position) for place in filled] == [(0, 1), (1, 0), (1, 2)]
    with torch.no_grad():
        expected = encoder.eval()(ids, real).softmax(-1)  # (B, T, V)
    for place in filled:
        torch.testing.assert_close(place.probabilities, expected[place.row, place.position])
        best = place.probabilities[place.best_ids]
        assert torch.equal(best, best.sort(descending=True).values) and place.best_ids.unique().numel() == 31


def test_fill_masks_takes_a_flat_row():
    (place,) = fill_masks(build("encoder"), torch.tensor([4, 8, MASK]), MASK)
    assert (place.row, place.position) == (0, 2)
    with torch.no_grad():
        expected = build("encoder")(torch.tensor([[4, 8, MASK]]))[0, 2].softmax(-1)
    torch.testing.assert_close(place.probabilities, expected)


def test_fill_masks_needs_a_mask_and_an_encoder():
    with pytest.raises(ValueError, match="ids have no mask"):
        fill_masks(build("encoder"), torch.tensor([4, 8]), MASK)
    with pytest.raises(ValueError, match="a Decoder cannot fill masks"):
        fill_masks(build("decoder"), torch.tensor([4, 8]), 8)
    with pytest.raises(ValueError, match="the id 31: must be in the vocabulary"):
        fill_masks(build("encoder"), torch.tensor([31, MASK]), MASK)
