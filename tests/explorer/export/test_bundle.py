"""Modules as one script: what it gives is what the modules export."""

import json

import pytest

from explorer.export.bundle import as_function, bundle, modules
from explorer.export.standalone import ENTRY, STATIC
from tests.gate import node

FILES = {
    "a.mjs": """import { b, c as d } from "./in/b.mjs";
import * as e from "./in/b.mjs";
import {
  f,
} from "./f.mjs";
// import nothing from "./nowhere.mjs";
const [x, y] = [b + d, e.c];
export const sum = x + y + f();
export class Kept { get() { return sum; } }
export async function later() { return 1; }
export { x, y as z };
""",
    "in/b.mjs": """import { f } from "../f.mjs";
export const b = f() * 10;
const hidden = 1;
export const c = 100 + hidden;
""",
    "f.mjs": "export function f() { return 1; }\n",
}


@pytest.fixture
def folder(tmp_path):
    for name, source in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(source)
    return tmp_path


def test_exports_are_those_of_the_modules(folder):
    asked = "[m.sum, new m.Kept().get(), m.x, m.z, Object.keys(m)]"
    code = f"const m = {bundle('a.mjs', folder)}; console.log(JSON.stringify({asked}))"
    assert json.loads(node.evaluate(code)) == [213, 213, 111, 101, ["sum", "Kept", "later", "x", "z"]]


def test_what_is_imported_comes_first(folder):
    assert [*modules("a.mjs", folder)] == ["f.mjs", "in/b.mjs", "a.mjs"]


@pytest.mark.parametrize("line", [
    'import a from "./a.mjs";', 'import "./a.mjs";', 'export * from "./a.mjs";', "export default 1;",
    "export let a = 1;", 'const a = await import("./a.mjs");', 'import { a } from "lit";',
])  # fmt: skip
def test_a_line_that_is_not_understood_is_no_silent_gap(line):
    with pytest.raises(ValueError, match=r"x.mjs: .* cannot be bundled"):
        as_function(line, "x.mjs")


def test_all_of_the_page_is_bundled():
    assert len(modules(ENTRY, STATIC)) > 40
