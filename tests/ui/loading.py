"""What a visit costs: requests and bytes on the wire, counted by the browser itself."""

from dataclasses import dataclass

from playwright.sync_api import Browser, Page

READY = '[data-view="prompt_view"][data-ready="true"]'  # Gradio is up, and what all pages share
PAGES = (
    "learn",
    "explore",
    "attention",
    "pipeline",
    "lens",
    "residual",
    "surgery",
    "patch",
    "compare",
    "generate",
    "train",
    "check",
)


@dataclass(frozen=True)
class Visit:
    """``ours``: scripts and styles of the browser half that went over the wire; ``all``: every request."""

    ours: int
    our_bytes: int
    all: int
    all_bytes: int
    first_paint: float  # ms
    picture: float  # the first screen's
    gradio: float  # the first view that Gradio has put on the page
    ready: float
    of_other_pages: list[str]


# When a frame with an element in it has been painted, in ms after navigation began.
WATCH = """(() => {
    globalThis.painted_ = {};
    const wanted = { picture: "#start[data-ready]", gradio: "gradio-app [data-view]" };
    const note = (name) => () => setTimeout(() => (globalThis.painted_[name] = performance.now()));
    const look = () => {
        for (const [name, selector] of Object.entries(wanted)) {
            if (!document.querySelector(selector)) continue;
            delete wanted[name];
            requestAnimationFrame(note(name));
        }
    };
    new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true });
})()"""


def load(browser: Browser, url: str, tabs: int = 1) -> tuple[Visit, ...]:
    """The first visit to the first page, the same page loaded again, and one from each further tab."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_init_script(WATCH)
    try:
        page = context.new_page()
        first = visit(page, lambda: page.goto(url))
        second = visit(page, lambda: page.reload())
        others = [context.new_page() for _ in range(tabs - 1)]
        return first, second, *[visit(other, lambda other=other: other.goto(url)) for other in others]
    finally:
        context.close()


def visit(page: Page, go) -> Visit:
    page.set_default_timeout(90_000)
    client = page.context.new_cdp_session(page)
    client.send("Network.enable")
    urls, sizes, kept = {}, {}, set()
    client.on("Network.requestWillBeSent", lambda e: urls.setdefault(e["requestId"], e["request"]["url"]))
    client.on("Network.requestServedFromCache", lambda e: kept.add(e["requestId"]))
    client.on("Network.responseReceived", lambda e: e["response"].get("fromDiskCache") and kept.add(e["requestId"]))
    client.on("Network.loadingFinished", lambda e: sizes.__setitem__(e["requestId"], e["encodedDataLength"]))
    go()
    page.wait_for_selector(READY, state="attached")
    ready = page.evaluate("performance.now()")
    page.wait_for_timeout(1500)  # what is loaded behind
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN")
    painted = page.evaluate("globalThis.painted_")
    client.detach()
    sent = {id: url for id, url in urls.items() if id not in kept and url.startswith("http")}
    ours = {id: url for id, url in sent.items() if "/web/" in url}
    others = [url for url in ours.values() if any(f"/{name}/" in url for name in PAGES)]
    return Visit(
        len(ours), sum(sizes.get(id, 0) for id in ours), len(sent), sum(sizes.get(id, 0) for id in sent),
        paint, painted["picture"], painted["gradio"], ready, others,
    )  # fmt: skip
