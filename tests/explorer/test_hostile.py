"""Every route and endpoint, of ours and of Gradio's, with one table of hostile values: no status 500, no traceback."""

import contextlib
import io
import json
from collections.abc import Iterator
from itertools import cycle, islice

import httpx
import pytest

from explorer.engine.runner import Runner
from explorer.engine.shelf import Shelf
from explorer.server import build, launch_options
from explorer.static_files import Web

from .test_ask import BODIES, GOOD, assert_one_sentence

PARTS = {  # of a path
    "a null byte": "%00", "the folder above": "..%2f..%2f..%2fetc%2fpasswd", "a snowman": "%E2%98%83",
    "no UTF-8": "%ff%fe", "a quote and a tag": "%22%3Cscript%3E", "a long name": "x" * 3000, "a space": "%20",
    "a line break": "%0d%0aSet-Cookie:x", "a device": "con", "a template": "{path}",
}  # fmt: skip
VALUES = [None, True, -1, 10**15, 10**300, 0.5, 1e300, float("nan"), "", "\ud83d", "x\x00", [], [[]], [None], ["x"], {},
          {"x": []}, [{"what": [], "how": {}}],
          [{"what": "head", "how": "painted", "layer": 0, "head": 0, "rows": [["x"]]}]]  # fmt: skip
ARGUMENTS = GOOD | {"models": [], "top_k": 0, "top_p": 1.0, "place": -1, "names": ["decoder"], "second_text": None,
                    "task": "copy", "steps": "many", "code": "x = 1"}  # fmt: skip
SLOW = {("generate_text", "count"), ("strategies", "count"), ("cache_times", "count"), ("surgery_sweep", "how"),
        ("surgery_sweep", "model"), ("surgery_effect", "edits"), ("surgery_effect", "model")}  # fmt: skip
EACH = 3  # values of the table for each parameter, going round it: Gradio takes 20 ms for a call
DEEP = b'{"data":[' + b"[" * 900 + b"]" * 900 + b"]}"


class Server:
    """The whole app, Gradio's part too, and what it has written into its log."""

    def __init__(self, demo, url: str, log: io.StringIO):
        self.demo, self.log, self.read, self.client = demo, log, 0, httpx.Client(base_url=url, timeout=60)
        self.client.headers["content-type"] = "application/json"

    @property
    def endpoints(self) -> dict:
        public = [fn for fn in self.demo.fns.values() if fn.api_name and fn.api_visibility == "public"]
        return {fn.api_name: fn for fn in public}

    def send(self, method: str, path: str, **more) -> httpx.Response:
        """The answer's beginning: some streams have no end."""
        with self.client.stream(method, path, **more) as answer:
            if "event-stream" not in answer.headers.get("content-type", ""):
                answer.read()
        assert answer.status_code < 500, (method, path[:80], answer.status_code)
        self.assert_quiet()
        return answer

    def call(self, calls: list[tuple[str, list]]) -> list[dict]:
        """Each endpoint's last word, in the order of the calls: {"success", "output"}."""
        session, said = "hostile-session", {}
        for name, values in calls:
            body = {"data": values, "fn_index": self.endpoints[name]._id, "session_hash": session}
            answer = self.client.post("/gradio_api/queue/join", content=json.dumps(body))
            assert answer.status_code == 200, (name, values, answer.text[:200])
            said[answer.json()["event_id"]] = None
        with self.client.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as stream:
            for line in stream.iter_lines():
                message = json.loads(line[5:]) if line.startswith("data:") else {}
                if message.get("msg") == "process_completed":
                    said[message["event_id"]] = message
                    if None not in said.values():
                        break
        self.assert_quiet()
        return list(said.values())

    def assert_quiet(self) -> None:
        printed = self.log.getvalue()[self.read :]
        self.read += len(printed)
        assert "Traceback" not in printed, printed[-3000:]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    shelf = Shelf(Runner())
    demo = build(shelf)
    with contextlib.redirect_stderr(io.StringIO()) as log, contextlib.redirect_stdout(log):
        options = launch_options(demo, shelf, Web(), hosts=set())
        _, url, _ = demo.launch(server_name="127.0.0.1", prevent_thread_lock=True, **options)
        yield Server(demo, url, log)
        demo.close(verbose=False)


def paths(server: Server) -> list[str]:
    routes = list(server.demo.app.routes)
    routes += [one for route in routes if hasattr(route, "original_router") for one in route.original_router.routes]
    return sorted({route.path for route in routes if getattr(route, "path", None)})


def test_no_route_answers_a_hostile_path_with_an_error_of_its_own(server):
    known = paths(server)
    assert len(known) > 60 and "/gradio_api/upload" in known and "/ask/{name}" in known
    for path in known:
        before = path.partition("{")[0]
        for part in PARTS.values():
            server.send("GET", f"{before.rstrip('/')}/{part}")
        everything = "&".join(f"x{part}={part}&session_hash={part}" for part in PARTS.values())
        server.send("GET", f"{before}?page=x&__theme=x&view=toString&{everything}")
        server.send("POST", f"{before}{'x' if '{' in path else ''}", json={})


def test_no_route_answers_a_hostile_body_with_an_error_of_its_own(server):
    posts = ["/gradio_api/queue/join", "/gradio_api/call/run", "/gradio_api/call/x",
             "/gradio_api/cancel", "/gradio_api/reset", "/gradio_api/run/run", "/ask/run"]  # fmt: skip
    more = [json.dumps({"data": value, "fn_index": value, "session_hash": value}).encode() for value in VALUES]
    for path in posts:
        for body in [*BODIES.values(), DEEP, *more]:
            server.send("POST", path, content=body)
            server.send("POST", path, content=body, headers={"content-type": "text/plain; charset=x"})


def test_no_argument_of_an_endpoint_breaks_it(server):
    calls, wrong = [], []
    values = cycle(VALUES)  # what each type refuses is tested where it is refused, in test_ask
    told = server.demo.get_api_info()["named_endpoints"]
    for name in server.endpoints:
        names = [one["parameter_name"] for one in told[f"/{name}"]["parameters"]]
        good = [ARGUMENTS[one] for one in names]
        calls += [(name, []), (name, good[:-1])]
        for place, one in enumerate(names):
            for value in islice(values, EACH):
                if (name, one) not in SLOW or type(value) is not type(good[place]):
                    calls.append((name, [*good[:place], value, *good[place + 1 :]]))
    for start in range(0, len(calls), 40):  # no more may wait
        part = calls[start : start + 40]
        for call, answer in zip(part, server.call(part)):
            if not answer["success"] and not one_sentence(answer["output"].get("error")):
                wrong.append((call, answer["output"]))
    assert len(calls) > 120 and not wrong, wrong[:5]


def one_sentence(said: object) -> bool:
    return isinstance(said, str) and bool(said.strip()) and "\n" not in said and len(said) < 2000


def test_every_parameter_says_what_it_means(server):
    told = server.client.get("/gradio_api/info").json()["named_endpoints"]
    assert len(told) == len(server.endpoints) >= 13
    for endpoint in told.values():
        for parameter in endpoint["parameters"]:
            assert (
                parameter["label"] == parameter["parameter_name"] and len(parameter["python_type"]["description"]) > 9
            )


CLOSED = [
    "upload",
    "file=app.py",
    "proxy=http://x",
    "deep_link",
    "vibe-code",
    "run/run",
    "stream/x",
    "process_recording",
]


@pytest.mark.parametrize("path", ["/login", "/monitoring", "/openapi.json", *(f"/gradio_api/{one}" for one in CLOSED)])
def test_what_the_page_does_not_need_is_closed(server, path):
    for method in ("GET", "POST"):
        assert_one_sentence(server.send(method, path), 404)


def test_many_files_and_large_bodies_are_refused(server):
    files = [("files", (f"{i}.txt", b"x" * 100_000)) for i in range(20)]
    assert_one_sentence(server.send("POST", "/gradio_api/upload", files=files), 404)
    for path in ("/gradio_api/queue/join", "/ask/run"):
        assert_one_sentence(server.send("POST", path, content=b" " * 4_000_001), 413)
        assert_one_sentence(server.send("POST", path, content=(b" " * 1_000_000 for _ in range(5))), 413)
        assert_one_sentence(server.send("POST", path, content=DEEP), 400)


def test_an_app_of_this_machine_answers_to_its_names_alone(server):
    port = server.client.base_url.port
    for host in (f"localhost:{port}", "127.0.0.1", f"[::1]:{port}"):
        assert server.send("GET", "/config", headers={"host": host}).status_code == 200
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "192.168.1.7", ""):
        for method, path in (("GET", "/"), ("GET", "/config"), ("POST", "/ask/models"), ("GET", "/payload/x")):
            answer = server.send(method, path, headers={"host": host})
            assert_one_sentence(answer, 421)


def test_pages_of_other_sites_can_post_nothing(server):
    for headers in ({"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
        for path in ("/gradio_api/queue/join", "/gradio_api/call/run", "/gradio_api/cancel", "/ask/run"):
            answer = server.send("POST", path, content=b"{}", headers=headers | {"content-type": "text/plain"})
            assert_one_sentence(answer, 403)


def test_an_https_proxy_that_keeps_our_name_is_no_other_site(server):
    headers = {"origin": "https://my.org", "sec-fetch-site": "same-origin"}
    assert server.send("POST", "/ask/models", content=b"{}", headers=headers).status_code == 200


def test_the_log_stays_short(server):
    assert len(server.log.getvalue()) < 2000, server.log.getvalue()[:2000]
