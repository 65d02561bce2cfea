"""The logit lens on the page, against the streams that torch gives for the same text."""

import pytest
import torch
from torch.nn import functional as F

from ..reference import Reference
from ..screen import Screen

TEXT = "How to Wash a Red Cup\n1. Fill the cup with warm water and wash the cup"
MAY_STAY = ("lens_view",)
L = 6
HALF = {"probability": 0.0005, "entropy": 0.005, "kl": 0.005}

READ_CELLS = """[...document.querySelectorAll('.hs-lens tr')].slice(1).map((tr) => [...tr.querySelectorAll('td')].map(
    (td) => [td.children[0].textContent, td.children[1].textContent, td.className]))"""
READ_OPENED = """(() => {
    const cell = document.querySelector('.hs-lens-cell');
    const texts = (root, what) => [...root.querySelectorAll(what)].map((element) => element.textContent);
    const way = document.querySelector('.hs-lens-column');
    return {
        title: cell.querySelector('h3').textContent,
        names: texts(cell, '.hs-bar-name'), probabilities: texts(cell, 'li .hs-number'),
        entropy: cell.querySelector('.hs-entropy').textContent, kl: cell.querySelector('.hs-kl').textContent,
        choice: way.querySelector('p').textContent, way: texts(way, '.hs-number'), ranks: texts(way, '.hs-rank'),
    };
})()"""


class Lens:
    """Of every row and place: (L+1, T, V)."""

    def __init__(self, reference: Reference):
        model, trace = reference.model, reference.trace(TEXT)
        self.ids = reference.ids(TEXT)
        streams = torch.cat([trace["embedding.sum"], *[trace[f"blocks.{i}.resid_post"] for i in range(L)]])
        norm = model.ln_f
        with torch.no_grad():
            normed = F.layer_norm(streams, streams.shape[-1:], norm.weight, norm.bias, norm.eps)
            self.log_p = (normed @ model.lm_head.weight.T).log_softmax(-1)
        self.p = self.log_p.exp()
        self.logits = trace["logits"][0]

    def measures(self) -> dict[str, torch.Tensor]:
        """(L+1, T) each."""
        kl = F.kl_div(self.log_p, self.log_p[-1:].expand_as(self.p), reduction="none", log_target=True).sum(-1)
        entropy = torch.distributions.Categorical(logits=self.log_p).entropy()
        return {"probability": self.p.amax(-1), "entropy": entropy, "kl": kl}


@pytest.fixture(scope="module")
def lens(reference) -> Lens:
    return Lens(reference)


@pytest.fixture
def opened(screen: Screen) -> Screen:
    screen.choose_panel("lens")
    screen.run(TEXT)
    wait_for_lens(screen)
    return screen


def wait_for_lens(screen: Screen) -> None:
    screen.page.wait_for_selector(f'[data-view="lens_view"][data-seq="{screen.seq()}"]')
    screen.next_frame()


def close(shown: str, expected: float, half: float) -> bool:
    if shown.startswith("<"):
        return expected < float(shown[1:]) / 2 + 2e-5
    return abs(float(shown) - expected) <= half + 2e-4 * max(1, expected)


def test_every_cell_shows_its_token_and_each_measure(opened: Screen, lens: Lens, reference):
    compared = 0
    best = lens.p.argmax(-1)  # (L+1, T)
    names = opened.names(reference.pieces(best.flatten().tolist()))
    for measure, expected in lens.measures().items():
        if measure != "probability":
            opened.page.click(f'[data-view="lens_view"] button[data-name="{measure}"]')
            opened.point_away()
        cells = opened.page.evaluate(READ_CELLS)
        assert [len(row) for row in cells] == [len(lens.ids)] * (L + 1)
        for i, (shown, number, kind) in enumerate(cell for row in cells for cell in row):
            row, place = divmod(i, len(lens.ids))
            token = best[row, place]
            is_next = place + 1 < len(lens.ids) and token == lens.ids[place + 1]
            assert shown == ("✓ " if is_next else "") + (names[i].strip() or "␣")
            assert ("hs-final" in kind) == (token == best[-1, place])
            assert close(number, expected[row, place].item(), HALF[measure]), (measure, row, place)
            compared += 1
    assert compared >= 400
    assert (lens.p[-1] - lens.logits.softmax(-1)).abs().max() < 1e-5  # the row that the page calls the model's own


def test_a_cell_opens_to_its_distribution_and_its_column(opened: Screen, lens: Lens, reference):
    compared = 0
    for row, place in ((3, 8), (0, 14), (6, 14)):
        opened.page.click(f"#hs-lens-{row}-{place}")
        opened.point_away()
        shown = opened.page.evaluate(READ_OPENED)
        assert (f"layer {row - 1}" if row else "embedding") in shown["title"]
        assert ("the model's own prediction" in shown["title"]) == (row == L)
        best = lens.p[row, place].topk(10)
        assert shown["names"] == opened.names(reference.pieces(best.indices.tolist()))
        for number, p in zip(shown["probabilities"], best.values.tolist()):
            assert close(number, p, 0.0005)
        for measure in ("entropy", "kl"):
            assert close(shown[measure], lens.measures()[measure][row, place].item(), 0.0005)
        choice, actual = lens.logits[place].argmax().item(), lens.ids[place + 1]
        followed = [choice] if choice == actual else [choice, actual]
        expected = lens.p[:, place, followed]  # (L+1, 1 or 2)
        assert len(shown["way"]) == len(shown["ranks"]) == expected.numel()
        ranks = (lens.p[:, place, None, :] > expected[..., None]).sum(-1) + 1
        for number, rank, p, r in zip(shown["way"], shown["ranks"], expected.flatten(), ranks.flatten()):
            assert close(number, p.item(), 0.0005)
            assert abs(int(rank.removeprefix("rank ").replace(",", "")) - r) <= 1  # near ties
        tops = lens.p[:, place].argmax(-1).tolist()
        assert (f"after layer {tops.index(choice) - 1}" if tops.index(choice) < L else "only after the last") in shown[
            "choice"
        ]
        compared += 12 + 2 * expected.numel()
    assert compared >= 60
    assert "query=14" in opened.address() and "layer=5" in opened.address()


def test_arrows_walk_through_the_cells_and_a_link_opens_the_same(opened: Screen, app):
    opened.page.click("#hs-lens-1-2")
    opened.point_away()
    opened.page.focus(".hs-lens")
    for key in ("ArrowUp", "ArrowUp", "ArrowRight"):
        opened.page.keyboard.press(key)
    opened.next_frame()
    shown = opened.page.evaluate(READ_OPENED)
    assert shown["title"].startswith("At the embedding")
    assert opened.page.get_attribute(".hs-lens", "aria-activedescendant") == "hs-lens-0-3"
    link = opened.address()
    assert "depth=embedding" in link and "query=3" in link
    opened.page.goto(f"{app.url}?{link}")
    opened.page.wait_for_function("globalThis.headscope?.seq === 2")
    wait_for_lens(opened)
    assert opened.page.evaluate(READ_OPENED) == shown


COLUMN = """({ firstOnTop, firstSentence }, tops) => {
    const N = tops.length;
    const zeros = (...shape) => ({ data: new Float32Array(N), shape });
    const ids = { data: tops, shape: [N, 1, 1] };
    const arrays = { lens_ids: ids, lens_probs: zeros(N, 1, 1), entropy: zeros(N, 1), kl: zeros(N, 1) };
    return [firstOnTop, firstSentence].map((of) => of({ pieces: {}, arrays }, 0));
}"""


@pytest.mark.parametrize(
    ("tops", "first", "stays", "sentence"),
    [
        ([5, 4, 3, 7], 3, 3, "only after the last layer"),
        ([5, 7, 7, 7], 1, 1, "after layer 0 and stays there"),
        ([5, 7, 3, 7], 1, 3, "first reaches the top after layer 0, and stays there from layer 2 on"),
        ([7, 7, 7, 7], 0, 0, "at the embedding and stays there"),
        ([7, 3, 3, 7], 0, 3, "first reaches the top at the embedding, and stays there from layer 2 on"),
    ],
)
def test_where_the_models_choice_comes_on_top(js, tops, first, stays, sentence):
    found, said = js("lens/lens", COLUMN, tops)
    assert found == {"first": first, "stays": stays} and sentence in said
