"""Data Docs that can be read without a network.

Great Expectations' pages load scripts and styles from other hosts and report each view to one; its index is drawn by
those scripts. So these are taken out, a small style is put in, and the index is written here.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from pathlib import Path

from jmlr.files import write_text
from jmlr.validation.checkpoint import Outcome

_REMOTE = re.compile(
    # the icon's relative address is one folder off in the pages of validations
    r"<script\b.*?</script>|<link\b[^>]*href=\"(?:https?:|[^\"]*favicon)[^>]*>|<img\b[^>]*src=\"https?:[^>]*>",
    re.DOTALL | re.IGNORECASE,
)
_STYLE = """<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; } td, th { border: 1px solid #ccc; padding: .3rem .6rem;
text-align: left; vertical-align: top; } code { overflow-wrap: anywhere; } .failed { color: #b00020; font-weight: 600; }
.warned { color: #8a5a00; font-weight: 600; } .modal, .card, .btn { display: none; }
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
        f"{outcome.unexpected_count:,}",
        "" if outcome.success else "<br>".join(html.escape(text) for text in found),
    ]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _links(folder: Path, part: str, table: str) -> str:
    pages = sorted(
        page for page in (folder / part).rglob("*.html") if table in page.relative_to(folder / part).parts[0]
    )
    return " ".join(f'<a href="{page.relative_to(folder).as_posix()}">{part}</a>' for page in pages)


def _index(folder: Path, outcomes: Sequence[Outcome]) -> str:
    sections = []
    for table in dict.fromkeys(outcome.table for outcome in outcomes):
        rows = "\n".join(_index_row(outcome) for outcome in outcomes if outcome.table == table)
        sections.append(
            f"<h2>{table}</h2>\n<p>{_links(folder, 'validations', table)} {_links(folder, 'expectations', table)}</p>\n"
            "<table><tr><th>expectation</th><th>severity</th><th>result</th><th>rows</th><th>first rows</th></tr>\n"
            f"{rows}</table>"
        )
    body = "\n".join(sections)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Data Docs</title>\n{_STYLE}</head>\n'
        f"<body><h1>Data Docs</h1>\n{body}\n</body></html>\n"
    )


def make_self_contained(folder: Path, outcomes: Sequence[Outcome]) -> None:
    """Rewrites the pages in `folder` so that none loads anything from another host, and writes its index.html."""
    for page in folder.rglob("*.html"):
        text = _REMOTE.sub("", page.read_text(encoding="utf-8")).replace("</head>", f"{_STYLE}\n</head>", 1)
        page.write_text(text, encoding="utf-8")
    write_text(folder / "index.html", _index(folder, outcomes))
