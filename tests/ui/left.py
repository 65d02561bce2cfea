"""What is left on a page by who has used it: of a page that is to be used again it must be what it was at first."""

from playwright.sync_api import Page

# Counts of questions, results and nodes go on, and are nobody's to see.
LEFT = """(view) => {
    const { body, activeElement, title } = document;
    const seen = document.querySelector(`[data-view=${view}]`);
    const html = seen.outerHTML.replace(/ data-(lesson-)?(seq|shown|node)="[^"]*"/g, "");
    const attributes = Object.fromEntries([...body.attributes].map(({ name, value }) => [name, value || null]));
    attributes.class ??= null;
    const fields = [...document.querySelectorAll("#prompt textarea, [data-view] input")].map(({ value }) => value);
    const problems = [...document.querySelectorAll(".hs-problem")].map((one) => one.checkVisibility());
    const { payload } = headscope;
    return {
        html, attributes, fields, problems, title,
        kept: { ...localStorage },
        dialogs: document.querySelectorAll("dialog[open]").length,
        hasFocus: activeElement !== body,
        text: payload.text,
        model: payload.model.name,
        address: location.search,
        scrolled: scrollY,
        width: innerWidth,
        ground: getComputedStyle(body).backgroundColor,
        pictures: [...seen.querySelectorAll("canvas")].map((canvas) => canvas.toDataURL()),
    };
}"""


def left(page: Page, view: str) -> dict:
    """Everything of ``view`` and of the page around it that a test may have changed."""
    return page.evaluate(LEFT, view)
