"""How a class joins: the address, as text and as a QR code, in the terminal and on a page for the projector."""

import io
import socket
import sys
from collections.abc import Iterable
from html import escape
from ipaddress import ip_address
from urllib.parse import urlsplit

import segno
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from .classroom import QUESTIONS_EACH, TRAININGS_EACH, Classroom
from .guard import NOT_HERE, said
from .questions.asker import is_loopback

ANYWHERE = ("0.0.0.0", "::", "")
ELSEWHERE = "192.0.2.1"  # an address for documentation; nothing is sent to it
QUIET_ZONE = 4  # modules around the code, as its standard asks
ONLY_HERE = "Only this machine can open these addresses: connect it to the class's network and restart Headscope."
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Join · Headscope</title>
<style>
html {{ color-scheme: light; background: #fff; color: #18181b; font-family: system-ui, sans-serif; }}
body {{ display: flex; flex-direction: column; align-items: center; gap: 2vmin; min-height: 100vh; margin: 0;
  padding: 3vmin; box-sizing: border-box; justify-content: center; text-align: center; }}
h1 {{ margin: 0; font-size: max(20px, 4vmin); font-weight: 650; }}
svg {{ width: min(66vh, 90vw); height: auto; }}
p {{ margin: 0; font: 650 clamp(18px, 5vw, 9vmin) ui-monospace, Menlo, Consolas, monospace; overflow-wrap: anywhere; }}
</style>
</head>
<body>
<h1>Open this address on your computer or phone</h1>
{code}
<p>{address}</p>
</body>
</html>
"""


class NamesOnTheNetwork(frozenset[str]):
    """The names of this machine on its network. Any IP address is one: no page of another site comes by that."""

    def __contains__(self, host: object) -> bool:
        return super().__contains__(host) or _is_address(str(host))


def names_on_the_network(more: Iterable[str]) -> NamesOnTheNetwork:
    own = socket.gethostname().lower()
    return NamesOnTheNetwork({own, own.partition(".")[0], f"{own.partition('.')[0]}.local", *more})


def join_address(host: str, port: int, public: str | None = None) -> str:
    """The address that a class opens: ``public`` if that is a whole one, else that of this machine on its network."""
    if public and public.startswith(("http://", "https://")):
        return public.rstrip("/") + "/"
    host = (lan_address() or "127.0.0.1") if host in ANYWHERE else host
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def lan_address() -> str | None:
    """The IPv4 address by which this machine goes to others; None if it is on no network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((ELSEWHERE, 9))
            found = probe.getsockname()[0]
        except OSError:
            return None
    return None if is_loopback(found) or found in ANYWHERE else found


def join_route(classroom: Classroom | None) -> Route:
    """``/join``: the page for the projector."""

    async def join(request: Request) -> Response:
        if classroom is None:
            return said(404, NOT_HERE)
        page = join_page(classroom.address or str(request.base_url))
        return HTMLResponse(page, headers={"Cache-Control": "no-store"})

    return Route("/join", join)


def join_page(address: str) -> str:
    title = f"QR code of {shown(address)}"
    code = segno.make(address, micro=False)
    drawn = code.svg_inline(border=QUIET_ZONE, omitsize=True, svgclass=None, lineclass=None, title=title)
    return PAGE.format(code=drawn, address=escape(shown(address)))


def shown(address: str) -> str:
    """An address as people type it."""
    return address.rstrip("/")


def invitation(classroom: Classroom) -> str:
    """What the terminal says to a teacher: how a class joins, and what is the teacher's own."""
    address = classroom.address
    lines = [
        "",
        *code_lines(address),
        f"Your class opens {shown(address)}",
        f"For the projector, large:  {address}join",
        f"For you alone, to point everyone at what you see:  {address}#teach={classroom.secret}",
        "Models: those that ship and those of --models. No code is taken, and no trained model is kept.",
        f"Each visitor: {QUESTIONS_EACH} questions and {TRAININGS_EACH} trainings at a time.",
    ]
    return "\n".join([*lines, ONLY_HERE] if is_loopback(urlsplit(address).hostname or "") else lines)


def code_lines(address: str) -> list[str]:
    """The QR code in half blocks, where somebody looks at a terminal that has them."""
    drawn = io.StringIO()
    segno.make(address, micro=False).terminal(drawn, compact=True)
    try:
        drawn.getvalue().encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return []
    return drawn.getvalue().splitlines() if sys.stdout.isatty() else []


def _is_address(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return False
