"""What the page says a head does, against the measurement itself."""

import pytest

from llm_core.analysis.roles import ROLES, badges, head_roles

from ..screen import Screen, rows_of


@pytest.fixture(scope="module")
def measured(reference):
    return head_roles(reference.model, reference.tokenizer)


def test_every_head_shows_its_own_scores_and_badges(screen: Screen, measured):
    compared = 0
    for layer in range(6):
        for head in range(8):
            screen.choose_head(layer, head)
            assert screen.text_of('[data-view="roles_view"] h2') == f"What layer {layer}, head {head} does"
            rows = rows_of(screen.page.locator(".hs-roles"))[1:]
            worn = badges(measured)[layer][head]
            assert [name for name, _, _ in rows] == [f"★ {r.name}" if r.name in worn else r.name for r in ROLES]
            for role, (_, score, chance) in zip(ROLES, rows):
                assert float(score) == pytest.approx(float(measured.scores[role.name][layer, head]), abs=6e-4)
                assert float(chance) == pytest.approx(measured.baselines[role.name], abs=6e-4)
                compared += 1
            said = screen.text_of(".hs-badge-line")
            assert said.startswith(f"Badge: {', '.join(worn)}." if worn else "No badge:")
    assert compared == 6 * 8 * len(ROLES)


def test_each_role_is_explained_with_its_source(screen: Screen):
    screen.page.click('[data-view="roles_view"] summary')
    told = screen.page.locator('[data-view="roles_view"] dd').all_text_contents()
    assert [text.startswith(role.sentence) and role.source in text for text, role in zip(told, ROLES)] == [True] * 7
