"""What addresses say: each page's fields there and back, addresses of before, and whatever else may stand in one."""

import pytest

from explorer.first_html import SHELL

READ = "({readAddress}, search) => readAddress(search)"
WRITE = "({writeAddress}, search, page, values) => writeAddress(search, page, values)"
OLD_AND_NEW = [
    ("?view=explore", "?show=explore"),
    ("?view=explore&layer=4&head=1&query=5&key=2&draw=lines", "?show=explore&layer=3&head=0&query=5&key=2&draw=lines"),
    ("?view=explore&draw=lines&layer=4&also=2_5_7", "?show=explore&layer=3&also=1_4_6&draw=lines"),
    ("?view=explore&layer=0&head=-1&query=x&key=1.5&draw=paint", "?show=explore"),
    ("?view=explore&layer=3&layer=4&head=%3Cb%3E&query=&key=9999999", "?show=explore&layer=2"),
    ("?view=explore&model=runs%2Fmine&text=a+b", "?show=explore&model=runs%2Fmine&text=a+b"),
    ("?view=explore&edits=zero.h.1.7~painted.a.3.9.AB~open.e&changed=everywhere",
     "?show=explore&edits=zero.h.0.6%7Epainted.a.2.9.AB%7Eopen.e&changed=everywhere"),
    ("?view=compare&layer=2&models=decoder,runs%2Fa&mask=7&own=3.2,1.1",
     "?show=compare&layer=1&models=decoder%2Cruns%2Fa&mask=7&own=2.1%2C0.0"),
    ("?view=compare&mask=-3&own=1.x", "?show=compare"),
    ("?view=compare&second=", "?show=compare&second="),
    ("?view=generate&layer=2", "?show=generate&layer=1"),
    ("?view=train&train=timeline&of=decoder&prompt=2&at=64&unit=2.5&stack=cross&token=0&steps=even",
     "?show=train&train=timeline&of=decoder&prompt=2&at=64&unit=1.4&stack=cross&token=0&steps=even"),
    ("?view=train&train=x&of=../x&prompt=-1&at=1e9&unit=0.0&token=x&stack=<b>", "?show=train"),
    ("?view=check", "?show=check"),
    ("?lesson=heads&step=3", "?lesson=heads&step=3"),
    ("?show=learn&lesson=heads&step=3", "?lesson=heads&step=3"),
    ("?view=explore&lesson=heads", "?lesson=heads"),
    ("?view=learn", "?show=learn"),
    ("", ""),
    ("?view=start", ""),
    ("?show=start&x=1", "?x=1"),
    ("?__theme=dark", "?__theme=dark"),
    ("?view=toString", ""),
    ("?view=__proto__", ""),
    ("?show=explore&view=api", "?show=explore"),
    ("?__theme=dark&view=train&x=1", "?show=train&__theme=dark&x=1"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), OLD_AND_NEW)
def test_an_address_of_before_says_the_same_in_the_words_of_now(js, old, new):
    found = js("state/fields", READ, old)
    assert js("state/fields", WRITE, old, found["page"], found["values"]) == new
    assert js("state/fields", READ, new) == found


@pytest.mark.parametrize(
    ("page", "values"),
    [
        ("learn", {"lesson": "heads", "step": 2, "set": {"n_head": 7, "chain": "view(1, 12)", "on": True}}),
        ("learn", {"lesson": "heads", "step": 0, "text": "a b"}),
        ("explore", {"layer": 5, "head": 7, "query": 31, "key": 0, "draw": "lines", "also": "1_4", "stage": "softmax"}),
        ("compare", {"models": ["decoder"], "second": "a & b\nc", "own": [{"layer": 0, "head": 3}], "mask": 0}),
        ("generate", {"temperature": 0, "top_p": 0.5, "seed": "42", "written": ["12", "7h", "0s"], "choice": "next"}),
        ("train", {"train": "timeline", "at": 0, "unit": {"layer": 0, "head": 0}, "prompt": 4, "steps": "even"}),
        ("train", {"set": {"task": "copy", "n_layer": 2, "dropout": 0.1}}),
        ("check", {"report": "example", "block": "attention"}),
        ("explore", {"text": "<img src=x onerror=alert(1)>"}),
        ("explore", {"text": "${1+1} {{1}} \\x"}),
        ("explore", {"text": "naïve ☕ 👩\u200d👧 a+b%20c\n#&="}),
        ("explore", {"text": ""}),
    ],
)  # fmt: skip
def test_what_is_written_is_read_again(js, page, values):
    found = js("state/fields", READ, js("state/fields", WRITE, "?x=1", page, values))
    start = js("state/fields", "({startOf}, page) => startOf(page)", page)
    assert found == {"page": page, "values": {**start, **values}}


@pytest.mark.parametrize(
    "search",
    [
        "?show=learn&set=[1]", "?show=learn&set={%22a%22:{}}", "?show=learn&set=null", "?show=learn&set={",
        "?show=generate&temperature=9&top_k=-1&top_p=0&count=1e9&written=1..2&choice=x",
        "?show=generate&temperature=NaN&top_p=2&written=%3Cb%3E", "?show=explore&stage=constructor&draw=__proto__",
        "?show=train&unit=1&set=7", "?show=check&report=mine",
    ],
)  # fmt: skip
def test_what_is_not_understood_is_as_at_the_start(js, search):
    found = js("state/fields", READ, search)
    assert found["values"] == js("state/fields", "({startOf}, page) => startOf(page)", found["page"])


@pytest.mark.parametrize("letter", ["x", "é", "☕", "👩"])
def test_a_long_text_is_cut_between_letters_and_says_how_long_it_was(js, letter):
    text = letter * 2000
    written = js("state/fields", WRITE, "", "explore", {"text": text})
    assert len(written) < 1600
    values = js("state/fields", READ, written)["values"]
    assert values["cut"] == 2000
    assert text.startswith(values["text"]) and len(values["text"]) > 100


def test_half_of_a_surrogate_pair_is_no_error(js):
    call = "({writeAddress}) => writeAddress('', 'explore', { text: 'a' + String.fromCharCode(0xd83d) })"
    assert js("state/fields", call).startswith("?show=explore&text=a")


def test_the_header_of_the_first_html_names_every_page(js):
    header = (SHELL / "header.html").read_text()
    pages = js("state/pages", "({PAGES}) => PAGES")
    links = {page: "./" if page == "start" else f"?show={page}" for page in pages}
    assert [f'href="{link}" data-page="{page}"' in header for page, link in links.items()] == [True] * len(pages)
    assert header.count("data-page=") == len(pages)


def test_the_focus_names_the_stages_of_the_pipeline_in_their_order(js):
    stages = js("pipeline/stages", "({STAGES}) => Object.keys(STAGES)")
    assert js("state/focus", "({STAGE_IDS}) => STAGE_IDS") == stages
