"""The one way to ask: whatever is sent, the answer is an answer or one sentence; and who leaves ends the work."""

import json
import threading
import time
from collections.abc import Iterator

import anyio
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from explorer import ask
from explorer.engine.runner import Runner
from explorer.engine.shelf import Shelf
from explorer.guard import LARGEST, Guard
from explorer.questions import questions
from explorer.questions.asker import Asker
from explorer.questions.question import Question
from explorer.server import routes

from ..common import run_async

NAMES = sorted(questions(code_upload=True))
GOOD = {  # of each parameter, something that fits
    "text": "Wash the cup", "model": "", "edits": [], "token": " cup", "how": "zero", "models": ["decoder"],
    "masked": None, "second": None, "name": "reshape", "settings": {}, "written": [5], "seed": 1, "count": 2,
    "temperature": 1.0, "top_k": None, "top_p": None, "page": "page-1234", "choices": {"steps": "many"},
    "run": "nothing", "after": 0, "what": "pause", "kind": "npz", "focus": {}, "code": "x = 1",
    "words": "strides", "stack": "", "corrupted": "Wash the pan", "site": "z", "metric": "difference", "answer": "",
    "other": "", "head": None, "place": None, "layer": None,
}  # fmt: skip
GOOD_OF = {"compare": {"masked": -1}, "patch_cell": {"layer": 0}}  # where another value fits
JSONS = ["x", "", "\ud83d", 0, -1, 10**15, 10**300, 0.5, 1e300, True, None, [], ["x"], [[]], [None], [-1], {},
         {"x": []}, [{}], [{"what": [], "how": {}}], [{"what": "head", "how": "zero", "layer": 10**15, "head": "x"}],
         [{"what": "head", "how": "painted", "layer": 0, "head": 0, "rows": [["x"]]}],
         [{"what": "head", "how": "window", "layer": 0, "head": 0, "n": 1e99}],
         {"layer": [], "head": {}, "task": [], "steps": {}},
         {"step": True, "shape": 7, "p": "x", "seed": []}]  # fmt: skip
BODIES = {
    "not JSON": b"how to sail",
    "a byte that is no text": b"\xff",
    "a string": b'"x"',
    "a list": b"[1, 2]",
    "null": b"null",
    "deep": b"[" * 9000,
    "deep in an object": b'{"text":' * 9000,
    "NaN": b'{"text": NaN}',
    "infinite": b'{"count": -Infinity, "temperature": 1e999, "after": 1e999}',
    "a number of 5,000 digits": b'{"seed": ' + b"9" * 5000 + b"}",
    "another name": b'{"is_owner": true}',
    "the asker": b'{"asker": {}}',
}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    app = Starlette(routes=routes(Shelf(Runner()), code_upload=True), middleware=[Middleware(Guard)])
    with TestClient(app) as client:
        yield client


def good(name: str) -> dict:
    return GOOD | GOOD_OF.get(name, {})


def assert_one_sentence(answer, *status: int) -> None:
    assert answer.status_code in (status or range(400, 500)), (answer.status_code, answer.text[:200])
    assert answer.text.strip() and "\n" not in answer.text and "Traceback" not in answer.text
    assert len(answer.text) < 2000


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_question_is_one_sentence(client, name, body):
    assert_one_sentence(client.post(f"/ask/{name}", content=body), 400)


@pytest.mark.parametrize("name", NAMES)
def test_a_body_that_is_too_large_is_one_sentence(client, name):
    assert_one_sentence(client.post(f"/ask/{name}", content=b" " * (LARGEST + 1)), 413)

    def without_a_length() -> Iterator[bytes]:
        for _ in range(5):
            yield b'"' * 1_000_000

    assert_one_sentence(client.post(f"/ask/{name}", content=without_a_length()), 413)


@pytest.mark.parametrize("name", NAMES)
def test_a_parameter_that_lacks_is_named(client, name):
    needed = [one for one, (_, is_needed) in questions(True)[name].parameters.items() if is_needed]
    for lacking in needed:
        answer = client.post(f"/ask/{name}", json={one: good(name)[one] for one in needed if one != lacking})
        assert_one_sentence(answer, 400)
        assert answer.text.startswith(f"{lacking} is missing: ")


SLOW = ("surgery_effect", "surgery_sweep")  # what is valid for them takes a minute
PARAMETERS = [(name, one) for name in NAMES if name not in SLOW for one in questions(True)[name].parameters]


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS, ids="-".join)
def test_no_value_of_a_parameter_breaks_a_question(client, name, parameter):
    fitting = {one: good(name)[one] for one in questions(True)[name].parameters}
    for value in JSONS:
        answer = client.post(f"/ask/{name}", content=json.dumps({**fitting, parameter: value}))
        if answer.status_code != 200:
            assert_one_sentence(answer)


@pytest.mark.parametrize("name", SLOW)
def test_no_edits_and_no_way_break_a_measurement(client, name):
    parameter = {"surgery_effect": "edits", "surgery_sweep": "how"}[name]
    for value in [value for value in JSONS if value not in ([], "zero")]:
        assert_one_sentence(client.post(f"/ask/{name}", content=json.dumps({parameter: value})))


def test_an_unknown_question_is_one_sentence(client):
    for name in ("secrets", "__class__", "run%2F..", "\N{SNOWMAN}"):
        assert_one_sentence(client.post(f"/ask/{name}", json={}), 404)
    assert client.get("/ask/run").status_code == 405


def test_a_file_is_checked_only_where_that_was_allowed():
    assert "check" in questions(code_upload=True) and "check" not in questions()
    client = TestClient(Starlette(routes=routes(Shelf(Runner()))))
    assert_one_sentence(client.post("/ask/check", json={"name": "a.py", "code": ""}), 404)


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
     {"Sec-Fetch-Site": "same-site"}],
    ids=str,
)  # fmt: skip
def test_pages_of_other_sites_are_refused(client, headers):
    assert_one_sentence(client.post("/ask/models", json={}, headers=headers), 403)


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"},
     {"Origin": "https://my.host", "X-Forwarded-Host": "my.host"}],
    ids=str,
)  # fmt: skip
def test_the_apps_own_page_and_programs_are_answered(client, headers):
    assert client.post("/ask/models", json={}, headers=headers).json()[0]["name"] == "encoder"


# streams, turns and broken numbers, with questions of our own


class Steps:
    """A question that yields a line per step, as long as it may; ``ended`` says that it was closed."""

    def __init__(self):
        self.made, self.ended = 0, threading.Event()
        self.running, self.most, self.lock = 0, 0, threading.Lock()

    def question(self):
        def steps(asker: Asker, count: int = 10**9) -> Iterator[dict]:
            with self.lock:
                self.running += 1
                self.most = max(self.most, self.running)
            try:
                for i in range(count):
                    self.made += 1
                    yield {"i": i}
                    time.sleep(0.01)
            finally:
                with self.lock:
                    self.running -= 1
                self.ended.set()

        return steps


def fails_later(asker: Asker) -> Iterator[dict]:
    yield {"i": 0}
    raise ValueError("it broke")


def fails_at_once(asker: Asker) -> Iterator[dict]:
    raise ValueError("it cannot be")
    yield {}


def broken(asker: Asker) -> dict:
    return {"loss": float("nan")}


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
def route(steps, monkeypatch):
    known = {"steps": Question(steps.question(), "long")}
    known |= {function.__name__: Question(function) for function in (fails_later, fails_at_once, broken)}
    monkeypatch.setattr(ask, "questions", lambda code_upload, is_class: known)
    return ask.ask_route(Shelf(Runner()))


async def exchange(route, name: str, body: bytes = b"{}", leaves_after: int | None = None) -> list[dict]:
    """What a server sends; the client leaves after so many chunks, or stays."""
    sent, left = [], anyio.Event()
    if leaves_after == 0:
        left.set()
    messages = [{"type": "http.request", "body": body}]

    async def receive() -> dict:
        if messages:
            return messages.pop()
        if not left.is_set():
            await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict) -> None:
        sent.append(message)
        if sum("body" in one for one in sent) == leaves_after:
            left.set()

    scope = {"type": "http", "method": "POST", "path": f"/ask/{name}", "headers": [(b"host", b"x")]}
    scope |= {"query_string": b"", "root_path": ""}
    await Starlette(routes=[route])(scope, receive, send)
    return sent


def lines(sent: list[dict]) -> list[dict]:
    body = b"".join(one.get("body", b"") for one in sent)
    return [json.loads(line) for line in body.splitlines()]


def test_a_stream_comes_line_by_line(route):
    sent = run_async(exchange, route, "steps", b'{"count": 3}')
    assert [one["body"] for one in sent if one.get("body")] == [b'{"i": 0}\n', b'{"i": 1}\n', b'{"i": 2}\n']


@pytest.mark.parametrize("after", [1, 5])
def test_who_leaves_a_stream_ends_the_work_within_a_step(route, steps, after):
    run_async(exchange, route, "steps", b"{}", after)
    assert steps.ended.is_set() and steps.made <= after + 3


def test_what_goes_wrong_in_a_stream_is_its_last_line(route):
    assert lines(run_async(exchange, route, "fails_later")) == [{"i": 0}, {"error": "it broke"}]


def test_a_stream_that_cannot_begin_and_numbers_that_are_none_are_a_status(route):
    for name, said in (("fails_at_once", b"it cannot be"), ("broken", ask.NO_NUMBER.encode())):
        start, body = run_async(exchange, route, name)
        assert (start["status"], body["body"]) == (422, said)


def test_eight_streams_run_at_once_and_the_others_wait(route, steps):
    async def all_at_once() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(exchange, route, "steps", b'{"count": 4}')

    run_async(all_at_once)
    assert steps.made == 80 and steps.most == ask.AT_ONCE["long"] == 8


def test_who_left_while_waiting_is_not_worked_for(route, steps):
    async def all_at_once() -> None:
        async with anyio.create_task_group() as group:
            for leaves in [None] * 8 + [0] * 5:
                group.start_soon(exchange, route, "steps", b'{"count": 4}', leaves)

    run_async(all_at_once)
    assert steps.made == 32


def test_too_many_who_wait_are_told(route, monkeypatch):
    monkeypatch.setattr(ask, "MOST_WAITING", 3)
    statuses = []

    async def one() -> None:
        sent = await exchange(route, "steps", b'{"count": 4}')
        statuses.append((sent[0]["status"], b"".join(part.get("body", b"") for part in sent)[:30]))

    async def all_at_once() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(15):
                group.start_soon(one)

    run_async(all_at_once)
    busy = [body for status, body in statuses if status == 503]
    assert len(busy) == 4 and set(busy) == {ask.BUSY.encode()[:30]}
    assert sum(status == 200 for status, _ in statuses) == 11
