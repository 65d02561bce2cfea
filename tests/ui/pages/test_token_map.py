"""The map of all tokens at the end of lesson 1, against torch; plotly is loaded for it, and not before."""

import pytest
from playwright.sync_api import Page
from torch.nn import functional as F

from explorer.lessons.token_map import NEIGHBORS
from llm_core import load_model, load_tokenizer

from ..screen import rows_of
from ..serving import App

MAP = '.hs-token-map[data-ready="true"] .hs-plot[data-drawn]'


@pytest.fixture
def asked(page: Page) -> list[str]:
    """The addresses of plotly that the page asks for."""
    found = []
    page.on("request", lambda request: "plotly" in request.url and found.append(request.url))
    return found


def nearest(word: str) -> list[tuple[int, float]]:
    table = load_model("decoder").embedding.token_table.weight.detach()
    (id,) = load_tokenizer().encode(word)
    cosines = F.cosine_similarity(table, table[id][None])
    cosines[id] = -2
    best = cosines.topk(NEIGHBORS)
    return list(zip(best.indices.tolist(), best.values.tolist()))


def said_of(page: Page) -> list[tuple[int, float]]:
    return [(int(id.replace(",", "")), float(cosine)) for _, id, cosine in rows_of(page.locator(".hs-map-near"))[1:]]


def test_the_map_is_loaded_when_it_is_opened_and_shows_all_tokens(page: Page, app: App, asked: list[str]):
    page.set_default_timeout(90_000)
    page.goto(f"{app.url}?lesson=vectors&step=10")
    page.wait_for_selector('[data-view="learn_view"][data-ready="true"]')
    page.wait_for_timeout(1000)
    assert asked == []
    page.click(".hs-step-link >> nth=10")
    page.click(".hs-next")  # the answer
    page.wait_for_selector(MAP)
    assert len(asked) == 1
    lengths = "() => document.querySelector('.hs-plot-area').data.map(({ x }) => x.length)"
    assert sum(page.evaluate(lengths)[:4]) == 8192
    assert said_of(page) == [(id, pytest.approx(cosine, abs=6e-4)) for id, cosine in nearest(" paper")]

    page.get_by_label("Find a token").fill("cup")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Tokens nearest to “␣cup”")
    assert said_of(page) == [(id, pytest.approx(cosine, abs=6e-4)) for id, cosine in nearest(" cup")]

    page.click('.hs-token-map [data-name="lasso"]')
    region = (
        "() => document.querySelector('.hs-plot-area').emit('plotly_selected', { points: [7, 300, 5000].map((id) => \
({ curveNumber: 0, pointNumber: 0, customdata: id })) })"
    )
    page.evaluate(region)
    tokenizer = load_tokenizer()
    chips = page.locator(".hs-map-region button")
    assert chips.all_text_contents() == [tokenizer.piece(id).replace(" ", "␣") for id in (7, 300, 5000)]
    chips.nth(2).click()
    page.wait_for_selector(f"text=Tokens nearest to “{tokenizer.piece(5000).replace(' ', '␣')}”")

    page.click('.hs-token-map [data-name="3"]')
    page.wait_for_function("() => document.querySelector('.hs-plot-area').data[0].type === 'scatter3d'")
    page.locator(".hs-plot summary").click()
    page.locator(".hs-plot table tr").nth(200).wait_for()
    assert len(rows_of(page.locator(".hs-plot table"))) == 201
    page.click(".hs-step-link >> nth=0")
    page.wait_for_function("() => !document.querySelector('.hs-token-map')")
    assert len(asked) == 1
