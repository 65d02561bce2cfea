"""The rules of the style sheets find what is against them, and the sheets are not."""

import pytest

from .styles import all_complaints, complaints, global_classes, parse

WELL = """
@layer ui { .hs-a { padding: var(--hs-s2) 1px; .hs-b { font-size: var(--hs-note); } } }
@media (max-width: 720px) { @layer ui { [data-view="x"] .hs-c { margin: 40px 0; } } }
:root { --hs-s2: 4px; }
"""


def test_the_sheets_are_by_the_rules():
    assert list(all_complaints()) == []


def test_what_is_well_is_not_complained_of():
    assert list(complaints("a.css", parse(WELL))) == []


def test_a_class_outside_of_a_root_is_global():
    assert global_classes(parse(WELL)) == {"hs-a"}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (".hs-a { color: red; }", 1, "stands in no layer"),
        ("@layer ui {\n .hs-a { padding: 3px; }\n}", 2, "3px is no token"),
        ("@layer ui { .hs-a {\n .hs-b { gap: 0 5px; } } }", 2, "5px is no token"),
        ("@layer ui { .hs-a { border-radius: 0 0 7px 7px; } }", 1, "7px, 7px is no token"),
        ("/* a\n*/\n@media (max-width: 900px) { @layer ui { p { color: red; } } }", 3, "900px is no breakpoint"),
    ],
)
def test_what_is_against_the_rules_is_told_with_its_line(text, line, words):
    (complaint,) = complaints("a.css", parse(text))
    assert complaint.startswith(f"a.css:{line}: ") and words in complaint
