"""Each digit that is written is the number's own, though what it is computed from has traveled in 16 bits."""

import base64

import numpy as np
import pytest

from explorer.engine.payload import pack

from ..digits import agrees
from .test_modules import rollout

L, H, T = 3, 4, 9

WRITTEN = """({drawn}, bytes, focus, T) => import("/base/payload.mjs").then(async ({ parsePayload }) => {
    const { certain } = await import("/base/text.mjs");
    const { given, offGiven, offReceived, received } = await import("/patterns/marginals.mjs");
    const shown = drawn(parsePayload(buffer(bytes)), focus);
    const all = Array.from({ length: T }, (_, i) => i);
    const gives = (query) => {
        const parts = given(shown, query);
        const offs = parts && offGiven(shown, query, parts);
        return parts && ["first", "others", "itself"].map((part) => certain(parts[part], offs[part]));
    };
    return {
        cells: all.map((q) => all.filter((k) => shown.state(q, k) === "seen")
            .map((k) => [k, certain(shown.at(q, k), shown.off(q, k))])),
        ...(shown.block && {
            received: Array.from(received(shown),
                (p, key) => (Number.isNaN(p) ? null : certain(p, offReceived(shown, key)))),
            given: all.map(gives),
        }),
    };
})"""


@pytest.fixture(scope="module")
def pattern() -> np.ndarray:
    """(L, H, T, T), causal rows that sum to 1, some of them almost wholly on the first token."""
    random = np.random.default_rng(8)
    scores = 3 * random.standard_normal((L, H, T, T))
    scores[0, 0, :, 0] += 6
    weights = np.tril(np.exp(scores))
    return (weights / weights.sum(-1, keepdims=True)).astype(np.float32).astype(np.float64)


def combined(pattern: np.ndarray, by: str, over: str) -> np.ndarray:
    heads = {"heads": pattern[1], "layers": pattern[:, 2], "all": pattern.reshape(-1, T, T)}[over]
    return {"one": pattern[1, 2], "mean": heads.mean(0), "max": heads.max(0)}[by]


@pytest.mark.parametrize("sink", ["shown", "hidden"])
@pytest.mark.parametrize(
    ("by", "over"), [("one", "heads"), ("mean", "heads"), ("mean", "layers"), ("mean", "all"), ("max", "all")]
)
def test_weights_and_what_is_computed_of_them(js, pattern, by, over, sink):
    true = combined(pattern, by, over)
    if sink == "hidden":
        true = true * (np.arange(T) > 0)
        true = true / np.maximum(true.sum(-1, keepdims=True), 1e-12)
    got = written(js, pattern, {"draw": "matrix", "by": by, "over": over, "sink": sink})
    found = [agrees(text, true[q, k]) for q, row in enumerate(got["cells"]) for k, text in row]
    assert len(found) > 30 and np.mean(found) > (3.99 if (by, sink) in {("one", "shown"), ("max", "shown")} else 2.5)
    for k, text in enumerate(got["received"]):
        if text is not None:
            seeing = [q for q in range(k, T) if q or sink == "shown"]
            found.append(agrees(text, true[seeing, k].mean()))
    for q, parts in enumerate(got["given"]):
        if parts is not None:
            row = true[q] / true[q].sum()
            first = row[0] if q else 0
            for text, share in zip(parts, (first, 1 - first - row[q], row[q])):
                found.append(agrees(text, max(share, 0)))
    assert np.mean(found) > 2.5


def test_the_rollout_of_several_layers(js, pattern):
    got = written(js, pattern, {"draw": "flow"})
    true = rollout(pattern)[0]
    found = [agrees(text, true[q, k]) for q, row in enumerate(got["cells"]) for k, text in row]
    assert len(found) == T * (T + 1) // 2 and np.mean(found) > 2.5


def test_differences_of_two_weights(js, pattern):
    def units(p: np.ndarray) -> list[float]:
        """As they have traveled; what the page gets from the payload's bytes."""
        call = """({parsePayload}, bytes) =>
            Array.from(parsePayload(buffer(bytes)).arrays.pattern.data, (u) => u / 65535)"""
        return js("base/payload", call, packed(p[None, None]))

    was, now = pattern[0, 1], pattern[0, 3]
    pairs = list(zip(units(was), units(now)))
    for module, call, sign in (
        ("surgery/words", "({changeOf}, pairs) => pairs.map((pair) => changeOf(...pair))", 1),
        ("compare/words", "({signed}, pairs) => pairs.map(([was, now]) => signed(was - now))", -1),
    ):
        texts = [text.replace("−", "-").removeprefix("+") for text in js(module, call, pairs)]
        truths = sign * (now - was).flatten()
        assert np.mean([agrees(text, true) for text, true in zip(texts, truths)]) > 3


def test_what_a_timeline_has_recorded(js, pattern):
    """Weights as the nearest 16-bit fractions, scores with four decimals, losses with five."""
    flat = pattern.flatten()
    units = np.rint(flat.astype(np.float32) * np.float32(65535)) / 65535
    call = """({probability}, all) => import("/base/payload.mjs").then(
            (sent) => all.map((p) => probability(p, sent.OFF_NEAREST)))"""
    texts = js("base/text", call, units.tolist())
    for text, true in zip(texts, flat):
        assert agrees(text, true) >= 2
    scores = np.random.default_rng(1).random(3000)
    call = "({roleText}, scores) => scores.map((score) => roleText('', [score], [0], 0, 0.5))"
    for text, true in zip(js("train/timeline/words", call, np.round(scores, 4).tolist()), scores):
        assert agrees(text.split()[1], true) >= 1
    call = "({lossText3}, losses) => losses.map((loss) => lossText3(loss))"
    for text, true in zip(js("train/timeline/words", call, np.round(9 * scores, 5).tolist()), 9 * scores):
        assert agrees(text, true) >= 2


def written(js, pattern: np.ndarray, focus: dict) -> dict:
    start = {"layer": 1, "head": 2, "query": None, "key": None, "read": "row"}
    return js("patterns/drawn", WRITTEN, packed(pattern), start | focus, T)


def packed(pattern: np.ndarray) -> str:
    tokens = [{"id": i, "text": f"t{i}", "special": i == 0, "partial": False} for i in range(T)]
    header = {"tokens": tokens, "names": {"pattern": "blocks.{layer}.attn.pattern"}}
    return base64.b64encode(pack(header, {"pattern": ("unit16", pattern)})).decode()
