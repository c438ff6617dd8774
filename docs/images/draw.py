"""Draws every .dot file of this folder as an SVG that can be read on a light and on a dark page.

    make drawings

Graphviz lays the drawing out; its colours are replaced by classes, which the style sheet below colours for both modes.
The drawing brings its own background, because a page's mode and the reader's system can differ.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

STYLE = """
svg { --card: #ffffff; --ink: #1f2328; --line: #59636e; --rim: #d1d9e0;
      --grey: #f0f2f4; --blue: #ddeeff; --green: #dcf5e3; --amber: #fff1d0; --violet: #efe6ff; --go: #a4470c; }
@media (prefers-color-scheme: dark) {
  svg { --card: #161b22; --ink: #e6edf3; --line: #9198a1; --rim: #3d444d;
        --grey: #2a313a; --blue: #15395f; --green: #154a2a; --amber: #573f0b; --violet: #3d2c66; --go: #f0a35e; }
}
.card { fill: var(--card); stroke: var(--rim); }
text { fill: var(--ink); font-family: Helvetica, Arial, "Liberation Sans", sans-serif; }
.node path, .node polygon { fill: var(--grey); stroke: var(--line); }
.edge path { fill: none; stroke: var(--line); }
.edge polygon { fill: var(--line); stroke: var(--line); }
.retriever path, .stage path { fill: var(--blue); }
.reader path, .version path { fill: var(--green); }
.loss path { fill: var(--amber); }
.use path { fill: var(--violet); }
.gradient path { stroke: var(--go); }
.gradient polygon { fill: var(--go); stroke: var(--go); }
.gradient text { fill: var(--go); }
"""


def draw(source: Path, program: str) -> str:
    """The SVG of a .dot file.

    Args:
        source: the .dot file.
        program: any Graphviz `dot`.
    """
    done = subprocess.run([program, "-Tsvg", str(source)], check=True, capture_output=True, text=True)
    svg = done.stdout[done.stdout.index("<svg") :]
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<title>.*?</title>\s*", "", svg)
    svg = re.sub(r' (?:fill|stroke|font-family)="[^"]*"', "", svg)
    width, height = re.search(r'viewBox="[\d.]+ [\d.]+ ([\d.]+) ([\d.]+)"', svg).groups()
    svg = re.sub(r'<svg width="[^"]*" height="[^"]*"', f'<svg width="{width}" height="{height}"', svg, count=1)
    card = f'<rect class="card" x="0.5" y="0.5" width="{float(width) - 1:g}" height="{float(height) - 1:g}" rx="8"/>'
    svg = re.sub(r"<polygon points=[^>]*/>\s*", "", svg, count=1)  # Graphviz's own white background
    opening = svg.index(">") + 1
    return f"{svg[:opening]}\n<style>{STYLE}</style>\n{card}{svg[opening:]}"


if __name__ == "__main__":
    for dot in sorted(Path(__file__).parent.glob("*.dot")):
        dot.with_suffix(".svg").write_text(draw(dot, sys.argv[1]), encoding="utf-8")
