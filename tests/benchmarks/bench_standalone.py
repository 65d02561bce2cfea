"""The stand-alone page against BertViz's ``model_view``: the size of the file, and the time to its first picture.

    python -m venv bertviz && bertviz/bin/pip install bertviz torch ipython
    npm install --prefix bertviz-npm d3@5.7.0 jquery@2.2.4 requirejs@2.3.6
    python -m tests.benchmarks.bench_standalone --peer bertviz/bin/python --npm bertviz-npm/node_modules

Both show the same attention of the shipped model: 64 tokens, 6 layers of 8 heads. BertViz's page loads d3, jQuery
and RequireJS from other hosts; here they come from npm through this machine, so that no network is timed (jQuery
2.0.0 is not on npm: the nearest that is). One server hands out both, one Chromium opens them in turn, each time in
a context of its own. The clock is the page's: from the start of its navigation to the second frame after its first
picture is there: in ours every view has drawn, in BertViz's all thumbnails are in the page.

Printed are sizes, medians, and their ratios ours ÷ BertViz; the bars are 0.1 for the size and 0.5 for the time.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

import numpy as np
from playwright.sync_api import Browser, sync_playwright

from explorer.engine.payload import unpack
from explorer.engine.runner import Runner
from explorer.export.standalone import standalone_html
from tests.benchmarks.bench_screen import TOKENS, texts
from tests.ui.browser import FLAGS, chromium_path

SIZE_BAR, TIME_BAR = 0.1, 0.5
LIBRARIES = {
    "https://cdnjs.cloudflare.com/ajax/libs/require.js/2.3.6/require.min.js": "requirejs/require.js",
    "https://cdnjs.cloudflare.com/ajax/libs/d3/5.7.0/d3.min": "d3/dist/d3.min.js",
    "https://cdnjs.cloudflare.com/ajax/libs/jquery/2.0.0/jquery.min": "jquery/dist/jquery.min.js",
}
PEER = """
import json, sys, numpy, torch
from bertviz import model_view
attention = [torch.from_numpy(layer)[None] for layer in numpy.load(sys.argv[1])]
print("<!doctype html><meta charset=utf-8>", model_view(attention, json.loads(sys.argv[2]), html_action="return").data)
"""
PEER_HAS_DRAWN = "document.querySelectorAll('.attn_background').length === 48"
WE_HAVE_DRAWN = """["tokens", "grid", "attention", "roles", "next"].every(
    (name) => document.querySelector(`[data-view=${name}_view]`)?.dataset.ready === "true")"""
TIMER = """globalThis.took = new Promise((done) => {
    const look = () => (HAS_DRAWN)
        ? requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now())))
        : requestAnimationFrame(look);
    look();
});"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address under which the files of ``folder`` are."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def write_pages(folder: Path, peer: str, npm: Path) -> None:
    """Write ours.html and theirs.html, with what theirs loads."""
    payload = Runner().payload(texts(1)[0])
    header, arrays = unpack(payload)
    (folder / "ours.html").write_text(standalone_html(payload), encoding="utf-8")
    np.save(folder / "attention.npy", arrays["pattern"].astype(np.float32))
    tokens = json.dumps([token["text"] for token in header["tokens"]])
    command = [peer, "-c", PEER, str(folder / "attention.npy"), tokens]
    page = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for address, path in LIBRARIES.items():
        if address not in page:
            raise SystemExit(f"this BertViz does not load {address}")
        shutil.copy(npm / path, folder / Path(path).name)
        page = page.replace(address, Path(path).name if address.endswith(".js") else Path(path).stem)
    (folder / "theirs.html").write_text(page, encoding="utf-8")


def time_to_picture(browser: Browser, address: str, has_drawn: str) -> float:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.add_init_script(TIMER.replace("HAS_DRAWN", has_drawn))
    page.goto(address)
    page.wait_for_function(has_drawn)  # which ends, where a promise would not
    took = page.evaluate("globalThis.took")
    context.close()
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare the stand-alone page with BertViz's.")
    parser.add_argument("--peer", required=True, help="a Python that has bertviz")
    parser.add_argument("--npm", type=Path, required=True, help="a node_modules with d3, jquery and requirejs")
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        write_pages(folder, args.peer, args.npm)
        sizes = [(folder / page).stat().st_size for page in ("ours.html", "theirs.html")]
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
        with served(folder) as address:
            for _ in range(args.rounds):
                ours.append(time_to_picture(browser, f"{address}ours.html", WE_HAVE_DRAWN))
                theirs.append(time_to_picture(browser, f"{address}theirs.html", PEER_HAS_DRAWN))
        browser.close()
    times = [median(ours), median(theirs)]
    print(f"{TOKENS} tokens, 48 heads        ours    BertViz    ratio")
    for name, (us, them), bar in (
        ("size, kB", [size / 1e3 for size in sizes], SIZE_BAR),
        ("first picture, ms", times, TIME_BAR),
    ):
        print(f"{name:20}{us:12.0f}{them:11.0f}{us / them:9.3f}   (at most {bar})")


if __name__ == "__main__":
    main()
