"""The Generate page's pictures against torch: every number is what llm_core computes for the same text."""

import base64
import re
import threading
from queue import Queue

import numpy as np
import pytest
import torch
from gradio_client import Client

from explorer.questions.writing import SHOWN
from llm_core import generate, stream
from llm_core.generation.warping import Warping, draw, warp_logits

from ..reference import same
from ..writing import VIEW, Writer

TEXT = "How to Make a Paper Boat"
SETTINGS = {"temperature": 0.9, "top_k": 40, "top_p": 0.85, "seed": 7}
BENT = {name: SETTINGS[name] for name in ("temperature", "top_k", "top_p")}
ENDING = "Serve and enjoy."
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def number(shown: str) -> float:
    return float(shown.replace(",", ""))


def assert_choice_is(writer: Writer, reference, before: list[int], settings: dict, chosen: int | None = None) -> int:
    """Every number of the table against warp_logits; returns how many were compared."""
    warped = reference.warped(TEXT, before, **settings)
    stages = [warped.before, warped.after_temperature, warped.after_top_k, warped.after_top_p]
    ids = warped.before.topk(SHOWN).indices.tolist()
    ids += [chosen] if chosen is not None and chosen not in ids else []
    rows, struck = writer.choice()[: len(ids)], writer.struck()
    assert [row[0] for row in rows] == writer.names(reference.pieces(ids))
    compared, total = 0, 0.0
    for id, (_, *shown, sum_shown), gone in zip(ids, rows, struck):
        for s, text in enumerate(shown):
            assert gone[s] is (stages[s][id].item() == 0)
            if text != "–":  # struck is what it was before the step that removed it
                assert same(text, stages[s - 1 if gone[s] else s][id].item())
                compared += 1
        total += stages[3][id].item()
        if not gone[3] and id in ids[:SHOWN]:
            assert float(sum_shown) == pytest.approx(total, abs=1e-4)
            compared += 1
    others, left, removed = writer.foot()
    rest = torch.ones(8192, dtype=torch.bool).index_fill(0, torch.tensor(ids), False)
    assert number(others[0].split()[0]) == 8192 - len(ids)
    assert same(others[1], stages[0][rest].sum().item()) and same(others[2], stages[1][rest].sum().item())
    assert [number(text) for text in left[1:5]] == [int((stage > 0).sum()) for stage in stages]
    taken = [stages[1][stages[2] == 0].double().sum(), stages[2][stages[3] == 0].double().sum()]
    assert all(same(text, mass.item()) for text, mass in zip(removed[3:5], taken))
    return compared + 8


def test_the_choice_is_the_warped_distribution_after_every_step(writer: Writer, page, reference):
    new = reference.written(TEXT, 3, **SETTINGS)
    writer.set(**SETTINGS, tokens=3)
    writer.write(3)
    writer.wait_for_picture("chosen")
    compared = assert_choice_is(writer, reference, new[:2], BENT, new[2])
    writer.go_to(0)
    compared += assert_choice_is(writer, reference, [], BENT, new[0])
    asked = []
    writer.page.on("request", lambda request: asked.append(request.url))
    for settings in ({"temperature": 1.7, "top_k": 0, "top_p": 1.0}, {"temperature": 0.4, "top_k": 7, "top_p": 0.6}):
        writer.set(**settings)  # what comes next is drawn anew, without the server
        writer.wait_for_picture("next")
        compared += assert_choice_is(writer, reference, new[:1], {**settings, "top_k": settings["top_k"] or None})
    assert compared > 600 and asked == []


def test_the_number_that_will_be_drawn_says_which_token_comes_next(writer: Writer, reference):
    writer.set(temperature=1.5, top_p=1, seed=3)
    new = reference.written(TEXT, 4, temperature=1.5, seed=3)
    steps = stream(reference.model, reference.ids(TEXT), 4, temperature=1.5, seed=3)
    for count, step in enumerate(steps, start=1):
        writer.look_at("next")
        writer.page.wait_for_selector(f".hs-u:text-is('u = {step.u:.4f}')")  # the new seed's, after some frames
        from_, to = (float(text) for text in re.search(r"covers (\S+) to ([\d.]+) of", writer.said()).groups())
        p = step.warped.after_top_p[step.id].item()
        assert from_ <= step.u + 1e-4 and step.u <= to + 1e-4 and to - from_ == pytest.approx(p, abs=2e-4)
        drawn = writer.page.locator(".hs-choice tr.hs-drawn").get_attribute("data-id")
        assert int(drawn) == step.id == new[count - 1]
        writer.write(count, "step")
        writer.wait_for_picture("chosen")
        assert f"u = {step.u:.4f}" in writer.said()


def test_another_token_by_hand_begins_a_branch_and_the_tree_can_be_walked(writer: Writer, reference):
    first = reference.written(TEXT, 4, **SETTINGS)
    writer.set(**SETTINGS, tokens=4)
    writer.write(4)
    writer.wait_for_picture("chosen")
    writer.go_to(1)
    taken = next(id for id in reference.warped(TEXT, first[:1]).before.topk(5).indices.tolist() if id != first[1])
    writer.take(taken)
    assert writer.count() == 2 and "by hand" in writer.said()
    assert_choice_is(writer, reference, first[:1], BENT, taken)
    writer.write(6)
    ids = [*reference.ids(TEXT), first[0], taken]
    rest = [step.id for step in stream(reference.model, ids, 4, draws_before=2, **SETTINGS)]
    assert writer.written() == writer.labels(reference.pieces([first[0], taken, *rest]))

    shared, old, new = (
        "".join(writer.labels(reference.pieces(part))) for part in (first[:1], first[1:], [taken, *rest])
    )
    assert writer.tree_list() == f"{shared}[{old} | {new}]"
    writer.write(5, "undo")
    writer.write(6, "step")  # the same seed at the same depth: the same token
    assert writer.tree_list() == f"{shared}[{old} | {new}]"
    writer.wait_for_picture()
    for key, expected in (
        ("ArrowLeft", rest[2]),
        ("ArrowLeft", rest[1]),
        ("ArrowUp", first[3]),
        ("ArrowLeft", first[2]),
    ):
        writer.page.locator(".hs-tree [aria-current]").press(key)
        writer.next_frame()
        assert writer.here() == writer.labels(reference.pieces([expected]))[0]
    assert writer.written() == writer.labels(reference.pieces(first[:3]))
    assert writer.page.evaluate("document.activeElement.getAttribute('aria-current')") == "true"


def test_the_newest_tokens_attention_and_the_cache_are_those_of_a_recorded_forward(writer: Writer, reference):
    new = reference.written(TEXT, 5, **SETTINGS)
    whole = torch.tensor([[*reference.ids(TEXT), *new]])
    writer.set(**SETTINGS, tokens=5)
    writer.write(5)
    writer.wait_for_picture("chosen")
    with torch.inference_mode():
        trace = reference.trace(TEXT + reference.tokenizer.decode(new))
    T, compared = whole.shape[1], 0
    assert trace["logits"].shape[1] == T  # written and read, it is the same tokens
    for layer, head in ((0, 0), (2, 5), (5, 7)):
        for name, index in (("layer", layer), ("head", head)):
            writer.page.click(f'#generate-looks button[data-name="{name}"][data-index="{index}"]')
        writer.next_frame()
        shares = writer.page.locator("#generate-looks .hs-token").evaluate_all("all => all.map(e => e.dataset.share)")
        expected = trace.attention(layer)[0, head, -1]
        assert [float(share) for share in shares] == pytest.approx(expected.tolist(), abs=2e-5)
        assert f"blocks.{layer}.attn.pattern[0, {head}, -1]" in writer.text_of(
            "#generate-looks code, #generate-looks .hs-number"
        )
        compared += len(shares)
    assert compared == 3 * T
    said = writer.text_of("#generate-kv p")
    assert f"the {T - 1} earlier ones are reused" in said
    assert f"{round(T * 2 * 6 * 256 * 4 / 1024)} KiB" in said
    writer.page.click("#time-cache")
    writer.page.wait_for_selector("#generate-kv .hs-curve")
    assert re.match(
        rf"32 tokens after {T}: .+ with the cache, .+ without, .+ Both wrote the same tokens\.",
        writer.text_of(".hs-times"),
    )


def test_strategies_stand_side_by_side_and_go_into_the_tree(writer: Writer, reference):
    writer.set(seed=5, tokens=12)
    writer.page.click("#compare-strategies")
    writer.page.wait_for_selector(f'{VIEW}[data-strategies="7"][data-working="false"]')
    cards = writer.page.locator(".hs-strategy").evaluate_all(
        "all => all.map(c => [c.querySelector('h3').textContent, c.querySelector('.hs-strategy-text').textContent, "
        "...[...c.querySelectorAll('dd')].map(d => d.textContent)])"
    )
    ways = {"Greedy": {"temperature": 0}, "Temperature 1.5": {"temperature": 1.5}, "Top-k 40": {"top_k": 40}}
    names = [card[0] for card in cards]
    assert len(names) == 7 and names[-1] == "Beam search"
    for name, settings in ways.items():
        _, text, logprob, per_token, *_ = cards[names.index(name)]
        new = reference.written(TEXT, 12, seed=5, **settings)
        words = [id for id in new if not reference.tokenizer.is_special(id)]
        assert text == reference.tokenizer.decode(words)
        before = [reference.warped(TEXT, new[:i]).before[id].log().item() for i, id in enumerate(new)]
        assert float(logprob) == pytest.approx(sum(before), abs=0.0051)
        assert float(per_token) == pytest.approx(sum(before) / len(new), abs=0.00051)
    greedy = reference.written(TEXT, 12, temperature=0)
    writer.page.click('.hs-strategy[data-name="Greedy"] button')
    writer.wait_for_written(len(greedy))
    assert writer.written() == writer.labels(reference.pieces(greedy))


def test_the_end_of_a_text_loses_nothing_and_a_phone_holds_the_page(writer: Writer, page, reference):
    end = reference.tokenizer.end
    assert end in reference.warped(ENDING, []).before.topk(SHOWN).indices
    writer.page.set_viewport_size({"width": 390, "height": 844})
    writer.prompt.fill(ENDING)
    writer.page.wait_for_function("(text) => document.querySelector('.hs-before').textContent === text", arg=ENDING)
    writer.wait_for_picture("next")
    writer.take(end)
    assert writer.written() == ["end"] and "The model has ended its text here" in writer.text_of(".hs-state")
    writer.page.click("#write")
    assert writer.problem("generate_view").startswith("The model has ended this text: undo, choose another token")
    assert writer.written() == ["end"]
    writer.write(0, "undo")
    assert not writer.has_problem()
    writer.set(temperature=0, tokens=3)
    writer.write(3)
    writer.wait_for_picture("chosen")
    assert writer.page.evaluate(TOO_WIDE) <= 0
    writer.page.click("#compare-strategies")
    writer.page.wait_for_selector(f'{VIEW}[data-strategies="7"][data-working="false"]')
    assert writer.page.evaluate(TOO_WIDE) <= 0
    writer.prompt.fill(" ")
    writer.page.wait_for_function("document.querySelector('.hs-state').textContent.includes('There is no text')")


# modules

LOGITS = 3 * torch.randn(1, 300, generator=torch.Generator().manual_seed(4))
WAYS = [(1, None, None), (0.6, None, 0.9), (1.8, 25, 1.0), (1.2, 40, 0.7), (0, None, None), (0.02, None, 0.99)]
FLOATS = "new Float32Array(buffer(logits))"


def packed(values: torch.Tensor) -> str:
    return base64.b64encode(values.numpy().astype("<f4").tobytes()).decode()


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_warp_is_warp_logits_and_pick_is_draw(js, way):
    logits, ids = LOGITS[0].sort(descending=True)
    settings = dict(zip(("temperature", "top_k", "top_p"), way))
    found = js(
        "generate/warp",
        f"({{ warp }}, logits, settings) => {{ const w = warp({FLOATS}, settings); "
        "return { stages: w.stages.map((s) => [...s]), left: w.left, removed: w.removed }; }",
        packed(logits), settings,
    )  # fmt: skip
    warped = warp_logits(LOGITS, *way).row(0)
    stages = [warped.before, warped.after_temperature, warped.after_top_k, warped.after_top_p]
    for got, expected in zip(found["stages"], stages):
        assert np.abs(np.array(got) - expected[ids].numpy()).max() < 1e-6
    assert found["left"][2:] == [int((stage > 0).sum()) for stage in stages[2:]] or way[0] < 0.1
    if way[0] == 0:
        return
    us = torch.linspace(0, 0.999, 60)
    places = js(
        "generate/warp",
        f"({{ warp, pick }}, logits, settings, us) => us.map((u) => pick(warp({FLOATS}, settings).stages[3], u).index)",
        packed(logits), settings, us.tolist(),
    )  # fmt: skip
    assert [ids[i].item() for i in places] == [int(draw(LOGITS, u.view(1, 1), Warping(*way))) for u in us]


TREE = """({ Tree, rows, neighbour, MOST }) => {
    const tree = new Tree("text");
    const add = (parent, id) => tree.add(parent, { id }, { how: "draw" });
    const a = add(tree.root, 1), b = add(a, 2), c = add(a, 3), d = add(c, 4);
    const same = add(a, 2) === b;
    tree.go(d);
    const ids = tree.ids();
    const drawn = rows(tree).map(({ node, row }) => [node.token?.id ?? 0, row]);
    const steps = [[d, "ArrowLeft"], [c, "ArrowUp"], [d, "ArrowRight"]];
    const walk = steps.map(([from, key]) => neighbour(tree, from, key)?.token.id ?? null);
    tree.go(a);
    const ahead = tree.ahead().map(({ token }) => token.id);
    for (let i = 0; i < MOST + 50; i++) tree.go(add(tree.root, 100 + i));
    return { same, ids, drawn, walk, ahead, size: tree.size, nodes: tree.nodes().length, last: tree.at.token.id, MOST };
}"""


def test_a_tree_shares_beginnings_and_forgets_its_oldest_tips(js):
    found = js("generate/tree", TREE)
    assert found["same"] is True and found["ids"] == [1, 3, 4]
    assert found["drawn"] == [[0, 0], [1, 0], [2, 0], [3, 1], [4, 1]]
    assert found["walk"] == [3, 2, None] and found["ahead"] == [3, 4]
    assert found["size"] == found["nodes"] == found["MOST"]
    assert found["last"] == 100 + found["MOST"] + 49


def test_whatever_is_typed_becomes_a_number_inside_the_limits(js):
    typed = ["", "-5", "100000", "1.55", "x", "NaN", "1e400"]
    found = js(
        "generate/settings",
        "({ SETTINGS, clamped }, typed) => SETTINGS.map((s) => typed.map((t) => clamped(s, t)))",
        typed,
    )
    assert found == [
        [0.8, 0, 2, 1.55, 0.8, 0.8, 0.8],
        [0, 0, 200, 2, 0, 0, 0],
        [0.95, 0.05, 1, 1, 0.95, 0.95, 0.95],
        [60, 1, 200, 2, 60, 60, 60],
    ]


# for programs


@pytest.fixture(scope="module")
def client(app) -> Client:
    return Client(app.url, verbose=False)


def test_the_pages_work_is_offered_to_programs(client: Client, reference):
    text = client.predict(TEXT, 8, 0.9, 40, 0.85, 7, api_name="/generate_text")
    new = reference.written(TEXT, 8, **SETTINGS)
    assert text == reference.tokenizer.decode([id for id in new if not reference.tokenizer.is_special(id)])
    told = client.predict(TEXT, 0.9, 40, 0.85, api_name="/next_token")
    warped = reference.warped(TEXT, [], **BENT)
    for token in told["tokens"]:
        assert token["after_top_p"] == pytest.approx(warped.after_top_p[token["id"]].item(), abs=1e-5)
    lines = client.predict(TEXT, 5, 3, api_name="/strategies")
    assert lines[0]["text"] == reference.tokenizer.decode(reference.written(TEXT, 5, temperature=0))
    with pytest.raises(Exception, match=r"temperature=-1\.0: must be a finite number"):
        client.predict(TEXT, 5, -1.0, api_name="/generate_text")


def test_eight_users_write_at_once_and_nobody_waits_for_another_to_finish(app, client: Client, reference):
    """Each text is its own, and every user has a token before the first one is done."""
    heard, count, seeds = Queue(), 60, range(10, 18)  # with seed 7 a number falls 5e-7 beside a token's bound
    jobs = [
        client.submit(f"{i} ways to fold", count, 0.8, 0, 0.95, seeds[i], api_name="/generate_text") for i in range(8)
    ]

    def listen(i: int) -> None:
        for text in jobs[i]:
            heard.put((i, text))
        heard.put((i, None))

    threads = [threading.Thread(target=listen, args=[i]) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    order = [heard.get() for _ in range(heard.qsize())]
    first_done = next(at for at, (_, text) in enumerate(order) if text is None)
    assert {i for i, _ in order[:first_done]} == set(range(8))
    for i, job in enumerate(jobs):
        ids = reference.ids(f"{i} ways to fold")
        new = generate(reference.model, [ids], count, 0.8, None, 0.95, seeds[i], reference.tokenizer.end)[0][len(ids) :]
        assert job.outputs()[-1] == reference.tokenizer.decode(
            [id for id in new if not reference.tokenizer.is_special(id)]
        )
