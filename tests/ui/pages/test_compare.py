"""The Compare page: what stands in its columns is torch's, for every architecture; and its modules alone."""

import json
import re
from functools import cached_property
from urllib.parse import urlencode

import pytest
import torch
from playwright.sync_api import Page

from explorer.engine.runner import MODELS
from llm_core import Decoder, Encoder, EncoderDecoder, ModelConfig, load_model, record, save_model
from llm_core.analysis.costs import flops
from llm_core.model.checkpoints import num_parameters
from llm_core.model.masks import causal_mask, padding_mask

from ...common import randomised
from ..digits import decimals
from ..serving import App

TITLE, REST = "How to Wash a Red Cup", "1. Fill a bowl with warm water and add soap."
TEXT = f"{TITLE}\n{REST}"
SIZES = ModelConfig(vocab_size=8192, block_size=40, n_layer=2, n_head=3, n_embd=24)
BUILD = {
    "encoder": lambda: Encoder(SIZES),
    "decoder": lambda: Decoder(SIZES),
    "prefix": lambda: EncoderDecoder(SIZES, SIZES, "prefix"),
    "cross": lambda: EncoderDecoder(SIZES, SIZES, "cross"),
}
PLACES = [(0, 0), (1, 2)]
CALL = """async (data) => {
    const body = JSON.stringify({ data }), headers = { "Content-Type": "application/json" };
    const { event_id } = await (await fetch("gradio_api/call/compare", { method: "POST", headers, body })).json();
    return (await fetch(`gradio_api/call/compare/${event_id}`)).text();
}"""
SMALL_PICTURES = """({MASKS}) => MASKS.map(({ where, shape: { T, S }, sees }) => {
    const range = (count) => [...Array(count).keys()];
    return [where, range(T).map((q) => range(S).map((k) => sees(q, k)))];
})"""
THERE_AND_BACK = """({ setupOf, toldOf }, setup) => setupOf({ ...toldOf(setup) })"""
CELLS = """async ({mask, difference}) => {
    const { drawMatrix } = await import("/matrix/matrix.mjs");
    const { cellAt } = await import("/matrix/layout.mjs");
    const sees = Uint8Array.from({ length: 15 }, (_, i) => Number(i % 5 <= Math.floor(i / 5)));
    const tokens = (letters) => [...letters].map((text) => ({ text }));
    const part = { T: 3, S: 5, mask: sees, queries: tokens("abc"), keys: tokens("defgh") };
    const canvas = document.createElement("canvas");
    const layout = drawMatrix(canvas, { ...mask(part, false), width: 300 });
    const { left, top, cell } = layout;
    const under = (q, k) => cellAt(layout, left + (k + 0.5) * cell.width, top + (q + 0.5) * cell.height);
    const seen = Array.from({ length: 15 }, (_, i) => {
        const at = [left + ((i % 5) + 0.5) * cell.width, top + (Math.floor(i / 5) + 0.3) * cell.height];
        const pixel = at.map((x) => Math.round(x * devicePixelRatio));
        const [r, g, b] = canvas.getContext("2d").getImageData(...pixel, 1, 1).data;
        return Number(r === 0x9f && g === 0x84 && b === 0xcf);
    });
    const blocks = [Uint16Array.of(65535, 0, 9), Uint16Array.of(0, 65535, 9)];
    const { value, scale } = difference({ T: 1, S: 3 }, blocks, [[1, 1, 1]], 1, false);
    const colors = [0, 1, 2].map((k) => scale.css(value(0, k)));
    return [under(2, 4), under(0, 0), cellAt(layout, 1, 1), under(3, 0), seen, colors];
}"""


class Columns:
    """The page with some models in its columns."""

    def __init__(self, page: Page, url: str):
        self.page, self.url = page, url
        page.set_default_timeout(60_000)

    def open(self, **address: str) -> "Columns":
        self.page.goto(f"{self.url}?{urlencode({'view': 'compare', **address})}")
        self.settled()
        return self

    def settled(self) -> None:
        """Wait until the newest question is answered and drawn."""
        self.page.wait_for_function(
            "() => { const e = document.querySelector('[data-view=compare_view]');"
            " return e?.dataset.asked && e.dataset.asked === e.dataset.compared; }"
        )
        self.frame()

    def frame(self) -> None:
        self.page.evaluate("new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")

    def click(self, selector: str) -> None:
        self.page.locator(f'[data-view="compare_view"] {selector}').first.dispatch_event("click")
        self.frame()

    def cell(self, column: int, stage: int) -> str:
        return f'.hs-compare-cell[data-column="{column}"][data-stage="{stage}"]'

    def text(self, selector: str) -> str:
        return self.page.locator(f'[data-view="compare_view"] {selector}').first.text_content()

    def choose(self, layer: int, head: int) -> None:
        for axis, number in (("Layer", layer), ("Head", head)):
            self.click(f'.hs-compare-focus [aria-label="{axis}"] button[data-name="{number}"]')

    def tab(self, column: int, part: str) -> None:
        self.click(f'{self.cell(column, 2)} .hs-switch button[data-name="{part}"]')

    def names(self, pieces: list[str]) -> list[str]:
        """How the page writes tokens of the vocabulary."""
        find = "performance.getEntriesByType('resource').find(({ name }) => name.includes('/text.mjs')).name"
        return self.page.evaluate(f"async (pieces) => pieces.map((await import({find})).pieceName)", pieces)

    def open_tables(self) -> None:
        self.page.evaluate("document.querySelectorAll('.hs-compare-attention details').forEach((e) => (e.open = true))")
        self.page.wait_for_function(
            "[...document.querySelectorAll('.hs-compare-attention details')].every((e) => e.querySelector('td'))"
        )

    def table(self, column: int) -> list[list[str]]:
        return self.page.locator(f"{self.cell(column, 2)} tr[data-query]").evaluate_all(
            "all => all.map((row) => [...row.querySelectorAll('td')].map((cell) => cell.textContent))"
        )

    def bars(self, column: int) -> list[list[str]]:
        return self.page.locator(f"{self.cell(column, 3)} .hs-bars li").evaluate_all(
            "all => all.map(li => ['.hs-bar-name', '.hs-number'].map(part => li.querySelector(part).textContent))"
        )


@pytest.fixture
def columns(page: Page, app: App) -> Columns:
    return Columns(page, app.url)


class Saved:
    """Four tiny models with weights that hide nothing, and what torch computes with them."""

    def __init__(self, folder, tokenizer):
        self.tokenizer, self.models, self.folders = tokenizer, {}, {}
        for seed, (name, build) in enumerate(BUILD.items()):
            torch.manual_seed(seed)  # else the weights, and what is likeliest by a hair, depend on the tests before
            self.models[name] = randomised(build(), seed)
            self.folders[name] = str(folder / name)
            save_model(self.models[name], folder / name)

    @cached_property
    def whole(self) -> list[int]:
        return [self.tokenizer.start, *self.tokenizer.encode(TEXT)]

    def inputs(self, name: str, masked: int | None = None) -> list[torch.Tensor]:
        if name in ("prefix", "cross"):
            pair = self.tokenizer.encode(TITLE), [self.tokenizer.start, *self.tokenizer.encode(REST)]
            return [torch.tensor([ids]) for ids in pair]
        ids = list(self.whole)
        if name == "encoder":
            ids[len(ids) // 2 if masked is None else masked] = self.tokenizer.mask
        return [torch.tensor([ids])]

    def run(self, name: str, masked: int | None = None):
        with torch.inference_mode(), record(self.models[name]) as trace:
            logits = self.models[name](*self.inputs(name, masked))
        return trace, logits[0].softmax(-1)


@pytest.fixture(scope="module")
def saved(tmp_path_factory, reference) -> Saved:
    return Saved(tmp_path_factory.mktemp("compare"), reference.tokenizer)


def wrong_cells(rows: list[list[str]], pattern: torch.Tensor, hidden: torch.Tensor) -> list:
    """Cells of a table (T, S) that are not the pattern's, or not hidden where the mask hides."""
    assert (len(rows), len(rows[0])) == tuple(pattern.shape)
    return [
        (q, k, shown)
        for q, row in enumerate(rows)
        for k, shown in enumerate(row)
        if (shown != "hidden" if hidden[q, k] else abs(float(shown) - pattern[q, k].item()) > 5.1e-5)
    ]


def close(shown: str, p: float) -> bool:
    """Three decimals; two digits that count where p is small."""
    return abs(float(shown) - p) <= (0.5e-3 + 2e-6 if p >= 0.0095 else 0.051 * p)


# numbers


def test_patterns_and_predictions_of_all_four_architectures_are_torchs(columns: Columns, saved: Saved):
    columns.open(models=",".join(saved.folders.values()), text=TEXT)
    columns.open_tables()
    compared = dict.fromkeys(BUILD, 0)
    traces = {name: saved.run(name)[0] for name in BUILD}
    for layer, head in PLACES:
        columns.choose(layer, head)
        for column, name in enumerate(BUILD):
            parts = {"encoder": ["encoder"], "decoder": ["decoder"], "prefix": ["encoder", "decoder"]}
            for part in parts.get(name, ["encoder", "decoder", "cross"]):
                pair = name in ("prefix", "cross")
                if pair:
                    columns.tab(column, part)
                stack = ("decoder" if part == "cross" else part) if pair else ""
                pattern = traces[name].attention(layer, stack, part == "cross")[0, head]
                T, S = pattern.shape
                hidden = torch.zeros(T, S, dtype=bool) if part != "decoder" else ~causal_mask(T)[0, 0]
                assert wrong_cells(columns.table(column), pattern, hidden) == [], (name, part, layer, head)
                compared[name] += T * S
    assert min(compared.values()) >= 200, compared

    names = columns.names([saved.tokenizer.piece(id) for id in range(saved.tokenizer.n_vocab)])
    for column, name in enumerate(BUILD):
        _, probs = saved.run(name)
        row = probs[len(saved.whole) // 2 if name == "encoder" else -1]
        best = row.topk(10)
        shown = columns.bars(column)
        assert [text for text, _ in shown] == [names[id] for id in best.indices.tolist()]
        assert all(close(number, p) for (_, number), p in zip(shown, best.values.tolist()))
    fits_the_paper(columns)


def test_another_token_can_be_hidden_and_another_one_asked_what_follows(columns: Columns, saved: Saved):
    columns.open(models=f"{saved.folders['encoder']},{saved.folders['decoder']}", text=TEXT)
    columns.page.locator(f"{columns.cell(0, 3)} .hs-tokens button").nth(3).click()
    columns.settled()
    columns.page.locator(f"{columns.cell(1, 3)} .hs-tokens button").nth(5).click()
    columns.frame()
    for column, row, real in [(0, saved.run("encoder", 3)[1][3], 3), (1, saved.run("decoder")[1][5], 6)]:
        assert all(close(shown, p) for (_, shown), p in zip(columns.bars(column), row.topk(10).values.tolist()))
        said = columns.text(
            f"{columns.cell(column, 3)} > p:last-of-type"
            if column == 0
            else f"{columns.cell(1, 3)} .hs-hint ~ p:not(.hs-after):not(.hs-hint)"
        )
        p = row[saved.whole[real]]
        found = re.search(r"probability (\S+), rank ([\d,]+) of 8,192", said)
        assert close(found[1], p.item())
        assert int(found[2].replace(",", "")) == 1 + int((row > p).sum())
    assert "mask=3" in columns.page.evaluate("location.search")


def test_the_page_opens_with_a_title_and_a_text_and_leaves_another_text_alone(columns: Columns):
    columns.open()
    columns.page.wait_for_function(
        "document.querySelector('#prompt textarea').value.startsWith('How to Grow Tomatoes')"
    )
    columns.settled()
    assert "Replace it with an example of two lines" not in columns.text("")
    columns.open(text="How to Make a Paper Boat")
    assert columns.page.input_value("#prompt textarea") == "How to Make a Paper Boat"


def test_the_page_says_what_each_costs(columns: Columns, reference):
    columns.open(text="How to Make a Paper Boat", layer="1", head="1")
    T = len(reference.ids("How to Make a Paper Boat"))
    assert columns.text(f"{columns.cell(0, 1)} .hs-hint").startswith(f"{T * T} of {T * T} pairs visible")
    assert columns.text(f"{columns.cell(1, 1)} .hs-hint").startswith(f"{T * (T + 1) // 2} of {T * T} pairs visible")

    def cost(column: int, name: str) -> str:
        return columns.text(f'{columns.cell(column, 4)} tr[data-cost="{name}"] td')

    for column, (model, sizes) in enumerate([
        (load_model("encoder"), (T,)), (reference.model, (T,)), (load_model("encoder-decoder-prefix"), (1, T - 1)),
    ]):  # fmt: skip
        assert f"({num_parameters(model):,})" in cost(column, "parameters")
        assert f"({sum(flops(model, *sizes).values()):,})" in cost(column, "flops")
    cards = [(MODELS / name / "README.md").read_text() for name in ("encoder", "decoder", "encoder-decoder-prefix")]
    losses = [re.search(r"Held-out loss \| ([\d.]+ nats)", card)[1] for card in cards]
    assert [cost(i, "loss")[: len(loss)] for i, loss in enumerate(losses)] == losses
    seen = [int(re.search(r"Tokens seen \| ([\d,]+) ", card)[1].replace(",", "")) / 1e6 for card in cards]
    assert [f"it was trained on {tokens:.1f} M tokens" in cost(i, "loss") for i, tokens in enumerate(seen)] == [
        True
    ] * 3
    assert "Replace it with an example of two lines" in columns.text("")

    # the two of one size are subtracted at once, others are told why not
    columns.click(".hs-compare-difference .hs-table summary")
    rows = columns.page.locator(".hs-compare-difference tr").evaluate_all(
        "all => all.slice(1).map(r => [...r.children].map(c => c.textContent))"
    )
    with torch.inference_mode(), record(reference.model) as trace:
        reference.model(torch.tensor([reference.ids("How to Make a Paper Boat")]))
    second = trace.attention(0)[0, 0, -1].tolist()
    for (_, first, minus, difference), p in zip(rows, second, strict=True):
        assert abs(float(minus) - p) < 6.1e-5
        half = 0.5 * 10.0 ** -decimals(difference)
        assert abs(float(difference) - (float(first) - float(minus))) < half + 1.1e-4
    columns.page.select_option(".hs-compare-pair select >> nth=1", "2")
    columns.frame()
    why = columns.text(".hs-compare-difference > p:nth-of-type(2)")
    assert why.startswith(f"These cannot be subtracted cell by cell: the first is {T} × {T}")


def test_what_is_chosen_stands_in_the_address_and_a_bad_model_leaves_one_sentence(
    columns: Columns, saved: Saved, app: App
):
    columns.open(models="decoder,/no/such/folder", own="3.2,1.1", text="How to Make a Paper Boat")
    assert "layer 2, head 1" in columns.text(f"{columns.cell(0, 2)} .hs-compare-title")
    assert columns.text(f"{columns.cell(1, 0)} .hs-problem").startswith("no folder /no/such/folder: give the path")
    columns.click(f'{columns.cell(0, 2)} [aria-label="Head"] button[data-name="6"]')
    columns.click('.hs-compare-chips button[data-name="/no/such/folder"]')
    columns.settled()
    assert "own=2.6&" in columns.page.evaluate("location.search + '&'")
    columns.click('.hs-compare-controls button[data-name="texts"]')
    columns.settled()
    assert "second=How+to+water+a+Paper+Boat" in columns.page.evaluate("location.search")
    assert [columns.text(f"{columns.cell(i, 0)} blockquote") for i in (0, 1)] == [
        "How to Make a Paper Boat", "How to water a Paper Boat",
    ]  # fmt: skip
    columns.page.click('a[data-page="explore"]')
    columns.page.wait_for_function("location.search === '?show=explore&text=How+to+Make+a+Paper+Boat'")

    told = columns.page.evaluate(CALL, [TEXT, ["decoder", saved.folders["cross"]], -1, None])
    url = json.loads(told.split("data: ", 1)[1].splitlines()[0])[0]
    assert re.fullmatch(r"payload/[0-9a-f]{32}", url)


# the modules alone


def fits_the_paper(columns: Columns) -> None:
    """Letter and A4 on their long side are both wider than 960 px; what is drawn stays in its column."""
    columns.page.emulate_media(media="print")
    columns.page.set_viewport_size({"width": 960, "height": 700})
    inside = columns.page.evaluate(
        """() => [...document.querySelectorAll('.hs-compare-cell')].every((cell) => [...cell.children].every((child) =>
            child.getBoundingClientRect().right <= Math.min(cell.getBoundingClientRect().right + 1, innerWidth)))"""
    )
    assert inside
    columns.page.emulate_media(media="screen")
    columns.page.set_viewport_size({"width": 1440, "height": 900})


def test_the_small_pictures_show_the_masks_of_llm_core(js):
    shown = js("compare/words", SMALL_PICTURES)

    def real(*count: int) -> torch.Tensor:
        return torch.tensor([[True] * count[0] + [False] * count[1]])

    row, title, both = real(5, 1), real(3, 1), torch.cat([real(2, 1), real(3, 1)], dim=1)
    expected = {
        "Encoder": padding_mask(row).expand(1, 1, 6, 6),
        "Decoder": causal_mask(6) & padding_mask(row),
        "Encoder-decoder, prefix: its decoder": causal_mask(7) & padding_mask(both),
        "Encoder-decoder, cross: its decoder": causal_mask(6) & padding_mask(row),
        "Encoder-decoder, cross: cross-attention": padding_mask(title).expand(1, 1, 6, 4),
    }
    assert {where: mask for where, mask in shown} == {where: mask[0, 0].tolist() for where, mask in expected.items()}


def test_the_address_says_what_is_compared_and_nothing_that_is_as_at_the_start(js):
    start = js("compare/setup", "({FIRST}) => FIRST")
    nothing = {"models": None, "mask": None, "second": None, "own": None}
    assert js("compare/setup", "({FIRST, toldOf}) => toldOf(FIRST)") == nothing
    for setup in [
        start,
        {
            **start,
            "models": ["decoder", "runs/a b&c"],
            "masked": 7,
            "own": [{"layer": 2, "head": 0}, {"layer": 0, "head": 7}],
        },
        {**start, "models": ["decoder"], "second": "a & b\nc"},
        {**start, "models": ["encoder"], "second": ""},
    ]:
        assert js("compare/setup", THERE_AND_BACK, setup) == setup
    many = js("compare/setup", "({setupOf}, said) => setupOf(said)", {**nothing, "models": [*"abacde", ""]})
    assert many == {**start, "models": ["a", "b", "c", "d"]}
    assert js("compare/setup", "({setupOf}, said) => setupOf(said)", {**nothing, "models": [""]}) == start


def test_pictures_of_one_size_share_their_cell(js):
    told = js(
        "compare/focus",
        """({CellFocus}) => {
        const focus = new CellFocus(), seen = [];
        focus.toggle(5, 7, { query: 2, key: 6 }); seen.push(focus.at(5, 7), focus.at(5, 5), focus.at(6, 7));
        focus.show(5, 7, { query: 1, key: 0 }); seen.push(focus.at(5, 7));
        focus.show(5, 7, null); seen.push(focus.at(5, 7));
        focus.toggle(5, 7, { query: 2, key: 6 }); seen.push(focus.at(5, 7));
        return seen.map(({ query, key }) => [query, key]);
    }""",
    )
    assert told == [[2, 6], [2, None], [None, None], [1, 0], [2, 6], [None, None]]


def test_numbers_and_reasons_in_words(js):
    assert js("compare/words", "({short}) => [7, 999, 1000, 6901760, 358572032, 2.5e12].map(short)") == [
        "7", "999", "1.00 k", "6.90 M", "359 M", "2.50 T",
    ]  # fmt: skip
    why = "({whyNoDifference}, a, b) => whyNoDifference(a, b)"
    assert js("compare/words", why, {"T": 3, "S": 4}, {"T": 3, "S": 4}) is None
    assert "the first is 3 × 4 (queries × keys), the second 3 × 5" in js(
        "compare/words", why, {"T": 3, "S": 4}, {"T": 3, "S": 5}
    )


def test_a_cell_lies_where_it_is_drawn_and_differences_are_teal_or_brown(js):
    found = js("matrix/channels", CELLS)
    assert found == [
        {"row": 2, "column": 4},
        {"row": 0, "column": 0},
        None,
        None,
        [1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0],
        ["rgb(14 106 132)", "rgb(138 90 0)", "rgb(247 247 247)"],
    ]
