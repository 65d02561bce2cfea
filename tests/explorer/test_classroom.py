"""A class on one machine: who may point, who hears of it and at what cost, and what a visitor may not do."""

import json
import re
import threading
from collections.abc import Iterator
from xml.etree import ElementTree

import anyio
import pytest
import segno
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from explorer import join
from explorer.classroom import LONGEST_ADDRESS, NO_ADDRESS, QUESTIONS_EACH, TRAININGS_EACH, Classroom
from explorer.command import NO_CODE, parse_arguments, serve_with, shelf_of
from explorer.engine.runner import Runner
from explorer.engine.shelf import Shelf
from explorer.guard import OTHER_NAME, TOO_MANY, Guard
from explorer.live.runs import LiveRuns
from explorer.questions import OF_A_CLASS
from explorer.questions import classroom as asked
from explorer.server import hosts_of, routes

from ..common import run_async
from .test_ask import JSONS, assert_one_sentence

CHOICES = {"layer": {}, "steps": "many"}


@pytest.fixture
def classroom() -> Classroom:
    return Classroom()


@pytest.fixture
def app(classroom) -> Starlette:
    guard = Middleware(Guard, hosts=hosts_of(["school.example"], False, True), each=QUESTIONS_EACH)
    return Starlette(routes=routes(Shelf(Runner(), listed=[]), classroom=classroom), middleware=[guard])


@pytest.fixture
def client(app, monkeypatch) -> Iterator[TestClient]:
    monkeypatch.setattr(asked, "HOLD_SECONDS", 0)
    with TestClient(app, "http://192.168.1.5:7860", client=("192.168.1.77", 50_000)) as client:
        yield client


def heard(client: TestClient, secret: str = "") -> dict:
    (line,) = client.post("/ask/class_follow", json={"secret": secret}).text.splitlines()
    return json.loads(line)


def test_the_teacher_points_and_everybody_hears_it(client, classroom):
    assert heard(client) == {"teaches": False, "id": classroom.point.id, "search": None, "title": ""}
    assert heard(client, classroom.secret)["teaches"] is True
    point = {"secret": classroom.secret, "search": "?show=explore&text=a+%F0%9F%99%82", "title": "Explore: <b>🙂</b>"}
    told = client.post("/ask/class_point", json=point)
    assert told.status_code == 200
    assert heard(client) == {"teaches": False, "id": told.json()["id"], "search": point["search"],
                             "title": point["title"]}  # fmt: skip
    again = client.post("/ask/class_point", json=point).json()["id"]
    assert again != told.json()["id"]  # pressed once more, it is a point of its own
    client.post("/ask/class_point", json={"secret": classroom.secret, "search": None})
    assert heard(client)["search"] is None and heard(client)["id"] not in (again, told.json()["id"])


@pytest.mark.parametrize("secret", ["", "x", "é" * 22, "\ud83d", "another"])
def test_a_stranger_cannot_point(client, classroom, secret):
    secret = Classroom().secret if secret == "another" else secret
    before = classroom.point
    answer = client.post("/ask/class_point", content=json.dumps({"secret": secret, "search": "?show=train"}))
    assert_one_sentence(answer, 403)
    assert answer.text == asked.NOT_THE_TEACHER and classroom.point is before


@pytest.mark.parametrize(
    "search",
    ["https://evil.example", "//evil.example", "javascript:alert(1)", "x", "/?show=learn", "?a\nb", "?é", "?\x00",
     "?" + "x" * LONGEST_ADDRESS],
)  # fmt: skip
def test_what_is_no_address_of_the_page_is_refused(client, classroom, search):
    answer = client.post("/ask/class_point", json={"secret": classroom.secret, "search": search})
    assert_one_sentence(answer, 422)
    assert answer.text == NO_ADDRESS and classroom.point.search is None


def test_no_value_breaks_the_questions_of_a_class(client, classroom):
    fitting = {"secret": classroom.secret, "search": "?show=learn", "title": "Learn"}
    for name, question in OF_A_CLASS.items():
        for parameter in question.parameters:
            good = {one: fitting[one] for one in question.parameters}
            for value in JSONS:
                answer = client.post(f"/ask/{name}", content=json.dumps({**good, parameter: value}))
                if answer.status_code != 200:
                    assert_one_sentence(answer)


def test_without_a_class_there_is_nothing_of_it():
    client = TestClient(Starlette(routes=routes(Shelf(Runner()))), "http://127.0.0.1")
    for name in OF_A_CLASS:
        assert_one_sentence(client.post(f"/ask/{name}", json={}), 404)
    assert_one_sentence(client.get("/join"), 404)


def test_a_visitor_has_the_listed_models_and_no_rights(client):
    assert [one["name"] for one in client.post("/ask/models", json={}).json()] == [
        "encoder", "decoder", "encoder-decoder-prefix", "encoder-decoder-cross"
    ]  # fmt: skip
    assert client.post("/ask/rights", json={}).json() == {"any_folder": False}
    assert_one_sentence(client.post("/ask/open_model", json={"name": "/tmp"}), 422)
    assert_one_sentence(client.post("/ask/check", json={"name": "a.py", "code": ""}), 404)
    assert "keeps no trained models" in client.post("/ask/live_keep", json={"run": "x", "name": "x"}).text


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [("192.168.1.5:7860", True), ("[fe80::1]:7860", True), ("localhost:7860", True), ("127.0.0.1", True),
     ("school.example", True), ("evil.example", False), ("192.168.1.5.evil.example", False), ("", False)],
)  # fmt: skip
def test_a_class_comes_by_an_address_or_a_name_of_this_machine(client, host, is_ours):
    answer = client.post("/ask/models", json={}, headers={"host": host})
    assert (answer.status_code, answer.text == OTHER_NAME) == ((200, False) if is_ours else (421, True))


def test_this_machine_goes_by_its_own_name(monkeypatch):
    monkeypatch.setattr(join.socket, "gethostname", lambda: "Annas-Laptop.lan")
    names = join.names_on_the_network(["me.org"])
    assert all(name in names for name in ("annas-laptop.lan", "annas-laptop", "annas-laptop.local", "me.org"))
    assert "other.local" not in names and hosts_of([], False, False) is None


# --- what it costs, and what one visitor may take ---------------------------------------------------------------


class Page:
    """A page that follows: an ASGI request that is held, and the lines that came."""

    def __init__(self, app, address: str):
        self.app, self.address, self.status, self.lines, self.asked = app, address, 0, [], False

    async def follow(self) -> None:
        scope = {"type": "http", "method": "POST", "path": "/ask/class_follow", "query_string": b"", "root_path": "",
                 "headers": [(b"host", b"192.168.1.5")], "client": (self.address, 1), "http_version": "1.1",
                 "scheme": "http", "server": ("192.168.1.5", 80)}  # fmt: skip
        await self.app(scope, self._receive, self._send)

    async def _receive(self) -> dict:
        if self.asked:
            await anyio.sleep_forever()
        self.asked = True
        return {"type": "http.request", "body": b"{}"}

    async def _send(self, message: dict) -> None:
        self.status = message.get("status", self.status)
        if self.status == 200:
            self.lines += [json.loads(line) for line in message.get("body", b"").splitlines()]


def test_thirty_who_follow_cost_no_thread_and_hear_within_a_second(app, classroom):
    async def hold_a_class() -> int:
        pages = [Page(app, f"192.168.1.{i}") for i in range(30)]
        before = threading.active_count()
        async with anyio.create_task_group() as group:
            for page in pages:
                group.start_soon(page.follow)
            await anyio.sleep(0.2)
            assert all(len(page.lines) == 1 for page in pages)
            during = threading.active_count()
            classroom.point_at("?show=learn", "Learn")
            with anyio.fail_after(10):
                while not all(len(page.lines) == 2 for page in pages):
                    await anyio.sleep(0.02)
            group.cancel_scope.cancel()
        assert {page.lines[1]["search"] for page in pages} == {"?show=learn"}
        return during - before

    assert run_async(hold_a_class) <= 0  # one of an earlier test may end meanwhile
    assert asked.TICK_SECONDS <= 0.5


def test_one_address_has_its_share_of_questions_and_what_ends_frees_it(app):
    async def crowd() -> None:
        own = [Page(app, "192.168.1.9") for _ in range(QUESTIONS_EACH + 1)]
        other, local = Page(app, "192.168.1.10"), [Page(app, "127.0.0.1") for _ in range(QUESTIONS_EACH + 1)]
        for _ in range(2):
            async with anyio.create_task_group() as group:
                for page in [*own, other, *local]:
                    page.asked = False
                    group.start_soon(page.follow)
                await anyio.sleep(0.2)
                group.cancel_scope.cancel()
            assert sorted(page.status for page in own) == [200] * QUESTIONS_EACH + [429]
            assert other.status == 200 and {page.status for page in local} == {200}

    run_async(crowd)
    assert "\n" not in TOO_MANY


def test_one_address_has_its_share_of_trainings(tmp_path):
    runs = LiveRuns(at_once=0, folder=tmp_path)  # all wait
    runs.each = TRAININGS_EACH
    try:
        first, *_ = [runs.start(f"page-{i}", {}, "192.168.1.9") for i in range(TRAININGS_EACH)]
        with pytest.raises(
            ValueError, match="2 of your models are training or waiting already: stop one of them first"
        ):
            runs.start("page-x", {}, "192.168.1.9")
        for i in range(TRAININGS_EACH + 1):
            runs.start(f"local-{i}", {}, "")  # this machine, or a proxy on it
        runs.start("page-0", {}, "192.168.1.9")  # the page's own run makes room for its next one
        assert first.is_over
        runs.start("another", {}, "192.168.1.10")
    finally:
        runs.end_all()


# --- how a class joins -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "public", "expected"),
    [("0.0.0.0", None, "http://192.168.1.5:7860/"), ("::", None, "http://192.168.1.5:7860/"),
     ("10.0.0.2", None, "http://10.0.0.2:7860/"), ("fe80::1", None, "http://[fe80::1]:7860/"),
     ("0.0.0.0", "https://me.org/headscope", "https://me.org/headscope/"),
     ("0.0.0.0", "/headscope", "http://192.168.1.5:7860/")],
)  # fmt: skip
def test_the_address_to_join_is_that_of_the_network(monkeypatch, host, public, expected):
    monkeypatch.setattr(join, "lan_address", lambda: "192.168.1.5")
    assert join.join_address(host, 7860, public) == expected


def test_without_a_network_the_terminal_says_so(monkeypatch, classroom):
    class Nowhere:
        def __init__(self, *_): ...
        def __enter__(self):
            return self

        def __exit__(self, *_): ...
        def connect(self, _):
            raise OSError("Network is unreachable")

    monkeypatch.setattr(join.socket, "socket", Nowhere)
    classroom.address = join.join_address("0.0.0.0", 7860)
    assert classroom.address == "http://127.0.0.1:7860/"
    assert join.invitation(classroom).endswith(join.ONLY_HERE)


def test_the_terminal_shows_address_code_and_the_teachers_link(monkeypatch, classroom):
    classroom.address = "http://192.168.1.5:7860/"
    plain = join.invitation(classroom)
    assert f"http://192.168.1.5:7860/#teach={classroom.secret}" in plain and "http://192.168.1.5:7860/join" in plain
    assert "█" not in plain  # nobody scans a file

    class Terminal:
        encoding = "utf-8"
        isatty = staticmethod(lambda: True)

    monkeypatch.setattr(join.sys, "stdout", Terminal)
    rows = [line for line in join.invitation(classroom).splitlines() if set(line) & set("█▀▄")]
    size = segno.make(classroom.address, micro=False).symbol_size(border=join.QUIET_ZONE)[0]
    assert len(rows) == (size + 1) // 2 and {len(row) for row in rows} == {size}
    Terminal.encoding = "cp1252"  # has no half blocks
    assert join.invitation(classroom) == plain


def test_the_page_for_the_projector_draws_the_code_of_the_address(client, classroom):
    classroom.address = "http://192.168.1.5:7860/"
    page = client.get("/join").text
    assert "<p>http://192.168.1.5:7860</p>" in page and classroom.secret not in page
    svg = ElementTree.fromstring(re.search(r"<svg.*</svg>", page, re.DOTALL)[0])
    path = next(one for one in svg.iter() if one.tag.endswith("path"))
    assert cells_of(path.get("d")) == {
        (x + join.QUIET_ZONE, y + join.QUIET_ZONE)
        for y, row in enumerate(segno.make(classroom.address, micro=False).matrix)
        for x, dark in enumerate(row)
        if dark
    }
    assert not re.search(r"(src|href)=", page)  # nothing else is loaded


def cells_of(path: str) -> set[tuple[int, int]]:
    """The dark cells of a path of horizontal strokes."""
    found, x, y = set(), 0, 0.0
    for sign, numbers in re.findall(r"([Mmh])([-\d. ]+)", path):
        values = [float(value) for value in re.findall(r"-?[\d.]+", numbers)]
        if sign == "h":
            found |= {(x + i, int(y)) for i in range(int(values[0]))}
            x += int(values[0])
        else:
            x, y = (int(values[0]), values[1]) if sign == "M" else (x + int(values[0]), y + values[1])
    return found


def test_the_page_for_the_projector_escapes_what_it_says():
    page = join.join_page('http://"><script>alert(1)</script>:7860/')
    assert "<script>" not in page


def test_the_command_listens_to_the_network_takes_no_code_and_offers_no_runs(monkeypatch):
    monkeypatch.delenv("GRADIO_SERVER_NAME", raising=False)
    args = parse_arguments(["--classroom"])
    assert args.host == "0.0.0.0" and parse_arguments([]).host == "127.0.0.1"
    assert parse_arguments(["--classroom", "--host", "10.0.0.2"]).host == "10.0.0.2"
    assert shelf_of(args)._listed == {} and shelf_of(parse_arguments([]))._listed is None
    with pytest.raises(ValueError, match=re.escape(NO_CODE)):
        serve_with(parse_arguments(["--classroom", "--allow-code-upload", "--host", "127.0.0.1"]))
