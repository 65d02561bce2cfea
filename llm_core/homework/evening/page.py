"""A report as one page that opens without a network, and a page about a whole class."""

from collections import Counter
from html import escape

from ..report import BLOCKS, FAILED, NOT_STARTED, PASSED, BlockResult, Difference, Patterns, Report
from .grading import Grading

SIGNS = {PASSED: "✓", FAILED: "✗", NOT_STARTED: "–"}
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1d2330; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .3rem; }
.passed h2 { color: #1a7f4b; } .failed h2 { color: #b3261e; } .blank h2 { color: #6b7280; }
pre { background: #f3f4f8; padding: .5rem .8rem; border-radius: 6px; overflow-x: auto; }
table { border-collapse: collapse; font: 12px/1.4 ui-monospace, monospace; } td, th { padding: .1rem .45rem; }
.numbers td { text-align: right; } .differs { background: #fbd9d5; }
.pair { display: flex; gap: 2rem; flex-wrap: wrap; }
.dim { color: #5b6270; } .bar { background: #b3261e; height: .8rem; } td.cell { width: 14px; height: 14px; padding: 0; }
@media (prefers-color-scheme: dark) { body { background: #14171f; color: #e6e8ee; } pre { background: #1f2430; }
 .differs { background: #6d2b26; } .dim { color: #9aa2b1; } }
"""


def report_page(report: Report, grading: Grading | None = None, late_days: int = 0) -> str:
    grading = grading or Grading()
    total = f"{grading.total(report, late_days):g} of {grading.possible:g} points"
    parts = [f"<h1>{escape(report.file)}: {total}</h1>"]
    if report.problem:
        parts.append(f"<p>{escape(report.problem)}</p>")
    else:
        parts += [_block(block, grading) for block in report.blocks]
    return _page(report.file, parts)


def _page(title: str, parts: list[str]) -> str:
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    view = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    return f"{head}{view}<body>{''.join(parts)}</body></html>\n"


def _block(block: BlockResult, grading: Grading) -> str:
    worth = grading.points[block.name]
    earned = worth if block.status == PASSED else 0
    kind = {PASSED: "passed", FAILED: "failed"}.get(block.status, "blank")
    parts = [f'<section class="{kind}"><h2>{SIGNS[block.status]} {escape(block.title)} · {earned:g}/{worth:g}</h2>']
    if block.status == NOT_STARTED:
        parts.append(f'<p class="dim">{escape(block.sentence)}</p>')
    if block.status == FAILED:
        parts.append(f"<p>{escape(block.sentence)}</p>")
        for fault in block.faults:
            parts.append(f'<p class="dim">{escape(fault.effect)}<br>Instead: {escape(fault.idea)}</p>')
        if block.line:
            parts.append(f"<pre>{escape(block.line.place)}: {escape(block.line.text.strip())}</pre>")
        parts.append(_difference(block.difference) if block.difference else "")
        parts.append(_patterns(block.patterns) if block.patterns else "")
    return "".join([*parts, "</section>"])


def _difference(difference: Difference) -> str:
    title = f"{difference.tensor}, shape {tuple(difference.shape)}: {difference.where}"
    tables = "".join(
        f"<div><b>{name}</b>{_numbers(difference, table)}</div>"
        for name, table in (("expected", difference.expected), ("yours", difference.found))
    )
    return f'<details><summary>{escape(title)}</summary><div class="pair">{tables}</div></details>'


def _numbers(difference: Difference, table: list[list[float | None]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in ["", *difference.columns])
    rows = []
    for name, row, differs in zip(difference.rows, table, difference.differs):
        cells = "".join(
            f"<td{' class=differs' if is_so else ''}>{'nan' if x is None else f'{x:.3g}'}</td>"
            for x, is_so in zip(row, differs)
        )
        rows.append(f"<tr><th>{escape(name)}</th>{cells}</tr>")
    return f'<table class="numbers"><tr>{head}</tr>{"".join(rows)}</table>'


def _patterns(patterns: Patterns) -> str:
    title = f"Who looks at whom in the trained model, layer {patterns.layer}, head {patterns.head}"
    tables = "".join(
        f"<div><b>{name}</b>{_heat(patterns.tokens, table)}</div>"
        for name, table in (("expected", patterns.expected), ("yours", patterns.found))
    )
    return f'<details><summary>{escape(title)}</summary><div class="pair">{tables}</div></details>'


def _heat(tokens: list[str], table: list[list[float | None]]) -> str:
    rows = []
    for token, row in zip(tokens, table):
        cells = "".join(
            f'<td class="cell" title="{"nan" if x is None else f"{x:.3f}"}" '
            f'style="background:rgba(37,99,235,{min(1.0, max(0.0, x or 0.0)):.3f})"></td>'
            for x in row
        )
        rows.append(f"<tr><th>{escape(token)}</th>{cells}</tr>")
    return f"<table>{''.join(rows)}</table>"


def class_page(reports: list[tuple[str, Report, int]], grading: Grading) -> str:
    """Which block fails how often, and with which mistakes. Of each: who, the report, late days."""
    totals = [grading.total(report, late) for _, report, late in reports]
    mean = sum(totals) / max(1, len(totals))
    parts = [f"<h1>{len(reports)} submissions, {mean:.1f} of {grading.possible:g} points on average</h1>"]
    for name, (title, _) in BLOCKS.items():
        blocks = [block for _, report, _ in reports for block in report.blocks if block.name == name]
        parts.append(_of_class(title, blocks))
    rows = "".join(
        f"<tr><td>{escape(who)}</td><td>{total:g}</td><td>{escape(report.problem or '')}</td></tr>"
        for (who, report, _), total in zip(reports, totals)
    )
    parts.append(f"<h2>Everybody</h2><table>{rows}</table>")
    return _page("Homework of a class", parts)


def _of_class(title: str, blocks: list[BlockResult]) -> str:
    failed = [block for block in blocks if block.status == FAILED]
    blank = sum(block.status == NOT_STARTED for block in blocks)
    share = len(failed) / max(1, len(blocks))
    faults = Counter(fault.title for block in failed for fault in block.faults)
    named = "".join(f"<li>{escape(name)}: {count}</li>" for name, count in faults.most_common(8))
    told = f"{len(failed)} of {len(blocks)} failed" + (f", {blank} not started" if blank else "")
    bar = f'<div class="bar" style="width:{100 * share:.0f}%"></div>'
    return f'<h2>{escape(title)}</h2><p class="dim">{told}</p>{bar}<ul>{named}</ul>'
