"""The colours that mean something: one sheet, contrast by WCAG 2.1, and told apart by colour-blind eyes too.

Contrast: WCAG 2.1, 1.4.3 (text, 4.5 : 1) and 1.4.11 (graphics, 3 : 1). Colour blindness: the matrices for linear RGB of
Machado, Oliveira and Fernandes 2009 at severity 1. Distance: in Oklab (Ottosson 2020), where 0.02 is just seen.
"""

import re
from itertools import combinations

import numpy as np
import pytest

from tests.ui.modules import STATIC

MACHADO = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    "none": np.eye(3).tolist(),
}
TO_LMS = [
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
]
TO_LAB = [
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
]
TEXT = ("query", "key", "value", "attention", "changed", "bad", "good", "chosen")  # names and numbers are written in it
GRAPHICS = ("first", "itself", "seen", "positive", "negative")
TOGETHER = [  # what stands in one picture
    ("query", "key", "value", "attention"),
    ("positive", "negative"),
    ("good", "bad"),
    ("first", "attention", "itself"),
    ("seen", "bad"),
    ("changed", "attention"),
    ("attention", "bad"),
]
THEMES = pytest.mark.parametrize("theme", ["light", "dark"])


@pytest.fixture
def palette(js) -> dict:
    return js(
        "color/palette", "({ROLES, CATEGORIES, SEQUENTIAL, DIVERGING}) => ({ROLES, CATEGORIES, SEQUENTIAL, DIVERGING})"
    )


def roles_of(palette: dict, theme: str) -> dict[str, str]:
    return {name: colors[theme == "dark"] for name, colors in palette["ROLES"].items()}


def grounds(theme: str) -> list[str]:
    """What lies behind: the page, and a panel on it."""
    sheets = "".join(path.read_text(encoding="utf-8") for path in sorted((STATIC / "base").glob("*.css")))
    return [re.findall(rf"--hs-{name}: (#\w{{6}})", sheets)[theme == "dark"] for name in ("ground", "panel")]


def linear(colors: list[str]) -> np.ndarray:
    """#rrggbb -> linear RGB, (N, 3)."""
    rgb = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in colors]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def contrast(color: str, ground: str) -> float:
    low, high = sorted(linear([color, ground]) @ [0.2126, 0.7152, 0.0722])
    return (high + 0.05) / (low + 0.05)


def distance(first: str, second: str, matrix: list[list[float]]) -> float:
    seen = np.clip(linear([first, second]) @ np.array(matrix).T, 0, 1)
    a, b = np.cbrt(seen @ np.array(TO_LMS).T) @ np.array(TO_LAB).T
    return float(np.linalg.norm(a - b))


def nearest(colors: list[str]) -> tuple[float, str, str, str]:
    """The two that are hardest to tell apart, and for whom."""
    return min(
        (distance(a, b, matrix), eyes, a, b) for a, b in combinations(colors, 2) for eyes, matrix in MACHADO.items()
    )


def test_the_sheet_says_what_the_palette_says(js):
    sheet = STATIC / "color" / "palette.css"
    assert sheet.read_text(encoding="utf-8") == js("color/palette", "({styleSheet}) => styleSheet()"), "npm run palette"


def test_a_colour_is_decided_in_one_place():
    """No other sheet or module gives a name of the palette a colour, and no module holds a colour of its own."""
    names = "|".join(re.findall(r"--hs-([\w-]+):", (STATIC / "color" / "palette.css").read_text(encoding="utf-8")))
    for path in sorted([*STATIC.rglob("*.css"), *STATIC.rglob("*.mjs")]):
        if path.stem == "palette":
            continue
        text = path.read_text(encoding="utf-8")
        assert re.findall(rf"--hs-(?:{names}):", text) == [], path.name
        found = re.findall(r"#[0-9a-fA-F]{6}\b|\brgba?\(\d", text) if path.suffix == ".mjs" else []
        assert found == [], path.name


@THEMES
def test_what_is_written_and_drawn_stands_out_from_its_ground(palette, theme):
    roles = roles_of(palette, theme)
    assert set(roles) == {*TEXT, *GRAPHICS}
    for ground in grounds(theme):
        assert {name: contrast(roles[name], ground) for name in TEXT if contrast(roles[name], ground) < 4.5} == {}
        assert {name: contrast(roles[name], ground) for name in GRAPHICS if contrast(roles[name], ground) < 3} == {}


@THEMES
@pytest.mark.parametrize("names", TOGETHER, ids="/".join)
def test_colours_of_one_picture_are_told_apart_by_all_eyes(palette, theme, names):
    roles = roles_of(palette, theme)
    found = nearest([roles[name] for name in names])
    assert found[0] > 0.09, found


@THEMES
def test_no_two_meanings_share_a_colour(palette, theme):
    colors = list(roles_of(palette, theme).values())
    apart = {(a, b): distance(a, b, MACHADO["none"]) for a, b in combinations(colors, 2)}
    assert min(apart.values()) > 0.04, min(apart, key=apart.get)


@THEMES
def test_categories_stand_out_and_are_told_apart_by_all_eyes(palette, theme):
    colors = palette["CATEGORIES"][theme]
    assert len(set(colors)) == 8
    assert min(contrast(color, grounds(theme)[0]) for color in colors) >= 3
    assert nearest(colors)[0] > 0.1, nearest(colors)


@THEMES
def test_a_scale_around_zero_is_even_handed(palette, theme):
    """As far from zero on either side, for all eyes; and nearly as dark, so that neither sign looks like more."""
    low, zero, high = palette["DIVERGING"][theme]
    for matrix in MACHADO.values():
        assert min(distance(low, zero, matrix), distance(high, zero, matrix)) > 0.25
    below, above = (contrast(end, zero) for end in (low, high))
    assert 0.75 < below / above < 1.34
