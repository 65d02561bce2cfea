"""What the page says a head does, against the measurement itself."""

import pytest
import torch
from torch.nn import functional as F

from llm_core import intervene
from llm_core.analysis.roles import ROLES, badges, head_roles
from llm_core.analysis.surgery import Edit, interventions

from ..screen import Screen, rows_of


@pytest.fixture(scope="module")
def measured(reference):
    return head_roles(reference.model, reference.tokenizer)


# Every head is chosen: what its view says then, and the rows of its table.
READ = """async () => {
    const text = (element) => element.textContent;
    const part = (selector) => text(document.querySelector(selector));
    const read = [];
    for (const head of document.querySelectorAll('.hs-grid button[data-head]')) {
        head.click();
        for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
        const { layer, head: of } = head.dataset;
        const rows = [...document.querySelectorAll('.hs-roles tr')].slice(1).map((tr) => [...tr.children].map(text));
        read.push([`${layer}.${of}`, part('[data-view="roles_view"] h2'), rows, part('.hs-badge-line')]);
    }
    return read;
}"""


def test_every_head_shows_its_own_scores_and_badges(screen: Screen, measured):
    compared = 0
    screen.choose_head(5, 7)
    found = {name: said for name, *said in screen.page.evaluate(READ)}
    for layer in range(6):
        for head in range(8):
            title, rows, said = found[f"{layer}.{head}"]
            assert title == f"What layer {layer}, head {head} does"
            worn = badges(measured)[layer][head]
            assert [name for name, _, _ in rows] == [f"★ {r.name}" if r.name in worn else r.name for r in ROLES]
            for role, (_, score, chance) in zip(ROLES, rows):
                assert float(score) == pytest.approx(float(measured.scores[role.name][layer, head]), abs=6e-4)
                assert float(chance) == pytest.approx(measured.baselines[role.name], abs=6e-4)
                compared += 1
            assert said.startswith(f"Badge: {', '.join(worn)}." if worn else "No badge:")
    assert compared == 6 * 8 * len(ROLES)


def test_each_role_is_explained_with_its_source(screen: Screen):
    screen.page.click('[data-view="roles_view"] summary')
    told = screen.page.locator('[data-view="roles_view"] dd').all_text_contents()
    assert [text.startswith(role.sentence) and role.source in text for text, role in zip(told, ROLES)] == [True] * 8


def points(page) -> list[tuple]:
    """What the chart has: layer, head, across, up."""
    data = "([{ x, y, customdata }]) => customdata.map(([layer, head], i) => [layer, head, x[i], y[i]])"
    return page.evaluate(f"({data})(document.querySelector('[data-view=scatter_view] .hs-plot-area').data)")


def test_heads_by_two_scores_are_the_measurement_and_a_press_chooses_one(page, screen: Screen, measured):
    """On a page of its own, to which no other test has brought plotly."""
    view = page.locator('[data-view="scatter_view"]')
    asked = []
    page.on("request", lambda request: "plotly" in request.url and asked.append(request.url))
    page.wait_for_timeout(300)
    assert asked == []
    view.locator("summary").first.click()
    page.wait_for_selector('[data-view="scatter_view"] .hs-plot[data-drawn]')
    assert len(asked) == 1

    for across, up in (("previous token", "induction"), ("broad", "first token")):
        view.locator("select").nth(0).select_option(across)
        view.locator("select").nth(1).select_option(up)
        found = points(page)
        assert [tuple(place) for *place, _, _ in found] == [(layer, head) for layer in range(6) for head in range(8)]
        for layer, head, x, y in found:
            assert x == pytest.approx(float(measured.scores[across][layer, head]), abs=1e-3)
            assert y == pytest.approx(float(measured.scores[up][layer, head]), abs=1e-3)
    press = "([layer, head]) => document.querySelector('[data-view=scatter_view] .hs-plot-area')\
.emit('plotly_click', { points: [{ curveNumber: 0, pointNumber: 0, customdata: [layer, head] }] })"
    page.evaluate(press, [4, 6])
    page.wait_for_selector('text="What layer 4, head 6 does"')
    view.locator("summary").last.click()
    view.locator("table tr").nth(2).wait_for()
    assert [row[0] for row in rows_of(view.locator("table"))[1:3]] == ["L0 H0", "L0 H1"]


def test_one_score_may_be_what_switching_a_head_off_does_to_the_text(screen: Screen, measured, reference):
    page = screen.page
    view = page.locator('[data-view="scatter_view"]')
    if not view.locator("select").first.is_visible():
        view.locator("summary").first.click()
    page.wait_for_selector('[data-view="scatter_view"] .hs-plot[data-drawn]')
    across, up = view.locator("select").all()
    across.select_option("broad")
    before, held = points(page), []
    page.route("**/ask/head_effects", lambda route: held.append(route))
    up.select_option("loss when switched off")
    page.wait_for_selector('[data-view="scatter_view"] :text("Waiting for the measurement")')
    assert view.locator(".hs-plot[data-dim]").count() == 1 and points(page) == before
    held[0].continue_()
    page.wait_for_selector('[data-view="scatter_view"] .hs-plot:not([data-dim])')
    ids = torch.tensor([reference.ids(screen.prompt.input_value())])

    def loss(*edits) -> float:
        with torch.inference_mode(), intervene(reference.model, interventions(reference.model, edits)):
            return F.cross_entropy(reference.model(ids)[0, :-1], ids[0, 1:]).item()

    told = view.locator("[role=status]").first.inner_text()
    assert told.startswith(f"Your text's mean loss is {loss():.3f} nats per token.")
    found = points(page)
    assert len(found) == 6 * 8
    for layer, head, x, y in found[::5]:
        assert x == pytest.approx(float(measured.scores["broad"][layer, head]), abs=1e-3)
        assert y == pytest.approx(loss(Edit(what="head", layer=layer, head=head, how="zero")) - loss(), abs=1e-4)
    across.select_option("loss when switched off")
    assert all(x == y for *_, x, y in points(page)) and len(held) == 1
