"""Head surgery as its user sees it, against a model whose weights were cut by hand."""

import copy
import json
import math
import re

import pytest
import torch
from torch.nn import functional as F

from llm_core import load_model, load_tokenizer, record
from llm_core.analysis.effects import edited_losses, held_out_batches, paired_effect
from llm_core.analysis.surgery import Edit, edits_from

from ..reference import same
from ..screen import Screen, rows_of

TEXT = "How to Make a Paper Boat"
T, D = 9, 32
MAY_STAY = ("surgery_view", "surgery_board", "surgery_next")
NUMBER = re.compile(r"[+−]?\d+\.\d+")


def numbers(text: str) -> list[float]:
    return [float(found.replace("−", "-")) for found in NUMBER.findall(text)]


# the pure modules

HEAD = {"what": "head", "how": "zero", "layer": 1, "head": 3}
EDITS = [
    HEAD,
    {"what": "attention", "how": "uniform", "layer": 0},
    {"what": "mlp", "how": "mean", "layer": 5},
    {"what": "everywhere", "how": "window", "n": 12},
    {"what": "head", "how": "painted", "layer": 2, "head": 0, "rows": ["1000", "1101", "0010", "1111"]},
    {"what": "everywhere", "how": "open"},
]


def test_edits_come_back_from_the_address(js):
    written, read = js("surgery/edits", "(m, edits) => [m.writeEdits(edits), m.readEdits(m.writeEdits(edits))]", EDITS)
    assert read == EDITS and re.fullmatch(r"[\w.~-]+", written)
    assert written.startswith("zero.h.1.3~uniform.a.0~mean.m.5~window12.e~painted.h.2.0.4.")
    assert len(edits_from(read)) == len(EDITS)


NO_EDIT = (
    *("", "zero", "zero.h.1", "zero.h.-1.1", "zero.x.1", "cut.h.1.1", "constructor.e"),
    *("mask.e", "window.e", "uniform.m.1", "painted.e.4.A"),
)


@pytest.mark.parametrize("text", NO_EDIT)
def test_an_address_that_means_nothing_changes_nothing(js, text):
    assert js("surgery/edits", "({readEdits}, text) => readEdits(text)", text) == []


def test_a_wider_edit_takes_the_place_of_what_it_covers_and_pressing_again_takes_it_away(js):
    layer = {"what": "attention", "how": "mean", "layer": 1}
    mlp = {"what": "mlp", "how": "zero", "layer": 1}
    mask = {"what": "head", "how": "open", "layer": 1, "head": 3}
    run = """({put, toggle, counting}, ...edits) =>
        [edits.reduce(put, []), edits.reduce(toggle, []), counting(edits, 1, 3), counting(edits, 1, null)]"""
    kept, toggled, counts, of_mlp = js("surgery/edits", run, HEAD, mlp, mask, layer)
    assert kept == toggled == [mlp, mask, layer]
    assert counts == {"change": layer, "mask": mask} and of_mlp == {"change": mlp, "mask": None}
    assert js("surgery/edits", run, HEAD, HEAD)[:2] == [[HEAD], []]


@pytest.mark.parametrize("edit", [None, *EDITS[3:], {"what": "everywhere", "how": "first"}])
def test_a_mask_on_the_screen_is_the_mask_in_the_model(js, edit):
    rows = js("surgery/edits", "({rowsOf}, edit) => rowsOf(edit, 7)", edit)
    causal = torch.ones(7, 7, dtype=torch.bool).tril()
    visible = edits_from([edit])[0].visible(causal) if edit else causal
    assert rows == ["".join("1" if cell else "0" for cell in row) for row in visible.tolist()]


def test_leaks_are_told_with_what_they_did_to_the_loss(js):
    tokens = [{"text": text} for text in ("a", "paper", "boat", "floats")]
    reach = [[2, 2, 0, 0], [2, 2, 0, 2], [2, 2, 2, 1], [2, 2, 2, 2]]  # 2: sees, 1: through others
    run = "({leaks}, reach, ...losses) => leaks(TOKENS, reach.flat(), ...losses)".replace("TOKENS", json.dumps(tokens))
    whys = {
        (
            1.0,
            3.5,
        ): "it is 2.25 (measured at 2 positions): 22% of the fall comes from reading the answer, the rest from the "
        "other changes.",
        (0.25, 3.5): "it is 1.88 (measured at 2 positions): the fall does not come from reading the answer.",
        (4.125, 3.5): "it is 3.81 (measured at 2 positions): without the answer, there is no fall.",
    }
    for losses, why in whys.items():
        told = js("surgery/leaks", run, reach, [4.125, 2, 3], [0.25, 2, 3.5], {"places": [0, 2], "losses": losses})
        assert told["summary"] == (
            "The future leaks: 3 of 4 positions could know of later tokens, and 2 of these of the very token they have "
            "to predict. There the loss fell from 3.56 to 1.88 nats per token. With a random token in place of the "
            "answer, " + why
        )
    assert told["lines"] == [
        "Position 0 (“a”) could see “paper” at position 1, which is the token it has to predict; "
        "its loss fell from 4.13 to 0.25.",
        "Position 2 (“boat”) could know of “floats” at position 3 through other tokens, which is the token it has to "
        "predict; its loss did not fall (3.00 before, 3.50 now).",
        "Position 1 (“paper”) could know of “floats” at position 3, but not of the token it has to predict.",
    ]


# the page


def open_panel(screen: Screen, more: str = "", edits: int = 0) -> None:
    screen.follow(f"&panel=surgery&text={TEXT.replace(' ', '+')}{more}")
    wait(screen, edits)


def wait(screen: Screen, edits: int) -> None:
    """Until so many edits are shown, with what the model says of them."""
    screen.page.wait_for_selector(f'[data-view=surgery_view][data-done=true][data-edits="{edits}"]')
    screen.next_frame()


@pytest.fixture
def panel(screen: Screen) -> Screen:
    open_panel(screen)
    return screen


@torch.no_grad()
def cut(reference, head=None, mlp=None):
    """The shipped model with a head's columns of the projection, or an MLP's last layer, at zero, and its trace."""
    model = copy.deepcopy(reference.model)
    if head:
        model.blocks[head[0]].attn.out_proj.weight[:, head[1] * D : (head[1] + 1) * D] = 0
    if mlp is not None:
        model.blocks[mlp].mlp.down_proj.weight[:] = 0
        model.blocks[mlp].mlp.down_proj.bias[:] = 0
    with record(model) as trace:
        model(torch.tensor([reference.ids(TEXT)]))
    return trace


def losses(trace, reference) -> torch.Tensor:
    return F.cross_entropy(trace["logits"][0, :-1], torch.tensor(reference.ids(TEXT)[1:]), reduction="none")


# Every row of the table, one token after the other.
ALL_ROWS = """async (T) => {
    const frame = async () => { for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame); };
    const details = document.querySelector('[data-view=surgery_view] .hs-table');
    details.open = true;
    const found = [];
    for (let query = 0; query < T; query++) {
        headscope.focus.locked.query = query;
        headscope.preview({});
        await frame();
        const rows = [...details.querySelectorAll('tr')].slice(1);
        found.push({
            attention: rows.map((row) => [...row.querySelectorAll('.hs-number')].map((cell) => cell.textContent)),
            next: [...document.querySelectorAll('.hs-pairs li')].map(
                (li) => ['.hs-bar-name', '.hs-number'].map((part) => li.querySelector(part).textContent)),
        });
    }
    return found;
}"""


def test_cut_heads_and_mlps_change_attention_next_tokens_and_loss_as_in_torch(panel: Screen, reference):
    page = panel.page
    page.click('.hs-cut-grid [aria-label^="Layer 0, head 6:"]')
    wait(panel, 1)
    page.click('.hs-cut-grid [aria-label^="Layer 2, MLP:"]')
    wait(panel, 2)
    assert page.locator(".hs-cut-chip span").all_text_contents() == ["Layer 0, head 6: off", "Layer 2, MLP: off"]
    panel.page.evaluate("Object.assign(headscope.focus.locked, { layer: 4, head: 2 })")
    before, after = reference.trace(TEXT), cut(reference, head=(0, 6), mlp=2)
    compared = 0
    for query, found in enumerate(page.evaluate(ALL_ROWS, T)):
        for key, cells in enumerate(found["attention"]):
            was, now = (trace["blocks.4.attn.pattern"][0, 2, query, key].item() for trace in (before, after))
            shown = [cell.replace("−", "-").removeprefix("+") for cell in cells]
            assert all(same(text, value) for text, value in zip(shown, (was, now, now - was)))
            compared += 3
        probs = [trace["logits"][0, query].softmax(-1) for trace in (before, after)]
        best = torch.cat([p.topk(8).indices for p in probs]).unique()
        names = panel.names(reference.pieces(best.tolist()))
        expected = [(name, probs[0][id].item(), probs[1][id].item()) for id, name in zip(best, names)]
        assert len(found["next"]) == len(expected)
        for name, pair in found["next"]:
            shown = [0 if side.startswith("<") else float(side) for side in pair.split(" → ")]
            assert any(name == e[0] and shown == pytest.approx(e[1:], abs=1.1e-3) for e in expected), (name, pair)
            compared += 2
    assert compared >= 200
    was, now = losses(before, reference), losses(after, reference)
    expected = [was.mean().item(), now.mean().item(), (now - was).mean().item()]
    assert numbers(panel.text_of(".hs-loss-line")) == pytest.approx(expected, abs=6e-4)
    shown = page.locator(".hs-loss-token .hs-number").all_text_contents()
    assert [numbers(text)[0] for text in shown] == pytest.approx((now - was).tolist(), abs=6e-3)

    page.click('.hs-cut-tools [data-name="reset"]')
    wait(panel, 0)
    assert "nothing changed" in panel.text_of(".hs-loss-line")
    page.click('.hs-cut-tools [data-name="undo"]')
    wait(panel, 2)
    assert numbers(panel.text_of(".hs-loss-line"))[1] == pytest.approx(expected[1], abs=6e-4)


def test_a_mask_is_painted_with_the_keyboard_and_tells_what_leaked(panel: Screen, reference):
    page = panel.page
    page.click('.hs-cut-choose [data-name="mask"]')
    page.click('.hs-cut-grid [aria-label^="Layer 1, head 2:"]')
    canvas = page.locator(".hs-mask-editor canvas")
    canvas.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight", "Space"):
        page.keyboard.press(key)
    wait(panel, 1)
    assert (
        page.locator(".hs-mask-editor .hs-cell").text_content()
        == "“to” (position 2) sees “Make” (position 3), which comes later: a leak."
    )
    rows = ["1" * (i + 1) + "0" * (T - i - 1) for i in range(T)]
    rows[2] = "111100000"
    assert page.evaluate("headscope.focus.locked.edits").startswith("painted.h.1.2.9.")
    trace = reference.trace(TEXT)
    q, k = (trace[f"blocks.1.attn.{name}"][0, 2] for name in "qk")
    visible = torch.tensor([[cell == "1" for cell in row] for row in rows])
    pattern = (q @ k.T / math.sqrt(D)).masked_fill(~visible, -math.inf).softmax(-1)
    for query, found in enumerate(page.evaluate(ALL_ROWS, T)):
        shown = [float(cells[1]) for cells in found["attention"]]
        assert shown == pytest.approx(pattern[query].tolist(), abs=9e-5)
    told = page.locator(".hs-leaks li").all_text_contents()
    assert len(told) == 1 and told[0].startswith(
        "Position 2 (“to”) could see “Make” at position 3, which is the token it has to predict; its loss"
    )

    page.click('.hs-mask-presets [data-name="open"]')
    page.click('.hs-mask-editor [data-name="everywhere"]')
    page.click('.hs-mask-presets [data-name="window"]')
    # until then, "done" speaks of the mask before
    page.wait_for_selector(".hs-cut-chip span:text-is('All heads: sees the last 3')")
    wait(panel, 1)
    assert page.locator(".hs-cut-chip").count() == 1
    assert page.locator(".hs-leaks *").count() == 0
    page.click('.hs-mask-presets [data-name="causal"]')
    wait(panel, 0)


def test_a_mask_is_painted_with_the_mouse_and_a_drag_is_one_step(panel: Screen):
    page = panel.page
    page.click('.hs-cut-choose [data-name="mask"]')
    canvas = page.locator(".hs-mask-editor canvas")
    canvas.scroll_into_view_if_needed()
    layout = """({drawMask}, at) => {
        const width = Math.min(460, document.querySelector('.hs-mask-editor').clientWidth);
        return drawMask(document.createElement('canvas'), width, headscope.payload.tokens, undefined, at);
    }"""
    place, box = panel.call("surgery/mask", layout, {"query": 0, "key": 0}), canvas.bounding_box()

    def at(query: int, key: int) -> tuple[float, float]:
        side = place["cell"]["width"]
        return box["x"] + place["left"] + (key + 0.5) * side, box["y"] + place["top"] + (query + 0.5) * side

    page.mouse.move(*at(6, 1))
    page.mouse.down()
    page.mouse.move(*at(6, 4), steps=6)
    page.mouse.up()
    wait(panel, 1)
    assert page.evaluate("headscope.payload.tokens.length") == T
    mask = panel.call("surgery/edits", "({readEdits}) => readEdits(headscope.focus.locked.edits)[0].rows")
    assert mask[6] == "100001100" and mask[5] == "111111000"
    page.click('.hs-cut-tools [data-name="undo"]')
    wait(panel, 0)


def test_the_changed_model_is_shown_in_all_views_and_in_the_address_and_back(screen: Screen, reference):
    page = screen.page
    open_panel(screen, "&edits=zero.h.1.7~zero.m.3&changed=everywhere&layer=5&head=3", edits=2)
    page.wait_for_selector(".hs-changed:not([hidden])")
    page.wait_for_function("headscope.payload.edits?.length === 2")
    assert (
        screen.text_of(".hs-changed span")
        == "Every view shows a changed model: Layer 0, head 6: off; Layer 2, MLP: off."
    )
    after = cut(reference, head=(0, 6), mlp=2)
    weights = """({weight}, T) =>
        Array.from({ length: T * T }, (_, i) => weight(headscope.payload, 4, 2, Math.floor(i / T), i % T))"""
    assert screen.call("payload", weights, T) == pytest.approx(
        after["blocks.4.attn.pattern"][0, 2].flatten().tolist(), abs=1.6e-5
    )
    page.click('[data-view="tabs_view"] [data-name="attention"]')
    screen.next_frame()
    top = after["logits"][0, -1].softmax(-1).topk(5)
    shown = page.locator('[data-view="next_view"] .hs-bars .hs-number').all_text_contents()[:5]
    assert [float(p) for p in shown] == pytest.approx(top.values.tolist(), abs=6e-4)
    page.wait_for_function("headscope.part('neurons').value")
    q = page.evaluate("[...headscope.part('neurons').value.arrays.q.data.slice(-288)]")
    assert q == pytest.approx(after["blocks.5.attn.q"][0, 7].flatten().tolist(), abs=1e-4)

    page.click(".hs-changed button")
    page.wait_for_function("!headscope.payload.edits")
    before = reference.trace(TEXT)
    assert screen.call("payload", weights, T) == pytest.approx(
        before["blocks.4.attn.pattern"][0, 2].flatten().tolist(), abs=1.6e-5
    )
    assert "edits=zero.h.0.6%7Ezero.m.2" in screen.address() and "changed" not in screen.address()


def test_effect_and_sweep_stream_and_can_be_cancelled(screen: Screen):
    """How it is computed is tested without a browser."""
    model, before, after = load_model("decoder"), [], []
    for batch in held_out_batches(model, load_tokenizer()):
        before += batch.losses.tolist()
        after += edited_losses(model, batch, [Edit(what="mlp", layer=0, how="zero")]).tolist()
    expected = paired_effect(before, after)
    page = screen.page
    open_panel(screen, "&edits=zero.m.1", edits=1)
    page.click('[data-name="effect"]')
    page.wait_for_selector(".hs-effect p")
    found = numbers(screen.text_of(".hs-effect p").replace("95%", ""))
    assert found == pytest.approx([expected.mean, expected.low, expected.high, expected.before], abs=1e-3)
    assert expected.low > 1 and "make the model worse" in screen.text_of(".hs-effect p")

    page.click('[data-name="sweep-zero"]')
    page.wait_for_function("Number(document.querySelector('.hs-measure').dataset.found) >= 2")
    assert page.locator('[data-name="effect"]').is_disabled() and page.locator(".hs-job progress").is_visible()
    page.click('[data-name="cancel"]')
    page.wait_for_selector('.hs-measure[data-job=""]')
    assert screen.text_of('.hs-measure [role="status"]') == "Cancelled."
    table = rows_of(page.locator(".hs-sweep-table table"))[1:]
    means = [numbers(row[2])[0] for row in table]
    assert (
        len(table) >= 2 and means == sorted(means, reverse=True) and {row[1][:13] for row in table} == {"Layer 0, head"}
    )
    page.click(".hs-sweep-grid button >> nth=1")
    screen.next_frame()
    assert page.evaluate("[headscope.focus.locked.layer, headscope.focus.locked.head]") == [0, 1]


def test_edit_names_every_way_that_the_page_offers(js):
    offered = js("surgery/edits", "({HOWS}) => Object.keys(HOWS)")
    assert [Edit(what="attention", layer=0, how=how).how for how in offered if how != "mask"] == offered[:-1]


@torch.no_grad()
def test_a_layer_can_be_left_out_with_its_bias_and_a_head_cannot(screen, reference):
    open_panel(screen, "&tool=absent&edits=absent.a.3~absent.h.1.1", 1)  # as of old, from 1; of a head it is no edit
    other = copy.deepcopy(reference.model)
    out = other.blocks[2].attn.out_proj
    out.weight[:], out.bias[:] = 0, 0
    ids = torch.tensor([reference.ids(TEXT)])
    expected = F.cross_entropy(other(ids)[0, :-1], ids[0, 1:]).item()
    assert f"after {expected:.3f} nats" in screen.page.locator(".hs-loss-line").text_content().replace("→ ", "")
    cells = screen.page.locator(".hs-cut-grid button")
    states = cells.evaluate_all("(all) => all.map((one) => [one.place.what, one.disabled])")
    assert {tuple(state) for state in states} == {("head", True), ("attention", False), ("mlp", False)}
