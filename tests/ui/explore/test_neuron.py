"""The neuron view: every number from q and k to the weight is one of torch's."""

import re

import numpy as np
import pytest
import torch
from playwright.sync_api import Page

from explorer.engine.payload import pack

from ..screen import Screen
from .test_lines import TEXT

MAY_STAY = ("neuron_view",)
D = 32


def number(shown: str) -> float:
    return float(shown.replace("−", "-"))


def close(shown: str, expected: float) -> bool:
    """Equal at the decimals that are shown, and to float32's precision."""
    decimals = len(shown.partition(".")[2])
    return abs(number(shown) - expected) <= 0.5 * 10**-decimals + 1e-5 * max(1, abs(expected))


# neuron_math.mjs


def test_each_step_is_that_of_attention(js):
    layers, heads, tokens, width, window = 2, 3, 5, 4, 3
    q, k = np.random.default_rng(0).normal(size=(2, layers, heads, tokens, width)).astype("float32")
    facts = {
        "names": {},
        "scale": [width**-0.5, 0.3],
        "windows": [None, window],
        "shared": 1,
        "causal": True,
    }  # by layer
    part = pack(facts, {"q": ("float32", q), "k": ("float32", k)})
    call = """async ({rowOf}, bytes, place, query) => {
        const { parsePayload } = await import("/base/payload.mjs");
        const { keys, max, total } = rowOf(parsePayload(Uint8Array.from(bytes).buffer), place, query);
        return { max, total, keys: keys.map((one) => ({ ...one, k: [...one.k], products: [...one.products] })) };
    }"""
    for layer, head, query in [(1, 2, 3), (0, 0, 0), (1, 0, 4)]:
        got = js("attention/neuron_math", call, list(part), {"layer": layer, "head": head}, query)
        one, others = torch.tensor(q[layer, head, query]).double(), torch.tensor(k[layer, head]).double()
        scores = (others @ one) * facts["scale"][layer]
        first = max(0, query + 1 - window) if layer else 0
        shares = scores[first : query + 1].softmax(0)
        assert np.array([key["products"] for key in got["keys"]]) == pytest.approx((others * one).numpy())
        assert [key["score"] for key in got["keys"]] == pytest.approx(scores.tolist())
        assert [key["share"] for key in got["keys"]] == pytest.approx(
            [*[0] * first, *shares.tolist(), *[0] * (tokens - 1 - query)]
        )
        assert got["total"] == pytest.approx((scores[first : query + 1] - got["max"]).exp().sum().item())


def test_the_largest_products_come_first_whatever_their_sign(js):
    call = "({orderOf}, products, dims) => orderOf(products, dims)"
    products = [0.5, -3, 2, -0.1]
    assert js("attention/neuron_math", call, products, "place") == [0, 1, 2, 3]
    assert js("attention/neuron_math", call, products, "size") == [1, 2, 0, 3]


# the page

READ = """() => {
    const view = document.querySelector('[data-view="neuron_view"]');
    const text = (element) => element.textContent;
    const table = (selector) => [...view.querySelectorAll(selector)].map((row) => [...row.children].map(text));
    return {
        about: text(view.querySelector('.hs-neuron-about')),
        steps: [...view.querySelectorAll('.hs-steps-list li')].map(text),
        codes: [...view.querySelectorAll('.hs-steps-list code')].map(text),
        strong: [...view.querySelectorAll('.hs-steps-list strong')].map(text),
        dim: text(view.querySelector('.hs-dim-read')),
        dims: table('.hs-dim-table tr').slice(1),
        keys: table('.hs-keys-of tbody tr'),
        shown: [...view.querySelectorAll('.hs-keys-of tbody tr')].findIndex((row) => row.matches('.hs-shown')),
        hints: [...view.querySelectorAll('.hs-keys-of p:not([hidden])')].map(text).join(' '),
    };
}"""


def read(screen: Screen) -> dict:
    screen.page.wait_for_function(
        """() => {
            const { ready, waiting, seq } = document.querySelector('[data-view="neuron_view"]')?.dataset ?? {};
            return ready && waiting === "false" && Number(seq) === headscope.seq;
        }"""
    )
    screen.next_frame()
    return screen.page.evaluate(READ)


def keep(screen: Screen, **focus) -> dict:
    screen.page.evaluate("(part) => { Object.assign(headscope.focus.locked, part); headscope.preview({}); }", focus)
    return read(screen)


def unfold(screen: Screen) -> None:
    """The table of the pair's dimensions."""
    screen.page.locator(".hs-dim-table").evaluate("(details) => (details.open = true)")


def test_every_step_of_every_key_is_torchs(screen: Screen, reference):
    trace = reference.trace(TEXT)
    asked = []
    screen.page.on("request", lambda request: asked.append(request.url))
    screen.run(TEXT)
    assert not [url for url in asked if "/ask/neurons" in url], "fetched only for who looks"
    screen.choose_drawing("neuron")
    read(screen)
    unfold(screen)
    asked.clear()
    compared = 0
    for layer, head, query, key in [(3, 0, 34, 20), (5, 7, 17, 17), (0, 4, 0, 0), (2, 6, 33, None)]:
        now = keep(screen, layer=layer, head=head, query=query, key=key)
        q, k = (trace[f"blocks.{layer}.attn.{name}"][0, head] for name in "qk")  # (T, D)
        scores, pattern = (trace[f"blocks.{layer}.attn.{name}"][0, head, query] for name in ("scores", "pattern"))
        assert len(now["keys"]) == query + 1
        largest = scores[: query + 1].max()
        for i, row in enumerate(now["keys"]):
            dot = (q[query].double() @ k[i].double()).item()
            expected = [dot, scores[i].item(), (scores[i] - largest).exp().item(), pattern[i].item()]
            assert all(close(shown, value) for shown, value in zip(row[2:], expected)), (layer, head, query, i)
            compared += 4
        if key is None:
            key = int(pattern.argmax())
            assert "This is the key that" in now["about"]
        assert now["shown"] == key
        for d, row in enumerate(now["dims"]):
            expected = [q[query, d].item(), k[key, d].item(), (q[query, d] * k[key, d]).item()]
            assert int(row[0]) == d
            assert all(close(shown, value) for shown, value in zip(row[1:], expected))
            compared += 3
        assert len(now["dims"]) == D
        dot = (q[query].double() @ k[key].double()).item()
        expected = [dot, scores[key].item(), pattern[key].item()]
        assert all(close(shown, value) for shown, value in zip(now["strong"], expected))
        place = f"[0, {head}, {query}, {key}]"
        assert now["codes"] == [
            f"blocks.{layer}.attn.q[0, {head}, {query}]", f"blocks.{layer}.attn.k[0, {head}, {key}]",
            f"blocks.{layer}.attn.scores{place}", f"blocks.{layer}.attn.pattern{place}",
        ]  # fmt: skip
    assert compared >= 200
    assert asked == [], "another head or token asks the server nothing"


def test_a_dimension_is_read_with_the_entries_that_it_is_made_of(screen: Screen, reference):
    trace = reference.trace("one two three four")
    screen.follow("&draw=neuron&layer=3&head=4&query=4&key=2&text=one+two+three+four")
    read(screen)
    cells = screen.page.locator(".hs-neuron-pair .hs-neuron-strip canvas").first
    width = cells.bounding_box()["width"]
    cells.hover(position={"x": width * 17.5 / D, "y": 8})
    screen.next_frame()
    name = re.compile(r"blocks\.2\.attn\.([qk])\[0, 3, (\d), 17\]")
    now = read(screen)["dim"]
    assert name.findall(now) == [("q", "4"), ("k", "2")]
    q, k = (trace[f"blocks.2.attn.{letter}"][0, 3, place, 17].item() for letter, place in (("q", 4), ("k", 2)))
    shown = re.match(r"Dimension 17: q (\S+) × k (\S+) = (\S+) ", now).groups()
    assert all(close(one, value) for one, value in zip(shown, (q, k, q * k)))
    cells.click(position={"x": width * 17.5 / D, "y": 8})
    screen.page.click('.hs-neuron .hs-switch [data-name="size"]')
    screen.point_away()
    assert {"dim=17", "dims=size"} <= set(screen.address().split("&"))
    unfold(screen)
    products = [abs(number(row[3])) for row in read(screen)["dims"]]
    assert products == sorted(products, reverse=True) and len(products) == D
    screen.page.locator(".hs-neuron-pair").focus()
    dims = [row[0] for row in read(screen)["dims"]]
    screen.page.keyboard.press("ArrowLeft")
    assert read(screen)["dim"].startswith(f"Dimension {dims[max(dims.index('17') - 1, 0)]}:")
    screen.page.keyboard.press("ArrowUp")
    assert "attn.k[0, 3, 1, " in read(screen)["dim"], "up leads to the key before"
    screen.page.locator(".hs-keys-of tbody button").nth(3).press("Enter")
    screen.point_away()  # the row that has come under the pointer is previewed
    assert read(screen)["shown"] == 3


def test_a_masked_pair_says_that_the_mask_hides_it(screen: Screen, reference):
    trace = reference.trace("one two three four")
    screen.follow("&draw=neuron&layer=1&head=1&query=2&key=4&text=one+two+three+four")
    now = read(screen)
    assert "the mask hides it" in now["about"]
    assert "its score becomes −∞ before the softmax" in now["steps"][4] and now["strong"][-1] == "0.0000"
    dot = trace["blocks.0.attn.q"][0, 0, 2].double() @ trace["blocks.0.attn.k"][0, 0, 4].double()
    assert close(now["strong"][0], dot.item())
    assert "blocks.0.attn.scores" not in " ".join(now["codes"]), "the model has −∞ there"
    assert len(now["keys"]) == 3 and now["shown"] == -1
    assert "The 2 tokens after “two” are hidden by the mask" in now["hints"]
    screen.page.set_viewport_size({"width": 390, "height": 844})
    screen.next_frame()
    assert screen.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, "wider than a phone"


def test_it_waits_for_its_numbers_with_a_sign_and_says_if_they_do_not_come(screen: Screen, page: Page, problems):
    problems.expect("503")
    waiting = []
    screen.page.route("**/ask/neurons", lambda route: waiting.append(route))
    screen.choose_drawing("neuron")
    view = screen.view("neuron_view")
    sign = "getComputedStyle(document.querySelector('[data-view=neuron_view]'), '::PART').content"
    assert view.get_attribute("data-waiting") == "true"
    assert "Being computed" in screen.page.evaluate(sign.replace("PART", "before"))
    screen.choose_drawing("matrix")
    assert screen.page.locator(".hs-picture canvas").is_visible(), "other drawings do not wait"
    screen.choose_drawing("neuron")
    waiting[0].fulfill(status=503, body="The model is away.")
    screen.page.wait_for_selector('[data-view="neuron_view"][data-error="The model is away."]')
    assert "The model is away." in screen.page.evaluate(sign.replace("PART", "after"))
