"""When the app takes code to check, and from whom; and the example that the page shows."""

import json
from types import SimpleNamespace

import pytest

from explorer import command
from explorer.lessons.teach import catalog
from explorer.questions.asker import Asker, asker_of, is_from_elsewhere
from explorer.questions.check import LARGEST, checked, may_take_code
from llm_core.homework.diagnosis.faults import NAMED
from llm_core.homework.report import BLOCKS, from_json, to_json

from ..homework.example import PLACE

OWN = {"host": "127.0.0.1:7860"}


def sent(**headers) -> dict[str, str]:
    return OWN | {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.mark.parametrize("host, share", [("0.0.0.0", False), ("192.168.1.7", False), ("::", False), ("", False),
                                         ("example.com", False), ("127.0.0.1", True)])  # fmt: skip
def test_code_is_refused_where_others_could_send_it(host, share, monkeypatch, capsys):
    with pytest.raises(ValueError, match="--allow-code-upload runs code"):
        may_take_code(host, share)
    arguments = ["app.py", "--allow-code-upload", "--host", host, *(["--share"] if share else [])]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as end:
        command.main()
    assert str(end.value).startswith("error: --allow-code-upload runs code that is sent to the app")
    assert "\n" not in str(end.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.5"])
def test_code_may_be_taken_from_this_machine(host):
    may_take_code(host, False)


@pytest.mark.parametrize(
    "headers, elsewhere",
    [
        ({}, False),
        ({"origin": "http://127.0.0.1:7860"}, False),
        ({"origin": "http://127.0.0.1:7860", "sec_fetch_site": "same-origin"}, False),
        ({"origin": "http://127.0.0.1:8000"}, True),  # another program's page on this machine
        ({"origin": "null"}, True),
        ({"origin": "https://example.com"}, True),
        ({"sec_fetch_site": "cross-site"}, True),
        ({"sec_fetch_site": "same-site"}, True),
    ],
)
def test_pages_of_other_sites_are_told_apart(headers, elsewhere):
    assert is_from_elsewhere(sent(**headers)) == elsewhere


def test_nothing_runs_for_others(monkeypatch):
    monkeypatch.setattr("explorer.questions.check._run", lambda *_: pytest.fail("code ran"))
    private, public = SimpleNamespace(is_private=True), SimpleNamespace(is_private=False)
    others = [sent(host="evil.example"), sent(origin="https://evil.example"), sent(x_real_ip="10.0.0.1")]
    for shelf, headers in [(public, sent()), *((private, other) for other in others)]:
        with pytest.raises(ValueError, match="only for the machine that runs the app"):
            next(checked(asker_of(shelf, headers), "a.py", "x = 1"))
    with pytest.raises(ValueError, match=r"text of at most 200,000 characters"):
        next(checked(Asker(private, is_owner=True), "a.py", "x" * (LARGEST + 1)))


def test_the_example_is_a_report_in_the_words_of_the_faults():
    text = PLACE.read_text(encoding="utf-8")
    report = from_json(text)
    assert json.loads(to_json(report)) == json.loads(text)
    assert [block.name for block in report.blocks] == list(BLOCKS)
    assert [block.status for block in report.blocks].count("failed") == 2
    for block in report.blocks:
        for fault in block.faults:
            known = NAMED[fault.name]
            told = (fault.title, fault.sentence, fault.effect, fault.idea)
            assert told == (known.title, known.sentence, known.effect, known.idea), "python -m tests.homework.example"
            assert (fault.lesson.lesson, fault.lesson.step) == known.lesson


def test_every_fault_names_a_step_that_exists():
    steps = {lesson["id"]: lesson["num_steps"] for lesson in catalog()}
    for fault in NAMED.values():
        if fault.lesson:
            assert 1 <= fault.lesson[1] <= steps[fault.lesson[0]], fault.name
