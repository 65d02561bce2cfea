"""The page "Check your code": what stands in a report stands on the screen, and nothing in a report does anything."""

import json
import re
from copy import deepcopy

import httpx
import pytest
import torch
from gradio_client import Client
from playwright.sync_api import Page

from ...homework.example import PLACE
from ..modules import Modules
from ..serving import App

EXAMPLE = json.loads(PLACE.read_text(encoding="utf-8"))
WORDS = {"passed": "right", "failed": "wrong", "not started": "not started"}
TEXT = "How to keep a cat warm in winter"  # whose attention reports show
EVIL = '<img src=x onerror="document.title=1">${1+1}{{2}}'
RTL = "שלום\u202egnp.‮🙂.py"


def changed(**changes) -> dict:
    """The example with parts replaced: ``blocks__1__line__text="x"``."""
    report = deepcopy(EXAMPLE)
    for path, value in changes.items():
        *way, last = [int(part) if part.isdigit() else part for part in path.split("__")]
        part = report
        for step in way:
            part = part[step]
        part[last] = value
    return report


def block(name: str) -> dict:
    return next(block for block in EXAMPLE["blocks"] if block["name"] == name)


# --- reading a report: pure ----------------------------------------------------------------------------------------


def test_a_report_is_read_as_it_was_written(js: Modules):
    read = js("check/report", "({readReport}, text) => readReport(text)", json.dumps(EXAMPLE))
    assert read == {name: value for name, value in EXAMPLE.items() if name not in ("format", "version")}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_a_report_is_read_in_the_encodings_that_shells_write(js: Modules, encoding):
    text = changed(file="naïve 🙂.py")
    data = ("\ufeff" if encoding == "utf-16-be" else "") + json.dumps(text, ensure_ascii=False)
    code = "({decode, readReport}, bytes) => readReport(decode(Uint8Array.from(bytes).buffer)).file"
    assert js("check/report", code, list(data.encode(encoding))) == "naïve 🙂.py"


NOT_REPORTS = {
    "nothing": "",
    "Python": "class Embedding: pass",
    "cut off": json.dumps(EXAMPLE)[:-3],
    "Python's NaN": json.dumps(changed(seconds=float("nan"))),
    "deep": "[" * 100_000,
    "a list": "[]",
    "null": "null",
    "another JSON": '{"format": "notebook"}',
    "another version": json.dumps(changed(version=2)),
    "no blocks, and no reason": json.dumps(changed(blocks=[])),
    "points that do not add up": json.dumps(changed(points=11)),
    "points of a liar": json.dumps(changed(blocks__1__points=99)),
    "blocks that are no list": json.dumps(changed(blocks={"length": 3})),
    "too many blocks": json.dumps(changed(blocks=EXAMPLE["blocks"] * 2)),
    "an unknown status": json.dumps(changed(blocks__1__status="__proto__")),
    "a sentence that is an object": json.dumps(changed(blocks__1__sentence={"toString": 1})),
    "an endless title": json.dumps(changed(blocks__1__title="x" * 5000)),
    "a word among numbers": json.dumps(changed(blocks__1__difference__found=[["1"] * 8] * 7)),
    "a row too few": json.dumps(changed(blocks__1__difference__found=block("attention")["difference"]["found"][1:])),
    "a ragged row": json.dumps(changed(blocks__1__patterns__expected__3=[0.5])),
    "a flag that is a number": json.dumps(changed(blocks__1__difference__differs__0__0=1)),
    "a huge tensor": json.dumps(changed(blocks__1__difference__rows=["r"] * 17)),
    "an empty tensor": json.dumps(changed(blocks__1__difference__columns=[])),
    "a line that is text": json.dumps(changed(blocks__1__line="x = 1")),
}


def test_what_is_no_report_is_told_in_one_sentence(js: Modules):
    code = """({readReport}, texts) => texts.map((text) => {
        try { readReport(text); return "read"; } catch (problem) { return `${problem.name}: ${problem.message}`; }
    })"""
    told = dict(zip(NOT_REPORTS, js("check/report", code, list(NOT_REPORTS.values()))))
    for name, sentence in told.items():
        assert sentence.startswith("Error: This "), (name, sentence)
        assert len(sentence) < 220, name
    assert "blocks[1].difference.found[0][0] should be a number" in told["a word among numbers"]
    assert "blocks[1].points should be a whole number from 0 to 11" in told["points of a liar"]


def test_unknown_fields_are_left_behind_and_missing_ones_that_may_be_are_null(js: Modules):
    report = changed(blocks__0__onclick="x", more=1)
    del report["blocks"][0]["line"]
    code = "({readReport}, text) => readReport(text)"
    read = js("check/report", code, json.dumps(report)[:-1] + ', "__proto__": {"evil": 1}}')
    assert "more" not in read and "evil" not in read and "onclick" not in read["blocks"][0]
    assert read["blocks"][0]["line"] is None


def test_a_file_that_is_too_large_is_not_read(js: Modules):
    code = "({checkSize}, size) => { try { checkSize(size); return null; } catch ({message}) { return message; } }"
    assert js("check/report", code, 2_000_000) is None
    assert js("check/report", code, 3_210_000).startswith("This file is too large for a report: it is 3.2 MB")


@pytest.mark.parametrize(
    "value, whole, shown",
    [(0.5, 0, ".50"), (-0.125, 0, "-.13"), (-0.001, 0, ".00"), (1, 0, "1.00"), (31.26, 0, "31.3"), (-123.4, 0, "-123"),
     (5, 1, "5"), (123456, 1, "1e5"), (None, 0, "")],
)  # fmt: skip
def test_numbers_in_cells(js: Modules, value, whole, shown):
    assert js("check/words", "({short}, value, whole) => short(value, whole)", value, bool(whole)) == shown


def test_rows_in_wrong_places_are_named(js: Modules):
    x = torch.arange(24.0).reshape(3, 8)  # one text of 3 tokens, C = 8, H = 2
    right, wrong = x.view(3, 2, 4).transpose(0, 1)[0], x.reshape(2, 3, 4)[0]
    given = {"rows": ["0", "1", "2"], "expected": right.tolist(), "found": wrong.tolist()}
    told = js("check/words", "({displaced}, given) => displaced(given)", given)
    assert told == "The right numbers are in the wrong place: your row 2 is what row 1 should be."
    given["found"] = [[1.0, 1, 1, 1]] * 3
    assert js("check/words", "({displaced}, given) => displaced(given)", given) == ""


# --- on the page -----------------------------------------------------------------------------------------------------


@pytest.fixture
def checker(page: Page, app: App) -> Page:
    return opened(page, app.url)


def opened(page: Page, url: str) -> Page:
    page.set_default_timeout(60_000)
    page.goto(f"{url}?view=check")
    page.wait_for_selector('[data-view="check_view"][data-ready="true"]')
    return page


def give(page: Page, content: str | bytes, name: str = "report.json", accept: str = ".json") -> None:
    data = content if isinstance(content, bytes) else content.encode()
    page.set_input_files(
        f'.hs-checker input[accept^="{accept}"]', {"name": name, "mimeType": "text/plain", "buffer": data}
    )


def show(page: Page, report: dict) -> None:
    give(page, json.dumps(report))
    page.wait_for_function("() => document.querySelector('.hs-checker').dataset.shows === 'report'")


CELLS = """all => all.map((figure) => [...figure.querySelectorAll('tbody tr')].map((row) =>
    [...row.querySelectorAll('td')].map((cell) => ({
        text: cell.textContent, value: cell.dataset.value, said: cell.ariaLabel, classes: [...cell.classList] }))))"""


def assert_shown(cells: list[list[dict]], values: list[list[float]], marked: list, hidden: list | None = None) -> int:
    """Every cell's number in full, as it is written, and its marks; returns how many there were."""
    for r, row in enumerate(values):
        for c, value in enumerate(row):
            cell, is_hidden = cells[r][c], bool(hidden and hidden[r][c])
            assert float(cell["value"]) == pytest.approx(value, abs=1e-12)
            assert f": {cell['value']}" in cell["said"]
            assert ("hs-check-differs" in cell["classes"]) == marked[r][c] == (", differs" in cell["said"])
            assert ("hs-check-hidden" in cell["classes"]) == is_hidden == (", hidden" in cell["said"])
            if not is_hidden:
                assert float(cell["text"]) == pytest.approx(value, abs=0.00501)
    return sum(map(len, values))


def test_the_example_shows_the_numbers_of_its_report(checker: Page):
    checker.click("text=See an example")
    tiles = checker.locator(".hs-check-tile")
    tiles.first.wait_for()
    labels = tiles.evaluate_all("all => all.map(({ ariaLabel }) => ariaLabel)")
    assert len(labels) == 10
    for told, label in zip(EXAMPLE["blocks"], labels):
        unit = "point" if told["possible"] == 1 else "points"
        assert label == f"{told['title']}: {WORDS[told['status']]}, {told['points']} of {told['possible']} {unit}"
    assert checker.text_content(".hs-check-total") == "6 of 11 points"

    compared = 0
    for name in ("transformer", "attention"):
        told = block(name)
        checker.click(f'.hs-check-tile[data-block="{name}"]')
        [fault], line, difference = told["faults"], told["line"], told["difference"]
        said = checker.text_content("#check-panel")
        order = [said.index(part) for part in (fault["title"], fault["sentence"], f"Your line {line['number']}",
                                               line["text"], fault["idea"], difference["tensor"], fault["effect"],
                                               "The lesson that explains it")]  # fmt: skip
        assert order == sorted(order)
        tables = checker.locator(".hs-check-cells").evaluate_all(CELLS)
        for cells, kind in zip(tables, ("expected", "found")):
            compared += assert_shown(cells, difference[kind], difference["differs"])
        if told["patterns"]:
            a, b = torch.tensor(told["patterns"]["expected"]), torch.tensor(told["patterns"]["found"])
            hidden, marked = (a == 0) & (b == 0), (a - b).abs() > 0.0005
            for cells, kind in zip(tables[2:], ("expected", "found")):
                compared += assert_shown(cells, told["patterns"][kind], marked.tolist(), hidden.tolist())
            shown = torch.tensor([[float(cell["value"]) for cell in row] for row in tables[4]])
            assert torch.allclose(shown, b - a, atol=1e-6)
            assert int(hidden.sum()) == 28  # above the diagonal of 8 tokens
    assert compared >= 400

    link = checker.locator(".hs-check-lesson")
    lesson = block("attention")["faults"][0]["lesson"]
    assert link.get_attribute("href") == f"?lesson={lesson['lesson']}&step={lesson['step']}"

    # a cell that is pointed at is told, and lit in both tables; arrows move
    difference = block("attention")["difference"]
    checker.locator(".hs-check-cells").nth(1).locator('td[data-row="4"][data-column="2"]').hover()
    told = checker.locator(".hs-check-readout").first.text_content()
    a, b = difference["expected"][4][2], difference["found"][4][2]
    assert told.startswith(f"row 4, column 2: it should be {a}, yours is {b}; difference ")
    assert float(told.split("difference ")[1].replace("−", "-")) == pytest.approx(b - a, abs=1e-5)
    assert checker.locator(".hs-check-cells td.hs-check-lit[data-row='4'][data-column='2']").count() == 2
    checker.locator(".hs-check-cells").nth(1).locator('td[tabindex="0"]').focus()
    checker.keyboard.press("ArrowRight")
    checker.keyboard.press("ArrowDown")
    row, column = difference["index"][-2] + 1, difference["index"][-1] + 1
    assert f"row {row}, column {column}:" in checker.locator(".hs-check-readout").first.text_content()

    # tiles with keys: arrows move, Enter opens
    checker.locator('.hs-check-tile[aria-selected="true"]').focus()
    checker.keyboard.press("ArrowRight")
    checker.keyboard.press("ArrowRight")
    assert checker.get_attribute(".hs-checker", "data-block") == "attention"
    checker.keyboard.press("Enter")
    assert checker.get_attribute(".hs-checker", "data-block") == "transformer"
    color = "getComputedStyle(document.querySelector('.hs-check-cells tbody td')).backgroundColor"
    before = checker.evaluate(color)
    checker.click("[title='Dark or light']")
    assert checker.evaluate(color) != before


def test_attention_in_the_example_is_what_torch_gives_with_and_without_the_mistake(reference):
    told = block("attention")["patterns"]
    attention = reference.model.blocks[told["layer"]].attn
    ids = reference.tokenizer.encode(TEXT)
    assert told["tokens"] == [reference.tokenizer.decode([id]) for id in ids]
    hook = {}
    handle = attention.register_forward_pre_hook(lambda _, given: hook.update(x=given[0]))
    with torch.inference_mode():
        reference.model(torch.tensor([ids]))
        handle.remove()
        T, H = len(ids), attention.n_head
        q, k = attention.q_proj(hook["x"]), attention.k_proj(hook["x"])
        for kind, cut in {
            "expected": lambda x: x.view(1, T, H, -1).transpose(1, 2),
            "found": lambda x: x.reshape(1, H, T, -1),
        }.items():
            scores = cut(q) @ cut(k).transpose(2, 3) * (H / q.shape[-1]) ** 0.5
            weights = scores.masked_fill(torch.ones(T, T).tril() == 0, -torch.inf).softmax(-1)[0, told["head"]]
            assert torch.allclose(torch.tensor(told[kind]), weights, atol=2e-5)


def test_a_hostile_report_is_only_text(checker: Page):
    attack = changed(
        file=EVIL + RTL,
        blocks__1__title=EVIL,
        blocks__1__sentence=EVIL,
        blocks__1__faults__0__title=EVIL,
        blocks__1__faults__0__sentence=RTL,
        blocks__1__faults__0__lesson={"lesson": "javascript:alert(1)", "step": 1},
        blocks__1__line={"number": 3, "text": f"\tx = '{RTL}' {EVIL}"},
        blocks__1__patterns__tokens__0=EVIL,
        blocks__1__difference__rows__0=EVIL[:40],
        blocks__1__difference__expected__0__0=None,
        blocks__1__difference__found__0__1=1e300,
    )
    show(checker, attack)
    assert checker.locator(".hs-checker img").count() == 0
    assert checker.locator(".hs-check-lesson").count() == 0
    assert checker.text_content(".hs-check-file") == EVIL + RTL.replace("\u202e", "U+202E")
    assert EVIL in checker.text_content(".hs-check-line code")
    assert "U+202E" in checker.text_content(".hs-check-line code")  # code cannot look other than it is
    assert checker.locator(".hs-check-tile").nth(1).locator(".hs-check-title").text_content() == EVIL
    assert "NaN or ∞" in checker.locator(".hs-check-infinite").first.get_attribute("aria-label")
    assert checker.evaluate("document.title") != "1"
    assert checker.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0

    give(checker, "import torch", "my_llm_implementation.py")  # the wrong file: what was there stays
    checker.wait_for_selector('.hs-checker[data-error^="This file is not a report"] .hs-problem')
    assert checker.locator(".hs-check-tile").count() == 10

    problem = changed(problem="This is not valid Python: '(' was never closed, line 3.", points=0)
    for told in problem["blocks"]:
        told.update(status="failed", points=0, sentence="Not checked.", faults=[], line=None)
        told.update(difference=None, patterns=None)
    show(checker, problem)
    checker.wait_for_selector('.hs-checker[data-error=""]')
    assert checker.text_content(".hs-check-problem").endswith(problem["problem"])
    checker.click("text=Back to the start")
    checker.wait_for_selector('.hs-checker[data-shows="start"]')


# --- code ------------------------------------------------------------------------------------------------------------


def ask(url: str, code: str, **headers) -> httpx.Response:
    return httpx.post(f"{url}gradio_api/call/check_code", json={"data": [code, "mine.py"]}, headers=headers)


def answer(url: str, code: str, **headers) -> str:
    """What the endpoint says, to somebody who sends these headers."""
    event = ask(url, code, **headers).json()["event_id"]
    return httpx.get(f"{url}gradio_api/call/check_code/{event}", headers=headers, timeout=120).text


def test_by_default_the_app_takes_no_code(checker: Page, app: App):
    checker.click("text=Why can’t I upload my file here?")
    assert "python app.py --allow-code-upload" in checker.text_content("details.hs-check-upload")
    assert checker.locator('.hs-checker input[accept^=".py"]').count() == 0
    endpoints = Client(app.url, verbose=False).view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert "/check_code" not in endpoints
    assert ask(app.url, "print(1)").status_code >= 400
    assert httpx.post(f"{app.url}ask/check", json={"name": "a.py", "code": "print(1)"}).status_code == 404


NOTE_PROGRESS = """() => {
    globalThis.told = [];
    const note = () => told.push(document.querySelector(".hs-checker [role=status]")?.textContent ?? "");
    new MutationObserver(note).observe(document.querySelector(".hs-checker"), { childList: true, subtree: true });
}"""
EMBEDDING = """from gtgpt.model import DummyEmbedding

class Embedding(DummyEmbedding):
    def forward(self, idx):
        return self.vocab_embeddings(idx)
"""


def test_where_it_is_allowed_a_file_is_checked_for_this_machine_and_nobody_else(page: Page, allowed: App):
    for status, headers in ((403, {"Origin": "http://evil.example"}), (421, {"Host": "evil.example"}),
                            (403, {"Sec-Fetch-Site": "cross-site"})):  # fmt: skip
        assert ask(allowed.url, "1", **headers).status_code == status
    behind = answer(allowed.url, "1", **{"X-Forwarded-For": "10.1.2.3"})
    assert "Files are checked only for the machine that runs the app" in behind

    opened(page, allowed.url)
    give(page, "x" * 300_000, "large.py", ".py")
    page.wait_for_selector('.hs-checker[data-error^="This file is too large to be a homework"]')
    page.evaluate(NOTE_PROGRESS)
    give(page, EMBEDDING, "🙂<b>mine</b>.py", ".py")
    page.wait_for_selector(".hs-check-tile")
    told = page.evaluate("globalThis.told")  # block by block, as far as the screen could follow
    numbers = [int(match[1]) for line in told if (match := re.match(r"Checking .+ … (\d) of 10", line))]
    assert numbers and numbers == sorted(numbers)  # the first ones may all have come before a frame
    assert page.text_content(".hs-check-file") == "🙂<b>mine</b>.py"
    statuses = page.locator(".hs-check-mark").all_text_contents()
    assert statuses == ["✗ wrong", *["– not started"] * 9]
    assert "Positions forgotten" in page.text_content("#check-panel")
    assert page.text_content(".hs-check-line code").endswith("return self.vocab_embeddings(idx)")
    assert page.get_attribute(".hs-check-lesson", "href") == "?lesson=museum&step=11"
