"""The first HTML, and the browser half as files: what is in them, compressed, kept, and found behind a proxy."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from explorer import static_files
from explorer.first_html import FirstHtml, middleware
from explorer.proxy import root_path
from explorer.static_files import FOR_GOOD, NEVER, Web

GRADIO = """<!doctype html><html><head><base href="./" />
<meta property="og:title" content="Gradio" /><meta
  property="og:image"
  content="https://raw.githubusercontent.com/x.jpg"
/>
<meta name="twitter:card" content="summary_large_image" /><meta name="viewport" content="width=device-width" />
<link rel="manifest" href="/manifest.json" />
<link rel="stylesheet" crossorigin href="./assets/index.css">
<script type="module" src="./assets/index.js"></script></head>
<body style="x"><gradio-app></gradio-app></body></html>"""


def seen(request: Request) -> JSONResponse:
    return JSONResponse({"query": str(request.query_params), "path": request.url.path})


def page(request: Request) -> HTMLResponse:
    return HTMLResponse(GRADIO, 500 if request.query_params else 200)  # as Gradio does for ?page=x


def client(web: Web | None = None, prefix: str = "") -> TestClient:
    web = web or Web()
    routes = [
        Route("/", page),
        Route("/manifest.json", lambda _: PlainTextResponse("<body>as it was</body>" * 100)),
        Route("/config", seen),
        Mount("/web", web.files()),
    ]
    app = Starlette(routes=routes, middleware=middleware(web))

    async def behind(scope, receive, send):
        await app({**scope, "root_path": prefix} if scope["type"] == "http" else scope, receive, send)

    return TestClient(behind)


def addresses(html: str) -> list[str]:
    return re.findall(r'(?:src|href)="\./(web/[^"]+)"', html)


def test_the_header_and_the_addresses_stand_in_the_first_html():
    html = client().get("/").text
    head, body = html.split("<body", 1)
    assert html.count("<header") == 1 and body.index("<header") < body.index("<gradio-app")
    assert head.index("importmap") < head.index('type="module"')  # else the browser does not take it
    for gone in ("githubusercontent", 'content="Gradio"', 'name="twitter:title"', 'rel="manifest"'):
        assert gone not in html
    assert html.count('property="og:title" content="Headscope"') == 1 and "viewport" in head
    assert [address.rsplit("/", 1)[1] for address in addresses(html)] == ["main.mjs", "styles.css"]
    answers = [client().get(f"/{address}") for address in addresses(html)]
    assert [answer.headers["content-type"].split(";")[0] for answer in answers] == ["text/javascript", "text/css"]


def test_the_first_screen_stands_before_what_could_hold_it_up():
    head, body = client().get("/").text.split("<body", 1)
    assert "stylesheet" not in head and body.count('id="start"') == 1
    parts = ("<header", '<main id="start"', "hs-start-tokens", "index.css", "styles.css", "<gradio-app")
    order = [body.index(part) for part in parts]
    assert order == sorted(order)
    assert not re.search(r"(src|href)=.[./]*(web|assets)/", body[: body.index("</main>")]), "it needs no other file"


def test_the_first_screen_does_not_wait_for_gradios_page():
    sent, asked = [], []

    async def gradio(scope, receive, send):
        asked.append(b"".join(message.get("body", b"") for message in sent))
        await PlainTextResponse("failed at once", 500)(scope, receive, send)

    async def hear(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"page=x", "headers": [(b"host", b"x")]}
    with ThreadPoolExecutor(1) as alone:  # where no browser test has its event loop
        answered = FirstHtml(gradio, Web())({**scope, "scheme": "http", "server": ("x", 80)}, None, hear)
        alone.submit(asyncio.run, answered).result()
    assert b"hs-start-tokens" in asked[0] and b"</main>" in asked[0], "sent before Gradio was asked"
    whole = b"".join(message.get("body", b"") for message in sent)
    assert whole.startswith(b"<!doctype html>") and b"failed at once" not in whole and whole.endswith(b"</body></html>")


def test_nothing_of_the_page_is_said_twice():
    html = client().get("/").text
    for tag in ("<!doctype", "<html", "<head>", "<body", "<base", "charset=", 'name="viewport"', "</body>", "</html>"):
        assert html.count(tag) == 1, tag


def test_links_to_the_app_are_shown_with_the_card_of_the_first_screen():
    web = Web()
    html = client(web).get("/", headers={"host": 'me.org"><script>'}).text
    assert 'me.org"><script>' not in html
    card = re.search(r'<meta property="og:image" content="http://testserver(/[^"]+)">', client(web).get("/").text)[1]
    picture = client(web).get(card)
    assert picture.headers["content-type"] == "image/png"
    assert [int.from_bytes(picture.content[at : at + 4], "big") for at in (16, 20)] == [1200, 630]


@pytest.mark.parametrize("query", ["page=anything", "deep_link=x", "view=api", "__sign=1&all_endpoints=true", "x=%00"])
def test_gradio_does_not_see_the_query_of_the_page(query):
    answer = client().get(f"/?{query}")
    assert answer.status_code == 200 and "<header" in answer.text
    assert client().get(f"/config?{query}").json()["query"] != ""


def test_other_answers_stay_as_they_are():
    answer = client().get("/manifest.json")
    assert answer.text == "<body>as it was</body>" * 100 and "content-encoding" not in answer.headers
    assert client().get("/nothing").status_code == 404
    assert client().head("/").status_code == 200


def test_files_are_compressed_and_kept_for_good():
    web = Web()
    for path in (f"/{web.address}/styles.css", f"/{web.address}/state/store.mjs", "/"):
        answer = client(web).get(path)
        assert answer.headers["content-encoding"] == "gzip" and "Accept-Encoding" in answer.headers["vary"]
        assert answer.headers["cache-control"] == (FOR_GOOD if path != "/" else "no-cache")
        plain = client(web).get(path, headers={"accept-encoding": "identity"})
        assert plain.text == answer.text and "content-encoding" not in plain.headers


@pytest.mark.parametrize(
    "path", ["web/0123/main.mjs", "web/main.mjs", "web/{}/", "web/{}/../../server.py", "web/{}/x.mjs"]
)
def test_another_version_and_other_files_are_not_there(path):
    answer = client().get("/" + path.format(Web().version))
    assert answer.status_code == 404 and "immutable" not in answer.headers.get("cache-control", "")


def test_in_development_files_are_read_anew_and_kept_by_nobody(tmp_path: Path, monkeypatch):
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "main.mjs").write_text("one")
    monkeypatch.setattr(static_files, "STATIC", folder)
    web = Web(dev=True)
    dev, before = client(web), web.address
    answer = dev.get(f"/{before}/main.mjs")
    assert (answer.text, answer.headers["cache-control"]) == ("one", NEVER)
    (folder / "main.mjs").write_text("two")
    assert web.address != before
    assert web.address in dev.get("/").text and before not in dev.get("/").text
    assert dev.get(f"/{before}/main.mjs").text == dev.get(f"/{web.address}/main.mjs").text == "two"
    built = Web()
    kept = built.address
    (folder / "main.mjs").write_text("three")
    assert built.address == kept, "a built version is read once"


def test_a_file_that_is_renamed_is_another_version(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.mjs").write_text("same")
    before = static_files.hash_of(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert static_files.hash_of(tmp_path) != before


@pytest.mark.parametrize("prefix", ["/headscope", "/a/b", "https://me.org/headscope"])
@pytest.mark.parametrize("keeps", [True, False])
def test_a_proxy_may_strip_the_prefix_or_keep_it(prefix, keeps):
    path = prefix.removeprefix("https://me.org")
    at = path if keeps else ""
    app = client(prefix=prefix)
    html = app.get(f"{at}/")
    assert "<header" in html.text and html.headers["content-encoding"] == "gzip"
    for address in addresses(html.text):
        assert app.get(f"{at}/{address}").headers["cache-control"] == FOR_GOOD
    assert app.get(f"{at}/config").status_code == 200


def test_a_root_path_is_a_path_or_an_address():
    assert [root_path(given) for given in ("/headscope/", "/", "https://me.org/x/")] == [
        "/headscope",
        "",
        "https://me.org/x",
    ]
    with pytest.raises(ValueError, match="--root-path headscope is neither a path such as /headscope nor a URL"):
        root_path("headscope")
