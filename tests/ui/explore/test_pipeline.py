"""The picture of the whole forward pass: every number of every stage is torch's, and it can be walked by hand."""

import math
import re

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ..screen import PATIENCE, Screen

TEXT = "How to wash a red cup and a blue cup: first wash the red cup with warm water, then dry the cup"
MAY_STAY = ("pipeline_view",)
L, H = 6, 8
BLOCK = [
    "resid_pre", "ln_1", "q", "k", "v", "scores", "pattern", "z", "attn_out", "resid_mid",
    "ln_2", "pre", "post", "mlp_out", "resid_post",
]  # fmt: skip
BEFORE, AFTER = ["tokens", "token", "position", "embedding"], ["ln_f", "logits", "softmax"]
NAMES = {"token": "embedding.token", "position": "embedding.position", "embedding": "embedding.sum", "ln_f": "ln_f"}
EXPLAINED = {"embedding", "ln_1", "scores", "pattern", "z", "resid_mid", "ln_2", "post", "resid_post", "ln_f"}
PARTS = {name: f"attn.{name}" for name in ("q", "k", "v", "scores", "pattern", "z")} | {
    "attn_out": "attn.out", "pre": "mlp.pre", "post": "mlp.post", "mlp_out": "mlp.out",
}  # fmt: skip


def tensor_of(trace, stage: str, layer: int, head: int) -> Tensor:
    """What torch computed for a stage, (T, …)."""
    if stage == "resid_pre":
        return (trace["embedding.sum"] if layer == 0 else trace[f"blocks.{layer - 1}.resid_post"])[0]
    if stage in NAMES:
        tensor = trace[NAMES[stage]]
        return tensor if tensor.dim() == 2 else tensor[0]
    if stage in ("logits", "softmax"):
        return trace["logits"][0] if stage == "logits" else trace["logits"][0].softmax(-1)
    tensor = trace[f"blocks.{layer}.{PARTS.get(stage, stage)}"][0]
    return tensor[head] if tensor.dim() == 3 else tensor


def same(stage: str, shown: str, expected: float) -> bool:
    """Three digits, or four decimals of attention: all of them the tensor's, but for what torch adds up otherwise."""
    value = abs(float(shown))
    has_decimals = stage == "pattern" and len(shown.partition(".")[2]) == 4
    half = 0.5e-4 if has_decimals else 0.5 * 10.0 ** (int(f"{value:.2e}".split("e")[1]) - 2)
    travel = {"logits": 2e-5, "softmax": 2e-6}.get(stage, abs(expected) * 2e-6 + 1e-7)
    return abs(float(shown) - expected) <= half * 1.001 + travel and (value > 0 or "-" not in shown)


# what is clicked and read, for many: [[stage, layer, head, query], …] -> [[rows of the table, sentence], …]
READ = """async (asked) => {
    const frame = async () => { for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame); };
    const find = (selector) => document.querySelector(`[data-view="pipeline_view"] ${selector}`);
    const texts = (all) => [...all].map((one) => one.textContent);
    const read = [];
    find('.hs-table').open = true;
    for (const [stage, layer, head, query] of asked) {
        document.querySelector(`.hs-grid button[data-layer="${layer}"][data-head="${head}"]`).click();
        const token = document.querySelectorAll('.hs-tokens button')[query];
        if (token.getAttribute('aria-pressed') !== 'true') token.click();
        find(`.hs-pipe [data-stage="${stage}"]`).click();
        await frame();
        const rows = [...find('.hs-table').querySelectorAll('tr')].slice(1).map((tr) => texts(tr.children));
        read.push([rows, find('.hs-row').textContent]);
    }
    return read;
}"""

# the cell under the focus, for many: [[stage, layer, head, row, column], …] -> [[number, name, how, all of it], …]
CELLS = """async (asked) => {
    const store = globalThis.headscope;
    const find = (selector) => document.querySelector(`[data-view="pipeline_view"] ${selector}`);
    const read = [];
    for (const [stage, layer, head, query, column] of asked) {
        Object.assign(store.focus.locked, { stage, layer, head, query, column, key: column });
        store.preview({});
        for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
        read.push(['.hs-cell strong', '.hs-cell code', '.hs-how', '.hs-cell'].map((part) => find(part).textContent));
    }
    return read;
}"""


# Next ▸ until the end: [[stage, layer], …]
WALK = """async () => {
    const view = document.querySelector('[data-view="pipeline_view"]');
    const way = [];
    for (;;) {
        way.push([view.dataset.stage, view.dataset.layer]);
        const next = view.querySelector('.hs-next');
        if (next.disabled) return way;
        next.click();
        for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
    }
}"""


@pytest.fixture
def pipeline(screen: Screen) -> Screen:
    screen.choose_panel("pipeline")
    screen.run(TEXT)
    seq = screen.seq()
    screen.page.wait_for_selector(f'[data-view="pipeline_view"][data-ready="true"][data-seq="{seq}"]', timeout=PATIENCE)
    return screen


NORMS = {  # stage, layer -> what it reads
    ("ln_1", 3): "blocks.2.resid_post",
    ("ln_2", 3): "blocks.3.resid_mid",
    ("ln_f", 3): f"blocks.{L - 1}.resid_post",
    ("ln_1", 0): "embedding.sum",
}


def test_every_stage_shows_torchs_numbers(pipeline: Screen, reference):
    trace, ids = reference.trace(TEXT), reference.ids(TEXT)
    stages = [(stage, 3) for stage in BEFORE[1:] + BLOCK + AFTER] + [
        (stage, 5 * (i % 2)) for i, stage in enumerate(BLOCK)
    ]
    stages.append(("ln_1", 0))
    asked = [(*stage, 3 * i % H, (len(ids) - 1, 5, 11, 17)[i % 4]) for i, stage in enumerate(stages)]
    compared = 0
    for (stage, layer, head, query), (rows, said) in zip(asked, pipeline.page.evaluate(READ, asked)):
        numbers = tensor_of(trace, stage, layer, head)[query]
        if stage in ("logits", "softmax"):
            best = numbers.topk(20)
            assert [int(row[2]) for row in rows] == best.indices.tolist()
            assert [row[1] for row in rows] == pipeline.names(reference.pieces(best.indices.tolist()))
            numbers = best.values
        elif stage in ("scores", "pattern"):
            numbers = numbers[: query + 1]
        assert len(rows) == len(numbers)
        wrong = [pair for row, number in zip(rows, numbers.tolist()) if not same(stage, *(pair := (row[-1], number)))]
        assert wrong == [], (stage, layer, head, query)
        compared += len(rows)
        if (stage, layer) in NORMS:
            pair = trace[NORMS[stage, layer]][0, query], numbers
            shown = [float(number) for number in re.findall(r"(?:mean|deviation) (-?[\d.]+\d)", said)]
            for row, mean, deviation in zip(pair, shown[::2], shown[1::2], strict=True):
                expected = row.std(correction=0).item()
                assert deviation == pytest.approx(expected, rel=6e-3)
                step = 10.0 ** (math.floor(math.log10(expected)) - 3)  # of the last digit
                assert mean == pytest.approx(row.mean().item(), abs=step / 2 + 1e-5 * expected)
    assert compared >= 5000


def test_a_cell_is_the_entry_that_it_names_and_says_how_it_came_to_be(pipeline: Screen, reference):
    trace = reference.trace(TEXT)
    stages = BEFORE[1:] + BLOCK + AFTER[:1]
    asked = [(stage, 2 + i % 4, i % H, 7 + i % 5, 3 + i % 4) for i, stage in enumerate(stages * 2)]
    explained = 0
    for (stage, layer, head, row, column), (number, written, how, _) in zip(
        asked, pipeline.page.evaluate(CELLS, asked)
    ):
        expected = tensor_of(trace, stage, layer, head)[row, column].item()
        assert same(stage, number, expected)
        name, index = re.fullmatch(r"(\S+)\[(.+)\]", written).groups()
        assert same(stage, number, trace[name][tuple(int(i) for i in index.split(", "))].item()), written
        if how:
            explained += 1
            end = how.split("; the largest")[0] if stage == "z" else how
            found = re.findall(r"-?\d[\d.]*(?:e-?\d+)?", end)[-1]
            assert same(stage, found, expected), (stage, how)
    assert explained == 2 * len(EXPLAINED)
    _, _, how, said = pipeline.page.evaluate(CELLS, [("scores", 1, 1, 3, 9)])[0]
    assert how == "" and "-∞" in said and "hidden by the mask" in said
    p = pipeline.page.evaluate(CELLS, [("softmax", 1, 1, 9, 2)])[0]
    expected = trace["logits"][0, 9].softmax(-1).topk(3)
    assert same("softmax", p[0], expected.values[2].item()) and p[1].endswith(f"[0, 9, {expected.indices[2]}]")
    assert p[2].endswith(f"= {p[0]}")
    pipeline.page.evaluate(CELLS, [("z", 4, 6, 3, 2)])
    rows = pipeline.page.evaluate("""() => document.querySelector('[data-view="pipeline_view"]').numbers()""")
    saved = torch.tensor([row[3:] for row in rows[1:]])
    assert torch.allclose(saved, trace["blocks.4.attn.z"][0, 6], rtol=1e-5, atol=1e-9)


def test_it_can_be_walked_from_text_to_next_token_without_the_server(pipeline: Screen):
    page, view = pipeline.page, '[data-view="pipeline_view"]'
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.click(f'{view} .hs-slim[data-layer="{L - 2}"]')
    pipeline.next_frame()
    blocks = [[stage, str(layer)] for layer in (L - 2, L - 1) for stage in BLOCK]
    assert page.evaluate(WALK) == blocks + [[stage, str(L - 1)] for stage in AFTER]
    page.focus(f'{view} [data-stage="softmax"]')
    for key in ("ArrowLeft", "ArrowUp", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    pipeline.next_frame()
    assert page.get_attribute(view, "data-stage") == "resid_post"
    page.click(f'{view} .hs-slim[data-layer="3"]')
    page.click(f'{view} .hs-stage[data-stage="pattern"] canvas[data-head="5"]')
    pipeline.next_frame()
    assert [page.get_attribute(view, f"data-{name}") for name in ("stage", "layer", "head")] == ["pattern", "3", "5"]
    page.focus(f"{view} .hs-map canvas")
    for key in ("ArrowUp", "ArrowUp", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    page.click(f'{view} .hs-switch [data-name="numbers"]')
    assert {"stage=pattern", "layer=3", "head=5", "cells=numbers"} <= set(pipeline.address().split("&"))
    page.set_viewport_size({"width": 390, "height": 844})
    pipeline.next_frame()
    downwards = [".hs-pipe-blocks", '[data-stage="q"]', '[data-stage="post"]', '[data-stage="ln_f"]']
    tops = [page.locator(f".hs-pipe {part}").bounding_box()["y"] for part in downwards]
    assert tops == sorted(tops)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert asked == []


# the pure modules


def test_the_way_through_the_stages_goes_through_every_block(js):
    code = """({ neighbour }, model) => {
        const way = [{ stage: 'tokens', layer: 1 }];
        for (let next; (next = neighbour(way.at(-1), 1, model)); ) way.push(next);
        const back = [way.at(-1)];
        for (let next; (next = neighbour(back.at(-1), -1, model)); ) back.push(next);
        const stages = (all) => all.map(({ stage }) => stage);
        const layers = way.filter(({ stage }) => stage === 'z').map(({ layer }) => layer);
        return [stages(way), stages(back).reverse(), layers];
    }"""
    way, back, layers = js("pipeline/stages", code, {"n_layer": 3, "n_head": 2})
    assert way == back == BEFORE + BLOCK * 3 + AFTER
    assert layers == [0, 1, 2]
    rotary = [*BLOCK[: BLOCK.index("v") + 1], "rot_q", "rot_k", *BLOCK[BLOCK.index("v") + 1 :]]
    way, back, layers = js("pipeline/stages", code, {"n_layer": 2, "n_head": 2, "positions": "rotary"})
    assert way == back == [name for name in BEFORE if name != "position"] + rotary * 2 + AFTER
    assert layers == [0, 1]


def test_the_scale_ends_where_99_of_100_numbers_lie(js):
    numbers = torch.randn(5000, generator=torch.Generator().manual_seed(0)).tolist()
    exact = torch.tensor(numbers).abs().quantile(0.99).item()
    most = max(map(abs, numbers))
    within = "({ within }, numbers) => within(Float32Array.from(numbers, (x) => x ?? NaN))"
    assert exact <= js("pipeline/tensor", within, numbers) + 1e-6 <= exact + most / 512
    assert js("pipeline/tensor", within, [None, 0.0, 0.0]) == 0
    assert js("pipeline/tensor", within, [None, -2.0]) == 2


def test_a_small_picture_keeps_the_strongest_of_the_numbers_that_share_a_cell(js):
    rows, columns = 129, 300
    numbers = torch.randn(rows, columns, generator=torch.Generator().manual_seed(1)).tolist()
    code = """({ shrink }, [rows, columns, given]) => {
        const { values, ...size } = shrink({ rows, columns, values: Float32Array.from(given, (x) => x ?? NaN) });
        return [size, [...values].map((x) => (Number.isNaN(x) ? null : x))];
    }"""
    size, values = js("matrix/shrink", code, [rows, columns, [x for row in numbers for x in row]])
    assert size == {"rows": 64, "columns": 128}
    expected = [0.0] * (64 * 128)
    for r in range(rows):
        for c in range(columns):
            cell = r * 64 // rows * 128 + c * 128 // columns
            if abs(numbers[r][c]) > abs(expected[cell]):
                expected[cell] = numbers[r][c]
    assert values == pytest.approx(expected)
    assert js("matrix/shrink", code, [1, 3, [None, 1, -2]])[1] == [None, 1, -2]


def test_numbers_have_three_digits(js):
    numbers = [0, 1, -0.012345, 999.9, 12345, 2.5e7, 1e-4, 4.9e-5]
    shown = js("pipeline/tensor", "({ three }, all) => all.map(three)", numbers)
    assert shown == ["0.00", "1.00", "-0.0123", "1000", "12300", "2.50e+7", "0.000100", "4.90e-5"]


def test_numbers_are_written_with_digits_that_count_and_zero_has_no_sign(js):
    write = "({three, meanText}, ...numbers) => numbers.map((x) => [three(x), meanText(x, 1)])"
    told = js("pipeline/tensor", write, -0.0000312, -0.0, 0.0001, -1.5349, 123456)
    assert [pair[0] for pair in told] == ["-3.12e-5", "0.00", "0.000100", "-1.53", "123000"]
    assert told[0][1] == "0.000"
    assert js("base/text", "({fixed}) => [fixed(-0.004, 2), fixed(-0.006, 2), fixed(-0, 3)]") == [
        "0.00",
        "-0.01",
        "0.000",
    ]
    assert js("learn/formula", "({number}) => [number(-0.004, 2), number(-0.0000312, 4)]") == ["0.00", "-3.1e-5"]
    assert js("compare/words", "({signed}) => [signed(-0.00001), signed(0.00001), signed(0.1)]") == [
        "0.0000",
        "0.0000",
        "+0.1000",
    ]


def test_gelus_tanh_form_is_as_near_as_is_said(js):
    x = torch.linspace(-8, 8, 100_001, dtype=torch.float64)
    apart = (F.gelu(x) - F.gelu(x, approximate="tanh")).abs().max().item()
    said = js("pipeline/family", "({TANH_FORM}) => TANH_FORM")
    assert 0.0004 < apart < 0.0005 and "off by at most 0.0005" in said
