"""Back and Forward, and that the address of each page shows another person the same."""

import re

from playwright.sync_api import BrowserContext, Page

from ..lesson_screen import LessonScreen
from ..screen import Screen
from ..serving import App
from ..writing import VIEW, Writer

MAY_STAY = ("learn_view", "generate_view")


def at(page: Page, name: str) -> None:
    """Wait until a page is open, and drawn."""
    page.wait_for_selector(f'body[data-page="{name}"]')
    page.wait_for_selector(f'#page-{name} .hs-view[data-ready="true"]', state="attached")
    if name == "explore":
        page.wait_for_selector('[data-view="attention_view"][data-ready="true"]')
    page.wait_for_function("globalThis.headscope.address.timer === null")


def marked(page: Page) -> str:
    return page.locator('#header [aria-current="page"]').text_content()


def test_back_goes_page_by_page_and_step_by_step_and_forward_comes_back(page: Page, app: App):
    learn = LessonScreen(page, app.url).open("attention", 1)
    page.set_default_timeout(60_000)
    learn.next()
    learn.wait_for("attention", 2)
    page.click('#header a[data-page="explore"]')
    at(page, "explore")
    screen = Screen(page, app.url)
    screen.choose_head(2, 3)
    assert screen.address() == "show=explore&layer=2&head=3"
    page.click('#header a[data-page="compare"]')
    at(page, "compare")
    page.click('.hs-compare-chips button[data-name="encoder"]')  # leaves it out
    page.wait_for_function("location.search.includes('models=decoder')")
    assert screen.address() == "show=compare&layer=2&head=3&models=decoder%2Cencoder-decoder-prefix"

    page.go_back()
    at(page, "explore")
    assert (marked(page), screen.address()) == ("Explore", "show=explore&layer=2&head=3")
    page.go_back()
    learn.wait_for("attention", 2)
    assert marked(page) == "Learn" and page.locator("#page-learn").is_visible()
    page.go_back()
    learn.wait_for("attention", 1)
    assert page.url.endswith("?lesson=attention&step=1")

    page.go_forward()
    learn.wait_for("attention", 2)
    page.go_forward()
    at(page, "explore")
    assert screen.title() == "Layer 2, head 3"
    page.go_forward()
    at(page, "compare")
    assert screen.address() == "show=compare&layer=2&head=3&models=decoder%2Cencoder-decoder-prefix"
    pressed = page.locator('.hs-compare-chips [aria-pressed="true"]').evaluate_all(
        "all => all.map(e => e.dataset.name)"
    )
    assert pressed == ["decoder", "encoder-decoder-prefix"]


def test_back_brings_the_text_back_that_the_page_had(screen: Screen, page: Page):
    before = screen.tokens()
    page.click('#header a[data-page="generate"]')
    at(page, "generate")
    screen.prompt.fill("one two three")
    screen.prompt.press("Enter")
    page.wait_for_function("location.search.includes('text=one+two+three')")  # some frames after the text has come
    page.go_back()
    page.wait_for_function("globalThis.headscope.payload.text !== 'one two three'")
    at(page, "explore")
    assert (screen.tokens(), screen.address()) == (before, "show=explore")
    page.go_forward()
    page.wait_for_function("globalThis.headscope.payload.text === 'one two three'")
    assert screen.prompt.input_value() == "one two three"


def test_the_address_follows_a_text_that_is_given_before_the_page_has_its_first(screen: Screen, page: Page):
    page.route("**/*.bin*", lambda route: None)  # the text that Generate opens with never comes
    page.click('#header a[data-page="generate"]')
    page.wait_for_selector('[data-view="generate_view"].hs-generate')
    screen.prompt.fill("one two three")
    screen.prompt.press("Enter")
    page.wait_for_function("location.search.includes('text=one+two+three')")


def test_hovering_and_keeping_are_no_steps_of_their_own(screen: Screen, page: Page):
    count = page.evaluate("history.length")
    for layer, head in [(0, 1), (2, 3), (4, 5)]:
        screen.choose_head(layer, head)
        screen.address()
    screen.run("one two three")
    assert "text=one" in screen.address()
    assert page.evaluate("history.length") == count


def test_a_text_that_is_too_long_is_whole_on_the_way_back_and_cut_for_others(screen: Screen, profile: BrowserContext):
    text = "word " * 500
    screen.run(text)
    address = screen.address()
    assert address.endswith("cut=2500")
    screen.page.click('#header a[data-page="train"]')
    screen.page.wait_for_selector('body[data-page="train"]')
    screen.page.reload()
    at(screen.page, "train")
    screen.page.go_back()
    screen.page.wait_for_function("(text) => globalThis.headscope.payload?.text === text", arg=text)
    other = profile.new_page()
    theirs = Screen(other, screen.url).open_address(address)
    other.wait_for_selector("#notice")
    said = re.fullmatch(
        r"This address holds only the first (\d+) of the text's 2500 characters. Close", theirs.text_of("#notice")
    )
    shown = theirs.page.evaluate("globalThis.headscope.payload.text")
    assert shown == text[: int(said[1])]
    other.close()


# each page's address shows the same


def led(screen: Screen, address: str) -> Page:
    """The page, which follows a link."""
    screen.page.evaluate("(address) => headscope.address.follow(address)", address)
    return screen.page


def reopened(page: Page, profile: BrowserContext) -> Page:
    """Another person's page, at the address of this one."""
    page.wait_for_function("globalThis.headscope.address.timer === null")
    other = profile.new_page()
    other.set_default_timeout(60_000)
    other.goto(page.url)
    return other


def test_a_lesson_comes_with_its_text_and_settings(screen: Screen, app: App, profile: BrowserContext):
    page = led(screen, "?lesson=attention&step=8")
    learn = LessonScreen(page, app.url)
    page.set_default_timeout(60_000)
    learn.wait_for("attention", 8)
    learn.run("one two three")
    learn.choose("layer", "3")
    page.wait_for_function("location.search.includes('text=one')")
    other = reopened(page, profile)
    theirs = LessonScreen(other, app.url)
    theirs.page.set_default_timeout(60_000)
    theirs.wait_for("attention", 8)
    other.wait_for_function(
        "(text) => document.querySelector('.hs-about').textContent === text", arg=page.text_content(".hs-about")
    )
    assert "one two three" in other.text_content(".hs-about")
    assert theirs.table("pattern") == learn.table("pattern")
    assert other.url == page.url
    other.close()


def test_what_the_model_wrote_comes_with_the_address(screen: Screen, app: App, profile: BrowserContext):
    page = led(screen, "?show=generate")
    writer = Writer(page, app.url).wait_for_picture("next")
    writer.set(temperature=0.5, top_k=40, seed=7)
    for count in (1, 2):
        writer.write(count, "step")
    writer.look_at("next")
    id = int(page.locator(".hs-pick").nth(3).get_attribute("data-id"))
    writer.take(id)
    before = written_as_shown(page)
    assert re.search(rf"temperature=0\.5&top_k=40&seed=7&written=\d+\.\d+\.{id}h$", writer.address())
    other = reopened(page, profile)
    other.wait_for_selector(f'{VIEW}[data-count="3"][data-shown^="chosen"]')
    assert written_as_shown(other) == before
    assert other.url == page.url
    other.close()


def written_as_shown(page: Page) -> list:
    """Words and grounds of the written tokens, and the table of how the newest was chosen."""
    tokens = page.locator(".hs-written-tokens button").evaluate_all(
        "all => all.map(e => [e.textContent, e.title, e.style.getPropertyValue('--sure'), e.matches('.hs-by-hand')])"
    )
    return [tokens, page.text_content(".hs-said"), page.text_content(".hs-choice tbody")]


def test_train_and_check_come_back_as_they_were(page: Page, app: App):
    page.set_default_timeout(60_000)
    page.goto(f"{app.url}?show=train&set=" + '{"task":"reverse","n_layer":1}')
    at(page, "train")
    assert page.locator('input[name="live-task"]:checked').input_value() == "reverse"
    page.locator('input[name="live-task"][value="copy"]').check(force=True)
    page.click('[data-view="train_switch"] [data-name="timeline"]')
    page.wait_for_selector('[data-view="timeline_view"][data-ready="true"]')
    page.wait_for_function("location.search.includes('unit=')")
    page.click('#header a[data-page="check"]')
    at(page, "check")
    page.get_by_role("button", name="example").first.click()
    page.wait_for_selector('[data-view="check_view"][data-shows="report"]')
    tile = page.locator(".hs-check-tile").nth(4)
    tile.click()
    block = tile.get_attribute("data-block")
    page.wait_for_function(
        "(block) => new URLSearchParams(location.search).get('block') === block", arg=block, polling=50
    )
    page.reload()
    page.wait_for_selector(f'[data-view="check_view"][data-shows="report"][data-block="{block}"]')
    page.go_back()
    page.wait_for_selector('[data-view="check_view"][data-shows="start"]')
    page.go_back()
    at(page, "train")
    page.wait_for_selector('body[data-train="timeline"]')
    page.go_back()
    page.wait_for_selector('body[data-train="live"]')
    assert page.locator('input[name="live-task"]:checked').input_value() == "copy"
