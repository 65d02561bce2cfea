"""Train a tiny model now: what the page shows is what the engine said, and the page decides how long it trains."""

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
import torch
from playwright.sync_api import BrowserContext, Page

from explorer.ask import FRAMES
from explorer.engine.payload import pack, unpack
from explorer.live.runs import GONE
from llm_core import load_model, record

from ..digits import is_rounded
from ..modules import Modules
from ..serving import ROOT, App

VIEW = '[data-view="live_view"]'
PATIENCE = 120_000  # ms; a run starts a process of its own
TWO_FRAMES = "async () => { for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame); }"
POINTS = ("step", "loss", "lr", "grad_norm")

DESCRIBED = {
    "choices": [
        {"name": "task", "title": "Task", "titles": {}},
        {"name": "architecture", "title": "Architecture", "titles": {"decoder": "Decoder", "encoder": "Encoder"}},
        {"name": "n_layer", "title": "The number of layers"},
        {"name": "positions", "title": "Positions"},
        {"name": "learning_rate", "title": "Learning rate"},
    ],
    "tasks": [{"name": "copy", "title": "Copy"}, {"name": "sorting", "title": "Sort"}],
}
BASE = {"task": "copy", "architecture": "decoder", "n_layer": 2, "positions": True, "learning_rate": 0.003}


def names(js: Modules, *changes: dict) -> list[str]:
    records = [{"choices": BASE | change} for change in changes]
    return js(
        "train/live/names", "({runNames}, records, described) => runNames(records, described)", records, DESCRIBED
    )


def test_runs_are_called_by_what_differs_between_them(js: Modules):
    assert names(js, {}) == ["Copy, Decoder"]
    assert names(js, {}, {"positions": False}) == ["Positions: on", "Positions: off"]
    assert names(js, {}, {"n_layer": 1, "learning_rate": 0.3}) == [
        "Layers: 2, Learning rate: 0.003",
        "Layers: 1, Learning rate: 0.3",
    ]
    assert names(js, {}, {"task": "sorting"}, {}) == ["Task: Copy", "Task: Sort", "Task: Copy, the same choices again"]


def test_frames_are_put_together(js: Modules):
    frames = [
        {"kind": "waiting", "place": 2, "training": 2},
        {"kind": "ready", "parts": []},
        {"kind": "measured", "step": 0, "seconds": 0, "points": {"step": [], "loss": [], "lr": [], "grad_norm": []},
         "fresh": {"step": 0, "loss": 5.6, "accuracy": 0.01}, "arrays": {"decoder": {}}},
        {"kind": "measured", "step": 2, "seconds": 1, "arrays": {}, "fresh": {"step": 0, "loss": 5.6, "accuracy": 0.01},
         "points": {"step": [1, 2], "loss": [5.5, None], "lr": [0.1, 0.1], "grad_norm": [1, 2]}},
        {"kind": "event", "what": "head becomes", "step": 2, "title": "x", "sentence": "y"},
        {"kind": "state", "state": "paused", "step": 2, "sentence": "z"},
    ]  # fmt: skip
    code = """({newRecord, hear, curveRows}, frames) => {
        const record = newRecord(1, {});
        const states = frames.map((frame) => hear(record, frame).state);
        return [states, record, curveRows([record], ["run 1"])];
    }"""
    states, record, rows = js("train/live/record", code, frames)
    assert states == ["waiting"] + ["waiting"] * 4 + ["paused"]
    assert record["points"]["step"] == [1, 2] and record["points"]["loss"] == [5.5, None]
    assert record["fresh"] == [{"step": 0, "loss": 5.6, "accuracy": 0.01}]
    assert record["now"]["step"] == 0  # the later one has lost its attention on the way
    assert rows[1:] == [
        ["run 1", 0, "", "", "", 5.6, 0.01],
        ["run 1", 1, 5.5, 0.1, 1, "", ""],
        ["run 1", 2, "", 0.1, 2, "", ""],
    ]


def test_attention_of_each_part_is_cut_out_of_the_frame(js: Modules):
    code = """({partsOf}) => {
        const token = (text) => ({ text, id: 0, special: false });
        const [two, three] = [[1, 2].map(token), [1, 2, 3].map(token)];
        const facts = { parts: [
            { name: "encoder", title: "E", causal: false, queries: two, keys: two },
            { name: "decoder", title: "D", causal: true, queries: three, keys: three },
            { name: "cross", title: "C", causal: false, queries: three, keys: two },
        ] };
        const numbers = (...shape) => {
            const length = shape.reduce((a, b) => a * b);
            return { shape, data: Uint16Array.from({ length }, (_, i) => i) };
        };
        const arrays = { encoder: numbers(1, 2, 2, 2), decoder: numbers(2, 2, 3, 3), cross: numbers(2, 2, 3, 2) };
        return partsOf({ facts, now: { arrays } }).map(({ tensor, shape, T, S, mask, block }) => (
            { tensor, T, S, mask: [...mask], block: [...block(shape[0] - 1, 1)] }));
    }"""
    encoder, decoder, cross = js("train/live/record", code)
    assert [part["tensor"] for part in (encoder, decoder, cross)] == [
        "encoder.blocks.{layer}.attn.pattern",
        "decoder.blocks.{layer}.attn.pattern",
        "decoder.blocks.{layer}.cross_attn.pattern",
    ]
    assert encoder["block"] == [4, 5, 6, 7] and encoder["mask"] == [1] * 4
    assert decoder["block"] == list(range(27, 36)) and decoder["mask"] == [1, 0, 0, 1, 1, 0, 1, 1, 1]
    assert (cross["T"], cross["S"], cross["block"]) == (3, 2, list(range(18, 24)))


def test_a_diverged_run_leaves_the_picture_at_the_top_and_does_not_flatten_the_others(js: Modules):
    def loss_range(losses: list, uniform: float) -> list:
        return js("charts/axis", "({lossRange}, losses, uniform) => lossRange(losses, uniform)", losses, uniform)

    assert loss_range([5.6, 3.0], 5.56) == [0, 8]
    assert loss_range([5.6, 1e9, None], 5.56) == [0, 10]
    code = "({clipped, beyond}, points) => [clipped(points, 10).map(([, v]) => String(v)), beyond(points, 10)]"
    points = [[0, 5], [1, 40], [2, None], [3, 4e6]]
    assert js("charts/points", code, points) == [["5", "10", "NaN", "10"], {"step": 1, "most": 4e6}]


def test_thinned_curves_keep_every_peak(js: Modules):
    points = [[i, math.sin(i * i)] for i in range(5000)]
    points[777][1], points[4321][1] = 50, -50
    thin = js("charts/points", "({thinned}, points) => thinned(points, 100)", points)
    assert len(thin) <= 200 and [777, 50] in thin and [4321, -50] in thin
    assert all(point in points for point in thin) and [x for x, _ in thin] == sorted(x for x, _ in thin)
    assert js("charts/points", "({thinned}, points) => thinned(points, 100)", points[:150]) == points[:150]


@pytest.mark.parametrize("steps, end", [([0], 10), ([11], 15), ([99, 3], 100), ([401], 500), ([3000], 3000)])
def test_the_axis_of_steps_ends_at_a_round_number(js: Modules, steps, end):
    assert js("charts/axis", "({lastStep}, steps) => lastStep(steps)", steps) == end


# with the engine


SMALL = {"n_layer": 1, "n_head": 2, "n_embd": 32}
STEPS = 70
CHOSEN = {"task": "reverse", "steps": STEPS, **SMALL}


class LivePage:
    """The part "Train a tiny model now" of one tab."""

    def __init__(self, page: Page, url: str):
        self.page = page
        page.set_default_timeout(PATIENCE)
        page.goto(f"{url}?view=train")
        page.wait_for_selector(f'{VIEW}[data-ready="true"] [data-do="train"]')
        self.view = page.locator(VIEW)

    def choose(self, task: str | None = None, **choices: object) -> None:
        if task:
            self.view.locator(f'input[name="live-task"][value="{task}"]').check()
        if choices and not self.view.locator(".hs-live-more").evaluate("e => e.open"):
            self.view.locator(".hs-live-more > summary").click()
        for name, value in choices.items():
            field = self.view.locator(f'[data-choice="{name}"]').locator("input, select")
            if isinstance(value, bool):
                field.set_checked(value)
            elif field.evaluate("e => e.tagName") == "SELECT":
                field.select_option(label=str(value))
            else:
                field.fill(str(value))

    def press(self, name: str) -> None:
        self.view.locator(f'[data-do="{name}"]').click()

    def wait_for(self, *states: str) -> None:
        self.page.wait_for_function(
            "([view, states]) => states.includes(document.querySelector(view).dataset.state)", arg=[VIEW, states]
        )
        self.page.evaluate(TWO_FRAMES)

    def wait_for_step(self, step: int) -> None:
        self.page.wait_for_function(
            "([view, step]) => Number(document.querySelector(view).dataset.step) > step", arg=[VIEW, step]
        )

    def status(self) -> str:
        return self.view.locator(".hs-live-status").text_content()

    def problem(self) -> str:
        self.page.wait_for_selector(f'{VIEW}:not([data-error=""])')
        return self.view.locator("> .hs-problem").text_content()

    def trouble(self) -> str:
        return self.view.locator(".hs-live-trouble").text_content()

    def rows(self) -> list[list]:
        """What "Save: CSV" would write, without its heading."""
        return self.view.evaluate("e => e.numbers()")[1:]


@pytest.fixture(scope="module")
def engine() -> list[tuple[dict, dict]]:
    """The frames of the engine for CHOSEN, in a process of our own: the same choices give the same numbers."""
    command = [sys.executable, "-m", "llm_core.live", "--threads", "1"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(json.dumps(CHOSEN).encode() + b"\n")
    process.stdin.flush()
    frames = []
    while not frames or frames[-1][0].get("state") != "done":
        length = int.from_bytes(process.stdout.read(4), "little")
        frames.append(unpack(process.stdout.read(length)))
    process.kill()
    process.wait()
    return frames


@pytest.fixture
def clean_runs() -> Iterator[Path]:
    """What a test keeps in runs/ is taken away again."""
    runs = ROOT / "runs"
    before = set(runs.glob("*"))
    yield runs
    for folder in set(runs.glob("*")) - before:
        shutil.rmtree(folder)


def test_a_run_from_the_button_to_a_checkpoint(page, app, engine, clean_runs):
    live = LivePage(page, app.url)
    assert live.status().startswith("Nothing is running yet.")
    live.choose(**CHOSEN)
    live.press("train")
    live.wait_for("done")
    assert live.status().startswith(f"Done: step {STEPS} of {STEPS}")

    points = {name: [x for frame, _ in engine if "points" in frame for x in frame["points"][name]] for name in POINTS}
    rows = live.rows()
    told = [row for row in rows if row[2] != ""]
    assert len(points["loss"]) == STEPS == len(told)
    for column, name in enumerate(POINTS, start=1):  # 4 · 70 numbers
        assert [row[column] for row in told] == points[name]
    fresh = [frame["fresh"] for frame, _ in engine if frame.get("fresh")]
    last = fresh[-1]
    assert [row[5:] for row in rows if row[1] == last["step"]] == [[last["loss"], last["accuracy"]]]
    legend = live.view.locator(".hs-live-legend li .hs-number").text_content()
    assert legend == f"loss {last['loss']:.3f} · {100 * last['accuracy']:.1f}% right"
    assert drawn_losses(page) == pytest.approx(points["loss"], abs=0.02)
    facts = engine[0][0]
    assert f"uniform guess: {math.log(260):.2f}" in live.view.locator(".hs-live-chart").first.text_content()
    assert facts["uniform_loss"] == pytest.approx(math.log(260))

    live.view.locator(".hs-live-keep input").fill("from the test")
    live.press("keep")
    page.wait_for_selector(".hs-live-kept:not([hidden])")
    name = live.view.locator(".hs-live-kept code").text_content()
    assert name.startswith("runs/from-the-test")
    link = live.view.locator(".hs-live-kept a").get_attribute("href")
    assert link == f"?show=compare&models={quote(name, safe='')}"
    model = load_model(ROOT / name)
    attention = pattern_of(model, facts)  # (L, H, T, S)
    shown = [frame_arrays["decoder"] for _, frame_arrays in engine if frame_arrays][-1]
    assert attention == pytest.approx(shown, abs=2e-5)
    for head in range(2):
        live.view.locator(f'.hs-live-now .hs-grid button[data-head="{head}"]').click()
        shown_rows = head_rows(live)
        assert shown_rows.shape == attention[0, head].shape
        assert all(map(is_rounded, shown_rows.flat, attention[0, head].flat))
    text = live.view.locator(".hs-live-cells").get_attribute("aria-label")
    answers = [token["text"] for token in facts["probe"]["answers"] if not token["special"]]
    assert "".join(answers) in text.replace(" ", "")


def pattern_of(model, facts: dict):
    """Attention of a kept model on the tokens that the page shows, by torch."""
    ids = torch.tensor([[token["id"] for token in facts["parts"][0]["queries"]]])
    with torch.inference_mode(), record(model) as trace:
        model(ids)
    return torch.stack([trace.attention(layer)[0] for layer in range(SMALL["n_layer"])]).numpy()


ROWS = """async (e) => {
    const press = async (key) => {
        const canvas = e.querySelector(".hs-live-now .hs-tl-picture canvas");
        canvas.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
        for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
    };
    const row = () => [...e.querySelectorAll(".hs-live-now .hs-table tr")].slice(1).map((tr) => {
        const text = tr.lastElementChild.textContent;
        return text === "masked" ? 0 : text === "<0.001" ? 0.0002 : Number(text);
    });
    for (let i = row().length; i > 0; i--) await press("ArrowUp");
    const rows = [row()];
    while (rows.length < rows[0].length) {
        await press("ArrowDown");
        rows.push(row());
    }
    return rows;
}"""


def head_rows(live: LivePage) -> np.ndarray:
    """The attention of the large head as its table says it, row after row; 0 where it is masked."""
    details = live.view.locator(".hs-live-now .hs-table")
    if not details.evaluate("e => e.open"):
        details.locator("summary").click()
    canvas = live.view.locator(".hs-live-now .hs-tl-picture canvas")
    canvas.focus()
    live.page.keyboard.press("ArrowDown")
    return np.array(live.view.evaluate(ROWS))


def drawn_losses(page: Page) -> list[float]:
    """The thin line of the picture, read back from its path with the help of the numbers on the axis."""
    return page.evaluate("""() => {
        const svg = document.querySelector(".hs-live-chart svg");
        const ticks = [...svg.querySelectorAll('text[text-anchor="end"][dominant-baseline]')];
        const number = (tick) => [Number(tick.textContent), Number(tick.getAttribute("y"))];
        const [a, b] = [ticks[0], ticks.at(-1)].map(number);
        const value = (y) => a[0] + ((y - a[1]) / (b[1] - a[1])) * (b[0] - a[0]);
        const path = svg.querySelector(".hs-curve-thin").getAttribute("d");
        return path.split(/[ML]/).slice(1).map((point) => value(Number(point.split(" ")[1])));
    }""")


def test_pause_resume_the_queue_and_the_end_of_a_tab(page, profile: BrowserContext, app: App, problems):
    first, second, third = (LivePage(tab, app.url) for tab in (page, profile.new_page(), profile.new_page()))
    for live in (first, second):
        live.choose(steps=50_000, **SMALL)
        live.press("train")
    third.choose(learning_rate=100, **SMALL)
    first.wait_for("running")
    second.wait_for("running")
    third.press("train")
    third.wait_for("waiting")
    assert third.status() == (
        "Two models train on this server now; yours is number 1 in the queue. It will start by itself."
    )

    first.wait_for_step(10)
    first.press("pause")
    first.wait_for("paused")
    rows = [row for row in first.rows() if row[2] != ""]
    assert [row[1] for row in rows] == list(range(len(rows)))
    assert first.status().startswith(f"Paused at step {len(rows):,} of 50,000")
    first.press("resume")
    first.wait_for_step(len(rows))
    steps = [row[1] for row in first.rows() if row[2] != ""]
    assert steps == list(range(len(steps)))

    second.page.goto("about:blank")  # its run ends, and the third one's turn has come
    third.page.wait_for_selector('.hs-live-events [data-what="diverging"]')
    assert "a learning rate below 100 takes smaller steps" in third.trouble()
    assert third.page.wait_for_selector(".hs-curve-off").text_content().startswith("▲ up to ")
    third.page.close()
    second.page.close()

    first.press("stop")
    first.wait_for("stopped")
    assert first.status().startswith("Stopped at step ")
    problems.expect("422")
    first.choose(learning_rate=1000)
    first.press("train")
    assert first.problem().startswith("The learning rate cannot be 1000: choose a number from 1e-06 to 100")
    first.choose(learning_rate=0.001, n_head=3)
    first.press("train")
    page.wait_for_function("view => document.querySelector(view).dataset.error.startsWith('3 heads')", arg=VIEW)


def test_a_run_that_breaks_is_told_and_cannot_be_kept(page, app: App, engine, problems):
    """The engine's own first frames, and its words when the loss is no number."""
    sentence = "At step 9 the loss is no number any more, so there is nothing left to train."
    broken = {"kind": "state", "state": "failed", "step": 9, "sentence": sentence}
    lost = {"step": [8, 9], "loss": [1e30, None], "lr": [1, 1], "grad_norm": [1, None]}
    last = {"kind": "measured", "step": 9, "seconds": 1, "tokens_per_second": 9, "fresh": None, "points": lost}
    first = [pack(header, {name: ("unit16", array) for name, array in arrays.items()}) for header, arrays in engine[:3]]
    frames = [*first, pack({**last, "roles": []}, {}), pack(broken, {})]
    body = b"".join(len(frame).to_bytes(4, "little") + frame for frame in frames)
    page.route("**/ask/live_start", lambda route: route.fulfill(json={"run": "made-up"}))
    page.route("**/ask/live_frames", lambda route: route.fulfill(body=body, content_type=FRAMES))
    live = LivePage(page, app.url)
    live.press("train")
    live.wait_for("failed")
    assert (live.status(), live.trouble()) == ("It ended at step 9.", sentence)
    assert not live.view.locator(".hs-live-keep").is_visible()
    assert [row[2] for row in live.rows()][-2:] == [1e30, ""]
    assert live.view.locator(".hs-live-now h2").text_content() == "Run 1 at step 0"  # what was seen before

    page.unroute("**/ask/live_frames")
    problems.expect("422")
    live.press("train")  # this run the server does not know
    live.wait_for("lost")
    assert live.trouble() == GONE
    assert live.view.locator(".hs-live-legend .hs-live-name").all_text_contents() == [
        "Run 1 Copy, Decoder",
        "Run 2 Copy, Decoder, the same choices again",
    ]
    live.view.locator(".hs-live-remove").first.click()
    page.wait_for_function("() => document.querySelectorAll('.hs-live-legend li').length === 1")
