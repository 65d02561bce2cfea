"""The browser half as files. Their address holds a hash of them all, so that browsers may keep them for good.

``Web(dev=True)`` reads and hashes them anew at each page load, and lets no browser keep them. plotly.js is not among
our files: its Python package brings it. Gradio's own copy has another name with each Gradio, and loads Gradio's page.
"""

import hashlib
from functools import cache, cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from .export.standalone import STATIC, style_sheets

SHEET = "styles.css"  # all style sheets in one
PLOTLY = ["vendor", "plotly.min.js"]
FOR_GOOD = "public, max-age=31536000, immutable"
NEVER = "no-store"


class Web:
    """The files of ``web/`` in one version: what it is called, and what serves it."""

    def __init__(self, dev: bool = False):
        self.dev = dev

    @cached_property
    def _built(self) -> str:
        return self._now

    @property
    def _now(self) -> str:
        return hash_of(STATIC, version("plotly"))

    @property
    def version(self) -> str:
        """A hash over everything in ``web/``, and plotly's version: no browser mixes two."""
        return self._now if self.dev else self._built

    @property
    def address(self) -> str:
        """Where the files lie, relative to the app."""
        return f"web/{self.version}"

    def files(self) -> StaticFiles:
        """Serves ``<version>/<path>`` below the place where it is mounted."""
        return _Files(self)


class _Files(StaticFiles):
    def __init__(self, web: Web):
        super().__init__(directory=STATIC)
        self.web = web

    async def get_response(self, path: str, scope: Scope) -> Response:
        version, *rest = Path(path).parts or [""]
        if not rest or not (self.web.dev or version == self.web.version):
            raise HTTPException(404)
        if rest == [SHEET]:
            response = Response(sheet(), media_type="text/css")
        elif rest == PLOTLY:
            response = FileResponse(plotly_file(), media_type="text/javascript")
        else:
            response = await super().get_response(str(Path(*rest)), scope)
        response.headers["cache-control"] = NEVER if self.web.dev else FOR_GOOD
        return response


@cache
def plotly_file() -> Path:
    """plotly.js, found without importing plotly's Python half. ``LookupError`` if the package brings none."""
    spec = find_spec("plotly")
    for folder in (spec and spec.submodule_search_locations) or []:
        if (path := Path(folder, "package_data", "plotly.min.js")).is_file():
            return path
    raise LookupError("the package plotly has no package_data/plotly.min.js: install the version in requirements.txt")


def hash_of(folder: Path, *more: str) -> str:
    digest = hashlib.sha256(" ".join(more).encode())
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def sheet() -> str:
    """All style sheets in one."""
    return "\n".join(path.read_text(encoding="utf-8") for path in style_sheets())
