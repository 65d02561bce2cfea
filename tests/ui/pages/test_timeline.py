"""Watch a model learn: what stands on the screen at a step is what torch computes with that step's snapshot."""

import csv
import gzip
import json
import math
import re
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page, Route
from safetensors.numpy import load, save
from starlette.applications import Starlette
from starlette.testclient import TestClient

from explorer.engine.timelines import MISSING, timeline_routes, timelines
from llm_core import load_tokenizer, record
from llm_core.analysis.roles import head_roles
from llm_core.timeline.command import TIMELINES, read_timeline

from ..digits import agrees, all_agree, is_rounded
from ..modules import Modules
from ..serving import App
from ..timeline_files import FEW, MODELS, STEPS, TOKENS_A_STEP, H, L, make_timelines, snapshot

VIEW = "#timeline .hs-view"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``timeline`` and ``runs`` of narrow models; the decoder's heads are said to take up two tasks."""
    folder = tmp_path_factory.mktemp("timelines")
    make_timelines(folder)
    path = folder / "timeline" / "decoder" / "timeline.json"
    info = json.loads(path.read_text())
    info["marks"] = [
        {"stack": "decoder", "layer": 0, "head": 2, "role": "previous token", "step": 1},
        {"stack": "decoder", "layer": 1, "head": 1, "role": "induction", "step": 64},
    ]
    path.write_text(json.dumps(info))
    return folder


@pytest.fixture(scope="module")
def files(folder: Path) -> TestClient:
    return TestClient(Starlette(routes=timeline_routes(folder / "timeline")))


class Screen:
    """The timeline on the page, its files from ``files``; ``asked`` are the addresses that were fetched."""

    def __init__(self, page: Page, app: App, files: TestClient):
        self.page, self.url, self.asked = page, app.url, []

        def serve(route: Route) -> None:
            address = route.request.url.removeprefix(app.url)
            self.asked.append(address)
            found = files.get(f"/{address}")
            route.fulfill(status=found.status_code, body=found.content, content_type=found.headers["content-type"])

        page.route(f"{app.url}timeline/**", serve)

    def open(self, address: str = "") -> "Screen":
        self.page.goto(f"{self.url}?view=train&train=timeline{address}")
        self.page.wait_for_selector(f'{VIEW}[data-ready="true"]')
        return self

    def drawn(self, step: int) -> None:
        self.page.wait_for_selector(f'{VIEW}[data-step="{step}"]')

    def to(self, i: int) -> None:
        """Drag the slider to the recorded step with that index."""
        self.page.locator(f"{VIEW} .hs-tl-player input").fill(str(i))
        self.drawn(int(STEPS[i]))

    def press(self, selector: str) -> None:
        self.page.locator(f"{VIEW} {selector}").first.click()

    def titled(self, title: str) -> None:
        """Wait for the head that is shown large."""
        self.page.wait_for_function(
            "(title) => document.querySelector('#timeline .hs-tl-head h3').textContent === title", arg=title
        )

    def cells(self, rows: str, name: str) -> list:
        """[name, [numbers]] of every row."""
        code = """(all, name) => all.map((row) => [row.querySelector(name).textContent,
            [...row.querySelectorAll('.hs-number')].map((cell) => Number(cell.textContent.replace('<', '')))])"""
        return self.page.locator(f"{VIEW} {rows}").evaluate_all(code, name)

    def text(self, selector: str) -> str:
        return self.page.locator(f"{VIEW} {selector}").first.inner_text()

    def texts(self, selector: str) -> list[str]:
        return self.page.locator(f"{VIEW} {selector}").all_inner_texts()

    def rows(self) -> list[list[str]]:
        """What CSV would hold."""
        return self.page.evaluate(f"document.querySelector('{VIEW}').numbers().map((row) => row.map(String))")

    def weights(self) -> np.ndarray:
        rows = self.rows()
        start = next(i for i, row in enumerate(rows) if row and "query" in row[0])
        block = rows[start + 1 : rows.index([], start)]
        return np.array([row[1:] for row in block])

    def shows(self, pattern: torch.Tensor) -> int:
        """That the weights, recorded in 16 bits, are written with digits that are all their own; how many there are."""
        found = self.weights()
        assert found.shape == tuple(pattern.shape)
        all_agree(found.flatten().tolist(), pattern.flatten().tolist(), least=3.7)
        return found.size


@pytest.fixture
def screen(page: Page, app: App, files: TestClient) -> Screen:
    return Screen(page, app, files)


# --- the files and their routes ---------------------------------------------------------------------------------


def test_models_are_listed_in_their_order_and_others_are_left_out(folder, tmp_path):
    for name, content in {"half": '{"archi', "other": "[]", "strange": '{"architecture": "rnn"}'}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "timeline.json").write_text(content)
    assert timelines(tmp_path) == []
    listed = timelines(folder / "timeline")
    assert [one["name"] for one in listed] == MODELS
    assert [one["title"] for one in listed] == [
        "Encoder",
        "Decoder",
        "Encoder-decoder, prefix",
        "Encoder-decoder, cross",
    ]
    index = TestClient(Starlette(routes=timeline_routes(tmp_path / "none"))).get("/timeline/index.json").json()
    assert index == {"models": [], "missing": MISSING}


def test_files_are_sent_packed_and_may_be_kept(files, folder):
    place = "/timeline/decoder/1.safetensors.gz"
    with files.stream("GET", f"{place}?v=1") as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        sent = b"".join(answer.iter_raw())
    assert sent == (folder / place[1:]).read_bytes()
    assert files.get(place).headers["cache-control"] == "no-cache"
    assert files.get("/timeline/decoder/timeline.json").json()["steps"] == STEPS


@pytest.mark.parametrize(
    "place",
    [
        "decoder/9.safetensors.gz",
        "decoder/config.json",
        "../runs/run.json",
        "..%2Fruns%2Fdecoder/run.json",
        "a/b.gz",
        ".x/timeline.json",
    ],
)
def test_nothing_else_is_sent(files, place):
    assert files.get(f"/timeline/{place}").status_code == 404


# --- pure modules -----------------------------------------------------------------------------------------------


def test_safetensors_are_read_as_they_were_written(js: Modules, folder):
    content = gzip.decompress((folder / "timeline/decoder/0.safetensors.gz").read_bytes())
    code = """({parseSafetensors}, bytes) => Object.entries(parseSafetensors(Uint8Array.from(bytes).buffer)).map(
        ([name, {data, shape}]) => [name, shape, data.constructor.name, data.length, Array.from(data.slice(0, 40))])"""
    expected = load(content)
    found = js("base/safetensors", code, list(content))
    assert {name for name, *_ in found} == set(expected)
    kinds = {"uint16": "Uint16Array", "int32": "Int32Array", "float32": "Float32Array"}
    for name, shape, kind, length, first in found:
        array = expected[name]
        assert (shape, kind, length) == (list(array.shape), kinds[str(array.dtype)], array.size)
        assert first == array.ravel()[:40].tolist()
    for wrong in (b"", b"\x00" * 7, b"\xff" * 30, save({"a": np.zeros(2, np.float32)})[:9]):
        code = """({parseSafetensors}, bytes) => {
            try { parseSafetensors(Uint8Array.from(bytes).buffer); } catch ({message}) { return message; }
        }"""
        assert "is not a safetensors file" in js("base/safetensors", code, list(wrong))


def test_a_triangle_becomes_the_square_of_its_mask(js: Modules):
    square = np.tril(np.arange(1, 26).reshape(5, 5))
    triangle = square[np.tril_indices(5)].tolist()
    found = js(
        "train/timeline/data", "({unfolded}, numbers) => Array.from(unfolded(Uint16Array.from(numbers), 5))", triangle
    )
    assert found == square.ravel().tolist()


def test_the_axis_of_steps(js: Modules):
    def along(step, log):
        return js("charts/axis", "({along}, ...given) => along(...given)", step, 20000, log)

    for step in (0, 1, 7, 512, 20000):
        assert along(step, True) == pytest.approx(math.log1p(step) / math.log1p(20000))
        assert along(step, False) == pytest.approx(step / 20000)
    assert js("charts/axis", "({along}) => along(0, 0, true)") == 0
    ticks = "({stepTicks}, ...given) => stepTicks(...given)"
    assert js("charts/axis", ticks, 20000, True) == [0, 10, 100, 1000, 20000]  # 1 and 10,000 have no room
    assert js("charts/axis", ticks, 20000, True, 0.05) == [0, 1, 10, 100, 1000, 10000, 20000]
    assert js("charts/axis", ticks, 20000, False) == [0, 5000, 10000, 15000, 20000]
    assert js("charts/axis", ticks, 0, True) == [0]
    near = "({nearest}, steps, x, log) => nearest(steps, x, log)"
    for step, log in [(64, True), (64, False), (0, True), (1000, False), (1, True)]:
        at = math.log1p(step) / math.log1p(1000) if log else step / 1000
        assert js("charts/axis", near, STEPS, at + 1e-4, log) == STEPS.index(step)
    assert js("charts/axis", near, STEPS, -3, True) == 0
    assert js("charts/axis", near, STEPS, 9, True) == len(STEPS) - 1


def test_scales_hold_their_values_and_gaps_stay_gaps(js: Modules):
    range_of = "({rangeOf}, values) => rangeOf(values.map((value) => value ?? NaN))"
    assert js("charts/axis", range_of, [9.02, 4.1, None]) == [4, 10]
    assert js("charts/axis", range_of, [3, 3]) == [2.5, 3.5]
    assert js("charts/axis", range_of, [None]) == [0, 1]
    assert js("charts/axis", "({evenTicks}) => evenTicks(0, 1, 4)") == [0, 0.25, 0.5, 0.75, 1]
    path = "({pathOf}, points) => pathOf(points.map(([x, y]) => [x, y ?? NaN]))"
    assert js("charts/points", path, [[0, 1], [1, 2], [2, None], [3, 4], [4, 5]]) == "M0.0 1.0L1.0 2.0M3.0 4.0L4.0 5.0"


@pytest.mark.parametrize("name", ["encoder", "decoder", "encoder-decoder-prefix", "encoder-decoder-cross"])
def test_the_head_that_came_nearest_to_a_task_is_the_highest_of_all(js: Modules, name):
    info = read_timeline(TIMELINES, name).info
    nearest = js("train/timeline/data", "({modelOf}, info) => modelOf(info, {}).nearest", info)
    best = {}
    for stack, roles in info["scores"].items():
        for role in {"previous token", "prefix matching", "induction"} & set(roles):
            scores, base = np.array(roles[role]["scores"][-1]), roles[role]["baseline"]
            lift = (scores.max() - base) / (1 - base)
            best[lift] = (stack, role, *np.unravel_index(scores.argmax(), scores.shape), scores.max())
    stack, role, layer, head, score = best[max(best)]
    assert [nearest[key] for key in ("stack", "role", "layer", "head", "score")] == [stack, role, layer, head, score]
    said = js("train/timeline/words", "({nearestText}, nearest) => nearestText(nearest)", nearest)
    number = said.removeprefix(f"The closest was L{layer} H{head}: {role} ").partition(", by chance ")[0]
    all_agree([number] * 2, [score - 5e-5, score + 5e-5], least=2)  # it was recorded with four decimals


@pytest.mark.parametrize(("p", "written"), [(9.8e-6, "9.8e-6"), (0.00034, "0.00034"), (0.0123, "0.012"), (0, "0.000")])
def test_small_probabilities_keep_two_digits_that_count(js: Modules, p, written):
    assert js("base/text", "({fineProbability}, p) => fineProbability(p)", p) == written


def test_words_say_what_numbers_show(js: Modules):
    text = "({lossText}, loss, V, masked) => lossText(loss === 'nan' ? NaN : loss, V, masked)"
    start = js("train/timeline/words", text, 9.05, 8192, False)
    assert "as if it chose among 8,519 equally likely tokens, about what a uniform guess over all 8,192" in start
    hidden = js("train/timeline/words", text, 1.0, 8192, True)
    assert "for each hidden token, the model is as unsure as if it chose among 2.7 " in hidden
    assert "diverged" in js("train/timeline/words", text, "nan", 8192, False)
    event = {"layer": 1, "head": 4, "role": "induction", "step": 512}
    say = "({eventText}, event, title) => eventText(event, title)"
    assert js("train/timeline/words", say, event, "") == "L1 H4 becomes an induction head at step 512"
    assert (
        js("train/timeline/words", say, event | {"role": "previous token", "step": 0}, "Decoder")
        == "Decoder L1 H4 is a previous-token head at step 0"
    )
    rise = "({steepest}, scores, steps) => steepest(scores, steps)"
    assert js("train/timeline/words", rise, [0.1, 0.15, 0.7, 0.9], [0, 1, 2, 4]) == {
        "from": 1,
        "to": 2,
        "rise": pytest.approx(0.55),
        "low": 0.15,
        "high": 0.7,
    }
    assert js("train/timeline/words", rise, [0.5, 0.55, 0.2], [0, 1, 2]) is None
    same = "({sameness}, ids) => sameness(ids.map((id) => ({id, text: `t${id}`})))"
    assert "after every one of the 4 tokens" in js("train/timeline/words", same, [7, 7, 7, 7])
    assert "“t7” is the likeliest after 3 of the 4 tokens" in js("train/timeline/words", same, [7, 7, 2, 7])
    assert "3 different first choices after the 4" in js("train/timeline/words", same, [7, 7, 2, 3])
    assert js("train/timeline/words", same, [1, 2, 3]) == ""


def test_marks_that_lie_near_share_one_and_texts_that_would_meet_go_down_a_line(js: Modules):
    gather = """({gathered}) => {
        const choose = { first: () => "first" };
        const marks = [[90, "I", "c"], [8, "P", "a"], [12, "I", "b"], [14, "P", "d"]];
        const one = ([step, text, name]) => ({ step, text, name, choose: name === "a" ? choose.first : () => name });
        return gathered(marks.map(one), (a, b) => b - a < 10).map(({ choose, ...mark }) => ({ ...mark, at: choose() }));
    }"""
    assert js("charts/axis", gather) == [
        {"step": 8, "text": "P I", "name": "a\nb\nd", "at": "first"},
        {"step": 90, "text": "I", "name": "c", "at": "c"},
    ]
    boxes = [[0, 50, 10], [40, 90, 10], [95, 120, 10], [45, 60, 10]]
    apart = "({apart}, boxes) => apart(boxes.map(([left, right, y]) => ({ left, right, y })), 14)"
    assert js("charts/axis", apart, boxes) == [10, 24, 10, 38]


def test_who_wants_less_motion_gets_no_fast_play(js: Modules):
    speeds = "({speedsFor}, calm) => speedsFor(calm)"
    assert js("train/timeline/play", speeds, False) == [0.5, 1, 2, 4]
    assert js("train/timeline/play", speeds, True) == [0.5, 1]
    assert js("train/timeline/play", "({delayOf}) => [0.5, 1, 4].map(delayOf)") == [2000, 1000, 250]


def test_playing_ends_at_the_last_step_and_starts_anew_from_there(js: Modules):
    code = """async ({Player}) => {
        let at = 2; const seen = []; const told = [];
        const changed = () => told.push(player.playing);
        const player = new Player({ show: (i) => seen.push(at = i), at: () => at, count: () => 4, changed });
        player.speed = 1000;
        player.play();
        await new Promise((go) => setTimeout(go, 200));
        const first = seen.splice(0);
        player.toggle();
        player.pause();
        return [first, seen, told, player.playing];
    }"""
    assert js("train/timeline/play", code) == [[3], [0], [True, False, True, False], False]


def test_smoothing_is_the_mean_of_the_losses_around(js: Modules):
    losses = [1, 5, math.nan, 2, 8]
    call = """({smoothed}, width) => smoothed([1, 5, NaN, 2, 8].map((loss, step) => [step, loss]), width)"""
    for width in (1, 3, 5):
        half = width // 2
        near = [np.array(losses[max(0, i - half) : i + half + 1]) for i in range(5)]
        means = [
            [i, pytest.approx(np.nanmean(one), nan_ok=True)] for i, one in enumerate(near) if not np.isnan(one).all()
        ]
        found = js("train/timeline/smooth", call, width)
        assert [one for one in found if not math.isnan(one[1])] == means


# --- the screen -------------------------------------------------------------------------------------------------


def recorded(folder: Path, name: str, step: int, prompt: dict, tensor: str) -> tuple[list, torch.Tensor]:
    """(pattern of each layer (H, T, S), logits (T, V)) of a snapshot, computed here."""
    model = snapshot(folder / "runs" / name, step)
    inputs = [torch.tensor([[token["id"] for token in side]]) for side in (prompt["source"], prompt["tokens"]) if side]
    with torch.no_grad(), record(model) as trace:
        logits = model(*inputs)[0]
    return [trace[tensor.format(layer=i)][0] for i in range(L)], logits


def facts(folder: Path, name: str) -> dict:
    return json.loads((folder / "timeline" / name / "timeline.json").read_text())


def test_all_runs_lie_in_one_chart_with_a_legend_that_hides_one(screen: Screen, folder: Path):
    page = screen.open().page
    asked = []
    page.on("request", lambda request: "plotly" in request.url and asked.append(request.url))
    page.wait_for_timeout(300)
    assert asked == []
    screen.press(".hs-tl-runs summary")
    page.wait_for_selector(f"{VIEW} .hs-tl-runs .hs-plot[data-drawn]")
    assert len(asked) == 1
    area = "document.querySelector('.hs-tl-runs .hs-plot-area')"
    curves = page.evaluate(f"{area}.data.map(({{ name, x, y }}) => [name, x, y])")
    assert len(curves) == 2 * len(MODELS)
    for i, name in enumerate(MODELS):
        info = facts(folder, name)
        held = [loss for loss in info["held_out"]["loss"]]
        assert curves[2 * i][1:] == [info["steps"], held]
        assert curves[2 * i + 1][1:] == [[step for step, _, _ in info["curve"]], [loss for *_, loss in info["curve"]]]
    page.locator(f"{VIEW} .hs-tl-runs .legendtoggle").first.click()
    page.wait_for_function(f"() => {area}.data.filter(({{ visible }}) => visible === 'legendonly').length === 2")
    for kind, axis in enumerate(("xaxis", "yaxis")):
        page.locator(f'{VIEW} .hs-tl-runs [data-name="log"]').nth(kind).click()
        page.wait_for_function(f"() => {area}._fullLayout.{axis}.type === 'log'")
    assert page.evaluate(f"{area}.data.filter(({{ visible }}) => visible === 'legendonly').length") == 2


def test_every_number_at_every_step_is_torchs(screen: Screen, folder: Path):
    """One decoder, two of its heads at three steps: some 1,600 weights, predictions, roles and losses."""
    info = facts(folder, "decoder")
    prompt, tokenizer = info["prompts"][1], load_tokenizer()
    screen.open("&of=decoder&prompt=2&at=0&unit=2.3&token=5")
    place, compared = 5, 0
    for i in (0, 2, 3):
        if i:
            screen.to(i)
        step = STEPS[i]
        patterns, logits = recorded(folder, "decoder", step, prompt, "blocks.{layer}.attn.pattern")
        for layer, head in ((1, 2), (0, 1)):
            screen.press(f'.hs-tl-heads button[data-layer="{layer}"][data-head="{head}"]')
            screen.titled(f"Layer {layer}, head {head}, step {step:,}")
            compared += screen.shows(patterns[layer][head])
        probs = logits[place].softmax(-1)
        best = probs.topk(12)
        bars = screen.cells(".hs-tl-next .hs-bars li", ".hs-bar-name")
        for (name, [p]), id, expected in zip(bars, best.indices.tolist(), best.values.tolist()):
            assert name.replace("✓ ", "").strip() == tokenizer.piece(id).strip()
            assert p == pytest.approx(expected, rel=0.06, abs=6e-4)
        truth = prompt["tokens"][place + 1]["id"]
        rank = int((probs > probs[truth]).sum()) + 1
        assert screen.text(".hs-tl-truth").endswith(f"rank {rank:,} of 8,192.")
        roles = head_roles(snapshot(folder / "runs" / "decoder", step), tokenizer)
        table = screen.cells(".hs-tl-roles .hs-roles tr:has(td)", "th")
        for name, [score, chance] in table:
            name = name.replace("★ ", "")
            assert is_rounded(score, roles.scores[name][0, 1]) and is_rounded(chance, roles.baselines[name])
        loss = info["held_out"]["loss"][i]
        assert f"Loss {loss:.3f} " in screen.text(".hs-tl-now")
        assert f"step {step:,} of 1,000 · {step * TOKENS_A_STEP:,} tokens seen" == screen.text(".hs-tl-step")
        assert info["sample"]["texts"][i].strip()[:20] in screen.text(".hs-tl-sample blockquote")
        compared += len(bars) + 2 * len(table) + 3
    assert compared > 1500
    over = [row for row in screen.rows()[1 : len(STEPS) + 1]]
    assert [float(row[2]) for row in over] == info["held_out"]["loss"]
    assert len([one for one in screen.asked if "safetensors" in one]) == 1  # the slider asked for nothing


@pytest.mark.parametrize(
    ("name", "stack", "tensor"),
    [
        ("encoder", "encoder", "blocks.{layer}.attn.pattern"),
        ("encoder-decoder-prefix", "decoder", "decoder.blocks.{layer}.attn.pattern"),
        ("encoder-decoder-cross", "cross", "decoder.blocks.{layer}.cross_attn.pattern"),
    ],
)
def test_every_architecture_shows_its_own_attention(screen: Screen, folder: Path, name, stack, tensor):
    prompt = facts(folder, name)["prompts"][1]
    screen.open(f"&of={name}&prompt=2&at=1000&unit=2.3&stack={stack}")
    screen.drawn(1000)
    patterns, logits = recorded(folder, name, 1000, prompt, tensor)
    screen.shows(patterns[1][2])
    place = [place for place, truth in zip(prompt["places"], prompt["truth"]) if truth is not None][-1]
    truth = prompt["truth"][prompt["places"].index(place)]
    probs = logits[place].softmax(-1)
    assert screen.text(".hs-tl-truth").endswith(f"rank {int((probs > probs[truth]).sum()) + 1:,} of 8,192.")
    has_roles = stack != "cross"
    assert screen.page.locator(f"{VIEW} .hs-tl-roles .hs-roles").is_visible() == has_roles
    if name != "encoder":
        screen.press(".hs-tl-left [data-name=encoder]")
        screen.page.wait_for_function(
            "document.querySelector('#timeline .hs-tl-left [data-name=encoder]').ariaChecked === 'true'"
        )
        encoder, _ = recorded(folder, name, 1000, prompt, "encoder.blocks.{layer}.attn.pattern")
        screen.shows(encoder[1][2])


def test_slider_keys_curve_and_marks_move_without_the_server(screen: Screen):
    screen.open("&of=decoder")
    page = screen.page
    screen.drawn(1000)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.focus(f"{VIEW} .hs-tl-player input")
    for key, step in [("Home", 0), ("ArrowRight", 1), ("ArrowRight", 64), ("ArrowLeft", 1), ("End", 1000)]:
        page.keyboard.press(key)
        screen.drawn(step)
    assert (
        page.get_attribute(f"{VIEW} .hs-tl-player input", "aria-valuetext")
        == "step 1,000 of 1,000 · 96,000 tokens seen"
    )
    box = page.locator(f"{VIEW} .hs-tl-loss-chart svg").bounding_box()
    page.mouse.click(box["x"] + 44 + 2, box["y"] + 90)
    screen.drawn(0)
    assert screen.texts(".hs-tl-event") == [
        "L0 H2 becomes a previous-token head at step 1",
        "L1 H1 becomes an induction head at step 64",
    ]
    screen.press('.hs-tl-event[data-step="64"]')
    screen.drawn(64)
    assert screen.text(".hs-tl-head h3") == "Layer 1, head 1, step 64"
    screen.press(".hs-curve-mark text")
    screen.drawn(1)
    assert screen.text(".hs-tl-head h3") == "Layer 0, head 2, step 1"
    assert page.locator(f"{VIEW} .hs-curve-mark title").all_text_contents() == screen.texts(".hs-tl-event")
    screen.press('[data-name="even"]')
    page.wait_for_function("new URLSearchParams(location.search).get('steps') === 'even'")
    query = page.evaluate("Object.fromEntries(new URLSearchParams(location.search))")
    at, ends = page.evaluate(f"""() => ['.hs-tl-loss-chart .hs-curve-restart', '.hs-tl-loss-chart .hs-curve-grid'].map(
        (one) => ['x1', 'x2'].map((end) => Number(document.querySelector(`{VIEW} ${{one}}`).getAttribute(end))))""")
    assert at[0] == at[1] == pytest.approx(sum(ends) / 2)  # the second of two cycles begins half way
    assert "the learning rate (how far a step moves the weights) rises again" in screen.text(".hs-tl-key")
    shown = {"at": "1", "unit": "0.2", "stack": "decoder", "steps": "even"}
    assert query == {"show": "train", "train": "timeline", **shown}
    page.click('[data-page="explore"]')
    page.wait_for_function("!new URLSearchParams(location.search).has('unit')")
    assert [url for url in asked if "/timeline/" in url] == []


def test_nothing_moves_before_play_and_pause_stops_it(browser: Browser, app: App, files: TestClient):
    with browser.new_context() as context:  # its clock stands still for all of its pages
        page = context.new_page()
        screen = Screen(page, app, files)
        page.clock.install()
        screen.open("&of=decoder&at=0")
        screen.drawn(0)
        page.clock.pause_at(page.evaluate("Date.now()") / 1000 + 3600)
        assert page.get_attribute(VIEW, "data-step") == "0"
        play = page.locator(f"{VIEW} .hs-tl-play")
        play.click()
        assert play.inner_text().endswith("Pause")
        page.clock.run_for(1100)
        screen.drawn(1)
        screen.press('[data-name="x0.5"]')
        page.clock.run_for(1900)
        assert page.get_attribute(VIEW, "data-step") == "1"
        page.clock.run_for(200)
        screen.drawn(64)
        play.click()
        page.clock.run_for(20_000)
        assert page.get_attribute(VIEW, "data-step") == "64"
        screen.press('[data-name="x4"]')
        play.click()
        page.clock.run_for(400)
        screen.drawn(1000)
        assert play.inner_text().endswith("Play")


def test_a_file_holds_what_is_seen(screen: Screen, folder: Path):
    page = screen.page
    screen.open("&of=decoder&at=64&unit=1.2")
    page.locator("#timeline .hs-save summary").click()
    with page.expect_download() as saved:
        page.click("#timeline .hs-save >> text=CSV")
    rows = list(csv.reader(StringIO(Path(saved.value.path()).read_text(encoding="utf-8-sig"))))
    assert rows == screen.rows()
    assert saved.value.suggested_filename.startswith("headscope-decoder-step-64")
    with page.expect_download() as saved:
        page.click("#timeline .hs-save >> text=SVG")
    svg = Path(saved.value.path()).read_text()
    assert "L1 H1 becomes an induction head at step 64" in svg and "Layer 0, head 1, step 64" in svg
    assert len(re.findall("<path", svg)) > 50  # the matrices and curves are vectors


def test_without_a_recording_one_sentence_says_how_to_make_one(page: Page, app: App, tmp_path):
    screen = Screen(page, app, TestClient(Starlette(routes=timeline_routes(tmp_path)))).open()
    assert page.locator("#timeline .hs-problem:not([hidden])").inner_text() == MISSING
    assert not page.locator(f"{VIEW} .hs-tl-body").is_visible()
    assert screen.asked == ["timeline/index.json"]


def test_a_damaged_file_is_told_and_the_old_picture_stays(screen: Screen, problems):
    problems.expect("404")
    page = screen.page
    screen.open("&of=decoder&at=1000")
    page.route("**/timeline/decoder/2.safetensors.gz*", lambda route: route.fulfill(status=404, body="It is not here."))
    page.select_option(f"{VIEW} .hs-tl-prompt select", "2")
    page.wait_for_selector("#timeline .hs-problem:not([hidden])")
    assert page.locator("#timeline .hs-problem:not([hidden])").inner_text() == "It is not here."
    assert screen.text(".hs-tl-head h3").startswith("Layer 1, head 1")
    page.select_option(f"{VIEW} .hs-tl-prompt select", "0")
    page.wait_for_selector("#timeline .hs-problem:not([hidden])", state="detached")


def test_on_a_phone_nothing_is_wider_than_the_screen(screen: Screen):
    page = screen.page
    page.set_viewport_size({"width": 390, "height": 844})
    screen.open("&of=encoder-decoder-prefix&prompt=3")
    screen.drawn(FEW[-1])
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.locator(f"{VIEW} .hs-tl-player input").bounding_box()["height"] >= 44
    nameless = """(root) => [...root.querySelectorAll('canvas, svg[role=img], button, input, select')].filter((one) =>
        one.checkVisibility() && !one.closest('[aria-label]') && !one.textContent.trim()).length"""
    assert page.locator(VIEW).evaluate(nameless) == 0


def test_heads_are_chosen_with_arrows_and_cells_are_told(screen: Screen, folder: Path):
    page = screen.page
    screen.open("&of=decoder&prompt=2&at=64&unit=1.1&token=9")
    screen.drawn(64)
    page.focus(f'{VIEW} .hs-tl-heads button[data-layer="0"][data-head="0"]')
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    screen.titled("Layer 1, head 1, step 64")
    assert page.locator(f"{VIEW} .hs-tl-heads button").count() == L * H
    screen.press(".hs-tl-head summary")
    patterns, _ = recorded(folder, "decoder", 64, facts(folder, "decoder")["prompts"][1], "blocks.{layer}.attn.pattern")
    cells = screen.texts(".hs-tl-head table td:last-child")
    row = patterns[1][1, 9]
    for key, cell in enumerate(cells):
        assert cell == "masked" if key > 9 else agrees(cell, row[key]) >= 2
    page.focus(f"{VIEW} .hs-tl-head canvas")
    page.keyboard.press("ArrowRight")
    readout = page.locator(f"{VIEW} .hs-tl-head .hs-cell")
    readout.locator("text=blocks.1.attn.pattern[0, 1, 9, 1]").wait_for()
    assert agrees(readout.locator("strong").inner_text(), row[1]) >= 2
