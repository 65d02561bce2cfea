"""The tab Patch as its user has it: an experiment, a text of one's own, keyboard, phone, and numbers of torch."""

import pytest

from explorer.experiments import PATCHES
from llm_core import ids_of, load_model, load_tokenizer
from llm_core.analysis.patching import Patching, kl_divergence, logit_difference

from ..screen import Screen, rows_of

SHE = PATCHES[0]
MAY_STAY = ("patch_view",)
TOM = "Harry Smith met Draco. Harry"
DONE = "[data-view=patch_view][data-done=true]"
CELLS = "all => all.map(td => Number(td.dataset.value))"
OPEN = ".hs-patch-map .hs-patch-open"


@pytest.fixture(scope="module")
def patching():
    tokenizer, model = load_tokenizer(), load_model("decoder")
    tokens = [tokenizer.encode(SHE[name])[0] for name in ("answer", "other")]
    texts = [ids_of(SHE[name], tokenizer) for name in ("text", "corrupted")]
    return Patching(model, *texts, logit_difference(*tokens))


def cells(screen: Screen, site: str) -> list[float]:
    """What every cell of a site's map says, once all are exact."""
    page = screen.page
    page.click(f'[data-view=patch_view] [data-name="{site}"]')
    screen.next_frame()  # until then the map is the one before
    page.wait_for_selector(f"{DONE} .hs-patch-map:not(:has(.hs-estimated)) td")
    screen.next_frame()
    return page.locator(".hs-patch-map td[data-layer]").evaluate_all(CELLS)


def test_an_experiment_shows_torch_s_numbers_by_mouse_and_keys_and_fits_a_phone(screen, patching):
    page = screen.page
    screen.choose_panel("patch")
    assert page.locator(".hs-patch-map").is_hidden()
    page.click(f'text="{SHE["name"]}"')
    page.wait_for_selector(f"{DONE} .hs-patch-map td")
    assert screen.tokens()[5] == " she"
    differing = page.locator(".hs-patch-pair .hs-differs").all_text_contents()
    assert differing == ["she", "he"]
    for site in ("resid_pre", "z"):
        expected = patching.exact(site).recovered.flatten().tolist()
        assert cells(screen, site) == pytest.approx(expected, abs=1e-3)

    # a head: what it brings back, and the tokens of the three runs
    heads = patching.exact("z")
    layer, head = divmod(int(heads.recovered.argmax()), heads.recovered.shape[1])
    page.click(f"#hs-patch-{layer}-{head}")
    screen.next_frame()
    said = page.locator("[data-view=patch_view] .hs-cell").text_content()
    assert said.startswith(f"Layer {layer}, head {head}: the metric becomes ")
    assert f"{heads.values[layer, head]:.2f}".replace("-", "−")[:-1] in said
    assert f"{heads.recovered[layer, head]:.0%}" in said
    assert screen.title() == f"Layer {layer}, head {head}" or page.locator('[data-view="attention_view"]').is_hidden()
    p = patching.one("z", layer, head=head).softmax(-1)
    page.wait_for_function("() => document.querySelector('.hs-patch-next td')?.textContent.trim() === 'her'")
    first = rows_of(page.locator(".hs-patch-next"))[1]
    assert first[0].strip() == "her" and float(first[3]) == pytest.approx(p.max().item(), abs=6e-4)

    # keys, and the address
    page.focus(".hs-patch-map")
    for key in ("ArrowUp", "ArrowRight", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    screen.next_frame()
    assert page.locator(OPEN).get_attribute("id") == "hs-patch-4-6"
    address = screen.address()
    for part in ("panel=patch", "site=z", "layer=4", "head=6", "answer=+her", "corrupted=Ask+your+mother+if+he"):
        assert part in address, part

    page.set_viewport_size({"width": 390, "height": 844})
    screen.next_frame()
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 390
    assert page.locator(OPEN).is_visible()


def test_a_text_of_one_s_own_and_what_does_not_fit_it(screen):
    page = screen.page
    tokenizer, model = load_tokenizer(), load_model("decoder")
    screen.choose_panel("patch")
    field = page.locator('[data-view=patch_view] [data-name="corrupted"]')
    assert field.input_value() == "Harry Potter met Draco. Harry"
    field.fill("Harry met Draco. Harry")
    field.press("Enter")
    problem = page.wait_for_selector("[data-view=patch_view] .hs-problem[role=alert]:not([hidden])")
    assert "the clean text has 13 tokens and the corrupted one 11" in problem.text_content()
    field.fill(TOM)
    page.click('[data-view=patch_view] button[type="submit"]')
    page.wait_for_selector(f"{DONE} .hs-patch-map td")
    texts = [ids_of(text, tokenizer) for text in ("Harry Potter met Draco. Harry", TOM)]
    ours = Patching(model, *texts, kl_divergence)
    page.click('[data-view=patch_view] [data-name="kl"]')
    page.wait_for_function("() => document.querySelector('[data-view=patch_view]').textContent.includes('KL(clean')")
    assert cells(screen, "mlp_out") == pytest.approx(ours.exact("mlp_out").recovered.flatten().tolist(), abs=1e-3)
    assert " Pot" in page.locator("[data-view=patch_view] .hs-patch-next").text_content()
