"""How long a user waits: from pressing Enter until every view has drawn the text, and from choosing a head.

    python -m tests.benchmarks.bench_screen

The app runs as its user starts it, in Chromium, with texts of 64 tokens that no cache has seen. The clock is the
page's own: it starts at the key, and stops with the frame after the last view has drawn: those of attention, and
in turn each panel of the rest of the model. Printed are medians; the bar is 500 ms for a text. Choosing a head
asks no server: it takes one to two frames of 16.7 ms.
"""

import argparse
from statistics import median

from playwright.sync_api import sync_playwright

from llm_core import load_tokenizer
from tests.ui.browser import FLAGS, chromium_path
from tests.ui.screen import VIEWS, Screen
from tests.ui.serving import running_app

TOKENS, BAR = 64, 500  # ms
PANELS = ("pipeline", "lens", "residual", "surgery", "patch")
WORDS = "wash the red cup and dry it with a clean cloth, then put the blue bowl in warm water"

# From the key event to the frame after the one in which the last view has taken up a new result.
TEXT_TIMER = """(names) => {
    const all = names.map((name) => document.querySelector(`[data-view=${name}]`));
    const views = all.filter((view) => view.offsetParent);
    const seqs = () => views.map(({ dataset }) => Number(dataset.seq));
    const before = globalThis.headscope.seq;
    globalThis.took = new Promise((done) => {
        document.addEventListener("keydown", ({ timeStamp }) => {
            const look = () => seqs().every((seq) => seq > before)
                ? requestAnimationFrame((now) => done(now - timeStamp))
                : requestAnimationFrame(look);
            look();
        }, { once: true, capture: true });
    });
}"""

# From the key event to the frame after the one in which the chosen head is drawn large.
HEAD_TIMER = """(title) => {
    const heading = document.querySelector("[data-view=attention_view] h2");
    globalThis.took = new Promise((done) => {
        document.addEventListener("keydown", ({ timeStamp }) => {
            const look = () => heading.textContent === title
                ? requestAnimationFrame((now) => done(now - timeStamp))
                : requestAnimationFrame(look);
            look();
        }, { once: true, capture: true });
    });
}"""


def texts(count: int) -> list[str]:
    """Different texts, each exactly TOKENS tokens long with the token that stands before it."""
    tokenizer = load_tokenizer()
    found = [
        tokenizer.decode(tokenizer.encode(f"{i} times {WORDS} " + f"{WORDS} " * 8)[: TOKENS - 1]) for i in range(count)
    ]
    wrong = [text for text in found if len(tokenizer.encode(text)) != TOKENS - 1]
    if wrong:
        raise SystemExit(f"this text has not {TOKENS} tokens: {wrong[0]}")
    return found


def time_text(screen: Screen, text: str, panel: str) -> float:
    """Milliseconds from Enter to the last view."""
    screen.prompt.fill(text)
    screen.page.evaluate(TEXT_TIMER, [*VIEWS, "roles_view", f"{panel}_view"])
    screen.prompt.press("Enter")
    took = screen.page.evaluate("globalThis.took")
    if len(screen.tokens()) != TOKENS:
        raise SystemExit(f"{len(screen.tokens())} tokens are on the screen, not {TOKENS}")
    return took


def time_head(screen: Screen, layer: int) -> float:
    """Milliseconds from an arrow key in the grid to the next layer's head, large."""
    screen.page.evaluate(HEAD_TIMER, f"Layer {layer}, head 0")
    screen.page.keyboard.press("ArrowDown")
    return screen.page.evaluate("globalThis.took")


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the screen.")
    parser.add_argument("--rounds", type=int, default=8)
    args = parser.parse_args()
    path = chromium_path()
    with running_app() as app, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        screen = Screen(browser.new_page(viewport={"width": 1440, "height": 900}), app.url).open()
        fresh = iter(texts(1 + args.rounds * len(PANELS)))
        first = time_text(screen, next(fresh), "attention")
        waits = {}
        for panel in PANELS:
            screen.choose_panel(panel)
            screen.page.wait_for_selector(f'[data-view="{panel}_view"][data-ready="true"]')
            waits[panel] = [time_text(screen, next(fresh), panel) for _ in range(args.rounds)]
        screen.choose_panel("attention")
        heads = []
        for _ in range(3):
            screen.choose_head(0, 0)
            heads += [time_head(screen, layer) for layer in range(1, 6)]
        browser.close()
    print(f"{TOKENS} tokens, Enter to last view, at most {BAR} ms; the first text {first:.0f} ms")
    for panel, times in waits.items():
        print(f"  with the panel {panel:18} {median(times):6.0f} ms")
    print(f"another head, key to picture      {median(heads):6.0f} ms")


if __name__ == "__main__":
    main()
