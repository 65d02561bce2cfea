"""Train a tiny model now: what the page shows is what the engine said, and the page decides how long it trains."""

import math

import pytest

from .modules import Modules

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
    return js("live_names", "({runNames}, records, described) => runNames(records, described)", records, DESCRIBED)


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
    states, record, rows = js("live_record", code, frames)
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
    encoder, decoder, cross = js("live_record", code)
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
        return js("live_axes", "({lossRange}, losses, uniform) => lossRange(losses, uniform)", losses, uniform)

    assert loss_range([5.6, 3.0], 5.56) == [0, 8]
    assert loss_range([5.6, 1e9, None], 5.56) == [0, 10]
    code = "({clipped, beyond}, points) => [clipped(points, 10).map(([, v]) => String(v)), beyond(points, 10)]"
    points = [[0, 5], [1, 40], [2, None], [3, 4e6]]
    assert js("live_axes", code, points) == [["5", "10", "NaN", "10"], {"step": 1, "most": 4e6}]


def test_thinned_curves_keep_every_peak(js: Modules):
    points = [[i, math.sin(i * i)] for i in range(5000)]
    points[777][1], points[4321][1] = 50, -50
    thin = js("live_axes", "({thinned}, points) => thinned(points, 100)", points)
    assert len(thin) <= 200 and [777, 50] in thin and [4321, -50] in thin
    assert all(point in points for point in thin) and [x for x, _ in thin] == sorted(x for x, _ in thin)
    assert js("live_axes", "({thinned}, points) => thinned(points, 100)", points[:150]) == points[:150]


@pytest.mark.parametrize("steps, end", [([0], 10), ([11], 15), ([99, 3], 100), ([401], 500), ([3000], 3000)])
def test_the_axis_of_steps_ends_at_a_round_number(js: Modules, steps, end):
    assert js("live_axes", "({lastStep}, steps) => lastStep(steps)", steps) == end
