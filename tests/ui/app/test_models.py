"""Models that are saved while the app runs: chosen on the page, read against torch, deleted under its eyes."""

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import torch
from playwright.sync_api import Page

from llm_core import Decoder, Encoder, ModelConfig, generate, load_model, load_tokenizer, record, save_model

from ...common import randomised
from ...model.families import theirs
from ..reference import same
from ..screen import PATIENCE, VIEWS, Screen
from ..serving import ROOT
from ..writing import Writer

TOKENIZER = load_tokenizer("bytes")
SIZES = {
    "one": ModelConfig(vocab_size=260, block_size=64, n_layer=1, n_head=1, n_embd=16),
    "two": ModelConfig(vocab_size=260, block_size=48, n_layer=2, n_head=4, n_embd=24),
    "large": ModelConfig(vocab_size=260, block_size=400, n_layer=9, n_head=8, n_embd=16),  # 4.7 million cells
}
TEXT = "Wash ☕ and dry"
IDS = [TOKENIZER.start, *TEXT.encode()]
ROW = """(query) => [...document.querySelectorAll('[data-view="attention_view"] .hs-table table tr')].slice(1)
    .map((row) => row.children[2].textContent)"""
PANELS = {
    "lens": "lens_view",
    "residual": "residual_view",
    "surgery": "surgery_view",
    "patch": "patch_view",
    "pipeline": "pipeline_view",
}
OTHER = "Open another model …"
OFFERED = """() => [...document.querySelectorAll('[data-view="model_choice"] option')].map(({ value }) => value)"""


class Kept:
    """Models in ``runs/``, under names that nobody else uses, and what torch computes with them."""

    def __init__(self):
        mark = uuid.uuid4().hex[:8]
        self.names = {name: f"runs/{name}-{mark}" for name in (*SIZES, "encoder")}
        self.models = {name: randomised(Decoder(sizes), seed) for seed, (name, sizes) in enumerate(SIZES.items(), 1)}
        self.models["encoder"] = randomised(Encoder(SIZES["two"]), 3)

    def save(self, name: str) -> str:
        save_model(self.models[name], self.folder(name), tokenizer="bytes")
        return self.names[name]

    def folder(self, name: str) -> Path:
        return ROOT / self.names[name]

    def trace(self, name: str, ids: list[int]):
        with torch.inference_mode(), record(self.models[name]) as trace:
            self.models[name](torch.tensor([ids]))
        return trace


@pytest.fixture
def kept() -> Iterator[Kept]:
    kept = Kept()
    yield kept
    for name in kept.names:
        shutil.rmtree(kept.folder(name), ignore_errors=True)


class Strip(Screen):
    """The Explore page, and the choice of models above it."""

    @property
    def select(self):
        return self.view("model_choice").locator("select")

    def offered(self, name: str) -> list[str]:
        """The models of the list, once ``name`` is among them."""
        self.point_away()
        self.select.hover()
        self.page.wait_for_function(f"(name) => ({OFFERED})().includes(name)", arg=name)
        return self.page.evaluate(OFFERED)

    def choose_model(self, name: str) -> None:
        self.offered(name)
        self.wait_for_result_of(lambda: self.select.select_option(name))

    def shows(self, name: str) -> None:
        """Wait until the strip and all views are of that model."""
        self.page.wait_for_selector(f'[data-view="model_choice"][data-model="{name}"]')
        self.page.wait_for_function("(name) => globalThis.headscope.payload?.model.name === name", arg=name)
        seq = self.page.evaluate("globalThis.headscope.seq")
        for view in VIEWS:
            self.page.wait_for_selector(f'[data-view="{view}"][data-seq="{seq}"]')
        self.next_frame()

    def weights(self) -> list[float]:
        """What the chosen token gives to each token, as the table has it."""
        return [float(text) for text in self.page.evaluate(ROW, None)]


@pytest.fixture
def strip(page: Page, app) -> Strip:
    return Strip(page, app.url).open()


def assert_attention_is(strip: Strip, pattern: torch.Tensor, queries: list[int]) -> int:
    """Rows of a head (T, T) against the table; returns how many numbers were compared."""
    compared = 0
    for query in queries:
        strip.choose_token(query)
        shown = [row[2] for row in strip.row_table()]
        assert len(shown) >= query + 1
        assert all(same(text, pattern[query, key].item()) for key, text in enumerate(shown[: query + 1]))
        compared += query + 1
    return compared


def test_a_model_that_is_saved_now_is_chosen_read_and_deleted(strip, app, kept, problems):
    strip.offered("decoder")
    two, encoder = kept.save("two"), kept.save("encoder")
    assert encoder in strip.offered(two)
    strip.choose_model(two)
    strip.run(TEXT)
    trace = kept.trace("two", IDS)

    # its tokens are bytes, its heads 2 × 4, every number torch's
    assert strip.tokens() == ["start", *strip.names([TOKENIZER.piece(id) for id in IDS[1:]])]
    assert f"{two} · 2 layers × 4 heads · width 24" in strip.text_of(".hs-model")
    assert strip.page.locator(".hs-grid button[data-head]").count() == 8
    compared = 0
    for layer, head in ((0, 2), (1, 3)):
        strip.choose_head(layer, head)
        compared += assert_attention_is(strip, trace.attention(layer)[0, head], [9, len(IDS) - 1])
    assert compared >= 50
    best = trace["logits"][0, -1].softmax(-1).topk(8)
    assert [name for name, _ in strip.bars()] == strip.names([TOKENIZER.piece(id) for id in best.indices.tolist()])
    assert all(same(shown, p) for (_, shown), p in zip(strip.bars(), best.values.tolist()))

    # every view of it draws, also with a place in the address that only the larger model has
    for drawing in ("lines", "flow", "neuron", "matrix"):
        strip.choose_drawing(drawing)
    for panel, view in PANELS.items():
        strip.page.click(f'[data-view="tabs_view"] [data-name="{panel}"]')
        strip.page.wait_for_selector(f'[data-view="{view}"][data-ready="true"][data-waiting="false"][data-error=""]')

    strip.page.click('[data-view="tabs_view"] [data-name="attention"]')

    # the same address, the same model; it is the one that writes, too
    address = strip.address()
    assert "model=runs%2Ftwo-" in address
    strip.page.goto(f"{app.url}?{address}&layer=6&head=8&dim=31&draw=neuron")
    strip.shows(two)
    assert strip.prompt.input_value() == TEXT and strip.title().startswith("Layer 1, head 3")
    writer = Writer(strip.page, app.url).show().wait_for_picture()
    writer.set(temperature=0)
    writer.write(1, "step")
    (written,) = generate(kept.models["two"], [IDS], 1, temperature=0)[0][len(IDS) :]
    shown = writer.page.locator(".hs-written-tokens button").all_text_contents()
    assert shown == writer.labels([TOKENIZER.piece(written)])
    assert "model=runs%2Ftwo-" in strip.address()

    # lessons keep to their own model, and who writes is a decoder
    assert encoder not in strip.page.evaluate(OFFERED)
    strip.page.click('a[data-page="learn"]')
    assert strip.select.input_value() == "decoder" and strip.select.is_disabled()
    strip.page.click('a[data-page="compare"]')
    strip.page.locator(f'.hs-compare-chips [data-name="{encoder}"]').wait_for()
    assert not strip.select.is_visible()

    # deleted: a sentence, and what was shown stays
    strip.page.click('a[data-page="explore"]')
    strip.select.select_option("decoder")
    strip.shows("decoder")
    before = strip.bars()
    shown = strip.page.evaluate("headscope.payload.text")
    strip.prompt.fill("on it goes")
    shutil.rmtree(kept.folder("two"))
    strip.select.select_option(two)
    assert strip.problem().startswith(f"no model {two}: there are encoder, decoder, ")
    strip.page.wait_for_selector('[data-view="model_choice"][data-model="decoder"]')
    assert strip.select.input_value() == "decoder" and strip.bars() == before
    said_again = "view => getComputedStyle(view, '::after').content"
    assert strip.view("prompt_view").evaluate(said_again) == "none"
    still = strip.view("prompt_view").locator(".hs-hint:visible")
    assert still.text_content() == f"Still shown: “{shown}” in decoder."
    strip.run("on it goes")
    assert strip.view("prompt_view").locator(".hs-problem:visible").count() == 0 == still.count()


def test_a_large_model_sends_a_layer_when_it_is_looked_at(strip, kept):
    asked = []
    strip.page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    strip.choose_model(kept.save("large"))
    text = "Wash the red cup. " * 20
    strip.run(text)
    ids = [TOKENIZER.start, *text.encode()][:256]
    trace = kept.trace("large", ids)
    assert len(strip.tokens()) == 256 and strip.page.locator(".hs-grid button[data-head]").count() == 72
    for layer, head in ((3, 2), (8, 7)):
        strip.choose_head(layer, head)
        strip.page.wait_for_function(f"Boolean(headscope.payload.arrays.pattern.layers.get({layer}))")
        assert assert_attention_is(strip, trace.attention(layer)[0, head], [9, 255]) == 266
    assert 2 <= asked.count("layer") < 9
    mean = torch.stack([trace.attention(layer)[0] for layer in range(9)]).mean((0, 1))
    strip.page.evaluate("headscope.toggle({ by: 'mean', over: 'all' })")
    strip.page.wait_for_selector('[data-view="attention_view"][data-by="mean"]')
    assert_attention_is(strip, mean, [255])
    assert asked.count("layer") == 9
    strip.page.evaluate("headscope.toggle({ by: 'one' })")
    for drawing in ("flow", "neuron", "lines", "matrix"):
        strip.choose_drawing(drawing)
    for panel, view in PANELS.items():
        strip.page.click(f'[data-view="tabs_view"] [data-name="{panel}"]')
        strip.page.wait_for_selector(f'[data-view="{view}"][data-ready="true"][data-waiting="false"][data-error=""]')
    assert "neurons" in asked and "tensors" in asked


CROSS = "encoder-decoder-cross"
TWO_LINES = "How to Clean a Bucket\nPour the vinegar into the purple bucket"


def test_an_encoder_and_an_encoder_decoder_are_explored(strip):
    strip.run(TWO_LINES)
    strip.choose_model("encoder")
    encoder, tokenizer = load_model("encoder"), load_tokenizer()
    ids = [tokenizer.start, *tokenizer.encode(TWO_LINES)]
    hidden = [*ids[:4], tokenizer.mask, *ids[5:]]
    strip.choose_token(4)
    with torch.inference_mode(), record(encoder) as trace:
        encoder(torch.tensor([hidden]))
    strip.wait_for_result_of(lambda: strip.page.click(".hs-hide"))
    assert strip.tokens()[4] == "mask" and "masked=4" in strip.address()
    probs = trace["logits"][0, 4].softmax(-1)
    best = probs.topk(8)
    assert [name for name, _ in strip.bars()] == strip.names([tokenizer.piece(id) for id in best.indices.tolist()])
    assert all(same(shown, p) for (_, shown), p in zip(strip.bars(), best.values.tolist()))
    strip.choose_head(5, 1)
    row = [weight for *_, weight in strip.row_table()]  # of a token that sees those behind it, too
    assert len(row) == len(ids)
    assert all(same(shown, p) for shown, p in zip(row, trace.attention(5)[0, 1, 4].tolist()))
    strip.page.reload()
    strip.shows("encoder")
    assert strip.tokens()[4] == "mask"
    for drawing in ("lines", "flow", "neuron", "matrix"):
        strip.choose_drawing(drawing)
    for panel in ("lens", "residual"):
        strip.page.click(f'[data-view="tabs_view"] [data-name="{panel}"]')
        strip.page.wait_for_selector(f'[data-view="{PANELS[panel]}"][data-waiting="false"][data-error=""]')
    strip.choose_panel("surgery")
    assert "needs a stand-alone decoder" in strip.view("tabs_view").inner_text()

    strip.page.click('[data-view="tabs_view"] [data-name="attention"]')
    strip.choose_model(CROSS)
    strip.wait_for_result_of(lambda: strip.page.click('.hs-stacks [data-name="cross"]'))
    model = load_model(CROSS)
    title, body = tokenizer.encode("How to Clean a Bucket"), [tokenizer.start, *tokenizer.encode(TWO_LINES[22:])]
    with torch.inference_mode(), record(model) as trace:
        model(torch.tensor([title]), torch.tensor([body]))
    strip.page.evaluate("headscope.toggle({ layer: 1, head: 2, query: 3 })")
    crossing = strip.page.locator('[data-view="attention_view"] .hs-crossing')
    crossing.locator("summary").click()
    cells = crossing.locator(".hs-table table tr td:last-child")
    cells.first.wait_for()  # a table is filled when it is unfolded
    shown = cells.all_text_contents()
    expected = trace.attention(1, "decoder", cross=True)[0, 2, 3].tolist()
    assert len(shown) == len(title) and all(same(text, p) for text, p in zip(shown, expected))
    assert "stack=cross" in strip.address()
    strip.wait_for_result_of(lambda: strip.page.click('.hs-stacks [data-name="encoder"]'))
    assert len(strip.tokens()) == len(title)
    assert "predicts no token" in strip.view("next_view").inner_text()


def test_the_owner_opens_a_llama_and_reads_its_numbers(strip, tmp_path, problems):
    folder = tmp_path / "llama"
    model = theirs.with_tokenizer("llama", folder)
    tokenizer = load_tokenizer(folder)
    text = theirs.SENTENCE
    ids = tokenizer.encode(text)
    with torch.inference_mode():
        expected = model(torch.tensor([ids]), output_attentions=True)

    problems.expect("422")  # the folder that is none
    strip.offered(OTHER)
    strip.select.select_option(OTHER)
    dialog = strip.page.locator("dialog.hs-open-model")
    dialog.locator("input").fill(str(tmp_path / "none"))
    dialog.get_by_role("button", name="Open").click()
    dialog.locator(".hs-problem:visible", has_text=f"no folder {tmp_path / 'none'}").wait_for()
    assert strip.select.input_value() == "decoder"
    dialog.locator("input").fill(str(folder))
    dialog.get_by_role("button", name="Open").click()
    strip.shows(str(folder))
    strip.run(text)

    assert strip.tokens() == strip.names([tokenizer.piece(id) for id in ids])
    compared = 0
    for layer, head in ((0, 5), (2, 1)):
        strip.choose_head(layer, head)
        compared += assert_attention_is(strip, expected.attentions[layer][0, head], [9, len(ids) - 1])
    assert compared >= 25
    best = expected.logits[0, -1].softmax(-1).topk(8)
    assert all(same(shown, p) for (_, shown), p in zip(strip.bars(), best.values.tolist()))
    for panel, view in PANELS.items():
        strip.page.click(f'[data-view="tabs_view"] [data-name="{panel}"]')
        strip.page.wait_for_selector(f'[data-view="{view}"][data-ready="true"][data-waiting="false"][data-error=""]')
    strip.choose_panel("pipeline")
    stages = strip.page.locator("[data-stage] .hs-stage-title").all_text_contents()
    assert {"Rotated queries", "Rotated keys", "RMSNorm", "Gate × up"} <= set(stages)
    assert "Position embedding" not in stages
    strip.page.click('[data-stage="k"]')
    strip.page.locator(".hs-open", has_text="There are 2 of them for 6 query heads: every 3 share one.").wait_for()


def test_two_users_look_at_different_models(strip, app, kept, profile, reference):
    one = kept.save("one")
    other = profile.new_page()
    theirs = Strip(other, app.url)
    other.goto(f"{app.url}?view=explore&model={one.replace('/', '%2F')}")
    other.set_default_timeout(PATIENCE)
    theirs.shows(one)
    theirs.run(TEXT)
    strip.run(TEXT)
    assert strip.select.input_value() == "decoder" and theirs.select.input_value() == one
    assert theirs.page.locator(".hs-grid button[data-head]").count() == 1
    assert strip.page.locator(".hs-grid button[data-head]").count() == 48
    last = len(reference.ids(TEXT)) - 1
    for one_of_them in (strip, theirs):
        one_of_them.choose_head(0, 0)
    assert assert_attention_is(strip, reference.trace(TEXT).attention(0)[0, 0], [last]) == last + 1
    assert assert_attention_is(theirs, kept.trace("one", IDS).attention(0)[0, 0], [len(IDS) - 1, 12]) >= 26
    theirs.page.click('[data-view="tabs_view"] [data-name="lens"]')
    theirs.page.wait_for_selector('[data-view="lens_view"][data-ready="true"][data-waiting="false"][data-error=""]')
    other.close()


def test_a_name_of_quotes_and_html_is_text_everywhere(strip, app, kept, problems):
    evil = f"""runs/"'><img src=x onerror=globalThis.hacked=1>&lt;{uuid.uuid4().hex[:8]}"""
    kept.names["one"] = evil
    kept.save("one")
    page = strip.page
    strip.choose_model(evil)
    page.wait_for_function("(name) => headscope.payload?.model.name === name", arg=evil)
    assert page.evaluate("document.querySelector('[data-view=model_choice]').dataset.model") == evil
    assert strip.select.locator("option:checked").text_content() == evil
    assert parse_qs(urlsplit(page.url).query).get("model") in (None, [evil])  # the address follows soon
    page.click('#header a[data-page="compare"]')
    page.wait_for_selector('[data-view="compare_view"][data-ready="true"]')
    page.evaluate("(search) => headscope.address.follow(search)", f"?{urlencode({'show': 'compare', 'models': evil})}")
    page.wait_for_function("(name) => document.querySelector('#page-compare').textContent.includes(name)", arg=evil)
    strip.next_frame()
    assert not page.evaluate("globalThis.hacked") and page.locator('img[src="x"]').count() == 0


def test_an_address_with_a_model_that_is_not_there_says_so_and_shows_the_example(strip, app):
    strip.page.goto(f"{app.url}?view=explore&model=runs%2Fgone")
    assert strip.problem().startswith("no model runs/gone: there are ")
    strip.shows("decoder")
    assert "gone" not in strip.address()


def test_the_address_names_a_model_and_another_model_forgets_token_numbers(js):
    read = "({readAddress}, search) => readAddress(search).values.model ?? null"
    assert js("state/fields", read, "?show=explore&model=runs%2Fmine") == "runs/mine"
    assert js("state/fields", read, "?show=explore") is js("state/fields", read, "?text=a") is None
    write = "({writeAddress}, model) => writeAddress('?x=1', 'explore', { model, text: 'a' })"
    assert js("state/fields", write, "runs/mine") == "?show=explore&model=runs%2Fmine&text=a&x=1"
    assert js("state/fields", write, None) == "?show=explore&text=a&x=1"
    focus = """({Focus}) => {
        const focus = new Focus();
        Object.assign(focus.locked, { layer: 1, typed: 5000, target: "typed", against: "2" });
        focus.forgetTokens();
        const { layer, typed, target, against } = focus.locked;
        return [layer, typed, target, against];
    }"""
    assert js("state/focus", focus) == [1, None, "1", "none"]
    assert js("base/text", "({several}) => [several(1, 'head'), several(8, 'head')]") == ["1 head", "8 heads"]
