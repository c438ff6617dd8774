"""Data Docs that can be read without a network.

Great Expectations' pages load scripts and styles from other hosts and report each view to one of them; the scripts
draw the index. This module removes them, adds a small style and writes the index itself.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from pathlib import Path

from jmlr.files import write_text
from jmlr.validation.checkpoint import whole_suite
from jmlr.validation.drift import Comparison, Drift
from jmlr.validation.outcome import Outcome

_REMOTE = re.compile(
    # the icon's relative address is one folder off in the pages of validations
    r"<script\b.*?</script>|<link\b[^>]*href=\"(?:https?:|[^\"]*favicon)[^>]*>|<img\b[^>]*src=\"https?:[^>]*>",
    re.DOTALL | re.IGNORECASE,
)
# Nothing on these pages runs or is loaded, even if a text came through unescaped.
_STYLE = """<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; } td, th { border: 1px solid #ccc; padding: .3rem .6rem;
text-align: left; vertical-align: top; } th { background: #f2f4f7; } td:last-child, code { overflow-wrap: anywhere; }
.fa-check-circle::before { content: "\u2713"; color: #2b6e35; } .fa-times::before { content: "\u2717"; color: #b00020; }
.fa-exclamation-triangle::before { content: "!"; color: #8a5a00; } footer { display: none; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.failed { color: #b00020; font-weight: 600; } .warned { color: #8a5a00; font-weight: 600; } .note { color: #555; }
.bar { background: #e8ebf0; display: inline-block; height: .7rem; margin-left: .5rem; width: 8rem; }
.bar i { background: #47719b; display: block; height: 100%; } .bar.over i { background: #c77700; }
.modal, .card, .btn { display: none; }
</style>"""


def _status(outcome: Outcome) -> str:
    if outcome.success:
        return "holds"
    return (
        '<span class="failed">fails</span>' if outcome.severity == "critical" else '<span class="warned">warns</span>'
    )


def _index_row(outcome: Outcome) -> str:
    found = [*("; ".join(f"{name}: {value}" for name, value in row.items()) for row in outcome.rows)]
    if outcome.observed and not outcome.success:
        found.insert(0, outcome.observed)
    cells = [
        html.escape(outcome.name),
        outcome.severity,
        _status(outcome),
        f"{outcome.unexpected_count:,}" + (f" of {outcome.checked:,}" if outcome.mostly < 1 else ""),
        "" if outcome.success else "<br>".join(html.escape(text) for text in found),
    ]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _pages(folder: Path, part: str, suite: str) -> list[str]:
    """Addresses of a suite's pages, those of batches in the order of the rows."""
    found = (page.relative_to(folder) for page in (folder / part).rglob("*.html"))
    return sorted(page.as_posix() for page in found if page.parts[1].removesuffix(".html") == suite)


def _links(folder: Path, table: str) -> str:
    """The pages of a table: one of validations and one of expectations, and more where it came in batches."""
    links = []
    for part in ("validations", "expectations"):
        for number, page in enumerate(_pages(folder, part, table), start=1):
            links.append(f'<a href="{page}">{part if number == 1 else number}</a>')
        links += [f'<a href="{page}">whole table</a>' for page in _pages(folder, part, whole_suite(table))]
    return " ".join(links)


def _section(folder: Path, table: str, outcomes: Sequence[Outcome]) -> str:
    rows = "\n".join(_index_row(outcome) for outcome in outcomes)
    return (
        f"<h2>{table}</h2>\n<p>{_links(folder, table)}</p>\n"
        "<table><tr><th>expectation</th><th>severity</th><th>result</th><th>rows</th><th>first rows</th></tr>\n"
        f"{rows}</table>"
    )


def _drift_row(row: Drift) -> str:
    over = row.distance > row.bound
    bar = f'<span class="bar{" over" if over else ""}"><i style="width: {100 * row.distance:.0f}%"></i></span>'
    distance = f"{row.distance:.3f}"
    cells = [
        f"<td>{html.escape(row.feature)}</td>",
        *(f'<td class="number">{count:,}</td>' for count in (row.accepted, row.current)),
        f"<td>{f'<span class=warned>{distance}</span>' if over else distance}{bar}</td>",
        f'<td class="number">{row.bound:g}</td>',
        *(f"<td>{html.escape(sources)}</td>" for sources in (row.new_sources, row.vanished_sources)),
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _drift_section(drift: Comparison) -> str:
    note = f'<h2>Distance from the accepted data</h2>\n<p class="note">{html.escape(drift.note)}</p>'
    if not drift.rows:
        return note
    head = "".join(
        f"<th>{name}</th>"
        for name in ("feature", "accepted", "now", "Jensen-Shannon distance, 0 to 1", "bound", "new", "vanished")
    )
    rows = "\n".join(_drift_row(row) for row in drift.rows)
    return f"{note}\n<table><tr>{head}</tr>\n{rows}</table>"


def _verdict(outcomes: Sequence[Outcome]) -> str:
    broken = [outcome for outcome in outcomes if not outcome.success]
    failed = [outcome.name for outcome in broken if outcome.severity == "critical"]
    warned = [outcome.name for outcome in broken if outcome.severity == "warning"]
    parts = [f"{len(outcomes)} expectations"]
    parts += [f'<span class="failed">{len(failed)} critical fail</span>' if failed else "no critical one fails"]
    parts += [f'<span class="warned">{len(warned)} warn</span>'] if warned else []
    return f"<p>{', '.join(parts)}. What looks like protected health information is masked.</p>"


def _index(folder: Path, outcomes: Sequence[Outcome], drift: Comparison) -> str:
    sections = [
        _section(folder, table, [outcome for outcome in outcomes if outcome.table == table])
        for table in dict.fromkeys(outcome.table for outcome in outcomes)
    ]
    body = "\n".join([_verdict(outcomes), *sections, _drift_section(drift)])
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Data Docs</title>\n{_STYLE}</head>\n'
        f"<body><h1>Data Docs</h1>\n{body}\n</body></html>\n"
    )


def make_self_contained(folder: Path, outcomes: Sequence[Outcome], drift: Comparison) -> None:
    """Rewrites the pages in `folder` so that none loads anything from another host; writes index.html.

    Args:
        folder: Data Docs as Great Expectations made them.
        outcomes: what each expectation found.
        drift: the distances from the accepted data, which the index shows whether or not an expectation looks at them.
    """
    for page in folder.rglob("*.html"):
        text = _REMOTE.sub("", page.read_text(encoding="utf-8")).replace("</head>", f"{_STYLE}\n</head>", 1)
        page.write_text(text, encoding="utf-8")
    write_text(folder / "index.html", _index(folder, outcomes, drift))
