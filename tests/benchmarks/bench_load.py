"""What a visit to the first page costs: requests, bytes on the wire, first paint.

    python -m tests.benchmarks.bench_load [--visits 3]

The app runs as its user starts it, in Chromium, each first visit with an empty cache. "Ours" are the scripts and styles
of the browser half; the bars are 45 requests and 250 KB for them on the first visit, and none on the second. The first
screen's picture stands in at most 0.3 of the time at which Gradio's first view does, also with a server just started.
"""

import argparse
from statistics import median

from playwright.sync_api import sync_playwright

from tests.ui.browser import FLAGS, chromium_path
from tests.ui.loading import Visit, load
from tests.ui.serving import running_app


def line(name: str, visits: list[Visit]) -> str:
    one = visits[-1]
    paint, ready = (median(getattr(visit, what) for visit in visits) for what in ("first_paint", "ready"))
    picture, gradio = (median(getattr(visit, what) for visit in visits) for what in ("picture", "gradio"))
    return (
        f"{name:14} ours {one.ours:4} requests {one.our_bytes / 1000:6.0f} KB   all {one.all:4} requests "
        f"{one.all_bytes / 1000:6.0f} KB   first paint {paint:5.0f} ms   picture {picture:5.0f} ms, "
        f"{picture / gradio:.2f} of Gradio's first view   ready {ready:6.0f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visits", type=int, default=3)
    count = parser.parse_args().visits
    with running_app() as app, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
        visits = [load(browser, app.url, tabs=2) for _ in range(count)]
        browser.close()
    print(line("server started", [visits[0][0]]))
    for name, those in zip(("first visit", "loaded again", "another tab"), zip(*visits, strict=True), strict=True):
        print(line(name, list(those)))


if __name__ == "__main__":
    main()
