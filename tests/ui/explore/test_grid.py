"""Several heads as one, the first token hidden, columns, what tokens receive and give, the grid by role: with torch."""

import base64
from itertools import pairwise

import numpy as np
import pytest
import torch

from explorer.engine.payload import pack, unpack
from llm_core.analysis.patterns import received
from llm_core.analysis.roles import ROLES, badges, head_roles

from ..digits import agrees, all_agree
from ..reference import same
from ..screen import ROOM, Screen

TEXT = (
    "How to wash a red cup and a blue cup: first wash the red cup with warm water, "
    "then dry it, and then wash the blue cup in the same warm water"
)
L, H, T = 4, 3, 6
CHOICES = [(by, over) for by in ("mean", "max") for over in ("heads", "layers", "all")]


# the modules alone


def example() -> tuple[str, np.ndarray]:
    """A payload with L, H and T all different, and its patterns as they travel; one row has almost all on the first."""
    pattern = np.tril(np.random.default_rng(3).random((L, H, T, T)) ** 3)
    pattern[2, 1, 4, :5] = [0.9964, 0.0004, 0.0008, 0.0012, 0.0012]
    pattern /= pattern.sum(-1, keepdims=True)
    tokens = [{"id": i, "text": f"t{i}", "special": i == 0, "partial": False} for i in range(T)]
    header = {"tokens": tokens, "names": {"pattern": "blocks.{layer}.attn.pattern"}}
    payload = pack(header, {"pattern": ("unit16", pattern)})
    return base64.b64encode(payload).decode(), unpack(payload)[1]["pattern"]


AS_TEXT, PATTERN = example()

DRAWN = """({drawn}, bytes, focus, T) => import("/base/payload.mjs").then(async ({ parsePayload }) => {
    const { received, given } = await import("/patterns/marginals.mjs");
    const payload = parsePayload(buffer(bytes));
    const shown = drawn(payload, focus);
    const all = Array.from({ length: T }, (_, q) => q);
    return {
        title: shown.title, name: shown.name(4, 3), block: Array.from(shown.block),
        rows: all.map((q) => Array.from(shown.row(q))), states: all.map((q) => all.map((k) => shown.state(q, k))),
        first: all.map((q) => shown.first(q)),
        received: Array.from(received(shown), (p) => (Number.isNaN(p) ? null : p)),
        given: all.map((q) => given(shown, q)),
    };
})"""


def shown(js, **focus) -> dict:
    start = {"layer": 2, "head": 1, "query": None, "key": None, "draw": "matrix", "by": "one", "over": "heads"}
    return js("patterns/drawn", DRAWN, AS_TEXT, {**start, "read": "row", "sink": "shown", **focus}, T)


def combined(patterns, by: str, over: str, layer: int, head: int):
    """One head, or several as one: (L, H, T, T) -> (T, T)."""
    chosen = {"heads": patterns[layer], "layers": patterns[:, head], "all": patterns.flatten(0, 1)}[over]
    return {"one": lambda: patterns[layer, head], "mean": lambda: chosen.mean(0), "max": lambda: chosen.amax(0)}[by]()


def evaluated(name: str, patterns) -> float:
    """What Python makes of a number's name: ``blocks.2.attn.pattern`` is written for ``trace[...]``."""
    trace = {f"blocks.{i}.attn.pattern": pattern[None] for i, pattern in enumerate(patterns)}
    for key in trace:
        if f'"{key}"' not in name:
            name = name.replace(f"{key}[", f'trace["{key}"][')
    return float(eval(name, {"torch": torch, "trace": trace}))


@pytest.mark.parametrize("sink", ["shown", "hidden"])
@pytest.mark.parametrize(("by", "over"), [("one", "heads"), *CHOICES])
def test_rows_are_what_their_name_says_in_python(js, by, over, sink):
    got = shown(js, by=by, over=over, sink=sink)
    patterns = torch.from_numpy(PATTERN)
    whole = combined(patterns, by, over, 2, 1)
    expected = whole.clone()
    if sink == "hidden":
        expected[:, 0] = 0
        expected = expected / expected.sum(-1, keepdim=True).clamp(min=1e-9)
    for query, row in enumerate(got["rows"]):
        if got["states"][query][query] == "seen":
            assert row == pytest.approx(expected[query, : query + 1].tolist(), abs=1e-4)
            assert np.array(got["block"]).reshape(T, T)[query] / 65535 == pytest.approx(
                expected[query].numpy(), abs=1e-4
            )
    assert got["rows"][3][2] > 0
    assert got["first"] == pytest.approx((whole[:, 0] / whole.sum(-1)).tolist(), abs=1e-4)
    if got["states"][4][3] == "seen":
        assert evaluated(got["name"], patterns) == pytest.approx(got["rows"][4][3], abs=1e-4)


def test_titles_say_what_is_shown(js):
    titles = [shown(js, by=by, over=over)["title"] for by, over in [("one", "heads"), *CHOICES]]
    assert titles == [
        "Layer 2, head 1",
        "Layer 2: mean over its 3 heads", "Head 1: mean over 4 layers", "Mean over all 12 heads",
        "Layer 2: maximum over its 3 heads", "Head 1: maximum over 4 layers", "Maximum over all 12 heads",
    ]  # fmt: skip
    assert shown(js, sink="hidden")["title"] == "Layer 2, head 1, without the first token"
    assert shown(js, draw="neuron", by="mean", sink="hidden")["title"] == "Layer 2, head 1"


def test_where_almost_nothing_is_left_of_a_row_no_share_is_shown(js):
    got = shown(js, sink="hidden")
    assert [row[:2] for row in got["states"]] == [
        ["out", "later"], ["out", "seen"], ["out", "seen"], ["out", "seen"], ["out", "faint"], ["out", "seen"]
    ]  # fmt: skip
    assert got["rows"][4] == [0] * 5 and got["rows"][0] == [0]
    assert got["given"][4] is None and got["given"][0] is None


@pytest.mark.parametrize("by", ["one", "mean", "max"])
def test_what_tokens_receive_is_the_mean_over_who_can_see_them(js, by):
    whole = combined(torch.from_numpy(PATTERN), by, "all", 2, 1)
    mask = torch.ones(T, T, dtype=torch.bool).tril()
    assert shown(js, by=by, over="all")["received"] == pytest.approx(received(whole, mask).tolist(), abs=1e-9)


def test_with_the_first_token_hidden_rows_of_almost_nothing_do_not_count(js):
    rest = torch.from_numpy(PATTERN[2, 1]).clone()
    rest[:, 0] = 0
    rest = rest / rest.sum(-1, keepdim=True).clamp(min=1e-9)
    counts = torch.ones(T, T, dtype=torch.bool).tril()
    counts[4] = False
    got = shown(js, sink="hidden")["received"]
    assert got[0] is None
    assert got[1:] == pytest.approx(received(rest, counts)[1:].tolist(), abs=1e-4)


@pytest.mark.parametrize("sink", ["shown", "hidden"])
@pytest.mark.parametrize("by", ["one", "max"])
def test_what_tokens_give_sums_to_their_row(js, by, sink):
    whole = combined(torch.from_numpy(PATTERN), by, "heads", 2, 1)
    if sink == "hidden":
        whole = whole * (torch.arange(T) > 0)
    for query, parts in enumerate(shown(js, by=by, sink=sink)["given"]):
        if parts is None:
            continue
        row = whole[query] / whole[query].sum()
        itself, first = row[query].item(), row[0].item() if query else 0
        expected = {"first": first, "others": 1 - first - itself, "itself": itself}
        assert parts == pytest.approx(expected, abs=1e-4)


def test_a_column_is_every_later_row_at_that_key(js):
    call = """({reading}, bytes, focus) => import("/base/payload.mjs").then(async ({ parsePayload }) => {
        const { drawn } = await import("/patterns/drawn.mjs");
        const payload = parsePayload(buffer(bytes));
        return reading(payload, focus, drawn(payload, focus));
    })"""
    focus = {"layer": 2, "head": 1, "query": None, "key": 2, "read": "column", "sink": "shown"}
    got = js("patterns/reading", call, AS_TEXT, {**focus, "draw": "matrix"})
    assert (got["column"], got["token"], [cell["place"] for cell in got["others"]]) == (True, 2, [2, 3, 4, 5])
    assert [cell["p"] for cell in got["others"]] == pytest.approx(PATTERN[2, 1, 2:, 2].tolist(), abs=1e-12)
    none = {**focus, "key": None}
    assert js("patterns/reading", call, AS_TEXT, {**none, "draw": "matrix"})["token"] == 0
    assert js("patterns/reading", call, AS_TEXT, {**none, "draw": "matrix", "sink": "hidden"})["token"] == 1
    assert js("patterns/reading", call, AS_TEXT, {**none, "draw": "flow"})["column"] is False


def test_beside_the_matrix_lie_keys_whose_columns_and_queries_whose_rows_are_read(js):
    layout = {"left": 30, "top": 40, "cell": {"width": 11.5, "height": 11.5}, "rows": T, "columns": T}
    points = [
        [31, 5],
        [30 + 11.5 * 5, 40 + 11.5 * T + 9],
        [3, 41],
        [30 + 11.5 * T + 9, 40 + 11.5 * 4],
        [50, 60],
        [3, 3],
    ]
    found = js(
        "attention/view",
        "({weightAt}, layout, points) => points.map(([x, y]) => weightAt(layout, x, y))",
        layout,
        points,
    )
    column, row = ({"read": "column"}, {"read": "row"})
    assert found == [
        {"key": 0, **column},
        {"key": 5, **column},
        {"query": 0, **row},
        {"query": 4, **row},
        {"query": 1, "key": 1},
        None,
    ]


def test_the_grid_can_be_sorted_by_every_role(js):
    assert js("state/focus", "({CHOICES}) => CHOICES.sort") == ["place", *(role.name for role in ROLES)]
    scores = np.random.default_rng(5).random((L, H))
    roles = [{"name": "broad", "scores": scores.tolist()}]
    order = js("ui/badges", "({sorted}, ...given) => sorted(...given)", roles, "broad", L, H)
    assert [scores[layer, head] for layer, head in order] == sorted(scores.flatten(), reverse=True)
    by_place = [[layer, head] for layer in range(L) for head in range(H)]
    assert js("ui/badges", "({sorted}, ...given) => sorted(...given)", roles, "place", L, H) == by_place
    assert js("ui/badges", "({sorted}, ...given) => sorted(...given)", [], "broad", L, H) == by_place


def test_every_role_has_a_sign_of_its_own(js):
    signs = js("ui/badges", "({sign}, names) => names.map(sign)", [role.name for role in ROLES])
    assert len(set(signs)) == len(ROLES) == 8


# on the page


def seen_at(screen: Screen, places: list[dict]) -> list[dict]:
    """What stands in the attention view, once each of ``places`` is what is chosen."""
    return screen.page.evaluate(SEEN_AT, places)


SEEN_AT = """async (places) => {
    const view = document.querySelector('[data-view="attention_view"]');
    const frames = async () => { for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame); };
    const text = (selector) => view.querySelector(selector).textContent;
    const rows = (selector) => [...view.querySelectorAll(`${selector} tr`)].slice(1)
        .map((tr) => [...tr.children].map((cell) => cell.textContent));
    for (const details of view.querySelectorAll('.hs-table, .hs-margin-table')) details.open = true;
    const found = [];
    for (const place of places) {
        Object.assign(headscope.focus.locked, place);
        headscope.preview({});
        await frames();
        found.push({
            title: text('h2'), row: text('.hs-row'), sink: text('.hs-sink'), margins: text('.hs-margins'),
            cell: (view.querySelector('.hs-cell strong') ?? view.querySelector('.hs-cell')).textContent,
            code: view.querySelector('.hs-cell code')?.textContent,
            table: rows('.hs-table'), marginals: rows('.hs-margin-table'),
        });
    }
    return found;
}"""


def patterns_of(reference, text: str):
    trace = reference.trace(text)
    return torch.stack([trace.attention(layer)[0] for layer in range(6)])  # (L, H, T, T)


def test_mean_and_maximum_are_torchs(screen: Screen, reference):
    screen.run(TEXT)
    patterns, compared = patterns_of(reference, TEXT), {"mean": 0, "max": 0}
    for by, over in CHOICES:
        screen.choose_setting(by, over)
        layer, head = (1, 4) if over == "heads" else (3, 2)
        places = [{"layer": layer, "head": head, "query": query, "key": 7} for query in (35, 33, 20)]
        for place, got in zip(places, seen_at(screen, places)):
            query = place["query"]
            row = combined(patterns, by, over, layer, head)[query, : query + 1].tolist()
            assert len(got["table"]) == query + 1
            assert [cell for cell, p in zip(got["table"], row) if not same(cell[2], p)] == [], (by, over, query)
            assert same(got["cell"], row[7]) and same(got["cell"], evaluated(got["code"], patterns)), got["code"]
            compared[by] += len(got["table"])
    assert min(compared.values()) >= 200
    shown_as_one = screen.page.locator(".hs-grid .hs-shown")
    assert shown_as_one.count() == 48
    screen.choose_head(2, 5)
    assert (screen.title(), shown_as_one.count()) == ("Layer 2, head 5", 1), "who chooses a head sees it alone"


def test_without_the_first_token_rows_are_shares_of_the_rest(screen: Screen, reference):
    screen.run(TEXT)
    patterns, compared = patterns_of(reference, TEXT).double(), 0
    screen.check_setting("hide the first token")
    heads = [(0, 0), (5, 3), (3, 3), (4, 0), (1, 6)]
    places = [{"layer": layer, "head": head, "query": query, "key": 7} for layer, head in heads for query in (35, 21)]
    for place, got in zip(places, seen_at(screen, places)):
        layer, head, query = place["layer"], place["head"], place["query"]
        row = patterns[layer, head, query]
        left = row[1:].sum().item()
        assert same(got["sink"].rsplit("was ")[-1].rstrip("."), row[0].item())
        assert got["table"][0][2] == "left out"
        if left < 0.005:
            assert "almost no weight left" in got["row"]
            continue
        for (_, _, number), p in zip(got["table"][1:], row[1 : query + 1].tolist()):
            assert abs(float(number) - p / left) <= 0.5 * 10 ** -len(number.partition(".")[2]) + 1e-5 / left
            compared += 1
        name = f"(row := blocks.{layer}.attn.pattern[0, {head}, {query}])[7] / row[1:].sum()"
        assert got["code"] == name
        assert float(got["cell"]) == pytest.approx(evaluated(name, patterns), abs=6e-3)
    assert compared >= 200
    first, out = seen_at(screen, [{"query": 0, "key": None}, {"query": 30, "key": 0}])
    assert first["row"] == "“start” is the first token: it is left out."
    assert "is left out" in out["cell"]
    screen.choose_drawing("flow")
    assert screen.page.locator(".hs-sink").is_hidden() and "includes the first token" in screen.text_of(".hs-rollout")


def test_columns_and_what_tokens_receive_and_give_are_torchs(screen: Screen, reference):
    screen.run(TEXT)
    patterns, compared = patterns_of(reference, TEXT), 0
    screen.choose_setting("column")
    screen.check_setting("bars")
    heads = [(0, 0), (3, 3), (5, 3), (2, 1), (1, 0), (4, 4), (3, 6)]
    places = [{"layer": layer, "head": head, "key": key} for key, (layer, head) in enumerate(heads)]
    found = seen_at(screen, places)
    for place, got in zip(places, found):
        key = place["key"]
        column = patterns[place["layer"], place["head"], key:, key].tolist()
        assert [int(at) for at, _, _ in got["table"]] == list(range(key, 36))
        assert all(same(number, p) for (_, _, number), p in zip(got["table"], column))
        best = got["row"].partition("looked at most by ")[2].split("” ")[1].split(",")[0]
        assert same(best, max(column))
        compared += len(column)
    assert compared >= 200
    chips = screen.page.locator(".hs-tokens")
    assert [chips.locator(name).count() for name in (".hs-key", ".hs-query", ".hs-later")] == [1, 0, 6]
    screen.page.locator(".hs-tokens button").nth(9).click()
    screen.point_away()
    assert screen.text_of('[data-view="attention_view"] .hs-row').count("looked at most by") == 1
    assert "key=9" in screen.address()

    mask, compared = torch.ones(36, 36, dtype=torch.bool).tril(), 0
    for place, got in list(zip(places, found))[:2]:
        pattern = patterns[place["layer"], place["head"]]
        receives = received(pattern, mask)
        for i, (at, _, *numbers) in enumerate(got["marginals"]):
            own, to_first = pattern[i, i].item(), pattern[i, 0].item() if i else 0
            expected = (receives[i].item(), to_first, 1 - to_first - own, own)
            assert int(at) == i
            all_agree(numbers, expected, least=2)
            compared += len(numbers)
        key = place["key"]
        number, _, rest = got["margins"].partition("receives ")[2].partition(" ")
        assert agrees(number, receives[key]) >= 2 and rest.startswith(f"on average from the {36 - key} tokens")
    assert compared >= 200


def test_a_name_beside_the_matrix_asks_and_the_address_tells_it_all(screen: Screen):
    screen.run(TEXT)
    screen.choose_head(0, 0)
    canvas = screen.page.locator(".hs-picture canvas")
    canvas.scroll_into_view_if_needed()
    box, (x, _) = canvas.bounding_box(), screen.call("weights", KEY_NAME, 5)
    screen.page.mouse.click(box["x"] + x, box["y"] + 20)
    screen.point_away()
    screen.check_setting("hide the first token")
    screen.choose_setting("max", "layers")
    screen.check_setting("bars")
    screen.page.select_option(".hs-sort select", "broad")
    screen.next_frame()
    address = screen.address()
    for part in ("key=5", "read=column", "sink=hidden", "by=max", "over=layers", "sort=broad"):
        assert part in address.split("&")

    def seen() -> list:
        order = "all => all.map(({ dataset }) => `${dataset.layer},${dataset.head}`)"
        heads = screen.page.locator(".hs-grid button").evaluate_all(order)
        return [heads, *seen_at(screen, [{}])]

    before = seen()
    assert before[1]["title"] == "Head 0: maximum over 6 layers, without the first token"
    screen.page.goto("about:blank")
    screen.open_address(address)
    screen.page.wait_for_selector('[data-view="grid_view"][data-seq="2"]')
    screen.next_frame()
    assert seen() == before and screen.address() == address


# The canvas is drawn once more, unseen: its layout says where a key's name stands.
KEY_NAME = """({ drawWeights }, key) => {
    const { payload, focus } = globalThis.headscope;
    const { left, cell } = drawWeights(document.createElement('canvas'), ROOM, payload, focus.now, 0, false);
    return [left + (key + 0.5) * cell.width, 0];
}""".replace("ROOM", ROOM)


def test_the_grid_by_role_has_the_highest_score_first_and_arrows_follow(screen: Screen, reference):
    measured = head_roles(reference.model, reference.tokenizer)
    names = [f"Layer {layer}, head {head}" for layer in range(6) for head in range(8)]
    buttons = screen.page.locator(".hs-grid button")
    worn = [all for layer in badges(measured) for all in layer]
    titles = [f"{name}: {', '.join(roles)}" if roles else None for name, roles in zip(names, worn)]
    assert buttons.evaluate_all("all => all.map((b) => b.getAttribute('title'))") == titles
    marks = [len(roles) for roles in worn]
    assert buttons.evaluate_all("all => all.map((b) => b.querySelectorAll('.hs-mark').length)") == marks
    assert sum(marks) > 0
    legend = screen.text_of(".hs-badges")
    assert all(role in legend for roles in worn for role in roles)
    for role in ("induction", "delimiter"):
        screen.page.select_option(".hs-sort select", role)
        screen.next_frame()
        shown_names = buttons.evaluate_all("all => all.map((b) => b.getAttribute('aria-label'))")
        assert sorted(shown_names) == sorted(names)
        scores = measured.scores[role].flatten().tolist()
        order = [scores[names.index(name)] for name in shown_names]
        assert all(a >= b - 2e-3 for a, b in pairwise(order))
        captions = screen.page.locator(".hs-captioned .hs-number").all_text_contents()
        assert all(abs(float(number) - score) <= 0.006 for number, score in zip(captions, order))
    buttons.nth(0).click()
    screen.point_away()
    buttons.nth(0).focus()
    for key, index in [("ArrowRight", 1), ("ArrowDown", 9), ("ArrowLeft", 8), ("ArrowUp", 0), ("ArrowLeft", 0)]:
        screen.page.keyboard.press(key)
        screen.next_frame()
        assert screen.title() == shown_names[index]
        assert screen.page.evaluate("document.activeElement.getAttribute('aria-label')") == shown_names[index]
