"""How long the Explore page takes to show another head, layer, token, mean, maximum or reading of a text.

    python -m tests.benchmarks.bench_redraw

The app runs as its user starts it, with the shipped decoder of 6 x 8 heads, in Chromium, with texts that fill 256
and 128 tokens. No server is asked. Two medians are printed for each change: from the key or click to the frame behind
the one that shows it, on the page's own clock, and the time that the views' scripts took of it. The bars: 50 ms at 256
tokens; at 128 the next frame, which on this clock is two frames of 16.7 ms at most. A new mean or maximum is computed
when it is first asked for; that is timed apart.
"""

import argparse
from collections.abc import Callable, Iterator
from statistics import median

from playwright.sync_api import sync_playwright

from llm_core import load_tokenizer
from tests.ui.browser import FLAGS, chromium_path
from tests.ui.screen import Screen
from tests.ui.serving import running_app

BARS = {256: 50.0, 128: 2 * 1000 / 60}  # ms, by tokens
WORDS = "wash the red cup and dry it with a clean cloth, then put the blue bowl in warm water. "

# From the event to the frame behind the one in which the views were drawn; and what drawing them took.
TIMER = """(event) => {
    const { drawing } = globalThis.headscope;
    const { draw } = Object.getPrototypeOf(drawing);
    globalThis.took = new Promise((done) => {
        document.addEventListener(event, ({ timeStamp }) => {
            let [script, seen] = [0, false];
            drawing.draw = (view) => {
                const start = performance.now();
                draw.call(drawing, view);
                script += performance.now() - start;
                if (!seen) requestAnimationFrame((now) => {
                    delete drawing.draw;
                    done([now - timeStamp, script]);
                });
                seen = true;
            };
        }, { once: true, capture: true });
    });
}"""


def text_of(tokens: int) -> str:
    """A text of exactly so many tokens, with the one that stands before it."""
    tokenizer = load_tokenizer()
    text = tokenizer.decode(tokenizer.encode(WORDS * tokens)[: tokens - 1])
    if len(tokenizer.encode(text)) != tokens - 1:
        raise SystemExit(f"this text has not {tokens} tokens: {text}")
    return text


def timed(screen: Screen, event: str, act: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds to the frame, and of script."""
    screen.page.evaluate(TIMER, event)
    act()
    return tuple(screen.page.evaluate("globalThis.took"))


def keys(screen: Screen, focus: str, *names: str) -> list[tuple[float, float]]:
    """Keys pressed one after the other on the element ``focus``."""
    screen.page.focus(focus)
    return [timed(screen, "keydown", lambda name=name: screen.page.keyboard.press(name)) for name in names]


def clicks(screen: Screen, selector: str, times: int) -> list[tuple[float, float]]:
    screen.page.hover(selector)
    screen.next_frame()
    return [timed(screen, "click", lambda: screen.page.click(selector)) for _ in range(times)]


HEAD = '.hs-grid button[tabindex="0"]'
PICTURE = ".hs-picture canvas"
MENU = '[aria-label="Settings of the picture"]'
BY = '[data-view="attention_view"] .hs-menu [data-name="one"]'
HIDE = '[data-view="attention_view"] .hs-menu .hs-check input'
BACK_AND_FORTH = {
    "a head": (HEAD, ["ArrowRight", "ArrowLeft"]),
    "a layer": (HEAD, ["ArrowDown", "ArrowUp"]),
    "a token": (PICTURE, ["ArrowUp", "ArrowDown"]),
}


def changes(screen: Screen, rounds: int) -> Iterator[tuple[str, list[tuple[float, float]]]]:
    """Every change by name, with its times."""
    for name, (focus, there_and_back) in BACK_AND_FORTH.items():
        yield name, keys(screen, focus, *there_and_back * rounds)
    screen.page.click(MENU)
    yield "hide the first token", clicks(screen, f"{HIDE} >> nth=0", 2 * rounds)
    screen.page.keyboard.press("Escape")
    screen.choose_setting("column")
    yield "who looks at it", keys(screen, PICTURE, *["ArrowLeft", "ArrowRight"] * rounds)
    screen.choose_setting("row", "mean", "all", "one")
    screen.choose_head(1, 1)
    screen.page.click(MENU)
    yield "mean or maximum of all, first", keys(screen, BY, "ArrowLeft")
    screen.page.click(BY)
    yield "mean or maximum of all, again", keys(screen, BY, *["ArrowRight"] * 3 * rounds)
    screen.page.click(BY)
    screen.page.keyboard.press("Escape")
    yield "flow, first", clicks(screen, '[data-name="flow"]', 1)
    yield "a token in flow", keys(screen, PICTURE, *["ArrowUp", "ArrowDown"] * rounds)
    screen.choose_drawing("matrix")


def main() -> None:
    parser = argparse.ArgumentParser(description="Time redrawing.")
    parser.add_argument("--rounds", type=int, default=8)
    args = parser.parse_args()
    path = chromium_path()
    with running_app() as app, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        screen = Screen(browser.new_page(viewport={"width": 1440, "height": 900}), app.url).open()
        for tokens, bar in BARS.items():
            screen.run(text_of(tokens))
            if len(screen.tokens()) != tokens:
                raise SystemExit(f"{len(screen.tokens())} tokens are on the screen, not {tokens}")
            print(f"{tokens} tokens, 48 heads: at most {bar:.0f} ms")
            for name, times in changes(screen, args.rounds):
                frames, scripts = zip(*times)
                print(f"    {name:32}{median(frames):6.1f} ms to the frame, {median(scripts):5.1f} ms of script")
        browser.close()


if __name__ == "__main__":
    main()
