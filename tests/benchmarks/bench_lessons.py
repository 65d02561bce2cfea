"""How smoothly a lesson moves: frames per second while cells travel and while the pointer does, and a click's answer.

    python -m tests.benchmarks.bench_lessons

A text of 16 tokens, all heads of a layer: (T=16, C=256) becomes (T, H, D) and (H, T, D), 4,096 cells that all
travel. The app runs as its user starts it, in Chromium; the clock is the page's own. Bars: 50 frames/s, 50 ms. No
other tool shows these lessons, so there is no peer to set beside.
"""

import argparse
from statistics import median

from playwright.sync_api import sync_playwright

from tests.ui.browser import FLAGS, chromium_path
from tests.ui.lesson_screen import LessonScreen
from tests.ui.serving import running_app

TEXT = "Wash the red cup and dry the red cup. Wash the blue bowl and dry the blue"
LEAST_RATE, MOST_WAIT = 50, 50  # frames/s, ms

# Frames per second from one step's first frame to its rest.
STEPPING = """async (step) => {
    const stage = document.querySelector('.hs-stage');
    document.querySelectorAll('.hs-step-link')[step - 1].click();
    const start = performance.now();
    while (stage.dataset.animating === 'true') await new Promise(requestAnimationFrame);
    return (stage.picture.frames / (performance.now() - start)) * 1000;
}"""

# Frames per second while the pointer crosses the first panel, one cell a frame.
POINTING = """async () => {
    const slot = document.querySelector('.hs-slot');
    const { left, top, width, height } = slot.getBoundingClientRect();
    const frames = 60;
    const start = performance.now();
    for (let i = 0; i < frames; i++) {
        const place = { clientX: left + width * (0.1 + 0.8 * (i / frames)), clientY: top + height / 2, bubbles: true };
        slot.dispatchEvent(new PointerEvent('pointermove', place));
        await new Promise(requestAnimationFrame);
    }
    return (frames / (performance.now() - start)) * 1000;
}"""

# Milliseconds from a click on a cell to the frame after its answer stands there.
CLICKING = """async (share) => {
    const slot = document.querySelector('.hs-slot');
    const { left, top, width, height } = slot.getBoundingClientRect();
    const place = { clientX: left + width * share, clientY: top + height / 2, bubbles: true };
    const before = document.querySelector('.hs-readout').textContent;
    const start = performance.now();
    slot.dispatchEvent(new MouseEvent('click', place));
    if (document.querySelector('.hs-readout').textContent === before) throw new Error('the click changed nothing');
    await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    return performance.now() - start;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the lessons.")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    path = chromium_path()
    with running_app() as app, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        learn = LessonScreen(page, app.url).open("heads")
        page.emulate_media(reduced_motion="no-preference")
        learn.run(TEXT)
        for step in (2, 3, 4):
            learn.page.click(f".hs-step-link >> nth={step - 1}")
            learn.reveal()
        requests = []
        page.on("request", lambda request: requests.append(request.url))
        rates = [page.evaluate(STEPPING, step) for _ in range(args.rounds) for step in (1, 2, 3, 2)]
        pointing = [page.evaluate(POINTING) for _ in range(args.rounds)]
        asked = len(requests)
        learn.open("attention", 2)
        learn.reveal()
        waits = [page.evaluate(CLICKING, 0.2 + 0.7 * i / (4 * args.rounds)) for i in range(4 * args.rounds)]
        browser.close()
    print(f"4,096 cells travelling   {median(rates):6.1f} frames/s   (at least {LEAST_RATE}; slowest {min(rates):.1f})")
    print(f"pointing at cells        {median(pointing):6.1f} frames/s   (at least {LEAST_RATE})")
    print(f"a click on a cell        {median(waits):6.1f} ms         (at most {MOST_WAIT}; slowest {max(waits):.1f})")
    print(f"requests to the server   {asked:6d}            (none)")


if __name__ == "__main__":
    main()
