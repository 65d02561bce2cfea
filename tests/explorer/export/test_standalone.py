"""The page that stands alone: everything in it, nothing from outside, and its size."""

import base64
import gzip
import json
import re

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from explorer.engine.payload import unpack
from explorer.engine.runner import Runner
from explorer.engine.shelf import Shelf
from explorer.export.standalone import checked_focus, standalone_html
from explorer.server import routes

BERTVIZ_BYTES = 4_861_879  # its model_view of 64 tokens in 6 layers of 8 heads (bench_standalone)
WORDS = "wash the red cup and dry it with a clean cloth, then put the blue bowl in warm water "


@pytest.fixture(scope="module")
def runner() -> Runner:
    return Runner()


@pytest.fixture(scope="module")
def payload(runner) -> bytes:
    return runner.payload("</script><script>alert(1)</script> How to")


def inside(page: str) -> dict:
    """What the page's script is called with."""
    return json.loads(re.search(r"\}\)\((\{.*\})\)\.catch\(", page)[1])


def unpacked(text: str) -> bytes:
    return gzip.decompress(base64.b64decode(text))


def test_the_payload_comes_back_as_it_was(payload):
    assert unpacked(inside(standalone_html(payload))["runs"][""]) == payload


def test_the_focus_is_kept(payload):
    focus = {"layer": 3, "head": 0, "query": None, "draw": "lines"}
    assert inside(standalone_html(payload, focus))["focus"] == focus


WRONG = [{"layer": -1}, {"layer": 1.5}, {"layer": [1]}, {"draw": "x" * 2001}, {"key": 2**31}]


@pytest.mark.parametrize("focus", WRONG)
def test_nothing_else_goes_into_a_page_as_focus(focus):
    with pytest.raises(ValueError, match="is neither a whole number from 0, nor a name, nor None"):
        checked_focus(focus)


def test_no_user_text_stands_in_the_markup(payload):
    page = standalone_html(payload, {"draw": "</script>"})
    assert page.count("</script>") == page.count("<script>") == 1
    assert "alert(1)" not in page


def test_the_script_is_one_and_loads_nothing(payload):
    app = json.loads(unpacked(inside(page := standalone_html(payload))["app"]))
    code = re.sub(r"/\*.*?\*/|//[^\n]*", "", app["script"], flags=re.DOTALL)
    assert not re.search(r"^(import|export)\b|\bimport\(", code, re.MULTILINE)
    assert "data:" not in page and "data:text" not in code and "importmap" not in page
    for name in ("standalone.mjs", "state/store.mjs", "attention/view.mjs", "base/payload.mjs", "save/svg_page.mjs"):
        assert f"m['{name}'] = " in code


def test_nothing_names_another_host(payload):
    app = json.loads(unpacked(inside(standalone_html(payload))["app"]))
    everything = app["styles"] + app["script"]
    assert set(re.findall(r"https?://[\w./]+", everything)) <= {"http://www.w3.org/2000/svg"}


def test_the_page_of_64_tokens_is_a_tenth_of_bertviz(runner):
    ids = runner.tokenizer.encode(WORDS * 8)[:63]
    payload = runner.payload(runner.tokenizer.decode(ids))
    assert len(unpack(payload)[0]["tokens"]) == 64
    assert len(standalone_html(payload).encode()) <= 0.1 * BERTVIZ_BYTES


def test_the_app_gives_the_page_of_a_text(runner):
    client = TestClient(Starlette(routes=routes(Shelf(runner))))
    answer = client.post("/ask/standalone", json={"text": "How to sail", "focus": {"layer": 2}})
    assert inside(answer.text)["focus"] == {"layer": 2}
    assert unpack(unpacked(inside(answer.text)["runs"][""]))[0]["text"] == "How to sail"
    assert answer.headers["content-disposition"] == 'attachment; filename="headscope-decoder-how-to-sail.html"'
    wrong = client.post("/ask/standalone", json={"text": "a", "focus": {"layer": -2}})
    assert wrong.status_code == 422


def test_bytes_that_are_no_payload_are_refused():
    with pytest.raises(ValueError, match="not a Headscope payload"):
        standalone_html(b"PK\x03\x04")
