"""A logit as a sum on the page, against a recomputation from weights and recorded vectors; and typed tokens."""

import json
import math
from urllib.request import Request, urlopen

import pytest
import torch

from ..reference import Reference
from ..screen import Screen

TEXT = "How to Wash a Red Cup\n1. Fill the cup with warm water and wash the cup"
MAY_STAY = ("residual_view",)
L, H, D = 6, 8, 32
NO_MINUS = str.maketrans("−", "-")

READ = """(() => {
    const cells = (tr) => [...tr.children].map((cell) => cell.textContent);
    const rows = (table) => [...document.querySelectorAll(`${table} tr`)].slice(1).map(cells);
    const text = (what) => document.querySelector(`[data-view="residual_view"] ${what}`).textContent;
    return {
        sum: rows('.hs-waterfall'), heads: rows('.hs-shares'), lengths: rows('.hs-lengths'),
        total: text('.hs-total'), logit: text('.hs-logit'), head: text('.hs-cell .hs-number'),
    };
})()"""


class Shares:
    """What each part adds to the logit of a token at a place, float64, from the weights and the recorded vectors."""

    def __init__(self, reference: Reference):
        self.model, self.trace = reference.model, reference.trace(TEXT)
        self.ids, self.logits = reference.ids(TEXT), self.trace["logits"][0]

    def vector(self, name: str, place: int) -> torch.Tensor:
        return self.trace[name].reshape(-1, self.trace[name].shape[-2], H * D)[0, place].double()

    def share(self, written: torch.Tensor, place: int, token: int) -> float:
        """The final norm, its scale held, then the token's row of lm_head."""
        norm, end = self.model.ln_f, self.vector(f"blocks.{L - 1}.resid_post", place)
        normed = (written - written.mean()) / (end.var(unbiased=False) + norm.eps).sqrt() * norm.weight.double()
        return (normed @ self.model.lm_head.weight[token].double()).item()

    def head(self, layer: int, head: int, place: int, token: int) -> float:
        pattern = self.trace[f"blocks.{layer}.attn.pattern"][0, head, place].double()
        z = pattern @ self.trace[f"blocks.{layer}.attn.v"][0, head].double()  # (D,)
        columns = self.model.blocks[layer].attn.out_proj.weight[:, head * D : (head + 1) * D].double()
        return self.share(columns @ z, place, token)

    def grid(self, place: int, token: int) -> list[float]:
        """A row for each layer: heads, bias, MLP."""
        rows = []
        for i in range(L):
            others = self.model.blocks[i].attn.out_proj.bias.double(), self.vector(f"blocks.{i}.mlp.out", place)
            rows += [self.head(i, h, place, token) for h in range(H)]
            rows += [self.share(written, place, token) for written in others]
        return rows

    def steps(self, place: int, token: int) -> list[float]:
        """Token, position, attention and MLP of each layer, norm bias."""
        names = ["embedding.token", "embedding.position"]
        names += [f"blocks.{i}.{part}.out" for i in range(L) for part in ("attn", "mlp")]
        bias = (self.model.ln_f.bias.double() @ self.model.lm_head.weight[token].double()).item()
        return [*[self.share(self.vector(name, place), place, token) for name in names], bias]

    def lengths(self, place: int) -> list[float]:
        """Column after column of the page's table: what is added, and the stream after it."""
        layers = [f"blocks.{i}.{part}" for i in range(L) for part in ("attn.out", "resid_mid", "mlp.out", "resid_post")]
        names = ["embedding.token", "embedding.position", "embedding.sum", *layers]
        return [self.vector(name, place).norm().item() for name in names]


@pytest.fixture(scope="module")
def shares(reference) -> Shares:
    return Shares(reference)


@pytest.fixture
def opened(screen: Screen) -> Screen:
    screen.choose_panel("residual")
    screen.run(TEXT)
    wait_for_it(screen)
    return screen


def wait_for_it(screen: Screen) -> None:
    screen.page.wait_for_selector(f'[data-view="residual_view"][data-seq="{screen.seq()}"]')
    screen.next_frame()


def number(text: str) -> float:
    return float(text.translate(NO_MINUS))


def choose(screen: Screen, name: str, value: str) -> None:
    screen.page.select_option(f'select[data-name="{name}"]', value)
    screen.next_frame()


def explain(screen: Screen, token: str) -> None:
    screen.page.fill(".hs-residual-ask input", token)
    screen.page.click(".hs-residual-ask button")
    screen.page.wait_for_selector('.hs-residual-ask form[data-busy="false"]')
    screen.point_away()


@torch.no_grad()
def compare(screen: Screen, shares: Shares, place: int, token: int, other: int | None = None) -> int:
    """All numbers of the view against the recomputation; how many were compared."""
    shown = screen.page.evaluate(READ)

    def less(of) -> list[float]:
        return [a - b for a, b in zip(of(token), of(other))] if other is not None else of(token)

    steps = less(lambda token: shares.steps(place, token))
    logit = less(lambda token: [shares.logits[place, token].item()])[0]
    added, sums = [number(row[2]) for row in shown["sum"][:-1]], [number(row[3]) for row in shown["sum"]]
    assert added == pytest.approx(steps, abs=0.0005 + 1e-4)
    assert sums == pytest.approx([*torch.tensor(steps).cumsum(0).tolist(), logit], abs=0.0005 + 2e-4)
    assert sum(added) == pytest.approx(logit, abs=len(added) * 0.0005 + 1e-3)  # as displayed, they sum to the logit
    assert sums[-2] == sums[-1] == number(shown["logit"]) == number(shown["total"])
    grid = [number(cell) for row in shown["heads"] for cell in row[1:]]
    assert grid == pytest.approx(less(lambda token: shares.grid(place, token)), abs=0.005 + 1e-4)
    layer, head = screen.page.evaluate("[headscope.focus.locked.layer, headscope.focus.locked.head]")
    one = less(lambda token: [shares.head(layer, head, place, token)])[0]
    assert number(shown["head"]) == pytest.approx(one, abs=0.00005 + 1e-4)
    lengths = [float(cell) for row in shown["lengths"] for cell in row[1:] if cell]
    assert lengths == pytest.approx(shares.lengths(place), abs=0.005 + 1e-3)
    return len(added) + len(sums) + len(grid) + len(lengths) + 3


def test_the_parts_on_the_page_are_those_of_the_model_and_sum_to_the_logit(opened: Screen, shares: Shares):
    last = len(shares.ids) - 1
    best = shares.logits[last].topk(20).indices.tolist()
    compared = compare(opened, shares, last, best[0])  # what stands there at first
    opened.choose_token(9)
    opened.page.click("#hs-share-4-2")
    opened.point_away()
    best = shares.logits[9].topk(20).indices.tolist()
    compared += compare(opened, shares, 9, best[0])
    assert "Layer 4, head 2" in opened.text_of('[data-view="residual_view"] .hs-cell')
    choose(opened, "target", "20")
    compared += compare(opened, shares, 9, best[19])
    choose(opened, "target", "next")
    choose(opened, "against", "2")
    compared += compare(opened, shares, 9, shares.ids[10], best[1])
    assert compared >= 400
    address = opened.address()
    assert all(part in address for part in ("target=next", "against=2", "layer=4", "head=2", "query=9"))


def test_a_typed_token_is_asked_once_for_all_places(opened: Screen, shares: Shares, reference):
    explain(opened, "water")
    token = opened.page.evaluate("headscope.focus.locked.typed")
    assert reference.pieces([token])[0].strip() == "water"
    last = len(shares.ids) - 1
    assert compare(opened, shares, last, token) > 100
    asked = []
    opened.page.on("request", lambda request: asked.append(request.url))
    opened.choose_token(3)
    choose(opened, "against", "1")
    assert compare(opened, shares, 3, token, shares.logits[3].argmax().item()) > 100
    assert asked == []
    ratio = math.exp(abs(number(opened.page.evaluate(READ)["logit"])))
    said = opened.text_of('[data-view="residual_view"] p[aria-live]').rpartition("is ")[2]
    assert float(said.split(" times")[0].replace(",", "")) == pytest.approx(ratio, rel=0.01)


def test_what_is_no_token_gets_one_sentence_and_the_picture_stays(opened: Screen):
    before = opened.page.evaluate(READ)
    for typed, said in {
        "supercalifragilistic": "“supercalifragilistic” is not one token but 6: “ super”",
        "<img src=x onerror=alert(1)>": "“<img src=x onerror=alert(1)>” is not one token",
        " ": "Type a token: a word, or a part of one.",
    }.items():
        explain(opened, typed)
        assert said in opened.text_of('[data-view="residual_view"] .hs-problem')
        assert opened.page.evaluate(READ) == before
    explain(opened, "water")
    assert not opened.page.locator('[data-view="residual_view"] .hs-problem').is_visible()


def test_a_link_opens_the_typed_token_and_the_same_numbers(opened: Screen, app):
    explain(opened, "water")
    opened.choose_token(5)
    shown, link = opened.page.evaluate(READ), opened.address()
    assert "target=typed" in link and "typed=" in link
    opened.page.goto(f"{app.url}?{link}")
    opened.page.wait_for_function("globalThis.headscope?.seq === 2")
    wait_for_it(opened)
    opened.page.wait_for_selector('option[value="typed"]', state="attached")
    opened.next_frame()
    assert opened.page.evaluate(READ) == shown


def test_the_api_gives_the_same_sum(app, shares: Shares):
    answer = call(app, "attribution", TEXT, " water", 3, "")
    assert answer["place"] == 3 and answer["logit"] == pytest.approx(shares.logits[3, answer["id"]].item(), abs=1e-4)
    layers = [*answer["attention_bias"], *answer["mlps"], *[share for layer in answer["heads"] for share in layer]]
    total = sum(layers) + answer["token"] + answer["position"] + answer["norm_bias"]
    assert total == pytest.approx(answer["logit"], abs=1e-4)
    with torch.no_grad():
        assert answer["heads"][4][2] == pytest.approx(shares.head(4, 2, 3, answer["id"]), abs=1e-5)


def call(app, name: str, *given):
    """One of the app's documented functions, as any HTTP client calls it."""
    address = f"{app.url}gradio_api/call/{name}"
    asked = Request(address, json.dumps({"data": given}).encode(), {"Content-Type": "application/json"})
    with urlopen(asked) as answer:
        event = json.load(answer)["event_id"]
    with urlopen(f"{address}/{event}") as answer:
        lines = answer.read().decode().splitlines()
    assert "event: complete" in lines, lines
    return json.loads(lines[lines.index("event: complete") + 1].removeprefix("data: "))[0]
