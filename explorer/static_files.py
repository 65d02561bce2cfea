"""The browser half as files. Their address holds a hash of them all, so that browsers may keep them for good.

``Web(dev=True)`` reads and hashes them anew at each page load, and lets no browser keep them.
"""

import hashlib
from functools import cached_property
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from .export.standalone import STATIC, style_sheets

SHEET = "styles.css"  # all style sheets in one
FOR_GOOD = "public, max-age=31536000, immutable"
NEVER = "no-store"


class Web:
    """The files of ``web/`` in one version: what it is called, and what serves it."""

    def __init__(self, dev: bool = False):
        self.dev = dev

    @cached_property
    def _built(self) -> str:
        return hash_of(STATIC)

    @property
    def version(self) -> str:
        """A hash over everything in ``web/``: no browser mixes two versions."""
        return hash_of(STATIC) if self.dev else self._built

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
        else:
            response = await super().get_response(str(Path(*rest)), scope)
        response.headers["cache-control"] = NEVER if self.web.dev else FOR_GOOD
        return response


def hash_of(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def sheet() -> str:
    """All style sheets in one."""
    return "\n".join(path.read_text(encoding="utf-8") for path in style_sheets())
