"""What was recorded of the models while they trained, as ``llm_core.timeline`` wrote it: which there are, and routes
that send the files as they lie on disk. Neither needs torch.

    GET timeline/index.json                    {"models": [{name, title, sentence, version}], "missing": a sentence}
    GET timeline/<name>/timeline.json          one model's steps, losses, roles and prompts
    GET timeline/<name>/<k>.safetensors.gz     one prompt at all steps; with Content-Encoding, so browsers unpack it

An address with a version (``?v=…``) never changes what it gives, so it may be kept for a year.
"""

import json
import re
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from llm_core.paths import ASSETS

from .architectures import ARCHITECTURES

FOLDER = ASSETS / "timeline"
FACTS = "timeline.json"
MISSING = (
    "No training has been recorded yet. Train a model with “python -m llm_core.train --preset decoder”, then "
    "record what it did at every snapshot with “python -m llm_core.timeline RUN_FOLDER --out assets/timeline --name "
    "decoder”, and reload this page."
)
GONE = "This recording no longer exists: reload the page."
FOREVER = "public, max-age=31536000, immutable"


def timelines(folder: Path = FOLDER) -> list[dict]:
    """The models whose training was recorded, in the order of ARCHITECTURES: name, title, sentence, version."""
    found = []
    for path in sorted(folder.glob(f"*/{FACTS}")):
        try:
            kind = json.loads(path.read_text(encoding="utf-8"))["architecture"]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # half written, or of somebody else
        name = path.parent.name
        about = ARCHITECTURES.get(kind)
        if about is None:
            continue
        title, version = about.title if name == kind else name, str(path.stat().st_mtime_ns)
        found.append({"name": name, "title": title, "sentence": about.sentence, "version": version})
    order = list(ARCHITECTURES)
    return sorted(found, key=lambda one: order.index(one["name"]) if one["name"] in order else len(order))


def timeline_routes(folder: Path = FOLDER) -> list[Route]:
    async def index(_request: Request) -> Response:
        listed = await run_in_threadpool(timelines, folder)
        return JSONResponse({"models": listed, "missing": MISSING}, headers={"Cache-Control": "no-store"})

    async def file(request: Request) -> Response:
        name, wanted = request.path_params["name"], request.path_params["file"]
        path = folder / name / wanted
        is_ours = re.fullmatch(r"[\w.-]+", name) and (wanted == FACTS or re.fullmatch(r"\d+\.safetensors\.gz", wanted))
        if not is_ours or name.startswith(".") or not path.is_file():
            return Response(GONE, 404)
        headers = {"Cache-Control": FOREVER if "v" in request.query_params else "no-cache"}
        if wanted == FACTS:
            return FileResponse(path, media_type="application/json", headers=headers)
        headers["Content-Encoding"] = "gzip"
        return FileResponse(path, media_type="application/octet-stream", headers=headers)

    return [Route("/timeline/index.json", index), Route("/timeline/{name}/{file}", file)]
